//! `AskError`: why the daemon could not be asked, in words that say what to do.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::problem::Problem;

/// Why a question got no good answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon has this data directory.
    #[error("no daemon runs with the data directory {} (poller --start starts one)", .directory.display())]
    NotRunning {
        /// The data directory.
        directory: PathBuf,
    },
    /// A daemon has the directory, but no socket yet, or none any more.
    #[error("the daemon of {} is starting or stopping and cannot be asked yet", .directory.display())]
    NotListening {
        /// The data directory.
        directory: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("no permission to use {}: only {user} may ask (try sudo)", .path.display())]
    NoPermission {
        /// What may not be used.
        path: PathBuf,
        /// Who may.
        user: String,
    },
    /// The system does not let us get there.
    #[error("cannot use {}: {source}", .path.display())]
    Unusable {
        /// What cannot be used.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No answer came in time.
    #[error("the daemon of {} does not answer within {} s", .directory.display(), .after.as_secs_f64())]
    Silent {
        /// The data directory.
        directory: PathBuf,
        /// How long we waited.
        after: Duration,
    },
    /// It answered that it cannot or will not.
    #[error("{}", .problem.detail)]
    Refused {
        /// What it said.
        problem: Problem,
    },
    /// What it answered makes no sense.
    #[error("the daemon of {} broke off or gave no sensible answer: {reason}", .directory.display())]
    Garbled {
        /// The data directory.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// This process lacks what it needs.
    #[error("cannot ask: {0}")]
    Runtime(io::Error),
}

impl AskError {
    /// What `error`, met when looking into `directory`, means.
    pub(crate) fn looking(directory: &Path, error: io::Error) -> Self {
        Self::of(directory.join("poller.pid"), error)
    }

    /// What `error`, met when connecting to the socket `path`, means.
    pub(super) fn connecting(directory: &Path, path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Self::NotListening { directory: directory.to_owned() }
            }
            _ => Self::of(path.to_owned(), error),
        }
    }

    fn of(path: PathBuf, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            let user = owner(&path);
            return Self::NoPermission { path, user };
        }
        Self::Unusable { path, source }
    }
}

/// Whose `path` is, or the part of it that can be seen.
fn owner(path: &Path) -> String {
    let uid = path.ancestors().find_map(|part| Some(std::fs::metadata(part).ok()?.uid()));
    let Some(uid) = uid else { return "its owner and root".to_owned() };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    match name {
        _ if uid == 0 => "root".to_owned(),
        Some(name) => format!("user {name} and root"),
        None => format!("the user with the number {uid} and root"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_ask_is_named() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = AskError::looking(Path::new("/"), denied);
        assert_eq!(
            error.to_string(),
            "no permission to use /poller.pid: only root may ask (try sudo)"
        );
    }
}
