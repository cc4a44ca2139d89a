//! `Judge`: whether it is probably us that fail, told of the outcomes of this checker before anybody
//! else hears of them.

use super::blamed::{Blame, Blamed};
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
    /// Who was told to be down, and may have to be acquitted.
    blamed: Blamed,
    /// The state of the catalogue that it knows, and since when in monotonic microseconds.
    convened: Option<(u64, u64)>,
    /// Polls that failed and were not held against their targets since judgement was held last.
    doubted: u64,
}

impl Judge {
    /// Hears `outcomes`, which came at `now_us` (monotonic microseconds). What is probably our fault is
    /// one of ours in them afterwards; tells what has to be taken back of what was told before them.
    #[must_use]
    pub(super) fn sit(
        &mut self,
        catalogue: &Catalogue,
        outcomes: &mut [Outcome],
        now_us: u64,
    ) -> Vec<Blame> {
        self.convene(catalogue, now_us);
        for outcome in outcomes.iter() {
            if let Some(target) = catalogue.target(outcome.target) {
                let state = target.flight().known();
                let known = Known { state, has_incident: state == State::Down };
                self.jury.hear(outcome, known, now_us);
            }
        }
        let taken_back = self.rule(catalogue, now_us);
        for outcome in outcomes {
            if self.jury.doubts(outcome, now_us) {
                self.doubted += 1;
                outcome.finding = outcome.finding.with_cause(Cause::NoNetwork, Detail::Doubted);
                // What a recheck finds later is no part of it.
                outcome.is_provisional = false;
            }
        }
        taken_back
    }

    /// Notes that `outcome` is told of the target that has a number in the cluster, in a partition.
    pub(super) fn note(&mut self, told_as: (u32, u32), outcome: &Outcome) {
        self.blamed.note(told_as, outcome);
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

    fn rule(&mut self, catalogue: &Catalogue, now_us: u64) -> Vec<Blame> {
        match self.jury.deliberate(now_us) {
            None => Vec::new(),
            Some(Ruling::Held(Holding { ground, failed, of, .. })) => {
                self.doubted = 0;
                let blamed = self.blamed.acquit(self.jury.suspects());
                for one in &blamed {
                    if let Some(target) = catalogue.target(one.slot) {
                        target.flight().learn(State::Unknown, one.first_ms);
                    }
                }
                tracing::warn!(
                    failed,
                    of,
                    ground = ground.as_str(),
                    taken_back = blamed.len(),
                    "nearly everything fails together by causes of the network: it is probably us, \
                     and nothing is held against targets until that is over"
                );
                blamed
            }
            Some(Ruling::Given(lasted_us)) => {
                let (seconds, doubted) = (lasted_us / 1_000_000, self.doubted);
                tracing::info!(seconds, doubted, "the network is back: targets are judged again");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reports::Reports;
    use super::*;
    use crate::app::cluster::checker::catalogue::Found;
    use crate::outcome::{Finding, SampleKind, Verdict};
    use crate::queue::kafka::messages::JobMessage;

    fn outcome(target: u32, second: u64, finding: Finding) -> Outcome {
        let at_ms = 1_800_000_000_000 + i64::try_from(second).expect("small") * 1_000;
        Outcome {
            target,
            due_ms: at_ms,
            finished_us: at_ms * 1_000,
            lag_us: 0,
            latency_us: 1_000,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        }
    }

    /// Fifty targets that are polled every five seconds, a fifth of them each second.
    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::new(100);
        for target in 0..50 {
            let entry = format!("{{\"url\": \"http://site-{target}.example/\", \"interval\": 5}}");
            let (id, entry) = (u64::from(target), entry.into());
            let job = JobMessage { target, id, entry, ..JobMessage::default() };
            let Found::Target(target) = catalogue.find(&job, &mut |_| {}) else { panic!("bad") };
            target.flight().learn(State::Up, 0);
        }
        catalogue
    }

    #[test]
    fn what_fails_with_nearly_everything_is_not_held_against_targets() {
        let catalogue = catalogue();
        let target = |slot| catalogue.target(slot).expect("it is known");
        let (mut judge, mut blamed, mut blamed_in) = (Judge::default(), Vec::new(), Vec::new());
        let mut round = |second: u64, finding: Finding| {
            let polled = (0..50).filter(|target| u64::from(target % 5) == second % 5);
            let mut outcomes: Vec<_> =
                polled.map(|target| outcome(target, second, finding)).collect();
            let acquitted = judge.sit(&catalogue, &mut outcomes, second * 1_000_000);
            for one in &acquitted {
                assert_eq!(target(one.slot).flight().known(), State::Unknown);
                blamed_in.push(second);
            }
            blamed.extend(acquitted);
            for outcome in &outcomes {
                Reports::learn(target(outcome.target), outcome);
                judge.note((1_000 + outcome.target, outcome.target % 4), outcome);
            }
            outcomes.iter().filter(|one| one.finding.verdict == Verdict::Down).count()
        };
        let failed = Finding::default().with_cause(Cause::Timeout, Detail::Connecting);
        (10..20).for_each(|second| assert_eq!(round(second, Finding::default()), 0));
        let down: Vec<usize> = (20..40).map(|second| round(second, failed)).collect();
        assert_eq!((&down[..3], down.iter().sum::<usize>()), (&[10; 3][..], 30), "{down:?}");
        // All that was told is taken back at once, each by its poll.
        assert_eq!(blamed_in, [23; 30]);
        let of = |slot: u32| {
            let second = u64::from(20 + slot % 5);
            let due_ms = outcome(slot, second, failed).due_ms;
            let (number, partition) = (1_000 + slot, slot % 4);
            Blame { slot, number, partition, first_ms: due_ms, last_ms: due_ms }
        };
        assert_eq!(blamed, (0..50).filter(|slot| slot % 5 < 3).map(of).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_down_before_and_what_answers_is_not_taken_back() {
        let catalogue = catalogue();
        let mut judge = Judge::default();
        let failed = Finding::default().with_cause(Cause::Timeout, Detail::Connecting);
        let mut acquitted = Vec::new();
        for second in 10..40 {
            let polled = (0..50).filter(|target| u64::from(target % 5) == second % 5);
            // The target 7 is down all the time, 8 answers all the time.
            let is_down = |target| target == 7 || (second >= 20 && target != 8);
            let finding = |target| if is_down(target) { failed } else { Finding::default() };
            let mut outcomes: Vec<_> =
                polled.map(|target| outcome(target, second, finding(target))).collect();
            acquitted.extend(judge.sit(&catalogue, &mut outcomes, second * 1_000_000));
            for outcome in &outcomes {
                Reports::learn(catalogue.target(outcome.target).expect("it is known"), outcome);
                judge.note((outcome.target, 0), outcome);
            }
        }
        let slots: Vec<u32> = acquitted.iter().map(|one| one.slot).collect();
        assert!(slots.len() >= 30 && !slots.contains(&7) && !slots.contains(&8), "{slots:?}");
    }
}
