//! `TargetRow`: one target as lists of targets show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One target. Durations are seconds, times RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TargetRow {
    /// Its id.
    pub id: String,
    /// Its address, without secrets.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// `up`, `warning`, `down`, `unknown`, `pending` or `paused`.
    pub state: String,
    /// Since when it is in that state; `None` while it is pending.
    pub since: Option<String>,
    /// Status or cause of its last poll.
    pub code: Option<String>,
    /// How long its last poll took.
    pub latency_seconds: Option<f64>,
    /// How often it is polled.
    pub interval_seconds: f64,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The share of the time that it was up.
    pub uptime: Uptime,
    /// The group that it belongs to, when it has one.
    pub group: Option<String>,
    /// Why its state is not simply up.
    pub cause: Option<String>,
    /// What exactly went wrong.
    pub detail: Option<String>,
    /// When its last poll finished.
    pub last_at: Option<String>,
    /// How late its last poll of a slot began; `None` when it had none since the daemon started.
    pub lag_seconds: Option<f64>,
    /// Whole days until its certificate runs out, negative when it has; `None` when none was seen.
    pub certificate_days: Option<i64>,
    /// How long its poll has run, while one runs.
    pub in_flight_seconds: Option<f64>,
    /// `list` when an entry of the list names it, `api` when it was given through the API.
    pub origin: Origin,
    /// Until when it is paused, when it is for a time.
    pub paused_until: Option<String>,
}

/// Where a target comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An entry of the list.
    #[default]
    List,
    /// The API.
    Api,
}

/// The share of the time that a target was up over some spans; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Uptime {
    /// Over a day.
    #[serde(rename = "24h")]
    pub day: Option<f64>,
    /// Over 7 days.
    #[serde(rename = "7d")]
    pub week: Option<f64>,
    /// Over 30 days.
    #[serde(rename = "30d")]
    pub month: Option<f64>,
    /// Over 90 days.
    #[serde(rename = "90d")]
    pub quarter: Option<f64>,
}

impl From<[Option<f64>; 4]> for Uptime {
    /// The shares in the order of [`crate::store::reader::UPTIME_DAYS`].
    fn from([day, week, month, quarter]: [Option<f64>; 4]) -> Self {
        Self { day, week, month, quarter }
    }
}

/// A part of the list of targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TargetPage {
    /// The targets of this part.
    pub targets: Vec<TargetRow>,
    /// What to give as `after` for the part that follows; `None` when this is the last.
    pub next: Option<String>,
    /// How many targets match in all.
    pub total: u64,
}
