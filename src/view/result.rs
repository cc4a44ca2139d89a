//! `CheckResult`: what one check came to, as files and programs get it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a check says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The target is up.
    Success,
    /// It is reachable, and something is not as expected.
    Warning,
    /// It is down, or nobody knows.
    Error,
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The id of the check, else the id of what it checks.
    pub id: String,
    /// The kind of the check.
    pub plugin_type: String,
    /// What it says in one word.
    pub status: Status,
    /// The same in a sentence.
    pub message: String,
    /// Seconds that it took.
    pub response_time: f64,
    /// What was seen; `target`, `verdict` (`up`, `warning`, `down`, `unknown`), `cause` and `detail` always.
    pub raw_data: Map<String, Value>,
    /// When it finished: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
}

/// Who a result is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the check, else the id of what it checks.
    pub id: String,
    /// The kind of the check.
    pub plugin_type: String,
}

/// Why a check has not been run, or not to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum NotRun {
    /// Its entry is wrong, for this reason.
    Invalid(String),
    /// The run's deadline passed, which was this long.
    Deadline(std::time::Duration),
    /// The run was stopped.
    Stopped,
}

impl CheckResult {
    /// The result of a check that ended with `outcome`.
    #[must_use]
    pub fn of(
        _identity: &Identity,
        _target: &crate::target::Target,
        _outcome: &crate::outcome::Outcome,
        _facts: crate::check::Facts,
    ) -> Self {
        todo!()
    }

    /// The result of a check that was not run.
    #[must_use]
    pub fn not_run(_identity: &Identity, _target: Option<String>, _reason: NotRun) -> Self {
        todo!()
    }
}
