//! `Judge`: whether it is probably us that fail, told of the outcomes of this checker before anybody
//! else hears of them.

use crate::app::cluster::checker::catalogue::Catalogue;
use crate::health::jury::{Holding, Jury, Known, Ruling, Seat};
use crate::outcome::{Cause, Detail, Outcome};
use crate::target::State;

/// Microseconds from one time at which the jury is brought to the targets that are known to the next.
const CONVENES_US: u64 = 5_000_000;

/// The jury of a checker.
#[derive(Debug, Default)]
pub(super) struct Judge {
    jury: Jury,
    /// The state of the catalogue that it knows, and since when in monotonic microseconds.
    convened: Option<(u64, u64)>,
    /// Polls that failed and were not held against their targets since judgement was held last.
    doubted: u64,
}

impl Judge {
    /// Hears `outcomes`, which came at `now_us` (monotonic microseconds). What is probably our fault is
    /// one of ours in them afterwards.
    pub(super) fn sit(&mut self, catalogue: &Catalogue, outcomes: &mut [Outcome], now_us: u64) {
        self.convene(catalogue, now_us);
        for outcome in outcomes.iter() {
            if let Some(target) = catalogue.target(outcome.target) {
                let state = target.flight().known();
                let known = Known { state, has_incident: state == State::Down };
                self.jury.hear(outcome, known, now_us);
            }
        }
        self.rule(now_us);
        for outcome in outcomes {
            if self.jury.doubts(outcome, now_us) {
                self.doubted += 1;
                outcome.finding = outcome.finding.with_cause(Cause::NoNetwork, Detail::Doubted);
                // What a recheck finds later is no part of it.
                outcome.is_provisional = false;
            }
        }
    }

    fn convene(&mut self, catalogue: &Catalogue, now_us: u64) {
        let changes = catalogue.changes();
        let is_due = self.convened.is_none_or(|(known, at_us)| {
            known != changes && now_us.saturating_sub(at_us) >= CONVENES_US
        });
        if is_due {
            self.convened = Some((changes, now_us));
            let seats = catalogue.iter().map(|target| Seat {
                number: target.number,
                every_ms: target.every_ms,
                role: target.plan.role,
            });
            self.jury.convene(seats, now_us);
        }
    }

    fn rule(&mut self, now_us: u64) {
        match self.jury.deliberate(now_us) {
            None => {}
            Some(Ruling::Held(Holding { ground, failed, of, .. })) => {
                self.doubted = 0;
                tracing::warn!(
                    failed,
                    of,
                    ground = ground.as_str(),
                    "nearly everything fails together by causes of the network: it is probably us, \
                     and nothing is held against targets until that is over"
                );
            }
            Some(Ruling::Given(lasted_us)) => {
                let (seconds, doubted) = (lasted_us / 1_000_000, self.doubted);
                tracing::info!(seconds, doubted, "the network is back: targets are judged again");
            }
        }
    }
}
