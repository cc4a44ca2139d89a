//! Pauses, brought about by the keeper: who is paused is polled no more, and who is resumed is from
//! its next slot on.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::annex::SLICE;
use super::bring::Handout;
use super::keeper::Keeper;
use super::telling::tell_transitions;
use crate::stage::scheduler::Change;
use crate::store::Pause;
use crate::target::{State, TargetId};

/// Pauses that begin and end, as the store has noted them down already.
#[derive(Debug)]
pub(super) struct PauseOrder {
    /// Those that begin, or last for another time.
    pub(super) put: Vec<Pause>,
    /// The targets whose pauses end.
    pub(super) gone: Vec<TargetId>,
    /// Told when it is done.
    pub(super) done: oneshot::Sender<()>,
}

impl Keeper {
    /// Begins and ends pauses.
    pub(super) fn change_pauses(&self, order: PauseOrder) {
        let PauseOrder { put, gone, done } = order;
        for slice in put.chunks(SLICE) {
            self.pause(slice);
        }
        for slice in gone.chunks(SLICE) {
            self.resume(slice);
        }
        // Whoever asked may have left.
        let _ = done.send(());
    }

    /// Ends what ends by itself: pauses, and targets of the API. The store forgets a pause that is
    /// over by its time.
    pub(super) fn look_after_ends(&mut self) {
        let now_ms = self.live.clock.now_ms();
        let ended = self.live.annex.pauses.lock().ended(now_ms);
        for slice in ended.chunks(SLICE) {
            self.resume(slice);
        }
        self.expire_targets(now_ms);
    }

    fn pause(&self, pauses: &[Pause]) {
        let live = &*self.live;
        let targets = live.annex.known(&live.roster, pauses.iter().map(|pause| pause.id));
        let mut handout = Handout::new(live);
        let now_ms = live.clock.now_ms();
        let mut told = Vec::new();
        let mut ledger = live.ledger.lock();
        for target in targets.into_iter().flatten() {
            if let Some(transition) = ledger.pause(target.number, now_ms) {
                told.push(transition);
                target.flight().learn(State::Paused, now_ms);
                handout.add(&target, Change::Remove(target.number));
            }
        }
        drop(ledger);
        let mut known = live.annex.pauses.lock();
        for pause in pauses {
            known.put(pause.clone());
        }
        drop(known);
        handout.give();
        tell_transitions(live, &told);
    }

    fn resume(&self, ids: &[TargetId]) {
        let live = &*self.live;
        let targets = live.annex.known(&live.roster, ids.iter().copied());
        let mut handout = Handout::new(live);
        let now_ms = live.clock.now_ms();
        let mut known = live.annex.pauses.lock();
        for id in ids {
            known.remove(*id);
        }
        drop(known);
        let mut told = Vec::new();
        let mut ledger = live.ledger.lock();
        for target in targets.into_iter().flatten() {
            if let Some(transition) = ledger.resume(target.number, now_ms) {
                told.push(transition);
                target.flight().learn(State::Pending, now_ms);
                handout.add(&target, Change::Add(Arc::clone(&target)));
            }
        }
        drop(ledger);
        handout.give();
        tell_transitions(live, &told);
    }
}
