//! Pauses of a shard's targets: they are told some time after they began, and end by the clock.
//!
//! A pause is told for as long as there is no later one, also when it is over: whoever did not record
//! while it lasted brings it about all the same, so that its time counts for nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Docket;
use crate::target::{PauseSpan, State};

/// Pauses, as far as something is to be done about them.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    told: BTreeMap<u32, PauseSpan>,
    /// When each has to be looked at.
    due: BTreeSet<(i64, u32)>,
}

impl Pauses {
    fn is_due(&self, now_ms: i64) -> bool {
        self.due.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms)
    }

    /// The next target that has to be looked at, and its pause.
    fn pop(&mut self, now_ms: i64) -> Option<(u32, Option<PauseSpan>)> {
        if !self.is_due(now_ms) {
            return None;
        }
        let (_, number) = self.due.pop_first()?;
        Some((number, self.told.get(&number).copied()))
    }
}

impl Docket {
    /// Notes the last pause that is told of the target `number`, which is taken in; none: that it has
    /// none.
    pub fn note_pause(&mut self, number: u32, pause: Option<PauseSpan>) {
        match pause {
            Some(pause) => self.pauses.told.insert(number, pause),
            None => self.pauses.told.remove(&number),
        };
        self.pauses.due.insert((i64::MIN, number));
    }

    /// Has pauses begin and end for which it is time at `now_ms` (Unix milliseconds), as soon as all is
    /// taken in again.
    pub fn look_after_pauses(&mut self, now_ms: i64) {
        if self.is_settling() {
            return;
        }
        while let Some((number, pause)) = self.pauses.pop(now_ms) {
            let Some(health) = self.ledger.record(number).map(|record| record.health) else {
                self.pauses.told.remove(&number);
                continue;
            };
            let is_paused = health.state == State::Paused;
            match pause.map(|pause| (pause, pause.ended(now_ms))) {
                None if is_paused => {
                    self.ledger.resume(number, now_ms);
                }
                None => {}
                Some((pause, Some(until_ms))) => {
                    // What was polled since then shows that it was brought about.
                    if is_paused || health.since_ms < until_ms {
                        self.ledger.pause(number, pause.since_ms);
                        self.ledger.resume(number, until_ms);
                    }
                    self.pauses.told.remove(&number);
                }
                Some((pause, None)) => {
                    self.ledger.pause(number, pause.since_ms);
                    self.pauses.due.extend(pause.until_ms.map(|until_ms| (until_ms, number)));
                }
            }
        }
    }
}
