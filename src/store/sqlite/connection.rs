//! The connection that writes: how it is opened and set.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{fault, migrate};
use crate::outcome::{Cause, Detail};
use crate::store::StoreError;
use crate::target::State;

/// How long the writer waits for a lock; its caller tries again, so not for long.
const BUSY: Duration = Duration::from_millis(200);

/// Opens the store `path`, and makes an empty file when there is none.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    let unusable =
        |reason: String| StoreError::Unusable { path: path.display().to_string(), reason };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|error| {
            let directory = directory.display();
            unusable(format!("its directory {directory} cannot be made ({error}); name another"))
        })?;
    }
    std::fs::OpenOptions::new().read(true).append(true).create(true).open(path).map_err(
        |error| {
            unusable(format!(
                "cannot be opened for writing ({error}); make its directory and files writable for \
             this user, or name another directory"
            ))
        },
    )?;
    let connection = connect(path).map_err(|error| fault(path, &error))?;
    // What is not ours stays as it is.
    migrate::inspect(&connection, path, migrate::STEPS)?;
    set(&connection).map_err(|error| fault(path, &error))?;
    Ok(connection)
}

/// Opens the store `path` again, which must be there and still be the one with the `known` id. In
/// a copy of it from before the run that began at `run_ms`, its batches have not been written.
pub(super) fn reopen(
    path: &Path,
    known: i64,
    run_ms: Option<i64>,
) -> Result<Connection, StoreError> {
    let connection = connect(path).map_err(|error| fault(path, &error))?;
    set(&connection).map_err(|error| fault(path, &error))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))
        .map_err(|error| fault(path, &error))?;
    if tables == 0 {
        let reason = format!("the store {} has been replaced by an empty file", path.display());
        return Err(StoreError::Stalled { reason });
    }
    if id(&connection).ok() != Some(known) {
        let path = path.display();
        let reason = format!("the store {path} has been replaced by another; restart the daemon");
        return Err(StoreError::Stalled { reason });
    }
    let sql = "UPDATE meta SET value = 0 WHERE name = 'batch' AND value <> 0
               AND NOT EXISTS (SELECT 1 FROM run WHERE started_ms >= ?1)";
    connection.execute(sql, [run_ms]).map_err(|error| fault(path, &error))?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn set(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        // Only an empty file can still be given the means to shrink.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A log that starts again is cut to what is in it, so that its length says how full it is.
    connection.pragma_update_and_check(None, "journal_size_limit", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", false)
}

/// The random number that tells this store from others.
pub(super) fn id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0))
}

/// Writes what stored numbers mean, for the views.
pub(super) fn fill_names(connection: &mut Connection) -> rusqlite::Result<()> {
    let states = State::ALL.iter().map(|&state| ("state_name", state.code(), state.as_str()));
    let causes = Cause::ALL.iter().map(|&cause| ("cause_name", cause.code(), cause.as_str()));
    let details = Detail::ALL.iter().map(|&detail| ("detail_name", detail.code(), detail.as_str()));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (table, code, name) in states.chain(causes).chain(details) {
        let sql = format!(
            "INSERT INTO {table} VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name"
        );
        transaction.prepare_cached(&sql)?.execute((code, name))?;
    }
    transaction.commit()
}
