//! `TargetDetail` and `History`: one target over time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Incident, Poll};
use crate::stats::Tally;
use crate::view::{TargetRow, Uptime};

/// All that is told of one target. Durations are seconds, times RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TargetDetail {
    /// The target as lists show it.
    pub target: TargetRow,
    /// The kind of its check, as `http`.
    pub check: String,
    /// The method of its requests.
    pub method: String,
    /// How long a poll of it may take.
    pub timeout_seconds: f64,
    /// `high`, `normal` or `low`.
    pub priority: String,
    /// The share of the time that it was up; unknown and paused time is left out.
    pub uptime: Uptime,
    /// Its certificate, once one was seen.
    pub certificate: Option<Certificate>,
    /// The last 90 days (UTC) in which it was polled, the oldest first.
    pub days: Vec<Day>,
    /// The last 48 hours in which it was polled, the oldest first; the last one may not be over.
    pub hours: Vec<Hour>,
    /// Its last outages, the newest first, 20 at most.
    pub incidents: Vec<Incident>,
    /// Its last polls, the newest first, 50 at most.
    pub polls: Vec<Poll>,
}

/// When a certificate runs out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Certificate {
    /// Until when it is valid.
    pub until: String,
    /// Whole days until then; negative once it has run out.
    pub days: i64,
}

/// What was counted in some span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Figures {
    /// Polls.
    pub checks: u64,
    /// Of these, polls that found the target up or with a warning.
    pub up: u64,
    /// Of these, polls that failed by a cause of ours.
    pub unknown: u64,
    /// Half of the answered polls took no longer, in seconds within 3.2 %.
    pub p50: Option<f64>,
    /// 99 % of the answered polls took no longer, in seconds within 3.2 %.
    pub p99: Option<f64>,
    /// The longest answered poll, in seconds, exact.
    pub max: Option<f64>,
}

impl From<&Tally> for Figures {
    fn from(tally: &Tally) -> Self {
        let seconds = |us: Option<u32>| us.map(|us| f64::from(us) / 1e6);
        let is_answered = tally.latency.count() > 0;
        Self {
            checks: tally.checks.into(),
            up: tally.up.into(),
            unknown: tally.unknown.into(),
            p50: seconds(tally.quantile(0.5)),
            p99: seconds(tally.quantile(0.99)),
            max: seconds(is_answered.then_some(tally.max_us)),
        }
    }
}

/// A day of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Day {
    /// When it begins (UTC).
    pub day: String,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}

/// An hour of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Hour {
    /// When it begins.
    pub hour: String,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A target over some span of time, in steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct History {
    /// Seconds of each step.
    pub step_seconds: u64,
    /// What the points are made of: `samples`, `hours` or `days`.
    pub source: String,
    /// The steps in which the target was polled, the oldest first.
    pub points: Vec<HistoryPoint>,
}

/// One step of a target's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HistoryPoint {
    /// When it begins.
    pub at: String,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}
