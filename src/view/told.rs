//! What is told of polls as they happen: changes of state, and outcomes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A change of a target's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ToldTransition {
    /// When, in RFC 3339.
    pub at: String,
    /// The id of the target.
    pub target_id: String,
    /// Its address, without secrets.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Why, when the new state is not up.
    pub cause: Option<String>,
    /// What exactly went wrong.
    pub detail: Option<String>,
}

/// A finished poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ToldOutcome {
    /// When it finished, in RFC 3339.
    pub at: String,
    /// The id of the target.
    pub target_id: String,
    /// Its address, without secrets.
    pub url: String,
    /// `up`, `warning`, `down` or `unknown`.
    pub verdict: String,
    /// The status, or the cause of polls without one.
    pub code: String,
    /// Why the verdict is not simply up.
    pub cause: Option<String>,
    /// What exactly went wrong.
    pub detail: Option<String>,
    /// How long it took.
    pub latency_seconds: f64,
    /// Body bytes of the last answer, as they came over the wire.
    pub bytes: u64,
    /// How late it began.
    pub lag_seconds: f64,
    /// `slot`, `recheck` or `manual`: why it was made.
    pub kind: String,
}
