//! One target of a cluster over time: from its polls where they are few, else from hours and days.

use super::View;
use super::places::packed;
use crate::api::Told;
use crate::app::past::history::Asked;
use crate::store::postgres::read::Line;
use crate::store::reader::Period;
use crate::view::past::{History, HistoryQuery};

/// Polls that a history is made of at most, those of all locations and rechecks among them.
const POLLS: usize = 20_000;
/// Polls are dropped by whole days.
const DAY_MS: i64 = 86_400_000;

impl View {
    /// The target `id` over time.
    pub(super) fn target_history(&self, id: &str, query: &HistoryQuery) -> Told<History> {
        let line = self.line(id)?;
        let now_ms = self.now_ms();
        let asked = Asked::of(query, now_ms)?;
        if asked.is_told_by_polls(line.every_ms)
            && asked.from_ms >= self.oldest_ms().div_euclid(DAY_MS) * DAY_MS
            && let Some(told) = self.by_polls(&line, asked)?
        {
            return Ok(told);
        }
        let period = asked.period(now_ms);
        if asked.to_ms <= asked.from_ms {
            return Ok(asked.of_tallies(Period::Hour, Vec::new(), None));
        }
        let first = period.of(asked.from_ms);
        let last = period.of(asked.to_ms.saturating_sub(1));
        let (stored, open) = self.ask(async {
            tokio::try_join!(
                self.reader.tallies(line.number, period, (first, last)),
                self.reader.open_hour(line.number),
            )
        })?;
        Ok(asked.of_tallies(period, stored, open))
    }

    /// The points made of polls; `None` when these are too many.
    fn by_polls(&self, line: &Line, asked: Asked) -> Told<Option<History>> {
        let mut place = Some(packed(asked.to_ms, 0));
        // What finished within the span may have fallen due shortly before it.
        let from_ms = asked.from_ms - i64::from(line.every_ms);
        let mut outcomes = Vec::new();
        while let Some(next) = place {
            let (part, behind) = self.polls_of(line, (Some(next), from_ms), POLLS, |_| true)?;
            outcomes.extend(part);
            if outcomes.len() >= POLLS {
                return Ok(None);
            }
            place = behind;
        }
        Ok(Some(asked.of_polls(outcomes.iter())))
    }
}
