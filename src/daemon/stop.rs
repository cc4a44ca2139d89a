//! Acting on the daemon of a data directory from outside: stop it, or make it read anew.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::api::client::{AskError, Client};
use crate::lock::{Holder, holder};

/// What became of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It ended; its process id, when it was known.
    Ended(Option<u32>),
    /// None ran.
    NotRunning,
}

/// Why the daemon did not end.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// We may not ask, or nobody can be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It was asked and still runs.
    #[error("the daemon{} was asked to stop and still runs after {} s", pid.map_or_else(String::new, |pid| format!(" (pid {pid})")), .after.as_secs())]
    StillRunning {
        /// Its process id, when it is known.
        pid: Option<u32>,
        /// How long we waited.
        after: Duration,
    },
    /// It neither answers nor can be signalled.
    #[error("the daemon of {} does not answer and is no process of this system", .directory.display())]
    OutOfReach {
        /// The directory.
        directory: PathBuf,
    },
}

/// Stops the daemon of `directory` and waits until it is gone, for as long as it says that may take,
/// and for `least` when it does not say.
///
/// # Errors
/// When we may not, it cannot be reached, or it does not end in time.
pub fn stop(directory: &Path, least: Duration) -> Result<Stopped, StopError> {
    let Some(held) = look(directory)? else { return Ok(Stopped::NotRunning) };
    let began = Instant::now();
    let limit = match Client::of(directory).stop() {
        Ok(told) => told.max(least),
        Err(AskError::NoPermission { path, user }) => {
            return Err(AskError::NoPermission { path, user }.into());
        }
        Err(_) => {
            signal(&held, directory)?;
            least
        }
    };
    while look(directory)?.is_some() {
        if began.elapsed() >= limit {
            return Err(StopError::StillRunning { pid: held.pid, after: limit });
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    Ok(Stopped::Ended(held.pid))
}

/// Makes the daemon of `directory` read its list and settings again; returns what came of it.
///
/// # Errors
/// When none runs, it cannot be asked, or it keeps what it had because the new list is no good.
pub fn reload(directory: &Path) -> Result<String, AskError> {
    Client::of(directory).reload()
}

fn look(directory: &Path) -> Result<Option<Holder>, AskError> {
    holder(directory).map_err(|error| AskError::looking(directory, error))
}

/// The way for a daemon that does not answer: the signal that systemd would send.
fn signal(held: &Holder, directory: &Path) -> Result<(), StopError> {
    let out_of_reach = || StopError::OutOfReach { directory: directory.to_owned() };
    // The number alone may be old, or of another container: it counts only with the lock in hand.
    if look(directory)?.is_none() {
        return Ok(());
    }
    let pid = held
        .pid
        .filter(|_| held.is_here(directory))
        .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
        .ok_or_else(out_of_reach)?;
    match kill_process(pid, Signal::TERM) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(_) => Err(out_of_reach()),
    }
}
