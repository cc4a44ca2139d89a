//! The fleet over time: how long its polls took, and what all results came to.

use std::collections::BTreeMap;

use super::{Archive, unreadable};
use crate::api::Told;
use crate::clock::rfc3339;
use crate::stats::{Grain, SPAN_S, Sketch, Tally, Window};
use crate::store::reader::Period;
use crate::view::past::{
    ChartSpan, Counts, LatencyChart, LatencyPoint, PluginSummary, ResultsSummary, SummaryPeriod,
};

/// Seconds of the fleet that are copied while nobody else gets at the ledger.
const COPIED: i64 = 30;
/// Seconds of a step of the shortest chart.
const FEW_S: i64 = 5;
/// Minutes of the chart of an hour.
pub(in crate::app) const MINUTES: i64 = 60;
/// Tallies that are added up by kind at most; a fleet with more is told as a whole.
pub(in crate::app) const ADDED: usize = 50_000;
/// Tallies that are read at once.
const PART: usize = 5_000;
/// Targets that are looked at while nobody else gets at the ledger.
const SLICE: usize = 500;

impl Archive {
    /// How long the polls of the fleet took over `span`.
    pub(super) fn chart(&self, span: ChartSpan) -> Told<LatencyChart> {
        let now_s = self.live.clock.now_ms().div_euclid(1_000);
        match span {
            ChartSpan::FiveMinutes => Ok(self.by_seconds(now_s)),
            ChartSpan::Hour => Ok(self.by_minutes(now_s)),
            ChartSpan::Month => self.by_hours(now_s, 30 * 24, 2),
            ChartSpan::Day | ChartSpan::Week => self.by_hours(now_s, span.hours().unwrap_or(24), 1),
        }
    }

    fn by_seconds(&self, now_s: i64) -> LatencyChart {
        of_seconds(&self.windows(now_s - SPAN_S + 1, now_s + 1))
    }

    fn by_minutes(&self, now_s: i64) -> LatencyChart {
        let minute = now_s.div_euclid(60);
        let first = minute - MINUTES + 1;
        let oldest = now_s - SPAN_S - COPIED;
        // The seconds that are forgotten next are copied together with the minutes that they go to.
        let (mut minutes, mut seconds) = {
            let ledger = self.live.ledger.lock();
            let recent = ledger.fleet().recent;
            let minutes = recent.minutes().from(first);
            let minutes: BTreeMap<i64, Tally> =
                minutes.map(|(minute, tally)| (minute, tally.clone())).collect();
            (minutes, copied(recent.windows(oldest, oldest + 2 * COPIED)))
        };
        seconds.extend(self.windows(oldest + 2 * COPIED, now_s + 1));
        for (second, window) in &seconds {
            minutes.entry(second.div_euclid(60)).or_default().add_second(window);
        }
        of_minutes(&minutes, first)
    }

    fn by_hours(&self, now_s: i64, hours: u32, step: u32) -> Told<LatencyChart> {
        let last = Period::Hour.of(now_s * 1_000);
        let all = self.fleet_hours(last.saturating_sub(hours - 1), last)?;
        Ok(of_hours(&all, step))
    }

    /// The fleet's hours from `first` to `last`, the one that is not over among them.
    fn fleet_hours(&self, first: u32, last: u32) -> Told<BTreeMap<u32, Tally>> {
        let stored = self.reader.fleet_hours((first, last)).map_err(unreadable)?;
        let mut hours = BTreeMap::from_iter(stored);
        let (open, tally) = {
            let ledger = self.live.ledger.lock();
            let (open, tally) = ledger.open_hour();
            (open, tally.clone())
        };
        if (first..=last).contains(&open) {
            hours.insert(open, tally);
        }
        Ok(hours)
    }

    /// Copies of the windows from `first` to before `end`, in Unix seconds.
    fn windows(&self, first: i64, end: i64) -> Vec<(i64, Window)> {
        let mut windows = Vec::new();
        let mut from = first;
        while from < end {
            let until = (from + COPIED).min(end);
            let ledger = self.live.ledger.lock();
            windows.extend(copied(ledger.fleet().recent.windows(from, until)));
            from = until;
        }
        windows
    }

    /// What all results of `period` came to.
    pub(super) fn sum_up(&self, period: SummaryPeriod) -> Told<ResultsSummary> {
        let now_ms = self.live.clock.now_ms();
        let (hour, day) = (Period::Hour.of(now_ms), Period::Day.of(now_ms));
        let (kept, first) = match period {
            SummaryPeriod::Day => (Period::Hour, hour.saturating_sub(23)),
            SummaryPeriod::Week => (Period::Day, day.saturating_sub(6)),
            SummaryPeriod::Month => (Period::Day, day.saturating_sub(29)),
        };
        let from_ms = i64::from(first) * kept.ms();
        let mut all = Tally::default();
        for tally in self.fleet_hours(Period::Hour.of(from_ms), hour)?.values() {
            all.merge(tally);
        }
        let periods = kept.of(now_ms).saturating_sub(first) as usize + 1;
        let is_small = self.live.roster.read().len().saturating_mul(periods) <= ADDED;
        let by_plugin = is_small.then(|| self.by_plugin(kept, first, hour)).transpose()?;
        Ok(ResultsSummary {
            period: period.as_str().to_owned(),
            from: rfc3339(from_ms),
            to: rfc3339(now_ms),
            counts: Counts::from(&all),
            by_plugin: by_plugin.flatten(),
        })
    }

