//! One target over time, in steps: from its samples where they are few, else from hours and days.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::detail::{in_period, merge};
use super::{Archive, unreadable};
use crate::api::{PastError, Told};
use crate::clock::rfc3339;
use crate::outcome::Outcome;
use crate::stats::Tally;
use crate::store::reader::Period;
use crate::target::Target;
use crate::view::past::{Figures, History, HistoryPoint, HistoryQuery};

/// Points of an answer when nobody names a step, and at most.
const POINTS: i64 = 500;
const POINTS_MAX: i64 = 2_000;
/// Polls that a span may hold so that its points are made of them.
const POLLS: i64 = 3_000;
/// Samples that are passed on the way to the first of them, rechecks and later ones included.
const WALKED: usize = 6_000;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
/// How long hours are kept, in milliseconds.
const HOURS_KEPT_MS: i64 = 30 * DAY_S * 1_000;
/// Steps that are chosen, in seconds; longer ones are whole days.
const STEPS_S: [i64; 16] = [
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    HOUR_S,
    2 * HOUR_S,
    6 * HOUR_S,
    12 * HOUR_S,
];

/// The span that a history is told of.
#[derive(Clone, Copy)]
pub(in crate::app) struct Asked {
    /// Its beginning and its end, in Unix milliseconds.
    pub(in crate::app) from_ms: i64,
    pub(in crate::app) to_ms: i64,
    /// Seconds of a step.
    pub(in crate::app) step_s: i64,
}

impl Archive {
    /// The target `id` over time.
    pub(super) fn told_history(&self, id: &str, query: &HistoryQuery) -> Told<History> {
        let (number, target) = self.target(id)?;
        let now_ms = self.live.clock.now_ms();
        let asked = Asked::of(query, now_ms)?;
        if asked.is_told_by_polls(target.every_ms)
            && let Some(told) = self.by_samples(number, &target, asked)?
        {
            return Ok(told);
        }
        self.by_tallies(number, asked.period(now_ms), asked)
    }

    /// The points made of samples; `None` when not all of these can be had in good time.
    fn by_samples(&self, number: u32, target: &Arc<Target>, asked: Asked) -> Told<Option<History>> {
        let first = self.start(target.number, Some(asked.to_ms))?;
        let walk = self.reader.walk(number, first, asked.from_ms, WALKED).map_err(unreadable)?;
        if walk.is_torn || walk.next.is_some() {
            return Ok(None);
        }
        let outcomes = walk.samples.iter().map(|sample| &sample.outcome);
        Ok(Some(asked.of_polls(outcomes)))
    }

    fn by_tallies(&self, number: u32, period: Period, asked: Asked) -> Told<History> {
        if asked.span_ms() <= 0 {
            return Ok(told(asked.step_s, "hours", &BTreeMap::new()));
        }
        let first = period.of(asked.from_ms);
        let last = period.of(asked.to_ms.saturating_sub(1));
        let (record, stored) =
            self.counted(number, || self.reader.tallies(number, period, (first, last)))?;
        let open = record.map(|record| (record.hour, record.tally));
        Ok(asked.of_tallies(period, stored, open))
    }
}

impl Asked {
    /// What `query` asks for at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// There would be too many points.
    pub(in crate::app) fn of(query: &HistoryQuery, now_ms: i64) -> Told<Self> {
        // What finished just now belongs to it.
        let to_ms = query.to_ms.unwrap_or(now_ms + 1).min(now_ms + 1);
        let from_ms = query.from_ms.unwrap_or(to_ms - DAY_S * 1_000).clamp(0, to_ms.max(0));
        let span_s = (to_ms - from_ms + 999) / 1_000;
        let at_least = |points: i64| (span_s + points - 1) / points;
        let Some(step_s) = query.step_s.map(i64::from) else {
            let least = at_least(POINTS);
            let days = (least + DAY_S - 1) / DAY_S * DAY_S;
            let step_s = STEPS_S.into_iter().find(|step| *step >= least).unwrap_or(days);
            return Ok(Self { from_ms, to_ms, step_s });
        };
        let least = at_least(POINTS_MAX);
        if step_s < least {
            return Err(PastError::TooMuch(format!(
                "these are more than {POINTS_MAX} points; ask for a step of {least} seconds or more"
            )));
        }
        Ok(Self { from_ms, to_ms, step_s })
    }

    const fn span_ms(self) -> i64 {
        self.to_ms - self.from_ms
    }

    /// Whether the polls of a target with this interval are few enough to be looked at.
    pub(in crate::app) fn is_told_by_polls(self, every_ms: u32) -> bool {
        self.step_s < HOUR_S && self.span_ms() / i64::from(every_ms.max(1)) <= POLLS
    }

    /// Of which period tallies are looked at.
    pub(in crate::app) const fn period(self, now_ms: i64) -> Period {
        let is_recent = self.from_ms >= now_ms - HOURS_KEPT_MS;
        if is_recent && self.step_s < DAY_S { Period::Hour } else { Period::Day }
    }

    /// The points made of polls.
    pub(in crate::app) fn of_polls<'a>(
        self,
        outcomes: impl Iterator<Item = &'a Outcome>,
    ) -> History {
        let mut points: BTreeMap<i64, Tally> = BTreeMap::new();
        for outcome in outcomes {
            let at_ms = outcome.finished_us.div_euclid(1_000);
            if (self.from_ms..self.to_ms).contains(&at_ms) {
                let step = at_ms.div_euclid(self.step_s * 1_000);
                points.entry(step).or_default().add(outcome);
            }
        }
        told(self.step_s, "samples", &points)
    }

    /// The points made of the tallies of `period` that are `stored`, and of the `open` hour.
    pub(in crate::app) fn of_tallies(
        self,
        period: Period,
        stored: Vec<(u32, Tally)>,
        open: Option<(u32, Tally)>,
    ) -> History {
        let unit_s = period.ms() / 1_000;
        // A step is whole hours or days: what was asked for, or a little more.
        let step_s = (self.step_s + unit_s - 1) / unit_s * unit_s;
        let first = period.of(self.from_ms);
        let last = period.of(self.to_ms.saturating_sub(1));
        let mut tallies = BTreeMap::from_iter(stored);
        if let Some((hour, tally)) = open.filter(|(_, tally)| tally.checks > 0) {
            let at = in_period(period, hour);
            if at <= last {
                merge(&mut tallies, (first, at), &tally);
            }
        }
        let mut points: BTreeMap<i64, Tally> = BTreeMap::new();
        for (at, tally) in &tallies {
            let step = i64::from(*at) * unit_s / step_s;
            points.entry(step).or_default().merge(tally);
        }
        let source = match period {
            Period::Hour => "hours",
            Period::Day => "days",
        };
        told(step_s, source, &points)
    }
}

fn told(step_s: i64, source: &str, points: &BTreeMap<i64, Tally>) -> History {
    let point = |(step, tally): (&i64, &Tally)| HistoryPoint {
        at: rfc3339(step * step_s * 1_000),
        figures: Figures::from(tally),
    };
    History {
        step_seconds: step_s.unsigned_abs(),
        source: source.to_owned(),
        points: points.iter().map(point).collect(),
    }
}
