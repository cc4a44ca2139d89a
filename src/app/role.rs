//! The roles of the distributed mode, in a build that has them.

use std::any::Any;

use crate::api::client::Client;
use crate::cli::db::Db;
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::daemon::Notifier;
use crate::signal::Signal;

/// A role of the distributed mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes jobs of targets, on time.
    Scheduler,
    /// Polls what jobs say.
    Checker,
    /// Keeps what polls found.
    Recorder,
}

impl Role {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Checker => "checker",
            Self::Recorder => "recorder",
        }
    }
}

/// Why a role or a command of the distributed mode did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RoleError {
    /// The exit code that goes with it: 2 for settings that make no sense, else 1.
    pub code: u8,
    /// Why, in words, and what to do.
    pub reason: String,
}

/// A way to a cluster for commands that ask a daemon; it is open for as long as this is kept.
pub struct ClusterDoor {
    /// Asks it as it would ask a daemon.
    pub client: Client,
    /// What answers.
    pub(super) _kept: Box<dyn Any>,
}

impl std::fmt::Debug for ClusterDoor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ClusterDoor({:?})", self.client)
    }
}

/// A way to the cluster whose database `settings` name.
///
/// # Errors
/// There is none.
#[cfg(not(feature = "distributed"))]
pub fn cluster_door(settings: &Settings) -> Result<ClusterDoor, RoleError> {
    let _ = settings;
    Err(missing())
}

/// A way to the cluster whose database `settings` name.
///
/// # Errors
/// The database cannot be read, or holds no cluster.
#[cfg(feature = "distributed")]
pub fn cluster_door(settings: &Settings) -> Result<ClusterDoor, RoleError> {
    super::cluster::door(settings)
}

/// Works as `role` until a signal ends that.
///
/// # Errors
/// It could not begin, or not go on.
#[cfg(not(feature = "distributed"))]
pub fn serve(
    role: Role,
    settings: &Settings,
    signals: tokio::sync::mpsc::Receiver<Signal>,
    notifier: Notifier,
) -> Result<(), RoleError> {
    let _ = (role, settings, signals, notifier);
    Err(missing())
}

/// Does what `asked` wants of the database, and tells what it prints.
///
/// # Errors
/// It could not be done.
#[cfg(not(feature = "distributed"))]
pub fn db(asked: &Db, settings: &Settings, sources: &Sources) -> Result<String, RoleError> {
    let _ = (asked, settings, sources);
    Err(missing())
}

#[cfg(not(feature = "distributed"))]
fn missing() -> RoleError {
    let reason = "this build has no distributed mode; build one that has it with cargo build \
                  --release --features distributed";
    RoleError { code: 1, reason: reason.to_owned() }
}

/// Works as `role` until a signal ends that.
///
/// # Errors
/// It could not begin, or not go on.
#[cfg(feature = "distributed")]
pub fn serve(
    role: Role,
    settings: &Settings,
    signals: tokio::sync::mpsc::Receiver<Signal>,
    notifier: Notifier,
) -> Result<(), RoleError> {
    super::cluster::serve(role, settings, signals, notifier)
}

/// Does what `asked` wants of the database, and tells what it prints.
///
/// # Errors
/// It could not be done.
#[cfg(feature = "distributed")]
pub fn db(asked: &Db, settings: &Settings, sources: &Sources) -> Result<String, RoleError> {
    super::cluster::db(asked, settings, sources)
}
