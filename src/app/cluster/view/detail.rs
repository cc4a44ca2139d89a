//! All that is told of one target of a cluster.

use std::collections::BTreeMap;

use super::View;
use super::targets::row;
use crate::api::Told;
use crate::app::past::detail::{
    DAYS, HOURS, OUTAGES, POLLS, Tallies, certificate, check_kind, in_period, merge, priority,
    told_days, told_hours,
};
use crate::config::targets::written;
use crate::health::Transition;
use crate::stats::{Spans, Tally, uptime};
use crate::store::postgres::read::{IncidentPlace, Incidents, Line};
use crate::store::reader::{Period, UPTIME_DAYS};
use crate::target::{State, Target, TargetId};
use crate::view::past::{Badge, BadgeKind, ChartSpan, Reading, TargetDetail, poll};

const DAY_MS: i64 = 86_400_000;

/// The target that `entry` describes, when this program can make one of it; its id is not in there.
pub(super) fn made(entry: &str) -> Option<Target> {
    written::read(entry.as_bytes(), TargetId(0)).ok()
}

/// The target `line`, as its `entry` describes it.
pub(super) fn target(line: &Line, entry: &str) -> Option<Target> {
    let made = written::read(entry.as_bytes(), line.id).ok()?;
    let given_id = line.given_id.clone().map(String::into_boxed_str);
    Some(Target { number: line.number, given_id, ..made })
}

impl View {
    /// All that is told of the target `id`.
    pub(super) fn target_detail(&self, id: &str) -> Told<TargetDetail> {
        let line = self.line(id)?;
        let now_ms = self.now_ms();
        let mut shown = row(&line, now_ms.div_euclid(1_000));
        let (days, hours) = self.tallies_of(&line, now_ms)?;
        let spans = UPTIME_DAYS.map(|days| days * DAY_MS);
        shown.uptime = self.uptime_of(&line, now_ms, spans)?.into();
        let until_s = line.known.as_ref().map_or(0, |known| known.certificate_until);
        let entries = self.ask(self.reader.entries(&[line.number]))?;
        let target = entries.get(&line.number).and_then(|entry| target(&line, entry));
        let told = target.as_ref();
        Ok(TargetDetail {
            uptime: shown.uptime,
            incidents: self.incidents_of(&line)?,
            polls: self.last_polls(&line)?,
            check: told.map_or("", check_kind).to_owned(),
            method: told.map_or_else(String::new, |target| target.plan.method.to_string()),
            timeout_seconds: told.map_or(0.0, |target| target.timeout().as_secs_f64()),
            priority: told.map_or("", |target| priority(target.priority)).to_owned(),
            certificate: (until_s != 0).then(|| certificate(until_s, now_ms)),
            days: told_days(&days),
            hours: told_hours(&hours),
            target: shown,
        })
    }

    /// The last days and hours of `line`, the open hour among them.
    fn tallies_of(&self, line: &Line, now_ms: i64) -> Told<(Tallies, Tallies)> {
        let (day, hour) = (Period::Day.of(now_ms), Period::Hour.of(now_ms));
        let (first_day, first_hour) =
            (day.saturating_sub(DAYS - 1), hour.saturating_sub(HOURS - 1));
        let (days, hours, open) = self.ask(async {
            tokio::try_join!(
                self.reader.tallies(line.number, Period::Day, (first_day, day)),
                self.reader.tallies(line.number, Period::Hour, (first_hour, hour)),
                self.reader.open_hour(line.number),
            )
        })?;
        let (mut days, mut hours) = (BTreeMap::from_iter(days), BTreeMap::from_iter(hours));
        if let Some((open, tally)) = open.filter(|(_, tally)| tally.checks > 0) {
            merge(&mut days, (first_day, open / 24), &tally);
            merge(&mut hours, (first_hour, open), &tally);
        }
        Ok((days, hours))
    }

    fn incidents_of(&self, line: &Line) -> Told<Vec<crate::view::past::Incident>> {
        let place = IncidentPlace { began_ms: self.now_ms() + DAY_MS, passed: 0 };
        let target = Some(line.number);
        let wanted = Incidents { target, place, most: OUTAGES, ..Incidents::default() };
        let (incidents, _) = self.ask(self.reader.incidents(&wanted))?;
        let id = line.shown_id();
        let called = (id.as_str(), line.url.as_str(), line.name.as_deref());
        let now_ms = self.now_ms();
        Ok(incidents.iter().map(|one| super::past::incident(one, called, now_ms)).collect())
    }

