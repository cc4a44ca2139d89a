//! `Mark`: what is kept of one target, and what a poll of it says of the network.

use super::Known;
use super::window::Voice;
use crate::outcome::{Cause, Detail, Finding};
use crate::target::State;

/// What a poll says of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Something answered.
    Answered,
    /// Nothing did.
    Failed,
    /// It says nothing.
    Silent,
}

impl Sign {
    pub(super) const fn of(finding: &Finding) -> Self {
        match finding.cause {
            Some(Cause::NoResources | Cause::Clock | Cause::Internal) => Self::Silent,
            _ if !is_of_network(finding.cause, finding.detail) => Self::Answered,
            // It broke off in the midst of an answer.
            _ if finding.status != 0 => Self::Silent,
            _ => Self::Failed,
        }
    }
}

/// Whether a poll ended by a cause that a network which fails brings about.
#[must_use]
pub const fn is_of_network(cause: Option<Cause>, detail: Detail) -> bool {
    match cause {
        Some(
            Cause::Timeout | Cause::Connect | Cause::Reset | Cause::Resolver | Cause::NoNetwork,
        ) => true,
        // The others take an answer of a name server that knows the name.
        Some(Cause::Dns) => matches!(
            detail,
            Detail::None
                | Detail::NoSuchName
                | Detail::NoAddress
                | Detail::ServerFailure
                | Detail::Unanswered
                | Detail::QueryRefused
        ),
        _ => false,
    }
}

/// Whether a target's silence is news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was not polled yet in this run.
    #[default]
    Unheard,
    /// It never answered, as far as is known.
    Unproven,
    /// It is there, as far as is known.
    Proven,
    /// It is known to be down.
    Down,
}

impl Standing {
    /// What it is when a poll of it fails.
    pub(super) fn after_failure(self, known: Known) -> Self {
        match known.state {
            State::Down => Self::Down,
            // Its outage had begun before we could not tell any more.
            _ if known.has_incident => Self::Down,
            State::Up | State::Warning => Self::Proven,
            State::Pending if self == Self::Unheard => Self::Unproven,
            State::Unknown | State::Paused if self == Self::Unheard => Self::Proven,
            State::Pending | State::Unknown | State::Paused => self,
        }
    }
}

/// What is kept of one target.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// When its last poll ended.
    pub(super) tick: u32,
    /// Where it stands in the windows, if it does.
    pub(super) voice: Option<Voice>,
    pub(super) standing: Standing,
    pub(super) is_seated: bool,
}

impl Mark {
    /// Whether it counts as one that failed.
    pub(super) const fn is_failure(self) -> bool {
        matches!(self.voice, Some(Voice::Failed | Voice::Unproven))
    }
}
