//! All that is told of one target, and its badges.

use std::collections::BTreeMap;

use super::{Archive, unreadable};
use crate::api::Told;
use crate::clock::rfc3339;
use crate::health::Health;
use crate::stats::Tally;
use crate::store::reader::{Outages, Period, UPTIME_DAYS};
use crate::store::{Record, SampleKey};
use crate::target::{CheckKind, Priority, Target};
use crate::view::past::{
    Badge, BadgeKind, Certificate, ChartSpan, Day, Figures, Hour, Reading, TargetDetail, poll,
};

/// Days, hours, outages and polls that are told.
pub(in crate::app) const DAYS: u32 = 90;
pub(in crate::app) const HOURS: u32 = 48;
pub(in crate::app) const OUTAGES: usize = 20;
pub(in crate::app) const POLLS: usize = 50;
const DAY_MS: i64 = 86_400_000;

/// Tallies by their period.
pub(in crate::app) type Tallies = BTreeMap<u32, Tally>;

impl Archive {
    /// All that is told of the target `id`.
    pub(super) fn told_detail(&self, id: &str) -> Told<TargetDetail> {
        let (number, target) = self.target(id)?;
        let now_ms = self.live.clock.now_ms();
        let (record, [days, hours]) = self.tallies_of(number, now_ms)?;
        let mut shown = self.live.row(&target);
        let health = record.as_ref().map_or(Health::pending(now_ms), |record| record.health);
        let uptime =
            self.reader.uptime_of(number, &health, now_ms, UPTIME_DAYS.map(|days| days * DAY_MS));
        shown.uptime = uptime.map_err(unreadable)?.into();
        let until_s = record.as_ref().map_or(0, |record| record.certificate_until);
        Ok(TargetDetail {
            uptime: shown.uptime,
            incidents: self.outages_of(number, &target, now_ms)?,
            polls: self.polls_of(number, (&shown.id, &shown.url))?,
            target: shown,
            check: check_kind(&target).to_owned(),
            method: target.plan.method.to_string(),
            timeout_seconds: target.timeout().as_secs_f64(),
            priority: priority(target.priority).to_owned(),
            certificate: (until_s != 0).then(|| certificate(until_s, now_ms)),
            days: told_days(&days),
            hours: told_hours(&hours),
        })
    }

    /// What is known of the target, and its last days and hours, the open hour among them.
    fn tallies_of(&self, number: u32, now_ms: i64) -> Told<(Option<Record>, [Tallies; 2])> {
        let (day, hour) = (Period::Day.of(now_ms), Period::Hour.of(now_ms));
        let (first_day, first_hour) =
            (day.saturating_sub(DAYS - 1), hour.saturating_sub(HOURS - 1));
        let (record, (days, hours)) = self.counted(number, || {
            Ok((
                self.reader.tallies(number, Period::Day, (first_day, day))?,
                self.reader.tallies(number, Period::Hour, (first_hour, hour))?,
            ))
        })?;
        let (mut days, mut hours) = (BTreeMap::from_iter(days), BTreeMap::from_iter(hours));
        if let Some(open) = record.as_ref().filter(|record| record.tally.checks > 0) {
            merge(&mut days, (first_day, open.hour / 24), &open.tally);
            merge(&mut hours, (first_hour, open.hour), &open.tally);
        }
        Ok((record, [days, hours]))
    }

    fn outages_of(
        &self,
        number: u32,
        target: &Target,
        now_ms: i64,
    ) -> Told<Vec<crate::view::past::Incident>> {
        let wanted = Outages {
            target: Some(number),
            lasting: None,
            from: SampleKey(0),
            before: SampleKey(i64::MAX),
            most: OUTAGES,
        };
        let (outages, _) = self.reader.outages(&wanted).map_err(unreadable)?;
        let (id, url) = (target.shown_id(), target.address.to_string());
        let name = target.name.as_deref();
        Ok(outages
            .iter()
            .map(|outage| super::pages::incident(outage, (&id, &url, name), now_ms))
            .collect())
    }

    fn polls_of(&self, number: u32, (id, url): (&str, &str)) -> Told<Vec<crate::view::past::Poll>> {
        let first = self.start(number, None)?;
        let walk = self.reader.walk(number, first, 0, POLLS).map_err(unreadable)?;
        Ok(walk.samples.iter().map(|sample| poll(&sample.outcome, id, url)).collect())
    }

