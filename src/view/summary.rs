//! `Summary`: what is going on, as one value with the names that programs rely on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cluster, Judgement, MissedBy, OwnFault, Places, Resources};

/// What is going on. Durations are seconds, times RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Summary {
    /// Version of this form.
    pub schema: u32,
    /// `running`, or `stopped` when the figures come from the store.
    pub state: String,
    /// Process id of the daemon, 0 when it is stopped.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// When the daemon started.
    pub started_at: Option<String>,
    /// How long it has run.
    pub uptime_seconds: f64,
    /// When these figures were taken.
    pub as_of: String,
    /// Until when a daemon watched, while none runs: states are of then.
    pub stopped_at: Option<String>,
    /// Where the daemon listens.
    pub listen: Option<String>,
    /// The targets by state.
    pub targets: Targets,
    /// The polls.
    pub checks: Checks,
    /// The five most frequent codes of all stored polls.
    pub top_codes: Vec<CodeCount>,
    /// The longest poll of the last five minutes, whatever its verdict.
    pub largest_delay_5m: Option<Delay>,
    /// The longest poll of the last five minutes that got an answer.
    pub largest_answered_5m: Option<Delay>,
    /// The slowest targets of the last five minutes.
    pub slowest_5m: Vec<Slow>,
    /// Latencies of the answered polls of the last five minutes.
    pub latency_5m: Quantiles,
    /// Where the time went in the last five minutes.
    pub phases_5m: Phases,
    /// Why polls of the last five minutes were not simply up.
    pub causes_5m: Vec<CauseCount>,
    /// Targets that are down, the longest first.
    pub down: Vec<Down>,
    /// Targets whose certificate runs out soon, the soonest first.
    pub certificates_expiring: Vec<Expiring>,
    /// How many those are, the ones that are not listed among them.
    pub certificates_expiring_total: u64,
    /// Polls that run now.
    pub in_flight: InFlight,
    /// How punctual the last five minutes were.
    pub schedule: Schedule,
    /// The places of polls, which follow how this machine is.
    pub places: Places,
    /// Whether what polls find is held against their targets.
    pub judgement: Judgement,
    /// Faults of ours that polls met in the last minute.
    pub own_faults: Vec<OwnFault>,
    /// How the store is.
    pub storage: Storage,
    /// How the process is.
    pub process: Process,
    /// What the daemon uses of its machine.
    pub resources: Resources,
    /// How the distributed mode works, where these figures are of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
}

/// The targets by state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the states speak for themselves")]
pub struct Targets {
    /// All that are polled.
    pub total: u64,
    /// Different addresses among them.
    pub unique: u64,
    /// Entries of the list that could not be used.
    pub rejected: u64,
    pub up: u64,
    pub warning: u64,
    pub down: u64,
    pub unknown: u64,
    pub pending: u64,
    pub paused: u64,
}

/// The polls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Checks {
    /// Every sample that was ever stored.
    pub total: u64,
    /// Of these, by this daemon.
    pub since_start: u64,
    /// Finished in the last five minutes.
    pub last_5m: u64,
    /// Finished a second, over the last five minutes.
    pub per_second: f64,
    /// Slots since start that came round while the target's last one still waited or ran.
    pub missed: u64,
    /// The same by what that was due to.
    pub missed_by: MissedBy,
    /// Slots since start that were left out because their target has been down for long.
    pub backed_off: u64,
    /// Rechecks since start.
    pub rechecks: u64,
    /// Body bytes since start.
    pub bytes: u64,
}

/// How often a code occurred.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CodeCount {
    /// The status, or the cause of polls without one.
    pub code: String,
    /// How often.
    pub count: u64,
}

/// A long poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delay {
    /// Its target.
    pub url: String,
    /// How long it took.
    pub seconds: f64,
    /// What it got.
    pub code: String,
    /// When it finished.
    pub at: String,
}

/// A slow target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Slow {
    /// Its address.
    pub url: String,
    /// Its longest poll.
    pub seconds: f64,
}

/// How latencies are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the quantiles speak for themselves")]
pub struct Quantiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
    /// How many polls these figures are of.
    pub count: u64,
}

/// Where the time went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the phases speak for themselves")]
pub struct Phases {
    pub resolve: Phase,
    pub connect: Phase,
    pub tls: Phase,
    pub first_byte: Phase,
    pub transfer: Phase,
}

/// How long one phase took; 0 when no poll passed through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the quantiles speak for themselves")]
pub struct Phase {
    pub p50: f64,
    pub p99: f64,
}

/// How often a cause occurred.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CauseCount {
    /// The cause.
    pub cause: String,
    /// Whether a second try could not be expected to end otherwise.
    pub permanent: bool,
    /// How often.
    pub count: u64,
}

/// A target that is down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Down {
    /// Its address.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Since when.
    pub since: String,
    /// Why.
    pub cause: String,
    /// What exactly went wrong.
    pub detail: String,
}

/// A target whose certificate runs out soon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Expiring {
    /// Its address.
    pub url: String,
    /// Whole days that are left, negative when it has run out.
    pub days: i64,
}

/// Polls that run now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct InFlight {
    /// How many.
    pub count: u64,
    /// How many there may be.
    pub limit: u64,
    /// Which, the longest-running first.
    pub urls: Vec<Flying>,
}

/// A poll that runs now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flying {
    /// Its target.
    pub url: String,
    /// How long it has run.
    pub for_seconds: f64,
}

/// How punctual the last five minutes were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the quantiles speak for themselves")]
pub struct Schedule {
    pub lag_p50: f64,
    pub lag_p99: f64,
    pub lag_max: f64,
    /// Targets that are due and wait for a place.
    pub waiting: u64,
    /// Targets that are due and wait for the sake of their host.
    pub polite: u64,
    /// `ok`, or `saturated` while due targets find no place.
    pub state: String,
}

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Storage {
    /// `ok`, or `degraded` while it does not take what it is given.
    pub state: String,
    /// Its file.
    pub path: String,
    /// Bytes on the disk, log and spill included.
    pub bytes: u64,
    /// Samples that it holds.
    pub samples: u64,
    /// Samples that wait in memory.
    pub queued: u64,
    /// Samples that wait in the spill file.
    pub spilled: u64,
    /// Samples that were lost for good since start.
    pub lost: u64,
    /// The longest that one write has taken since start.
    pub commit_max_seconds: f64,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Storage {
    /// Whether it does not take what it is given.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        !matches!(self.state.as_str(), "" | "ok")
    }
}

/// How the process is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Process {
    /// Resident memory.
    pub rss_bytes: u64,
    /// Processor time since start.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_files: u64,
    /// How many there may be.
    pub open_files_limit: u64,
    /// Polls in flight at most.
    pub workers_limit: u64,
}
