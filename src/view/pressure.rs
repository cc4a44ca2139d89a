//! How the daemon bears its load: what it has, what it holds back, and what it thinks of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Slots since start that came round while the target's last one still waited or ran, by what that
/// was due to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct MissedBy {
    /// Its poll still ran, or waited for its recheck.
    pub running: u64,
    /// It waited for a place.
    pub saturated: u64,
    /// It waited for the sake of its host, or its host had asked for that.
    pub politeness: u64,
    /// The daemon did not run, as when the process or the machine was stopped.
    pub standstill: u64,
}

/// The places of polls, which follow how this machine is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Places {
    /// `ok`, `shrunk` while this machine is short of something, or `held` while no poll begins.
    pub state: String,
    /// Polls in flight at most, now.
    pub limit: u64,
    /// Polls in flight at most, while all is well.
    pub most: u64,
    /// What the machine is short of, while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often they shrank since start.
    pub shrunk: u64,
    /// When they were last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<String>,
}

impl Places {
    /// Whether as many polls may be in flight as there may ever be; a daemon that says nothing of
    /// it has nothing to complain of.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.state.as_str(), "" | "ok")
    }
}

/// What the daemon uses of its machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Resources {
    /// Bytes of memory that it may use, and 0 when nobody says.
    pub memory_limit_bytes: u64,
    /// Who says so: `settings`, `cgroup` or `machine`.
    pub memory_limit_by: String,
    /// Bytes that polls in flight hold of answers.
    pub buffers_bytes: u64,
    /// Cores that it kept busy, on average over the last minute.
    pub cpu_cores: f64,
    /// How late its runtimes woke at most in the last minute, in seconds.
    pub runtime_lag_max: f64,
    /// Outcomes that the recorder has not fetched yet.
    pub outbox: u64,
    /// Connections for reading the store that are in use.
    pub read_pool_in_use: u64,
    /// How many there may be.
    pub read_pool_size: u64,
    /// How often somebody had to wait for one since start.
    pub read_pool_waits: u64,
    /// Look-ups that run.
    pub lookups_in_flight: u64,
    /// Look-ups that wait for their turn.
    pub lookups_waiting: u64,
    /// Look-ups that may run at once.
    pub lookups_limit: u64,
    /// Bytes a second that came in over the last minute.
    pub bytes_in_per_second: f64,
    /// Bytes a second that went out over the last minute.
    pub bytes_out_per_second: f64,
}

/// Whether what polls find is held against their targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Judgement {
    /// `given`, or `held` while it is probably us that fail.
    pub state: String,
    /// Since when it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was held since start.
    pub held: u64,
}

impl Judgement {
    /// Whether it is probably us that fail.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.state == "held"
    }
}

/// A fault of ours that polls met in the last minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct OwnFault {
    /// The cause.
    pub cause: String,
    /// What exactly went wrong.
    pub detail: String,
    /// Polls that met it in the last minute.
    pub count: u64,
    /// When it was met last.
    pub last_at: String,
}
