//! Taking back what was told of a target, because it was probably us.

use super::Ledger;
use crate::health::Transition;
use crate::store::IncidentChange;
use crate::target::State;

impl Ledger {
    /// Takes back what polls have said of the target `number` since they began to fail by causes of
    /// the network: it is unknown from then on, and the outage that began then was none. Tells the
    /// change that this is.
    pub fn take_back(&mut self, number: u32) -> Option<Transition> {
        let entry = self.records.get_mut(number)?;
        let before = entry.record.clone();
        let transition = entry.record.health.take_back(number)?;
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
