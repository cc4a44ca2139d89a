//! Pauses: targets that are not polled for a while, whose time counts for nothing.

use super::Ledger;
use crate::health::Transition;
use crate::store::IncidentChange;
use crate::target::State;

impl Ledger {
    /// Has the target `number` be paused from `now_ms` (Unix milliseconds) on: an open outage of it
    /// ends, because nobody watches it. Tells the change that this is.
    pub fn pause(&mut self, number: u32, now_ms: i64) -> Option<Transition> {
        self.rule(number, |ledger| {
            let entry = ledger.records.get_mut(number)?;
            let began_ms = entry.record.health.since_ms;
            let transition = entry.record.health.pause(number, now_ms)?;
            if std::mem::take(&mut entry.record.has_incident) {
                let (target, at_ms) = (number, transition.at_ms);
                ledger.batch.incidents.push(if began_ms < now_ms {
                    IncidentChange::Ended { target, at_ms }
                } else {
                    // It began after the pause, of which nobody knew here.
                    IncidentChange::Withdrawn { target, began_ms }
                });
            }
            Some(transition)
        })
    }

    /// Has the target `number`, which is paused, be watched again from `now_ms` (Unix milliseconds)
    /// on: it has yet to be polled. Tells the change that this is.
    pub fn resume(&mut self, number: u32, now_ms: i64) -> Option<Transition> {
        self.rule(number, |ledger| {
            let entry = ledger.records.get_mut(number)?;
            let is_paused = entry.record.health.state == State::Paused;
            is_paused.then(|| entry.record.health.forget(number, now_ms)).flatten()
        })
    }

    /// Does what `change` does to the record of the target `number`, which no sample leads to.
    fn rule(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut Self) -> Option<Transition>,
    ) -> Option<Transition> {
        let before = self.record(number)?.clone();
        let transition = change(self)?;
        let entry = self.records.get_mut(number)?;
        // The record is written at once, whatever it was before.
        entry.is_dirty = false;
        let record = entry.record.clone();
        self.batch.transitions.push(transition);
        self.unrank(&before);
        self.rank(&record);
        self.batch.records.push(record);
        self.changes.note(number);
        Some(transition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
    use crate::stats::{Spans, uptime};

    fn poll(at_ms: i64, finding: Finding, kind: SampleKind) -> Outcome {
        let (finished_us, is_provisional) = (at_ms * 1_000, false);
        Outcome {
            target: 7,
            due_ms: at_ms,
            finished_us,
            lag_us: 0,
            latency_us: 0,
            kind,
            is_provisional,
            finding,
        }
    }

    fn refused() -> Finding {
        Finding::default().with_cause(Cause::Connect, Detail::Refused)
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.enrol(7, None, 0);
        ledger
    }

    fn state(ledger: &Ledger) -> State {
        ledger.record(7).expect("it is enrolled").health.state
    }

    #[test]
    fn a_paused_target_stays_so_whatever_still_comes_of_it() {
        let mut ledger = ledger();
        ledger.observe(&poll(10, refused(), SampleKind::Slot));
        assert!(ledger.pause(7, 20).is_some());
        assert_eq!(ledger.pause(7, 21), None, "it is paused already");
        assert_eq!(ledger.observe(&poll(30, Finding::default(), SampleKind::Slot)), None);
        assert_eq!((state(&ledger), ledger.count_in_state(State::Paused)), (State::Paused, 1));
        assert_eq!(ledger.down().count(), 0);
        let ended = IncidentChange::Ended { target: 7, at_ms: 20 };
        assert!(ledger.take_batch(40).incidents.contains(&ended));
    }

    #[test]
    fn who_is_resumed_has_yet_to_be_polled() {
        let mut ledger = ledger();
        assert_eq!(ledger.resume(7, 5), None, "it is not paused");
        ledger.pause(7, 10);
        ledger.resume(7, 20);
        assert_eq!(state(&ledger), State::Pending);
        ledger.observe(&poll(30, refused(), SampleKind::Slot));
        assert_eq!(state(&ledger), State::Down);
    }

    #[test]
    fn the_time_of_a_pause_counts_for_nothing() {
        let mut ledger = ledger();
        ledger.observe(&poll(0, Finding::default(), SampleKind::Slot));
        ledger.pause(7, 100);
        ledger.resume(7, 900);
        ledger.observe(&poll(900, refused(), SampleKind::Slot));
        let changes = ledger.take_batch(1_000).transitions;
        let watched = Spans::new(vec![(0, 1_000)]);
        assert_eq!(uptime(&changes, &watched, (0, 1_000)), Some(0.5));
    }

    #[test]
    fn what_somebody_asked_for_is_counted_and_says_nothing_of_state_and_hours() {
        let mut ledger = ledger();
        ledger.observe(&poll(10, Finding::default(), SampleKind::Slot));
        let before = ledger.record(7).expect("it is enrolled").clone();
        assert_eq!(ledger.observe(&poll(20, refused(), SampleKind::Manual)), None);
        let after = ledger.record(7).expect("it is enrolled").clone();
        assert_eq!((after.health, &after.tally), (before.health, &before.tally));
        assert!(after.last > before.last, "it is shown as the last one");
        assert_eq!(ledger.fleet().totals.checks, 2);
        let batch = ledger.take_batch(30);
        assert_eq!((batch.samples.len(), batch.fleet_hours[0].1.checks), (2, 1));
    }

    #[test]
    fn an_hour_begins_with_a_poll_of_the_schedule() {
        let mut ledger = ledger();
        ledger.observe(&poll(20, refused(), SampleKind::Manual));
        assert!(ledger.take_batch(30).fleet_hours.is_empty());
        assert_eq!(ledger.record(7).expect("it is enrolled").tally.checks, 0);
    }
}
