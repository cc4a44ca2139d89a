//! `Loaded`: what is made of files, by key, and made again when the files have changed.

use std::collections::HashMap;
use std::hash::Hash;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::check::fault::Fault;
use crate::check::roots::FileError;

/// How often it is looked whether files have changed, or can be used by now.
const LOOK: Duration = Duration::from_mins(1);

/// What was made of files, by key.
#[derive(Debug)]
pub(super) struct Loaded<K, V> {
    entries: Mutex<HashMap<K, Arc<Mutex<Entry<V>>>>>,
}

#[derive(Debug)]
struct Entry<V> {
    /// The last that could be made.
    value: Option<V>,
    /// What the files were when it was made.
    files: Vec<Option<Stamp>>,
    looked: Option<Instant>,
}

/// What tells one state of a file from another.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl<K: Clone + Eq + Hash, V: Clone> Loaded<K, V> {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default() }
    }

    /// What `make` makes of `files`, made again only when they have changed; what was made before
    /// stands while they cannot be used.
    ///
    /// # Errors
    /// They never could be used.
    pub(super) fn get(
        &self,
        key: &K,
        files: &[&Path],
        now: Instant,
        make: impl FnOnce() -> Result<V, FileError>,
    ) -> Result<V, Fault> {
        let entry = self.entry(key);
        // Who asks while it is made for the first time waits for it; others are not held up.
        let mut entry = entry.lock();
        if entry.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK) {
            entry.looked = Some(now);
            let stamps: Vec<_> = files.iter().copied().map(Stamp::of).collect();
            if entry.value.is_none() || entry.files != stamps {
                let result = match entry.value {
                    None => make(),
                    Some(_) => MutexGuard::unlocked(&mut entry, make),
                };
                match result {
                    Ok(value) => (entry.value, entry.files) = (Some(value), stamps),
                    Err(error) => {
                        tracing::error!(%error, "cannot use the TLS settings of a target");
                    }
                }
            }
        }
        entry.value.clone().ok_or(Fault::setting())
    }

    fn entry(&self, key: &K) -> Arc<Mutex<Entry<V>>> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Mutex::new(Entry { value: None, files: Vec::new(), looked: None }));
        entries.insert(key.clone(), Arc::clone(&entry));
        entry
    }
}

impl Stamp {
    /// The state of a file; none when it is not there.
    fn of(file: &Path) -> Option<Self> {
        let data = std::fs::metadata(file).ok()?;
        Some(Self {
            file: data.ino(),
            length: data.len(),
            seconds: data.mtime(),
            nanoseconds: data.mtime_nsec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_changed_is_read_again_within_a_minute_and_kept_while_it_cannot_be() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let file = directory.path().join("file");
        let loaded = Loaded::new();
        let start = Instant::now();
        let get = |seconds| {
            loaded.get(&"key", &[&file], start + Duration::from_secs(seconds), || {
                std::fs::read_to_string(&file).map_err(|_| FileError::Half)
            })
        };
        assert_eq!(get(0), Err(Fault::setting()));
        std::fs::write(&file, "one").expect("a writable directory");
        assert_eq!(get(59), Err(Fault::setting()));
        assert_eq!(get(60).as_deref(), Ok("one"));
        std::fs::write(&file, "another").expect("a writable directory");
        assert_eq!(get(119).as_deref(), Ok("one"));
        assert_eq!(get(120).as_deref(), Ok("another"));
        std::fs::remove_file(&file).expect("a file");
        assert_eq!(get(180).as_deref(), Ok("another"));
        std::fs::write(&file, "the last").expect("a writable directory");
        assert_eq!(get(240).as_deref(), Ok("the last"));
    }

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let loaded = Loaded::new();
        let file = std::env::current_exe().expect("our own file");
        let now = Instant::now();
        assert_eq!(loaded.get(&1, &[&file], now, || Ok(1)), Ok(1));
        assert_eq!(loaded.get(&1, &[&file], now + 2 * LOOK, || Ok(2)), Ok(1));
        assert_eq!(loaded.get(&2, &[&file], now, || Ok(3)), Ok(3));
    }
}
