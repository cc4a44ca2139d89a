//! `SqliteStore`: the store in one SQLite file, written by its one owner.

mod announce;
mod append;
mod connection;
mod enrol;
mod fault;
#[cfg(fuzzing)]
pub(in crate::store) mod fuzzing;
mod migrate;
mod own;
mod restore;
mod rows;
mod tokens;
mod trim;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::tokens::KeptToken;
use super::{Announcement, Batch, Record, Restored, Store, StoreError, Trimmed};
use crate::target::Target;

pub(super) use fault::fault;
pub(super) use migrate::VERSION;
pub(super) use restore::{seconds, totals};
pub(super) use rows::{SAMPLE_COLUMNS, sample_from_row};
pub(super) use tokens::all as all_tokens;

/// The name of the store's file in the data directory.
pub const FILE_NAME: &str = "poller.db";

/// How long things are kept, and how much room they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Samples.
    pub keep_samples: Duration,
    /// Hours of each target.
    pub keep_hours: Duration,
    /// Days of each target, and changes of state.
    pub keep_days: Duration,
    /// Bytes on the disk at most: the store and its log; the spill file takes no more than is left.
    pub max_bytes: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            keep_samples: Duration::from_secs(7 * DAY),
            keep_hours: Duration::from_secs(30 * DAY),
            keep_days: Duration::from_secs(400 * DAY),
            max_bytes: 10_000_000_000,
        }
    }
}

/// The store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// The number that tells this store from others.
    id: i64,
    options: SqliteOptions,
    /// When the run began that `restore` noted.
    run_ms: Option<i64>,
    /// Whether the connection met a fault after which it is better opened anew.
    is_suspect: bool,
    /// Bytes that the store could take on its disk, others' files left as they are.
    disk: u64,
    /// How often in a row there was no room, and nothing that could be dropped yet.
    held_up: u32,
}

impl SqliteStore {
    /// Opens the store `path`, makes it if there is none, and brings it to the newest version.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program wrote it, [`StoreError::Stalled`] when another
    /// one holds it or the disk is full, [`StoreError::Unusable`] when it cannot be used at all.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let mut connection = connection::create(path)?;
        migrate::migrate(&mut connection, path, migrate::STEPS)?;
        connection::fill_names(&mut connection).map_err(|error| fault(path, &error))?;
        let id = connection::id(&connection).map_err(|error| fault(path, &error))?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            id,
            options,
            run_ms: None,
            is_suspect: false,
            disk: trim::available(path),
            held_up: 0,
        })
    }

    /// The number that tells this store from others.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// Does `work` in one transaction that a loss of power does not undo either.
    fn write_for_good<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let set = |connection: &Connection, level| {
            let set = connection.pragma_update(None, "synchronous", level);
            set.map_err(|error| fault(&path, &error))
        };
        set(&self.connection, "FULL")?;
        let done = self.write(work);
        set(&self.connection, "NORMAL")?;
        done
    }

    /// Does `work` in one transaction, all of it or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.is_suspect {
            self.connection = connection::reopen(&self.path, self.id, self.run_ms)?;
            self.is_suspect = false;
        }
        let done = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let result = work(&transaction)?;
                transaction.commit()?;
                Ok(result)
            });
        done.map_err(|error| {
            self.is_suspect = fault::is_lasting(&error) || !self.connection.is_autocommit();
            fault(&self.path, &error)
        })
    }
}

impl Store for SqliteStore {
    fn enrol(&mut self, targets: &mut [Target]) -> Result<(), StoreError> {
        self.write(|transaction| enrol::enrol(transaction, targets, enrol::Others::Removed))?;
        self.shorten_log();
        Ok(())
    }

    fn amend(&mut self, targets: &mut [Target], removed: &[u32]) -> Result<(), StoreError> {
        self.write(|transaction| {
            enrol::enrol(transaction, targets, enrol::Others::Kept)?;
            enrol::remove(transaction, removed.iter().copied())
        })?;
        self.shorten_log();
        Ok(())
    }

    fn records(&mut self, numbers: &[u32]) -> Result<Vec<Record>, StoreError> {
        self.write(|transaction| restore::records_of(transaction, numbers))
    }

    fn restore(&mut self, now_ms: i64) -> Result<Restored, StoreError> {
        let restored = self.write(|transaction| restore::restore(transaction, now_ms))?;
        self.run_ms = Some(now_ms);
        Ok(restored)
    }

    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let run_ms = self.run_ms;
        self.write(|transaction| append::append(transaction, batch, run_ms))?;
        self.shorten_log();
        Ok(())
    }

    fn trim(&mut self, now_ms: i64) -> Result<Trimmed, StoreError> {
        self.trim_slice(now_ms)
    }

    fn keep_token(&mut self, token: &KeptToken) -> Result<(), StoreError> {
        self.write_for_good(|transaction| tokens::keep(transaction, token))
    }

    fn revoke_token(&mut self, id: &str, now_ms: i64) -> Result<bool, StoreError> {
        self.write_for_good(|transaction| tokens::revoke(transaction, id, now_ms))
    }

    fn announce(&mut self, announcement: &Announcement) -> Result<i64, StoreError> {
        self.write(|transaction| announce::add(transaction, announcement))
    }

    fn withdraw(&mut self, id: i64) -> Result<bool, StoreError> {
        self.write(|transaction| announce::remove(transaction, id))
    }

    fn bytes(&self) -> u64 {
        file_bytes(&self.path)
    }
}

/// Bytes of the log from which on it is brought into the store's file, of a store that may take
/// `max_bytes`.
pub(super) fn log_bytes(max_bytes: u64) -> u64 {
    (max_bytes / 10).min(8 << 20)
}

/// Bytes of the store `path` on the disk, its log and the index of that included.
pub(super) fn file_bytes(path: &Path) -> u64 {
    ["", "-wal", "-shm"].into_iter().map(|suffix| length(&beside(path, suffix))).sum()
}

/// The path with `suffix` after its last letter.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Bytes of the file `path`, 0 when there is none.
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
