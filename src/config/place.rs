//! Which directory holds store, socket, pid file and log.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the store in the data directory.
pub const STORE: &str = "poller.db";

const LOCAL: &str = "data";
const SYSTEM: &str = "/var/lib/poller";

/// The data directory: the `given` one, else that of the service manager, else `./data` if it
/// holds a store, else `/var/lib/poller` if that does, else `./data`.
///
/// `state_directory` is the variable `STATE_DIRECTORY`; of several directories the first counts.
pub fn data_directory(
    given: Option<PathBuf>,
    state_directory: Option<&OsStr>,
    holds_store: impl Fn(&Path) -> bool,
) -> PathBuf {
    let of_service = || {
        let text = state_directory?.to_str()?;
        text.split(':').find(|path| !path.is_empty()).map(PathBuf::from)
    };
    let found = || [LOCAL, SYSTEM].into_iter().map(PathBuf::from).find(|path| holds_store(path));
    given.or_else(of_service).or_else(found).unwrap_or_else(|| LOCAL.into())
}

/// Whether a store lies in `directory`, or may lie there for others to see: who asks for it is then
/// told who may.
#[must_use]
pub fn holds_store(directory: &Path) -> bool {
    is_store(directory.join(STORE).metadata().map(|_| ()))
}

fn is_store(looked: io::Result<()>) -> bool {
    match looked {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(given: Option<&str>, state: Option<&str>, stores: &[&str]) -> PathBuf {
        let holds = |path: &Path| stores.iter().any(|store| Path::new(store) == path);
        data_directory(given.map(PathBuf::from), state.map(OsStr::new), holds)
    }

    #[test]
    fn a_given_directory_beats_all_others() {
        let both = ["data", "/var/lib/poller"];
        assert_eq!(place(Some("/srv"), Some("/state"), &both), Path::new("/srv"));
        assert_eq!(place(None, Some("/state:/other"), &both), Path::new("/state"));
        assert_eq!(place(None, Some(""), &both), Path::new("data"));
    }

    #[test]
    fn a_directory_that_holds_a_store_is_found() {
        assert_eq!(place(None, None, &["/var/lib/poller"]), Path::new("/var/lib/poller"));
        assert_eq!(place(None, None, &["data", "/var/lib/poller"]), Path::new("data"));
        assert_eq!(place(None, None, &[]), Path::new("data"));
    }

    #[test]
    fn a_store_that_may_not_be_seen_is_one() {
        assert!(is_store(Ok(())));
        assert!(is_store(Err(io::ErrorKind::PermissionDenied.into())));
        assert!(!is_store(Err(io::ErrorKind::NotFound.into())));
    }
}
