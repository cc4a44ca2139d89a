//! `Lock`: one daemon a directory, held by a lock on `poller.pid` for as long as it lives.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const FILE_NAME: &str = "poller.pid";

/// Why the lock of a directory was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon has it.
    #[error("a daemon{} polls already with the data directory {}", told(*.pid), .directory.display())]
    Held {
        /// Its process id, once it is known.
        pid: Option<u32>,
        /// The directory.
        directory: PathBuf,
    },
    /// The directory or the file cannot be used.
    #[error("cannot use the data directory {}: {source}; name another with --data", .directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn told(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

/// The lock of a data directory; the system frees it however the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    directory: PathBuf,
    announced_by: Option<u32>,
}

/// Who holds the lock of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, `None` for the moment until it has written it down.
    pub pid: Option<u32>,
    /// Where its socket is, if that is not the usual place.
    pub socket: Option<PathBuf>,
}

impl Lock {
    /// How often another holder is looked at again: somebody who asks whether a daemon runs holds
    /// the lock for a moment.
    const TRIES: u32 = 10;

    /// Takes the lock of `directory`, which is made if it is not there. Call it in the process
    /// that will poll, so after detaching.
    ///
    /// # Errors
    /// When another daemon has it, or the directory cannot be written.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(|source| {
            unusable(match source.kind() {
                io::ErrorKind::AlreadyExists => {
                    io::Error::other("something that is no directory is in its place")
                }
                _ => source,
            })
        })?;
        let path = directory.join(FILE_NAME);
        for _ in 0..Self::TRIES {
            let file = open(&path).map_err(unusable)?;
            match file.try_lock() {
                // Somebody may have removed the file between opening and locking it.
                Ok(()) if is_same(&file, &path) => {
                    let mut lock =
                        Self { file, directory: directory.to_owned(), announced_by: None };
                    // In the place of what a daemon that crashed left there.
                    lock.write(format!("{}\n", std::process::id())).map_err(unusable)?;
                    return Ok(lock);
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => thread::park_timeout(Duration::from_millis(20)),
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
        }
        let pid = File::open(&path).ok().and_then(|mut file| read(&mut file).pid);
        Err(LockError::Held { pid, directory: directory.to_owned() })
    }

    /// Writes down where the holder's socket is, if not in the directory.
    ///
    /// # Errors
    /// When the file cannot be written; the lock is held all the same.
    pub fn announce(&mut self, socket: &Path) -> io::Result<()> {
        if socket.parent() == Some(&self.directory) {
            return Ok(());
        }
        let mut text = format!("{}\n", std::process::id()).into_bytes();
        text.extend_from_slice(socket.as_os_str().as_encoded_bytes());
        text.push(b'\n');
        self.write(&text)
    }

    /// Writes who holds the lock in the place of what is there.
    fn write(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_ref())?;
        self.announced_by = Some(std::process::id());
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.announced_by == Some(std::process::id()) {
            // An old number does no harm, none is clearer.
            let _ = self.file.set_len(0);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// Who holds the lock of `directory`, if anybody does.
///
/// # Errors
/// When we may not look.
pub fn holder(directory: &Path) -> io::Result<Option<Holder>> {
    let mut file = match File::open(directory.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    // What cannot be read is not known.
    let _ = file.take(8_192).read_to_string(&mut text);
    let mut lines = text.lines();
    Holder {
        pid: lines.next().and_then(|line| line.parse().ok()),
        socket: lines.next().filter(|line| !line.is_empty()).map(PathBuf::from),
    }
}

impl Holder {
    /// Whether process `pid` is the one that holds the lock of `directory`, as far as this
    /// system knows: in another container the same number is another process.
    pub(crate) fn is_here(&self, directory: &Path) -> bool {
        let Some(pid) = self.pid else { return false };
        let Ok(wanted) = std::fs::metadata(directory.join(FILE_NAME)) else { return false };
        let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files
            .filter_map(|entry| std::fs::metadata(entry.ok()?.path()).ok())
            .any(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_with_pid_and_directory() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = Lock::take(folder.path()).expect("free");
        first.announce(&folder.path().join("poller.sock")).expect("written");
        let error = Lock::take(folder.path()).expect_err("held");
        let sentence = error.to_string();
        assert!(sentence.contains(&format!("pid {}", std::process::id())), "{sentence}");
        assert!(sentence.contains(folder.path().to_str().expect("text")), "{sentence}");
    }

    #[test]
    fn a_file_that_was_left_behind_is_harmless() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE_NAME), "1\n/some/socket\n").expect("written");
        assert_eq!(holder(folder.path()).expect("readable"), None);
        drop(Lock::take(folder.path()).expect("free"));
        assert_eq!(holder(folder.path()).expect("readable"), None);
    }

    #[test]
    fn the_holder_is_told_with_its_socket_and_gone_with_its_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("deep/data");
        assert_eq!(holder(&directory).expect("readable"), None);
        let mut lock = Lock::take(&directory).expect("free");
        let pid = Some(std::process::id());
        assert_eq!(holder(&directory).expect("readable"), Some(Holder { pid, socket: None }));
        lock.announce(Path::new("/run/user/1/poller.sock")).expect("written");
        let found = holder(&directory).expect("readable").expect("held");
        assert_eq!(found.pid, pid);
        assert_eq!(found.socket.as_deref(), Some(Path::new("/run/user/1/poller.sock")));
        assert!(found.is_here(&directory));
        drop(lock);
        assert_eq!(holder(&directory).expect("readable"), None);
    }

    #[test]
    fn a_process_that_does_not_hold_the_file_is_not_taken_for_the_daemon() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE_NAME), "").expect("written");
        let other = Holder { pid: Some(std::process::id()), socket: None };
        assert!(!other.is_here(folder.path()));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        let error = Lock::take(&file.join("data")).expect_err("not a directory");
        assert!(error.to_string().contains("file/data"), "{error}");
        let error = Lock::take(&file).expect_err("a file").to_string();
        assert!(error.contains("something that is no directory is in its place; "), "{error}");
    }
}
