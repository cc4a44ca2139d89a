//! Bringing roster, ledger and schedulers to what the store has taken over already.

use std::sync::Arc;

use super::amend::Amended;
use super::annex::SLICE;
use super::engine::share_of;
use super::keeper::Keeper;
use super::live::Live;
use crate::ledger::Ledger;
use crate::roster::Roster;
use crate::stage::scheduler::Change;
use crate::target::{State, Target};

/// Changes for each scheduler.
pub(super) struct Handout<'l> {
    live: &'l Live,
    changes: Vec<Vec<Change>>,
}

impl<'l> Handout<'l> {
    /// No change yet.
    pub(super) fn new(live: &'l Live) -> Self {
        let mut changes = Vec::new();
        // As many as when the daemon started, whatever the settings say by now.
        changes.resize_with(live.desks().count(), Vec::new);
        Self { live, changes }
    }

    /// Adds a change that is for the scheduler of `target`.
    pub(super) fn add(&mut self, target: &Target, change: Change) {
        let share = share_of(target.id, self.changes.len());
        if let Some(own) = self.changes.get_mut(share) {
            own.push(change);
        }
    }

    /// Hands all of it in.
    pub(super) fn give(self) {
        for (desk, own) in self.live.desks().zip(self.changes) {
            desk.hand_in(own);
        }
    }
}

impl Keeper {
    /// Brings roster, ledger and schedulers to what the store has taken over already, slice by
    /// slice: nobody waits long for them.
    pub(super) fn bring_about(&self, amended: Amended) {
        let Amended { removed, fresh, first_changed, mut records, .. } = amended;
        let now_ms = self.live.clock.now_ms();
        for slice in removed.chunks(SLICE) {
            self.slice(|roster, ledger, handout| {
                for target in slice {
                    ledger.retire(target.number, now_ms);
                    roster.vacate(target.number);
                    handout.add(target, Change::Remove(target.number));
                }
            });
        }
        let mut fresh = fresh.into_iter().map(Arc::new).enumerate().peekable();
        while fresh.peek().is_some() {
            self.slice(|roster, ledger, handout| {
                for (index, target) in fresh.by_ref().take(SLICE) {
                    let is_paused = self.live.annex.is_paused(target.id);
                    if index < first_changed {
                        ledger.enrol(target.number, records.remove(&target.number), now_ms);
                    }
                    ledger.expect_certificate(target.number, target.certificate_days());
                    match (index < first_changed, is_paused) {
                        (true, true) => pause(ledger, &target, now_ms),
                        (true, false) => handout.add(&target, Change::Add(Arc::clone(&target))),
                        (false, true) => {}
                        (false, false) => {
                            handout.add(&target, Change::Replace(Arc::clone(&target)));
                        }
                    }
                    roster.seat(target);
                }
            });
        }
    }

    /// Does `work` with roster and ledger, and hands in what it has for the schedulers.
    fn slice(&self, work: impl FnOnce(&mut Roster, &mut Ledger, &mut Handout<'_>)) {
        let mut handout = Handout::new(&self.live);
        let mut roster = self.live.roster.write();
        let mut ledger = self.live.ledger.lock();
        work(&mut roster, &mut ledger, &mut handout);
        drop((ledger, roster));
        handout.give();
    }
}

/// Has a target be paused that has just been taken in.
fn pause(ledger: &mut Ledger, target: &Target, now_ms: i64) {
    ledger.pause(target.number, now_ms);
    target.flight().learn(State::Paused, now_ms);
}
