//! `Reader`: looks into a store while a daemon writes it, or after; it never changes anything.

mod board;
mod chain;
mod changes;
mod open;
mod scan;
mod sql;
mod stored;
mod tallies;
mod targets;
mod worst;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, ErrorCode, params};

use super::Sample;
use super::sqlite::{SAMPLE_COLUMNS, all_tokens, sample_from_row};
use super::tokens::KeptToken;

pub use board::Downtime;
pub use chain::Walk;
pub use changes::{Outage, Outages};
pub use scan::{Named, Part, Scan};
pub use sql::{Answer, Limits, Value};
pub use stored::Stored;
pub use targets::{Row, UPTIME_DAYS, Wanted};
pub use worst::{DownTarget, Worst};

/// How long the reader's own queries may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long those may take that are answered while somebody waits.
const ANSWER: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine from one look at the clock to the next.
const STEPS: i32 = 10_000;

/// Why a store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no store {path}; start the daemon, or name its directory with --data")]
    Missing {
        /// Its file.
        path: String,
    },
    /// It may not be read by this user.
    #[error("the store {path} may not be read by this user; ask as {owner}")]
    Forbidden {
        /// Its file.
        path: String,
        /// Who may.
        owner: String,
    },
    /// It was written by another version.
    #[error("the store {path} is of version {found}, this program knows {known}; {advice}")]
    Version {
        /// Its file.
        path: String,
        /// Its version.
        found: i64,
        /// The version that is known.
        known: i64,
        /// What to do.
        advice: &'static str,
    },
    /// It cannot be read, or not now.
    #[error("the store {path} cannot be read ({reason})")]
    Unreadable {
        /// Its file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The query took too long.
    #[error("the query took longer than {0:?}; ask for less{1}")]
    TooLong(Duration, &'static str),
    /// The query is wrong or not allowed.
    #[error("{0}")]
    Query(String),
}

/// A period that tallies are kept of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Hours since the Unix epoch.
    Hour,
    /// Days since the Unix epoch.
    Day,
}

/// Read-only connections to one store. Its calls block.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: r2d2::Pool<SqliteConnectionManager>,
    /// How often somebody had to wait for a connection.
    waits: Arc<AtomicU64>,
    path: PathBuf,
}

/// How the connections of a reader are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are in use.
    pub in_use: u64,
    /// How many there may be.
    pub size: u64,
    /// How often all of them were in use when one was wanted, since the reader was opened.
    pub waits: u64,
}

impl Reader {
    /// Opens the store `path`, whether a daemon has it open or not; starts threads.
    ///
    /// # Errors
    /// There is no store, it may not be read, or another version wrote it.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Ok(Self { pool: open::pool(path)?, waits: Arc::default(), path: path.to_owned() })
    }

    /// How its connections are used now.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let state = self.pool.state();
        PoolUse {
            in_use: state.connections.saturating_sub(state.idle_connections).into(),
            size: self.pool.max_size().into(),
            waits: self.waits.load(Ordering::Relaxed),
        }
    }

    /// The tokens of the API, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn tokens(&self) -> Result<Vec<KeptToken>, ReadError> {
        self.read(all_tokens)
    }

    /// The newest samples of the target `number`, the newest first, `limit` at most.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn history(&self, number: u32, limit: usize) -> Result<Vec<Sample>, ReadError> {
        self.read(|connection| history(connection, number, limit))
    }

    /// Does a query whose answer somebody waits for.
    fn answer<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        self.within(ANSWER, work).map_err(|error| self.unreadable(ANSWER, &error))
    }

    /// Does one of the reader's own queries.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        self.within(PATIENCE, work).map_err(|error| self.unreadable(PATIENCE, &error))
    }

    /// Does `work` and breaks it off after `limit`.
    fn within<T, E: From<rusqlite::Error>>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection().map_err(|_| {
            let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            let reason = "too many queries run at once; try again".to_owned();
            rusqlite::Error::SqliteFailure(busy, Some(reason))
        })?;
        let end = Instant::now() + limit;
        connection.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
        let result = work(&connection);
        connection.progress_handler(0, None::<fn() -> bool>)?;
        result
    }

    /// A connection, as soon as one is free.
    fn connection(&self) -> Result<r2d2::PooledConnection<SqliteConnectionManager>, r2d2::Error> {
        if let Some(connection) = self.pool.try_get() {
            return Ok(connection);
        }
        // While there are fewer than there may be, a further one is opened.
        if self.pool.state().connections >= self.pool.max_size() {
            self.waits.fetch_add(1, Ordering::Relaxed);
        }
        self.pool.get()
    }

    fn unreadable(&self, limit: Duration, error: &rusqlite::Error) -> ReadError {
        if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
            return ReadError::TooLong(limit, "");
        }
        ReadError::Unreadable { path: self.path.display().to_string(), reason: error.to_string() }
    }
}

fn history(connection: &Connection, number: u32, limit: usize) -> rusqlite::Result<Vec<Sample>> {
    // The record knows the newest sample up to `settled`; what came later is looked through.
    let mut key: i64 = connection.query_row(
        "SELECT coalesce(
             (SELECT key FROM sample WHERE target = ?1 AND key >
                 (SELECT value FROM meta WHERE name = 'settled') ORDER BY key DESC LIMIT 1),
             (SELECT last FROM record WHERE target = ?1), 0)",
        [number],
        |row| row.get(0),
    )?;
    let sql = format!("SELECT {SAMPLE_COLUMNS} FROM sample WHERE key = ?1 AND target = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut samples = Vec::new();
    while key != 0 && samples.len() < limit {
        let mut rows = statement.query(params![key, number])?;
        let Some(row) = rows.next()? else { break };
        let sample = sample_from_row(row)?;
        key = sample.previous.0;
        samples.push(sample);
    }
    Ok(samples)
}
