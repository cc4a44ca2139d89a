//! Rows of exports: stored polls and tallies.

use serde::Serialize;

use super::{Figures, Poll};
use crate::named::named;

/// Which stored polls are exported; times are Unix milliseconds, from inclusive, to exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollSpan {
    /// Those of the target with this id, the newest first; all others come the oldest first.
    pub target: Option<String>,
    /// Those that were recorded from then on.
    pub from_ms: i64,
    /// Those that were recorded before then; now without one.
    pub to_ms: Option<i64>,
}

/// Which tallies are exported; times are Unix milliseconds, from inclusive, to exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallySpan {
    /// Of hours or days.
    pub period: TallyPeriod,
    /// Those of the target with this id.
    pub target: Option<String>,
    /// Those of periods that begin from then on.
    pub from_ms: i64,
    /// Those of periods that begin before then; now without one.
    pub to_ms: Option<i64>,
}

named! {
    /// What is counted together.
    TallyPeriod {
        /// An hour.
        Hour = 1 "hour",
        /// A day (UTC).
        Day = 2 "day",
    }
}

/// A stored poll as it is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedPoll {
    /// When it finished, in Unix milliseconds.
    pub at_ms: i64,
    /// The poll.
    pub poll: Poll,
}

/// A tally as it is exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportedTally {
    /// When its period begins, in Unix milliseconds.
    #[serde(skip)]
    pub at_ms: i64,
    /// When its period begins.
    pub at: String,
    /// The id of its target.
    pub target_id: String,
    /// The address of its target, without secrets.
    pub url: String,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}
