//! `Progress`: how far a poll has come and what it knows so far, kept outside of what times out.

use std::time::{Duration, Instant};

use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail, Finding};

/// What a poll is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Resolving,
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
    started: Instant,
    mark: Instant,
}

impl Progress {
    /// A poll that starts at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            finding: Finding::default(),
            step: Step::Resolving,
            is_at_proxy: false,
            started: now,
            mark: now,
        }
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

    /// The fault of a poll whose deadline passes now.
    pub(crate) const fn timeout(&self) -> Fault {
        match self.step {
            // No answer of a name server says nothing of the target.
            Step::Resolving => Fault::unanswered(),
            _ if self.is_at_proxy => Fault::proxy(),
            // A head that came in part says no more than none.
            Step::Transferring if self.finding.status == 0 => {
                Fault::new(Cause::Timeout, Detail::Waiting)
            }
            step => Fault::new(Cause::Timeout, step.detail()),
        }
    }
}
