//! Parts of exports from a cluster: each is a query of its own, made when it is wanted.

use std::collections::HashMap;
use std::sync::Arc;

use super::View;
use crate::api::{Parts, PastError, Told};
use crate::app::past::export::pulled;
use crate::clock::rfc3339;
use crate::outcome::Outcome;
use crate::stats::Tally;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::read::{Line, Reader, Span};
use crate::store::reader::{Named, Period};
use crate::view::past::{
    ExportedPoll, ExportedTally, Figures, PollSpan, TallyPeriod, TallySpan, poll,
};

/// Rows of a part.
const PART: usize = 5_000;
/// Slots of a target that a part is made of.
const SLOTS: i64 = 2_000;

/// What parts are read by, which may go on when the view is gone.
#[derive(Clone)]
struct Source {
    reader: Reader,
    handle: tokio::runtime::Handle,
}

impl Source {
    fn ask<T>(&self, work: impl Future<Output = Result<T, DatabaseError>>) -> Told<T> {
        let asked = self.handle.block_on(work);
        asked.map_err(|error| PastError::Unreadable(error.to_string()))
    }

    fn polls(&self, outcomes: &[Outcome]) -> Told<Vec<ExportedPoll>> {
        let names = self.names(outcomes.iter().map(|outcome| outcome.target))?;
        let told = |outcome: &Outcome| {
            let called = names.get(&outcome.target).cloned().unwrap_or_default();
            ExportedPoll {
                at_ms: outcome.finished_us.div_euclid(1_000),
                poll: poll(outcome, &called.id, &called.url),
            }
        };
        Ok(outcomes.iter().map(told).collect())
    }

    fn tallies(&self, period: Period, part: &[(u32, u32, Tally)]) -> Told<Vec<ExportedTally>> {
        let names = self.names(part.iter().map(|(_, number, _)| *number))?;
        let told = |(at, number, tally): &(u32, u32, Tally)| {
            let Named { id, url, .. } = names.get(number).cloned().unwrap_or_default();
            let at_ms = i64::from(*at) * period.ms();
            let (at, figures) = (rfc3339(at_ms), Figures::from(tally));
            ExportedTally { at_ms, at, target_id: id, url, figures }
        };
        Ok(part.iter().map(told).collect())
    }

    fn names(&self, numbers: impl Iterator<Item = u32>) -> Told<HashMap<u32, Named>> {
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.ask(self.reader.named(&numbers))
    }
}

impl View {
    fn source(&self) -> Told<Arc<Source>> {
        let runtime = self.runtime.runtime.as_ref();
        let over = || PastError::Unreadable("nobody asks any more".to_owned());
        let handle = runtime.ok_or_else(over)?.handle().clone();
        Ok(Arc::new(Source { reader: self.reader.clone(), handle }))
    }

    /// The polls of `span`, part by part: those of one target the newest first, all others as they
    /// fell due.
    pub(super) fn poll_parts(&self, span: &PollSpan) -> Told<Parts<ExportedPoll>> {
        // Whatever comes while it runs is left out, so that it has an end.
        let to_ms = span.to_ms.unwrap_or_else(|| self.now_ms() + 1);
        let source = self.source()?;
        let from_ms = span.from_ms.max(self.oldest_ms());
        if let Some(id) = &span.target {
            let line = self.line(id)?;
            return Ok(Box::new(polls_of(source, &line, from_ms, to_ms)));
        }
        let span = Span { from_ms, to_ms };
        let parts = pulled(None, move |after| {
            let (outcomes, next) = source.ask(source.reader.oldest_polls(span, after, PART))?;
            Ok((source.polls(&outcomes)?, next.map(Some)))
        });
        Ok(Box::new(parts))
    }

    /// The tallies of `span`, part by part, by target.
    pub(super) fn tally_parts(&self, span: &TallySpan) -> Told<Parts<ExportedTally>> {
        let period = match span.period {
            TallyPeriod::Hour => Period::Hour,
            TallyPeriod::Day => Period::Day,
        };
        let to_ms = span.to_ms.unwrap_or_else(|| self.now_ms() + 1);
        // Periods are named by their beginnings.
        let first = period.of(span.from_ms.saturating_add(period.ms() - 1));
        let last = period.of(to_ms.saturating_sub(1));
        if to_ms <= span.from_ms || last < first {
            return Ok(Box::new(std::iter::empty()));
        }
        let source = self.source()?;
        let Some(id) = &span.target else {
            let parts = pulled((0, 0), move |after| {
                let asked = source.reader.all_tallies(period, (first, last), after, PART);
                let part = source.ask(asked)?;
                let behind = part.last().map(|&(at, number, _)| (number, at));
                Ok((source.tallies(period, &part)?, behind.filter(|_| part.len() == PART)))
            });
            return Ok(Box::new(parts));
        };
        let number = self.line(id)?.number;
        let most = u32::try_from(PART).unwrap_or(u32::MAX);
        let parts = pulled(first, move |from: u32| {
            let until = last.min(from.saturating_add(most - 1));
            let found = source.ask(source.reader.tallies(number, period, (from, until)))?;
            let part: Vec<_> = found.into_iter().map(|(at, tally)| (at, number, tally)).collect();
            let next = until.checked_add(1).filter(|next| *next <= last);
            Ok((source.tallies(period, &part)?, next))
        });
        Ok(Box::new(parts))
    }
}

/// The polls of `line` that fell due from `from_ms` to before `to_ms` (Unix milliseconds).
fn polls_of(
    source: Arc<Source>,
    line: &Line,
    from_ms: i64,
    to_ms: i64,
) -> impl Iterator<Item = Told<Vec<ExportedPoll>>> + use<> {
    let (number, every) = (line.number, i64::from(line.every_ms.max(1)));
    let last = super::polls::slot_before(line, to_ms - 1);
    pulled(last, move |slot| {
        let slots = (0..SLOTS).map(|index| slot - index * every);
        let dues: Vec<i64> = slots.take_while(|due| *due >= from_ms).collect();
        let outcomes = source.ask(source.reader.polls_at(number, &dues))?;
        let next = slot - SLOTS * every;
        Ok((source.polls(&outcomes)?, Some(next).filter(|next| *next >= from_ms)))
    })
}
