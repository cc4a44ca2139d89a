//! What comes of changes of targets: of those that are given through the API, and of pauses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of a change of the targets that are given through the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// The ids of the entries that were taken, in their order.
    pub ids: Vec<String>,
    /// Targets that were not there before.
    pub added: u64,
    /// Targets that are polled in another way than before.
    pub changed: u64,
    /// Targets that are polled as before.
    pub kept: u64,
    /// Targets that are polled no more.
    pub removed: u64,
    /// Targets of the API that there are now.
    pub total: u64,
    /// The first of the entries that cannot be polled.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rejected: Vec<Rejected>,
    /// How many entries cannot be polled.
    pub rejected_total: u64,
}

/// An entry that cannot be polled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// Its place in what was sent, from 0.
    pub index: u64,
    /// What it calls itself.
    pub id: Option<String>,
    /// Why, and what to write instead.
    pub reason: String,
}

/// What came of a pause, or of its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    /// The ids of the targets that it is about.
    pub ids: Vec<String>,
    /// Until when they are paused: RFC 3339, UTC; none: until somebody resumes them, or they are not
    /// paused any more.
    pub paused_until: Option<String>,
    /// Why.
    pub reason: Option<String>,
}
