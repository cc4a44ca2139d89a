//! `Health`: the state of one target over time, and when it changes.

pub mod jury;
pub mod own_faults;
pub mod votes;

use crate::outcome::{Cause, Detail, Finding, Outcome, SampleKind, Verdict};
use crate::target::State;
use votes::Rest;

impl From<Verdict> for State {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up => Self::Up,
            Verdict::Warning => Self::Warning,
            Verdict::Down => Self::Down,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// The state of one target, since when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: State,
    /// Since when, in Unix milliseconds.
    pub since_ms: i64,
    /// Why, when the state is not up.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
    /// When the first poll of a run of provisional failures finished, in Unix milliseconds; 0
    /// when the last poll was none.
    pub suspect_ms: i64,
}

impl Health {
    /// A target that has not been polled yet.
    #[must_use]
    pub const fn pending(since_ms: i64) -> Self {
        Self { state: State::Pending, since_ms, cause: None, detail: Detail::None, suspect_ms: 0 }
    }

    /// Takes in one poll, and tells the change of state that it brought about.
    ///
    /// A provisional failure changes nothing yet; when its rechecks fail as well, the state has
    /// changed when the first of them finished. Polls that somebody asked for do not count, nor does
    /// what still came of a target that is paused.
    pub fn observe(&mut self, outcome: &Outcome) -> Option<Transition> {
        if outcome.kind == SampleKind::Manual || self.state == State::Paused {
            return None;
        }
        let finished_ms = outcome.finished_us.div_euclid(1_000);
        let state = State::from(outcome.finding.verdict);
        if state == State::Up {
            self.suspect_ms = 0;
        } else if outcome.is_provisional {
            if self.suspect_ms == 0 {
                self.suspect_ms = finished_ms;
            }
            return None;
        }
        if state == self.state {
            self.suspect_ms = 0;
            return None;
        }
        let at_ms = if self.suspect_ms > 0 { self.suspect_ms } else { finished_ms };
        Some(self.change(outcome.target, state, at_ms.max(self.since_ms), &outcome.finding))
    }

    /// Takes back what polls have said of the target `number` since they began to fail by causes of
    /// the network, because it was probably us; `rest` is what is left then. Tells the change that
    /// this is.
    pub fn take_back(&mut self, number: u32, rest: Rest) -> Option<Transition> {
        let (at_ms, to) = match (self.state, rest) {
            (State::Down, Rest::Down) | (State::Unknown | State::Paused, _) => return None,
            (State::Down, Rest::Up) => (self.since_ms, State::Up),
            (State::Down, Rest::Warning) => (self.since_ms, State::Warning),
            (State::Down, Rest::Undecided | Rest::Nothing) => (self.since_ms, State::Unknown),
            (State::Pending | State::Up | State::Warning, _) => {
                let suspect_ms = std::mem::take(&mut self.suspect_ms);
                // Others know how it is.
                if suspect_ms == 0 || rest != Rest::Nothing {
                    return None;
                }
                (suspect_ms.max(self.since_ms), State::Unknown)
            }
        };
        let found = Finding::default();
        let is_doubted = to == State::Unknown;
        let found =
            if is_doubted { found.with_cause(Cause::NoNetwork, Detail::Doubted) } else { found };
        Some(self.change(number, to, at_ms, &found))
    }

    /// Notes that the target `number` is not polled from `at_ms` (Unix milliseconds) on until somebody
    /// wants it, and tells the change that this is.
    pub fn pause(&mut self, number: u32, at_ms: i64) -> Option<Transition> {
        if self.state == State::Paused {
            return None;
        }
        Some(self.change(number, State::Paused, self.behind(at_ms), &Finding::default()))
    }

    /// Forgets the state of the target `number` at `at_ms` (Unix milliseconds), because nobody
    /// watches it from then on, and tells the change that this is.
    pub fn forget(&mut self, number: u32, at_ms: i64) -> Option<Transition> {
        if self.state == State::Pending {
            return None;
        }
        let from = std::mem::replace(self, Self::pending(self.behind(at_ms)));
        let (cause, detail) = (None, Detail::None);
        let (target, to) = (number, State::Pending);
        Some(Transition { target, from: from.state, to, at_ms: self.since_ms, cause, detail })
    }

