//! `Progress`: how far a poll has come and what it knows so far, kept outside of what times out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::watch::Reach;
use crate::outcome::{Cause, Detail, Finding, Phases};

/// What a poll is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Resolving,
    /// Of a name server that is part of what is checked.
    Asking,
    Connecting,
    Handshaking,
    Sending,
    Waiting,
    Transferring,
}

impl Step {
    /// The detail that tells of a time-out in this step.
    pub(crate) const fn detail(self) -> Detail {
        match self {
            Self::Resolving => Detail::Resolving,
            Self::Asking => Detail::Unanswered,
            Self::Connecting => Detail::Connecting,
            Self::Handshaking => Detail::Handshaking,
            Self::Sending => Detail::Sending,
            Self::Waiting => Detail::Waiting,
            Self::Transferring => Detail::Transferring,
        }
    }
}

/// How far a poll has come.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What is known so far.
    pub(crate) finding: Finding,
    /// What is going on.
    pub(crate) step: Step,
    /// Whether that has to do with the proxy alone.
    pub(crate) is_at_proxy: bool,
    /// Where it goes.
    pub(crate) reach: Arc<Reach>,
    /// What was seen, where somebody asks for it.
    facts: Option<Box<Facts>>,
    /// Where the time had gone when the hop began that is under way.
    pub(crate) hop_began: Phases,
    started: Instant,
    mark: Instant,
}

impl Progress {
    /// A poll that starts at `now` and notes in `reach` where it goes, with a place for facts if
    /// somebody asks for them.
    pub(crate) fn new(now: Instant, reach: Arc<Reach>, facts: Option<Box<Facts>>) -> Self {
        Self {
            finding: Finding::default(),
            step: Step::Resolving,
            is_at_proxy: false,
            reach,
            facts,
            hop_began: Phases::default(),
            started: now,
            mark: now,
        }
    }

    /// Has `note` note what was seen, where somebody asks for it.
    pub(crate) fn tell(&mut self, note: impl FnOnce(&mut Facts)) {
        if let Some(facts) = &mut self.facts {
            note(facts);
        }
    }

    /// The same, where the finding so far is needed for it.
    pub(crate) fn tell_of(&mut self, note: impl FnOnce(&mut Facts, &Finding)) {
        if let Some(facts) = &mut self.facts {
            note(facts, &self.finding);
        }
    }

    /// Whether somebody asks for what is seen.
    pub(crate) const fn is_told(&self) -> bool {
        self.facts.is_some()
    }

    /// When the poll started.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// The finding and the facts at the end of a check that came to `result`.
    pub(crate) fn end(mut self, result: Result<(), Fault>) -> (Finding, Facts) {
        self.tell_of(|facts, finding| {
            if finding.phases != Phases::default() {
                facts.put_phases(&finding.phases);
            }
        });
        let finding = match result {
            Ok(()) => self.finding,
            Err(fault) => self.finding.with_cause(fault.cause, fault.detail),
        };
        (finding, self.facts.map_or_else(Facts::default, |facts| *facts))
    }

    /// The time since the last lap ended; a new one begins.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let lap = now.duration_since(self.mark);
        self.mark = now;
        lap
    }

    /// The time from the poll's start to the end of its last lap.
    pub(crate) fn elapsed(&self) -> Duration {
        self.mark.duration_since(self.started)
    }

    /// What is left of `limit` since the poll's start.
    pub(crate) fn left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.started.elapsed())
    }

    /// The fault of a poll whose deadline passes now.
    pub(crate) const fn timeout(&self) -> Fault {
        match self.step {
            // No answer of a name server says nothing of the target.
            Step::Resolving => Fault::unanswered(),
            Step::Asking => Fault::new(Cause::Dns, Detail::Unanswered),
            _ if self.is_at_proxy => Fault::proxy(),
            // A head that came in part says no more than none.
            Step::Transferring if self.finding.status == 0 => {
                Fault::new(Cause::Timeout, Detail::Waiting)
            }
            step => Fault::new(Cause::Timeout, step.detail()),
        }
    }
}
