//! The fleet of a cluster over time: how long its polls took, and what all results came to.

use std::collections::{BTreeMap, HashMap};

use super::View;
use crate::api::Told;
use crate::app::past::fleet::{ADDED, MINUTES, copied, of_hours, of_minutes, of_seconds};
use crate::clock::rfc3339;
use crate::stats::{SPAN_S, Tally};
use crate::store::reader::Period;
use crate::view::past::{
    ChartSpan, Counts, LatencyChart, PluginSummary, ResultsSummary, SummaryPeriod,
};

impl View {
    /// How long the polls of the fleet took over `span`. Of the hour it is known what was seen since
    /// this process began to look.
    pub(super) fn chart(&self, span: ChartSpan) -> Told<LatencyChart> {
        let now_s = self.now_ms().div_euclid(1_000);
        match span {
            ChartSpan::FiveMinutes => {
                let recent = self.recent.lock();
                Ok(of_seconds(&copied(recent.windows(now_s - SPAN_S + 1, now_s + 1))))
            }
            ChartSpan::Hour => Ok(self.by_minutes(now_s)),
            ChartSpan::Month => self.by_hours(now_s, 30 * 24, 2),
            ChartSpan::Day | ChartSpan::Week => self.by_hours(now_s, span.hours().unwrap_or(24), 1),
        }
    }

    fn by_minutes(&self, now_s: i64) -> LatencyChart {
        let first = now_s.div_euclid(60) - MINUTES + 1;
        let recent = self.recent.lock();
        let past = recent.minutes().from(first);
        let mut minutes: BTreeMap<i64, Tally> =
            past.map(|(minute, tally)| (minute, tally.clone())).collect();
        for (second, window) in recent.windows(now_s - SPAN_S, now_s + 1) {
            minutes.entry(second.div_euclid(60)).or_default().add_second(window);
        }
        of_minutes(&minutes, first)
    }

    fn by_hours(&self, now_s: i64, hours: u32, step: u32) -> Told<LatencyChart> {
        let last = Period::Hour.of(now_s * 1_000);
        let all = self.ask(self.reader.fleet_hours((last.saturating_sub(hours - 1), last)))?;
        Ok(of_hours(&all, step))
    }

    /// What all results of `period` came to.
    pub(super) fn sum_up(&self, period: SummaryPeriod) -> Told<ResultsSummary> {
        let now_ms = self.now_ms();
        let (hour, day) = (Period::Hour.of(now_ms), Period::Day.of(now_ms));
        let (kept, first) = match period {
            SummaryPeriod::Day => (Period::Hour, hour.saturating_sub(23)),
            SummaryPeriod::Week => (Period::Day, day.saturating_sub(6)),
            SummaryPeriod::Month => (Period::Day, day.saturating_sub(29)),
        };
        let from_ms = i64::from(first) * kept.ms();
        let mut all = Tally::default();
        let hours = self.ask(self.reader.fleet_hours((Period::Hour.of(from_ms), hour)))?;
        for tally in hours.values() {
            all.merge(tally);
        }
        let last = kept.of(now_ms);
        let periods = u64::from(last.saturating_sub(first)) + 1;
        let targets = self.summary.read().targets.total;
        let is_small = targets.saturating_mul(periods) <= ADDED as u64;
        Ok(ResultsSummary {
            period: period.as_str().to_owned(),
            from: rfc3339(from_ms),
            to: rfc3339(now_ms),
            counts: Counts::from(&all),
            by_plugin: is_small.then(|| self.by_plugin(kept, (first, last))).transpose()?,
        })
    }

    /// The tallies from the period `first` to `last` by the kind of their checks. What is counted in
    /// hours that are open comes with the end of the hour.
    fn by_plugin(&self, period: Period, span: (u32, u32)) -> Told<Vec<PluginSummary>> {
        let tallies = self.ask(self.reader.all_tallies(period, span, (0, 0), ADDED))?;
        let mut numbers: Vec<u32> = tallies.iter().map(|(_, number, _)| *number).collect();
        numbers.dedup();
        let entries = self.ask(self.reader.entries(&numbers))?;
        let kind = |(number, entry): (&u32, &String)| {
            let target = super::detail::made(entry)?;
            Some((*number, target.plan.probe.plugin_type().to_owned()))
        };
        let kinds: HashMap<u32, String> = entries.iter().filter_map(kind).collect();
        let mut sums: BTreeMap<&str, Tally> = BTreeMap::new();
        for (_, number, tally) in &tallies {
            if let Some(kind) = kinds.get(number) {
                sums.entry(kind.as_str()).or_default().merge(tally);
            }
        }
        let told = sums.iter().map(|(kind, tally)| PluginSummary {
            plugin_type: (*kind).to_owned(),
            counts: Counts::from(tally),
        });
        Ok(told.collect())
    }
}