    /// What a badge of the target `id` is made of.
    pub(super) fn told_badge(&self, id: &str, kind: BadgeKind) -> Told<Badge> {
        let (number, target) = self.target(id)?;
        let now_ms = self.live.clock.now_ms();
        let known = self.live.ledger.lock().record(number).map(|record| record.health);
        let health = known.unwrap_or(Health::pending(now_ms));
        let reading = match kind {
            BadgeKind::Status => Reading::Status(health.state),
            BadgeKind::Uptime(span) => {
                let days = UPTIME_DAYS.get(span).copied().unwrap_or(1);
                Reading::Uptime(self.uptime_over(id, days * DAY_MS)?)
            }
            BadgeKind::Latency(span) => Reading::Latency(self.median(number, span, now_ms)?),
        };
        let name = target.name.as_deref().map_or_else(|| target.address.to_string(), str::to_owned);
        Ok(Badge { name, reading })
    }

    /// The share of the last `span_ms` milliseconds that the target `id` was up.
    pub(super) fn uptime_over(&self, id: &str, span_ms: i64) -> Told<Option<f64>> {
        let (number, _) = self.target(id)?;
        let now_ms = self.live.clock.now_ms();
        let known = self.live.ledger.lock().record(number).map(|record| record.health);
        let health = known.unwrap_or(Health::pending(now_ms));
        let told = self.reader.uptime_of(number, &health, now_ms, [span_ms]);
        told.map(|[share]| share).map_err(unreadable)
    }

    /// How long half of the answered polls of a target took over `span`, in seconds.
    fn median(&self, number: u32, span: ChartSpan, now_ms: i64) -> Told<Option<f64>> {
        let (period, count) = match span {
            ChartSpan::Month => (Period::Day, 30),
            other => (Period::Hour, other.hours().unwrap_or(1)),
        };
        let last = period.of(now_ms);
        let first = last.saturating_sub(count - 1);
        let (record, stored) =
            self.counted(number, || self.reader.tallies(number, period, (first, last)))?;
        let mut all = Tally::default();
        for (_, tally) in &stored {
            all.merge(tally);
        }
        if let Some(open) = record.filter(|record| in_period(period, record.hour) >= first) {
            all.merge(&open.tally);
        }
        Ok(all.quantile(0.5).map(|us| f64::from(us) / 1e6))
    }
}

/// `days` as they are told.
pub(in crate::app) fn told_days(days: &Tallies) -> Vec<Day> {
    let told = days.iter();
    told.map(|(day, tally)| Day { day: begin(Period::Day, *day), figures: Figures::from(tally) })
        .collect()
}

/// `hours` as they are told.
pub(in crate::app) fn told_hours(hours: &Tallies) -> Vec<Hour> {
    let told = hours.iter();
    told.map(|(hour, tally)| Hour {
        hour: begin(Period::Hour, *hour),
        figures: Figures::from(tally),
    })
    .collect()
}

/// Adds `tally` to the period `at`, unless it lies before `first`.
pub(in crate::app) fn merge(
    tallies: &mut BTreeMap<u32, Tally>,
    (first, at): (u32, u32),
    tally: &Tally,
) {
    if at >= first {
        tallies.entry(at).or_default().merge(tally);
    }
}

/// The period that `hour` (since the Unix epoch) lies in.
pub(in crate::app) const fn in_period(period: Period, hour: u32) -> u32 {
    match period {
        Period::Hour => hour,
        Period::Day => hour / 24,
    }
}

/// When the `number`th period since the Unix epoch begins.
pub(in crate::app) fn begin(period: Period, number: u32) -> String {
    rfc3339(i64::from(number) * period.ms())
}

/// A certificate that runs out at `until_s` (Unix seconds), at `now_ms` (Unix milliseconds).
pub(in crate::app) fn certificate(until_s: i64, now_ms: i64) -> Certificate {
    let days = (until_s - now_ms.div_euclid(1_000)).div_euclid(86_400);
    Certificate { until: rfc3339(until_s * 1_000), days }
}

/// The name of what is checked.
pub(in crate::app) fn check_kind(target: &Target) -> &str {
    match target.plan.probe.kind() {
        CheckKind::Other => target.plan.probe.plugin_type(),
        kind => kind.as_str(),
    }
}

/// The name of `priority`.
pub(in crate::app) const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    }
}
