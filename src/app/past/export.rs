//! Parts of exports: each is read when it is wanted, in a query of its own.

use std::collections::HashMap;

use super::{Archive, unreadable};
use crate::api::{Parts, PastError, Told};
use crate::clock::rfc3339;
use crate::stats::Tally;
use crate::store::reader::{Named, Period, Reader};
use crate::store::{Sample, SampleKey};
use crate::view::past::{
    ExportedPoll, ExportedTally, Figures, PollSpan, TallyPeriod, TallySpan, poll,
};

/// Rows of a part.
const PART: usize = 5_000;
/// Seeks that a part may take.
const SEEKS: u32 = 2_000;
/// Names that are kept from part to part.
const NAMES: usize = 50_000;

impl Archive {
    /// The polls of `span`, part by part.
    pub(super) fn poll_parts(&self, span: &PollSpan) -> Told<Parts<ExportedPoll>> {
        // Whatever comes while it runs is left out, so that it has an end.
        let to_ms = span.to_ms.unwrap_or_else(|| self.live.clock.now_ms() + 1);
        let mut names = Names { reader: self.reader.clone(), known: HashMap::new() };
        let name = move |part: Told<Vec<Sample>>| part.and_then(|samples| names.polls(&samples));
        let reader = self.reader.clone();
        let from_ms = span.from_ms;
        let Some(id) = &span.target else {
            let before = SampleKey::first_of(to_ms);
            let parts = pulled(SampleKey::first_of(from_ms), move |from| {
                let part = reader.oldest(from, before, PART).map_err(unreadable)?;
                let next = part.last().map(|last| SampleKey(last.key.0 + 1));
                Ok((part, next))
            });
            return Ok(Box::new(parts.map(name)));
        };
        let number = self.number(id)?;
        let parts = pulled(self.start(number, Some(to_ms))?, move |first| {
            let walk = reader.walk(number, first, from_ms, SEEKS as usize).map_err(unreadable)?;
            let mut part = walk.samples;
            part.retain(|sample| sample.key.at_ms() < to_ms);
            Ok((part, walk.next))
        });
        Ok(Box::new(parts.map(name)))
    }

    /// The tallies of `span`, part by part.
    pub(super) fn tally_parts(&self, span: &TallySpan) -> Told<Parts<ExportedTally>> {
        let period = match span.period {
            TallyPeriod::Hour => Period::Hour,
            TallyPeriod::Day => Period::Day,
        };
        let to_ms = span.to_ms.unwrap_or_else(|| self.live.clock.now_ms() + 1);
        // Periods are named by their beginnings.
        let first = period.of(span.from_ms.saturating_add(period.ms() - 1));
        let last = period.of(to_ms.saturating_sub(1));
        if to_ms <= span.from_ms || last < first {
            return Ok(Box::new(std::iter::empty()));
        }
        let mut names = Names { reader: self.reader.clone(), known: HashMap::new() };
        let name = move |part: Told<Vec<_>>| part.and_then(|part| names.tallies(period, part));
        let reader = self.reader.clone();
        let Some(id) = &span.target else {
            let parts = pulled((first, 0), move |after| {
                let part = reader.all_tallies(period, after, last, PART).map_err(unreadable)?;
                let next = part.last().map(|&(at, number, _)| (at, number));
                Ok((part, next))
            });
            return Ok(Box::new(parts.map(name)));
        };
        let number = self.number(id)?;
        let parts = pulled(first, move |from: u32| {
            let until = last.min(from.saturating_add(SEEKS - 1));
            let part = reader.tallies(number, period, (from, until)).map_err(unreadable)?;
            let part = part.into_iter().map(|(at, tally)| (at, number, tally)).collect();
            Ok((part, until.checked_add(1).filter(|next| *next <= last)))
        });
        Ok(Box::new(parts.map(name)))
    }
}

/// What `pull` gives from `first` on, until it names no further place or fails.
pub(in crate::app) fn pulled<P, T>(
    first: P,
    pull: impl Fn(P) -> Result<(T, Option<P>), PastError>,
) -> impl Iterator<Item = Told<T>> {
    let mut place = Some(first);
    std::iter::from_fn(move || {
        let pulled = pull(place.take()?);
        Some(pulled.map(|(part, next)| {
            place = next;
            part
        }))
    })
}

/// What targets are called, as far as it was needed lately.
struct Names {
    reader: Reader,
    known: HashMap<u32, Named>,
}

impl Names {
    fn learn(&mut self, numbers: impl Iterator<Item = u32>) -> Told<()> {
        if self.known.len() > NAMES {
            self.known.clear();
        }
        let unknown: Vec<u32> = numbers.filter(|one| !self.known.contains_key(one)).collect();
        if !unknown.is_empty() {
            self.known.extend(self.reader.named(unknown).map_err(unreadable)?);
        }
        Ok(())
    }

    fn polls(&mut self, samples: &[Sample]) -> Told<Vec<ExportedPoll>> {
        self.learn(samples.iter().map(|sample| sample.outcome.target))?;
        let nameless = Named::default();
        let told = |sample: &Sample| {
            let named = self.known.get(&sample.outcome.target).unwrap_or(&nameless);
            ExportedPoll {
                at_ms: sample.outcome.finished_us.div_euclid(1_000),
                poll: poll(&sample.outcome, &named.id, &named.url),
            }
        };
        Ok(samples.iter().map(told).collect())
    }

    fn tallies(
        &mut self,
        period: Period,
        part: Vec<(u32, u32, Tally)>,
    ) -> Told<Vec<ExportedTally>> {
        self.learn(part.iter().map(|&(_, number, _)| number))?;
        let told = |(at, number, tally): (u32, u32, Tally)| {
            let Named { id, url, .. } = self.known.get(&number).cloned().unwrap_or_default();
            let at_ms = i64::from(at) * period.ms();
            let (at, figures) = (rfc3339(at_ms), Figures::from(&tally));
            ExportedTally { at_ms, at, target_id: id, url, figures }
        };
        Ok(part.into_iter().map(told).collect())
    }
}
