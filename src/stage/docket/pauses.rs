//! Pauses of a shard's targets: they are told some time after they began, and end by the clock. Each is
//! brought about between the polls before and after it, however late those are taken in.
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

    /// The next target that has to be looked at.
    fn pop(&mut self, now_ms: i64) -> Option<u32> {
        if !self.is_due(now_ms) {
            return None;
        }
        self.due.pop_first().map(|(_, number)| number)
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

    /// Has pauses begin and end for which it is time, as far as all is taken in until `read_ms` (Unix
    /// milliseconds), and as soon as all is taken in again.
    pub fn look_after_pauses(&mut self, read_ms: i64) {
        if self.is_settling() {
            return;
        }
        while let Some(number) = self.pauses.pop(read_ms) {
            self.bring_pause_about(number, read_ms);
        }
    }

    /// Has the pause of the target `number` begin and end as far as it is time at `due_ms` (Unix
    /// milliseconds), the slot of a poll that is taken in next.
    pub(super) fn look_after_pause_before(&mut self, number: u32, due_ms: i64) {
        if !self.pauses.told.is_empty() && self.pauses.told.contains_key(&number) {
            self.bring_pause_about(number, due_ms);
        }
    }

    fn bring_pause_about(&mut self, number: u32, read_ms: i64) {
        let Some(health) = self.ledger.record(number).map(|record| record.health) else {
            self.pauses.told.remove(&number);
            return;
        };
        let is_paused = health.state == State::Paused;
        match self.pauses.told.get(&number).copied() {
            None if is_paused => {
                self.ledger.resume(number, read_ms);
            }
            None => {}
            // What was polled before it is judged first.
            Some(pause) if pause.since_ms > read_ms => {
                self.pauses.due.insert((pause.since_ms, number));
            }
            Some(pause) => {
                let ended_ms = pause.ended(read_ms);
                // What was polled since its end shows that it was brought about.
                if is_paused || ended_ms.is_none_or(|until_ms| health.since_ms < until_ms) {
                    self.ledger.pause(number, pause.since_ms);
                    if let Some(until_ms) = ended_ms {
                        self.ledger.resume(number, until_ms);
                    }
                }
                if ended_ms.is_some() {
                    self.pauses.told.remove(&number);
                } else {
                    self.pauses.due.extend(pause.until_ms.map(|until_ms| (until_ms, number)));
                }
            }
        }
    }
}
