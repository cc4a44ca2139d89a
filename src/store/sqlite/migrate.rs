//! From an older version of the store to this one, step by step.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::fault;
use crate::store::StoreError;

/// The steps from each version to the next; the first makes a store from nothing.
pub(super) const STEPS: &[&str] = &[
    include_str!("../schema.sql"),
    include_str!("../second.sql"),
    include_str!("../third.sql"),
    include_str!("../fourth.sql"),
];

/// The version that the last step leads to.
pub(in crate::store) const VERSION: i64 = 4;
const _: () = assert!(STEPS.len() == 4, "the version is the number of steps");

/// Tells our files from other SQLite databases: "poll".
const APPLICATION: i64 = 0x706f_6c6c;

/// Brings the store `path` to the version that `steps` end at.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
) -> Result<(), StoreError> {
    let (found, known) = inspect(connection, path, steps)?;
    if found == known {
        return Ok(());
    }
    advance(connection, steps).map_err(|error| fault(path, &error))
}

/// The versions that the store `path` is of and that `steps` lead to; changes nothing in it.
///
/// # Errors
/// It is no store of ours, a newer one, or cannot be read.
pub(super) fn inspect(
    connection: &Connection,
    path: &Path,
    steps: &[&str],
) -> Result<(i64, i64), StoreError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found = version(connection).map_err(|error| fault(path, &error))?;
    if !is_ours(connection).map_err(|error| fault(path, &error))? {
        return Err(StoreError::Unusable {
            path: path.display().to_string(),
            reason: "is another program's database; move it away or name another directory".into(),
        });
    }
    if found > known {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known });
    }
    Ok((found, known))
}

fn advance(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another program may have been faster.
    let found = usize::try_from(version(&transaction)?).unwrap_or(usize::MAX);
    for (number, step) in (1_i64..).zip(steps).skip(found) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether it was made by this program, or holds nothing yet.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION {
        return Ok(true);
    }
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('kept');";
    const SECOND: &str = "ALTER TABLE note ADD COLUMN stars INTEGER DEFAULT 3;";

    fn path() -> &'static Path {
        Path::new("a/poller.db")
    }

    #[test]
    fn an_older_store_is_brought_up_and_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, path(), &[FIRST]).unwrap();
        migrate(&mut connection, path(), &[FIRST, SECOND]).unwrap();
        let row: (String, i64) = connection
            .query_row("SELECT * FROM note", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("kept".into(), 3));
        assert_eq!(version(&connection), Ok(2));
        migrate(&mut connection, path(), &[FIRST, SECOND]).unwrap();
    }

    #[test]
    fn a_newer_store_is_refused_and_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, path(), &[FIRST, SECOND]).unwrap();
        let error = migrate(&mut connection, path(), &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }));
        assert_eq!(version(&connection), Ok(2));
    }

    #[test]
    fn a_step_that_fails_leaves_the_old_version_whole() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, path(), &[FIRST]).unwrap();
        let broken = "CREATE TABLE half (x); NONSENSE;";
        assert!(migrate(&mut connection, path(), &[FIRST, broken]).is_err());
        assert_eq!(version(&connection), Ok(1));
        migrate(&mut connection, path(), &[FIRST, SECOND]).unwrap();
    }

    #[test]
    fn a_foreign_database_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 1").unwrap();
        let error = migrate(&mut connection, path(), STEPS).unwrap_err();
        assert!(error.to_string().contains("another program"));
    }

    #[test]
    fn the_last_step_leads_to_the_version_that_readers_know() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, path(), STEPS).unwrap();
        assert_eq!(version(&connection), Ok(VERSION));
    }
}
