//! Stored polls: of one target slot by slot on its grid, of the fleet as they fell due.

use super::View;
use super::places::{packed, unpacked};
use crate::api::{PastError, Told};
use crate::outcome::Outcome;
use crate::store::postgres::read::{Line, PollPlace};
use crate::target::Target;
use crate::view::past::{CheckQuery, PollPage, ResultPage, poll, result};
use crate::view::result::Identity;

/// Slots of a target that are looked at for one page, however few polls are wanted.
const SLOTS: i64 = 2_000;
/// Slots that are looked at beside those that are asked for: the last may have no poll yet.
const SPARE: i64 = 8;
/// Polls of the fleet that are looked at at once, and for one page.
const PART: usize = 2_000;
const LOOKED: usize = 20_000;

/// A part of the polls, and the place behind them.
pub(super) type Part = (Vec<Outcome>, Option<i64>);

/// The last slot of `line` at or before `at_ms` (Unix milliseconds).
pub(super) fn slot_before(line: &Line, at_ms: i64) -> i64 {
    let every = i64::from(line.every_ms.max(1));
    let phase = i64::from(line.id.phase_ms(line.every_ms));
    at_ms - (at_ms - phase).rem_euclid(every)
}

impl View {
    /// The target that users know by `id`.
    pub(super) fn line(&self, id: &str) -> Told<Line> {
        let found = self.ask(self.reader.line(Target::ids_meant(id)))?;
        found.ok_or_else(|| PastError::Unknown(id.to_owned()))
    }

    /// The polls of `line` at `place` and behind it that fell due from `from_ms` on and that
    /// `is_wanted`, the newest first, `most` at most. Times are Unix milliseconds.
    pub(super) fn polls_of(
        &self,
        line: &Line,
        (place, from_ms): (Option<i64>, i64),
        most: usize,
        is_wanted: impl Fn(&Outcome) -> bool,
    ) -> Told<Part> {
        let every = i64::from(line.every_ms.max(1));
        let now_ms = self.now_ms();
        let (at_ms, mut passed) = place.map_or((now_ms, 0), unpacked);
        let mut slot = slot_before(line, at_ms.min(now_ms));
        passed = if slot == at_ms { passed } else { 0 };
        let first_ms = from_ms.max(self.oldest_ms());
        let (mut told, mut looked) = (Vec::new(), 0);
        while slot >= first_ms && looked < SLOTS {
            let wanted = i64::try_from(most - told.len()).unwrap_or(SLOTS) + SPARE;
            let count = wanted.min(SLOTS - looked);
            let dues: Vec<i64> = (0..count)
                .map(|index| slot - index * every)
                .take_while(|due| *due >= first_ms)
                .collect();
            let mut found = self.ask(self.reader.polls_at(line.number, &dues))?;
            // They come first, as they did before.
            found.drain(..found.len().min(passed as usize));
            let begin = (slot, passed);
            if let Some(next) = take(&mut told, found, begin, most, &is_wanted) {
                return Ok((told, Some(next)));
            }
            (slot, passed, looked) = (slot - count * every, 0, looked + count);
        }
        Ok((told, (slot >= first_ms).then(|| packed(slot, 0))))
    }

    /// The samples of a page.
    fn samples(&self, query: &CheckQuery) -> Told<Part> {
        let is_wanted = |outcome: &Outcome| {
            query.verdict.is_none_or(|verdict| outcome.finding.verdict == verdict)
        };
        let until = query.to_ms.map(|to_ms| packed(to_ms - 1, 0));
        let place = query.after.or(until);
        if let Some(id) = &query.target {
            let line = self.line(id)?;
            return self.polls_of(&line, (place, query.from_ms), query.limit, is_wanted);
        }
        let (due_ms, passed) = place.map_or((self.now_ms(), 0), unpacked);
        let mut place = PollPlace { due_ms, passed };
        let from_ms = query.from_ms.max(self.oldest_ms());
        let (mut told, mut looked): (Vec<Outcome>, usize) = (Vec::new(), 0);
        let part = if query.verdict.is_none() { query.limit.min(PART) } else { PART };
        while looked < LOOKED {
            let (found, next) = self.ask(self.reader.newest_polls(place, from_ms, part))?;
            let begin = (place.due_ms, place.passed);
            if let Some(next) = take(&mut told, found, begin, query.limit, &is_wanted) {
                return Ok((told, Some(next)));
            }
            let Some(next) = next else { return Ok((told, None)) };
            (place, looked) = (next, looked + part);
        }
        Ok((told, Some(packed(place.due_ms, place.passed))))
    }

    /// Stored polls.
    pub(super) fn poll_page(&self, query: &CheckQuery) -> Told<PollPage> {
        let (outcomes, next) = self.samples(query)?;
        let names = self.names(&outcomes)?;
        let told = |outcome: &Outcome| {
            let called = names.get(&outcome.target).cloned().unwrap_or_default();
            poll(outcome, &called.id, &called.url)
        };
        let checks = outcomes.iter().map(told).collect();
        Ok(PollPage { checks, next: next.map(|place| place.to_string()) })
    }

    /// Stored polls as results of checks.
    pub(super) fn result_page(&self, query: &CheckQuery) -> Told<ResultPage> {
        let (outcomes, next) = self.samples(query)?;
        let names = self.names(&outcomes)?;
        let numbers: Vec<u32> = names.keys().copied().collect();
        let entries = self.ask(self.reader.entries(&numbers))?;
        let made = entries.iter().map(|(number, entry)| (*number, super::detail::made(entry)));
        let targets: std::collections::HashMap<u32, Option<Target>> = made.collect();
        let told = |outcome: &Outcome| {
            let called = names.get(&outcome.target).cloned().unwrap_or_default();
            let target = targets.get(&outcome.target).and_then(Option::as_ref);
            let kind = target.map_or("", |target| target.plan.probe.plugin_type());
            let identity = Identity { id: called.id, plugin_type: kind.to_owned() };
            result(outcome, target, (identity, &called.url))
        };
        let results = outcomes.iter().map(told).collect();
        Ok(ResultPage { results, next: next.map(|place| place.to_string()) })
    }

    /// What the targets of `outcomes` are called.
    pub(super) fn names(
        &self,
        outcomes: &[Outcome],
    ) -> Told<std::collections::HashMap<u32, crate::store::reader::Named>> {
        let mut numbers: Vec<u32> = outcomes.iter().map(|outcome| outcome.target).collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.ask(self.reader.named(&numbers))
    }
}

/// Adds those of `found`, which begin at `begin`, to `told` that are wanted until there are `most`;
/// then tells the place behind the last one.
fn take(
    told: &mut Vec<Outcome>,
    found: Vec<Outcome>,
    begin: (i64, u32),
    most: usize,
    is_wanted: &impl Fn(&Outcome) -> bool,
) -> Option<i64> {
    let (mut at_ms, mut passed) = begin;
    for outcome in found {
        if outcome.due_ms != at_ms {
            (at_ms, passed) = (outcome.due_ms, 0);
        }
        passed += 1;
        if is_wanted(&outcome) {
            told.push(outcome);
            if told.len() >= most {
                return Some(packed(at_ms, passed));
            }
        }
    }
    None
}