    fn last_polls(&self, line: &Line) -> Told<Vec<crate::view::past::Poll>> {
        let (outcomes, _) = self.polls_of(line, (None, 0), POLLS, |_| true)?;
        let id = line.shown_id();
        Ok(outcomes.iter().map(|outcome| poll(outcome, &id, &line.url)).collect())
    }

    /// The share of time that `line` was up over each of `spans_ms` (milliseconds) until `now_ms`
    /// (Unix milliseconds). What nobody made jobs for does not count.
    pub(super) fn uptime_of<const SPANS: usize>(
        &self,
        line: &Line,
        now_ms: i64,
        spans_ms: [i64; SPANS],
    ) -> Told<[Option<f64>; SPANS]> {
        let begin_ms = now_ms - spans_ms.iter().max().copied().unwrap_or(0);
        let shard = line.number.checked_rem(self.gathered.lock().cluster.shards).unwrap_or(0);
        let (mut changes, gaps) = self.ask(async {
            tokio::try_join!(
                self.reader.changes_of(line.number, begin_ms),
                self.reader.gaps_of(shard, begin_ms),
            )
        })?;
        let health = line.health(now_ms);
        let from = changes.last().map_or(State::Pending, |last| last.to);
        // What came about long ago is kept no more.
        if from != health.state {
            let (to, at_ms) = (health.state, health.since_ms);
            let (cause, detail) = (health.cause, health.detail);
            changes.push(Transition { target: line.number, from, to, at_ms, cause, detail });
        }
        let gaps: Vec<_> = gaps.iter().map(|gap| (gap.began_ms, gap.ended_ms)).collect();
        let watched = outside(&gaps, (begin_ms, now_ms));
        Ok(spans_ms.map(|span| uptime(&changes, &watched, (now_ms - span, now_ms))))
    }

    /// What a badge of the target `id` is made of.
    pub(super) fn target_badge(&self, id: &str, kind: BadgeKind) -> Told<Badge> {
        let line = self.line(id)?;
        let now_ms = self.now_ms();
        let reading = match kind {
            BadgeKind::Status => Reading::Status(line.health(now_ms).state),
            BadgeKind::Uptime(span) => {
                let days = UPTIME_DAYS.get(span).copied().unwrap_or(1);
                let [share] = self.uptime_of(&line, now_ms, [days * DAY_MS])?;
                Reading::Uptime(share)
            }
            BadgeKind::Latency(span) => Reading::Latency(self.median(&line, span, now_ms)?),
        };
        Ok(Badge { name: line.name.unwrap_or(line.url), reading })
    }

    /// How long half of the answered polls of `line` took over `span`, in seconds.
    fn median(&self, line: &Line, span: ChartSpan, now_ms: i64) -> Told<Option<f64>> {
        let (period, count) = match span {
            ChartSpan::Month => (Period::Day, 30),
            other => (Period::Hour, other.hours().unwrap_or(1)),
        };
        let last = period.of(now_ms);
        let first = last.saturating_sub(count - 1);
        let (stored, open) = self.ask(async {
            tokio::try_join!(
                self.reader.tallies(line.number, period, (first, last)),
                self.reader.open_hour(line.number),
            )
        })?;
        let mut all = Tally::default();
        for (_, tally) in &stored {
            all.merge(tally);
        }
        if let Some((_, tally)) = open.filter(|(hour, _)| in_period(period, *hour) >= first) {
            all.merge(&tally);
        }
        Ok(all.quantile(0.5).map(|us| f64::from(us) / 1e6))
    }
}

/// The time from `begin` to `end` without `gaps`; all in Unix milliseconds.
fn outside(gaps: &[(i64, i64)], (begin, end): (i64, i64)) -> Spans {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable();
    let mut spans = Vec::with_capacity(gaps.len() + 1);
    let mut from = begin;
    for (gap_from, gap_until) in gaps {
        if gap_from > from {
            spans.push((from, gap_from.min(end)));
        }
        from = from.max(gap_until);
    }
    if from < end {
        spans.push((from, end));
    }
    Spans::new(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_of_gaps_was_watched() {
        let watched = outside(&[(60, 70), (10, 20), (15, 30)], (0, 100));
        assert_eq!(watched, Spans::new(vec![(0, 10), (30, 60), (70, 100)]));
        assert_eq!(outside(&[(-5, 200)], (0, 100)), Spans::default());
        assert_eq!(outside(&[], (0, 100)).within(0, 100), 100);
    }
}