    /// `at_ms` (Unix milliseconds), or else the first time behind the last change: of two at one time
    /// nobody could tell which was first.
    fn behind(&self, at_ms: i64) -> i64 {
        at_ms.max(self.since_ms.saturating_add(1))
    }

    fn change(&mut self, target: u32, to: State, at_ms: i64, finding: &Finding) -> Transition {
        let transition = Transition {
            target,
            from: self.state,
            to,
            at_ms,
            cause: finding.cause,
            detail: finding.detail,
        };
        *self = Self {
            state: to,
            since_ms: at_ms,
            cause: finding.cause,
            detail: finding.detail,
            suspect_ms: 0,
        };
        transition
    }
}

/// A change of a target's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Number of the target.
    pub target: u32,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// Why, when the new state is not up.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(finished_ms: i64, finding: Finding, is_provisional: bool) -> Outcome {
        Outcome {
            target: 7,
            due_ms: 0,
            finished_us: finished_ms * 1_000,
            lag_us: 0,
            latency_us: 0,
            kind: SampleKind::Slot,
            is_provisional,
            finding,
        }
    }

    fn timeout() -> Finding {
        Finding::default().with_cause(Cause::Timeout, Detail::Connecting)
    }

    #[test]
    fn a_blip_that_its_recheck_does_not_confirm_changes_nothing() {
        let mut health = Health::pending(0);
        health.observe(&poll(10, Finding::default(), false));
        assert_eq!(health.observe(&poll(20, timeout(), true)), None);
        assert_eq!(health.observe(&poll(30, Finding::default(), false)), None);
        assert_eq!((health.state, health.since_ms), (State::Up, 10));
    }

    #[test]
    fn a_confirmed_failure_counts_from_its_first_poll() {
        let mut health = Health::pending(0);
        health.observe(&poll(10, Finding::default(), false));
        health.observe(&poll(20, timeout(), true));
        health.observe(&poll(30, timeout(), true));
        let transition = health.observe(&poll(40, timeout(), false)).expect("it went down");
        assert_eq!((transition.to, transition.at_ms), (State::Down, 20));
        let transition = health.observe(&poll(90, Finding::default(), false)).expect("it is back");
        assert_eq!((transition.from, transition.at_ms), (State::Down, 90));
    }

    #[test]
    fn what_is_taken_back_is_what_is_left() {
        let after = |rest| {
            let mut health = Health::pending(0);
            health.observe(&poll(10, Finding::default(), false));
            health.observe(&poll(20, timeout(), false));
            let changed = health.take_back(7, rest).map(|change| (change.from, change.at_ms));
            (changed, health.state, health.since_ms, health.detail)
        };
        let changed = Some((State::Down, 20));
        for rest in [Rest::Nothing, Rest::Undecided] {
            assert_eq!(after(rest), (changed, State::Unknown, 20, Detail::Doubted));
        }
        assert_eq!(after(Rest::Up), (changed, State::Up, 20, Detail::None));
        assert_eq!(after(Rest::Warning), (changed, State::Warning, 20, Detail::None));
        assert_eq!(after(Rest::Down), (None, State::Down, 20, Detail::Connecting));
    }

    #[test]
    fn a_suspicion_that_is_taken_back_is_forgotten_where_others_know_better() {
        let after = |rest| {
            let mut health = Health::pending(0);
            health.observe(&poll(10, Finding::default(), false));
            health.observe(&poll(20, timeout(), true));
            let to = health.take_back(7, rest).map(|change| (change.to, change.at_ms));
            (to, health.state, health.suspect_ms)
        };
        assert_eq!(after(Rest::Nothing), (Some((State::Unknown, 20)), State::Unknown, 0));
        for rest in [Rest::Up, Rest::Undecided, Rest::Warning, Rest::Down] {
            assert_eq!(after(rest), (None, State::Up, 0));
        }
    }

    #[test]
    fn a_fault_of_ours_is_unknown_and_not_down() {
        let mut health = Health::pending(0);
        health.observe(&poll(10, Finding::default(), false));
        let ours = Finding::default().with_cause(Cause::Resolver, Detail::Unanswered);
        let transition = health.observe(&poll(20, ours, false)).expect("it changed");
        assert_eq!(transition.to, State::Unknown);
    }
}