    /// The tallies since the period `first` by the kind of their checks; `None` when they are more
    /// than can be added up.
    fn by_plugin(&self, period: Period, first: u32, hour: u32) -> Told<Option<Vec<PluginSummary>>> {
        let mut kinds: BTreeMap<String, Tally> = BTreeMap::new();
        let mut open = self.open_hours(&mut kinds, i64::from(first) * period.ms());
        let (mut after, mut added) = ((first, 0), 0);
        while added < ADDED {
            let part = self.reader.all_tallies(period, after, hour, PART).map_err(unreadable)?;
            added += part.len();
            let Some(&(at, number, _)) = part.last() else {
                let summed = kinds.iter().map(|(kind, tally)| PluginSummary {
                    plugin_type: kind.clone(),
                    counts: Counts::from(tally),
                });
                return Ok(Some(summed.collect()));
            };
            after = (at, number);
            for (_, number, tally) in &part {
                if let Some(kind) = open.get_mut(number) {
                    kinds.entry(kind.clone()).or_default().merge(tally);
                }
            }
        }
        Ok(None)
    }

    /// The kinds of all targets by number; what is counted in their open hours since `from_ms` is
    /// added to `kinds`.
    fn open_hours(
        &self,
        kinds: &mut BTreeMap<String, Tally>,
        from_ms: i64,
    ) -> BTreeMap<u32, String> {
        let (mut all, mut last) = (BTreeMap::new(), 0);
        loop {
            let targets: Vec<_> =
                self.live.roster.read().after(last).take(SLICE).cloned().collect();
            let ledger = self.live.ledger.lock();
            for target in &targets {
                let kind = target.plan.probe.plugin_type().to_owned();
                let record = ledger.record(target.number);
                if let Some(open) = record.filter(|one| i64::from(one.hour) * 3_600_000 >= from_ms)
                {
                    kinds.entry(kind.clone()).or_default().merge(&open.tally);
                }
                all.insert(target.number, kind);
                last = target.number;
            }
            if targets.len() < SLICE {
                return all;
            }
        }
    }
}

/// The chart of some seconds, a few in each step.
pub(in crate::app) fn of_seconds(windows: &[(i64, Window)]) -> LatencyChart {
    let mut steps: BTreeMap<i64, (Sketch, u32)> = BTreeMap::new();
    for (second, window) in windows {
        let (latency, max_us) = steps.entry(second.div_euclid(FEW_S)).or_default();
        latency.merge(&window.latency);
        *max_us = (*max_us).max(window.largest_answered.map_or(0, |one| one.latency_us));
    }
    let told = steps.iter().filter(|(_, (latency, _))| latency.count() > 0);
    let point = |(step, (latency, max_us)): (&i64, &(Sketch, u32))| {
        LatencyPoint::of(step * FEW_S, latency, Grain::Fine, *max_us)
    };
    LatencyChart { step_seconds: FEW_S.unsigned_abs(), points: told.map(point).collect() }
}

/// The chart of the `minutes` from `first` on.
pub(in crate::app) fn of_minutes(minutes: &BTreeMap<i64, Tally>, first: i64) -> LatencyChart {
    let steps = minutes.range(first..).map(|(minute, tally)| (*minute, tally));
    told(steps, 60)
}

/// The chart of `hours`, so many in each `step`.
pub(in crate::app) fn of_hours(hours: &BTreeMap<u32, Tally>, step: u32) -> LatencyChart {
    let mut steps: BTreeMap<i64, Tally> = BTreeMap::new();
    for (hour, tally) in hours {
        steps.entry(i64::from(hour / step)).or_default().merge(tally);
    }
    told(steps.iter().map(|(step, tally)| (*step, tally)), i64::from(step) * 3_600)
}

/// Copies of `windows`, as far as charts need them.
pub(in crate::app) fn copied<'a>(
    windows: impl Iterator<Item = (i64, &'a Window)>,
) -> Vec<(i64, Window)> {
    let needed = |window: &Window| Window {
        checks: window.checks,
        causes: window.causes.clone(),
        largest_answered: window.largest_answered,
        latency: window.latency.clone(),
        ..Window::default()
    };
    windows.map(|(second, window)| (second, needed(window))).collect()
}

fn told<'a>(tallies: impl Iterator<Item = (i64, &'a Tally)>, step_s: i64) -> LatencyChart {
    let answered = tallies.filter(|(_, tally)| tally.latency.count() > 0);
    let point = |(step, tally): (i64, &Tally)| {
        LatencyPoint::of(step * step_s, &tally.latency, Grain::Coarse, tally.max_us)
    };
    LatencyChart { step_seconds: step_s.unsigned_abs(), points: answered.map(point).collect() }
}
