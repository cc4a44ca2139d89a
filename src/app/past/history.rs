//! One target over time, in steps: from its samples where they are few, else from hours and days.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::detail::{in_period, merge};
use super::{Archive, unreadable};
use crate::api::{PastError, Told};
use crate::clock::rfc3339;
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
struct Asked {
    from_ms: i64,
    to_ms: i64,
    step_s: i64,
}

impl Archive {
    /// The target `id` over time.
    pub(super) fn told_history(&self, id: &str, query: &HistoryQuery) -> Told<History> {
        let (number, target) = self.target(id)?;
        let now_ms = self.live.clock.now_ms();
        let asked = Asked::of(query, now_ms)?;
        let polls = asked.span_ms() / i64::from(target.every_ms.max(1));
        if asked.step_s < HOUR_S
            && polls <= POLLS
            && let Some(told) = self.by_samples(number, &target, asked)?
        {
            return Ok(told);
        }
        let is_recent = asked.from_ms >= now_ms - HOURS_KEPT_MS;
        let period = if is_recent && asked.step_s < DAY_S { Period::Hour } else { Period::Day };
        self.by_tallies(number, period, asked)
    }

    /// The points made of samples; `None` when not all of these can be had in good time.
    fn by_samples(&self, number: u32, target: &Arc<Target>, asked: Asked) -> Told<Option<History>> {
        let first = self.start(target.number, Some(asked.to_ms))?;
        let walk = self.reader.walk(number, first, asked.from_ms, WALKED).map_err(unreadable)?;
        if walk.is_torn || walk.next.is_some() {
            return Ok(None);
        }
        let mut points: BTreeMap<i64, Tally> = BTreeMap::new();
        for sample in &walk.samples {
            let at_ms = sample.outcome.finished_us.div_euclid(1_000);
            if (asked.from_ms..asked.to_ms).contains(&at_ms) {
                let step = at_ms.div_euclid(asked.step_s * 1_000);
                points.entry(step).or_default().add(&sample.outcome);
            }
        }
        Ok(Some(told(asked.step_s, "samples", &points)))
    }

    fn by_tallies(&self, number: u32, period: Period, asked: Asked) -> Told<History> {
        if asked.span_ms() <= 0 {
            return Ok(told(asked.step_s, "hours", &BTreeMap::new()));
        }
        let unit_s = period.ms() / 1_000;
        // A step is whole hours or days: what was asked for, or a little more.
        let step_s = (asked.step_s + unit_s - 1) / unit_s * unit_s;
        let first = period.of(asked.from_ms);
        let last = period.of(asked.to_ms.saturating_sub(1));
        let (record, stored) =
            self.counted(number, || self.reader.tallies(number, period, (first, last)))?;
        let mut tallies = BTreeMap::from_iter(stored);
        if let Some(open) = record.filter(|record| record.tally.checks > 0) {
            let at = in_period(period, open.hour);
            if at <= last {
                merge(&mut tallies, (first, at), &open.tally);
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
        Ok(told(step_s, source, &points))
    }
}

impl Asked {
    fn of(query: &HistoryQuery, now_ms: i64) -> Told<Self> {
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
