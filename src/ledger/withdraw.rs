//! Taking back what was told of a target, because it was probably us.

use super::Ledger;
use crate::health::Transition;
use crate::health::jury::is_of_network;
use crate::health::votes::Rest;
use crate::store::IncidentChange;
use crate::target::State;

impl Ledger {
    /// Takes back what polls have said of the target `number` since they began to fail by causes of
    /// the network: it is unknown from then on, and the outage that began then was none. Tells the
    /// change that this is.
    pub fn take_back(&mut self, number: u32) -> Option<Transition> {
        let health = self.records.get(number)?.record.health;
        let is_ours = health.state != State::Down || is_of_network(health.cause, health.detail);
        if is_ours { self.withdraw(number, Rest::Nothing) } else { None }
    }

    /// Takes back what was said of the target `number`, so that `rest` is left.
    pub(super) fn withdraw(&mut self, number: u32, rest: Rest) -> Option<Transition> {
        let entry = self.records.get_mut(number)?;
        let before = entry.record.clone();
        let transition = entry.record.health.take_back(number, rest)?;
        if before.health.state == State::Down && before.has_incident {
            entry.record.has_incident = false;
            let began_ms = before.health.since_ms;
            self.batch.incidents.push(IncidentChange::Withdrawn { target: number, began_ms });
        }
        // No sample leads to this: the record is written at once, whatever it was before.
        entry.is_dirty = false;
        let record = entry.record.clone();
        self.batch.transitions.push(transition);
        self.changes.note(number);
        self.unrank(&before);
        self.rank(&record);
        self.batch.records.push(record);
        Some(transition)
    }
}
