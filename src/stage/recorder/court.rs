//! `Court`: what the recorder thinks of the daemon itself, and what follows from that for targets.

use crate::health::Transition;
use crate::health::jury::{Holding, Jury, Known, Ruling, Seat};
use crate::health::own_faults::{OwnFault, OwnFaults};
use crate::ledger::Ledger;
use crate::outcome::{Cause, Detail, Outcome};
use crate::roster::Roster;

/// What the recorder thinks of the daemon itself: the jury, and what of ours went wrong lately.
#[derive(Debug, Default)]
pub struct Court {
    jury: Jury,
    faults: OwnFaults,
    /// The state of the roster that the jury knows.
    changes: Option<u64>,
    /// Polls that failed and were not held against their targets since judgement was held last.
    doubted: u64,
}

/// What a court tells of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opinion {
    /// Why judgement is held, while it is.
    pub holding: Option<Holding>,
    /// How often it was held since start.
    pub times_held: u64,
    /// Faults of ours that polls met in the last minute, the most frequent first.
    pub faults: Vec<OwnFault>,
}

impl Court {
    /// Brings the jury to the targets of `roster`, if they are others than at `now_us` (monotonic
    /// microseconds, as everywhere here).
    pub fn convene(&mut self, roster: &Roster, now_us: u64) {
        if self.changes == Some(roster.changes()) {
            return;
        }
        self.changes = Some(roster.changes());
        let seats = roster.iter().map(|target| Seat {
            number: target.number,
            every_ms: target.every_ms,
            role: target.plan.role,
        });
        self.jury.convene(seats, now_us);
    }

    /// Brings `ledger` forward by `outcomes`, which came at `now_us`, and tells the changes of state.
    /// What is probably our fault is one of ours in `outcomes` afterwards.
    pub fn sit(
        &mut self,
        ledger: &mut Ledger,
        outcomes: &mut [Outcome],
        now_us: u64,
    ) -> Vec<Transition> {
        for outcome in outcomes.iter() {
            self.faults.note(outcome, now_us);
            if let Some(record) = ledger.record(outcome.target) {
                let (state, has_incident) = (record.health.state, record.has_incident);
                self.jury.hear(outcome, Known { state, has_incident }, now_us);
            }
        }
        let mut transitions = self.rule(ledger, now_us);
        for outcome in outcomes {
            if self.jury.doubts(outcome, now_us) {
                self.doubted += 1;
                outcome.finding = outcome.finding.with_cause(Cause::NoNetwork, Detail::Doubted);
                // What a recheck finds later is no part of it.
                outcome.is_provisional = false;
            }
            transitions.extend(ledger.observe(outcome));
        }
        transitions
    }

    /// What it thinks at `now_us`.
    #[must_use]
    pub fn opinion(&self, now_us: u64) -> Opinion {
        Opinion {
            holding: self.jury.holding(),
            times_held: self.jury.times_held(),
            faults: self.faults.told(now_us),
        }
    }

    /// Lets the jury deliberate, and does in `ledger` what follows.
    fn rule(&mut self, ledger: &mut Ledger, now_us: u64) -> Vec<Transition> {
        match self.jury.deliberate(now_us) {
            None => Vec::new(),
            Some(Ruling::Held(Holding { ground, failed, of, .. })) => {
                self.doubted = 0;
                let revised: Vec<Transition> =
                    self.jury.suspects().filter_map(|number| ledger.take_back(number)).collect();
                tracing::warn!(
                    failed,
                    of,
                    ground = ground.as_str(),
                    taken_back = revised.len(),
                    "nearly everything fails together by causes of the network: it is probably us, \
                     and nothing is held against targets until that is over"
                );
                revised
            }
            Some(Ruling::Given(lasted_us)) => {
                let (seconds, doubted) = (lasted_us / 1_000_000, self.doubted);
                tracing::info!(seconds, doubted, "the network is back: targets are judged again");
                Vec::new()
            }
        }
    }
}
