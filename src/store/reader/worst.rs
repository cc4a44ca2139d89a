//! The targets that a summary names, all of them: it was stored with the first of them alone.

use rusqlite::Connection;

use super::{ReadError, Reader};
use crate::outcome::{Cause, Detail};
use crate::target::State;

/// The targets that a summary names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Those that are down, the longest first.
    pub down: Vec<DownTarget>,
    /// Those whose certificate was seen, by their addresses, and when it runs out in Unix seconds:
    /// the soonest first.
    pub certificates: Vec<(String, i64)>,
}

/// A target that is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownTarget {
    /// Its address, without credentials.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Since when, in Unix milliseconds.
    pub since_ms: i64,
    /// Why.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
}

impl Reader {
    /// The targets of the list that are down, and those whose certificate runs out before
    /// `until_s` (Unix seconds).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn worst(&self, until_s: i64) -> Result<Worst, ReadError> {
        self.read(|connection| {
            let certificates = certificates(connection, until_s)?;
            Ok(Worst { down: down(connection)?, certificates })
        })
    }
}

fn down(connection: &Connection) -> rusqlite::Result<Vec<DownTarget>> {
    let mut statement = connection.prepare(
        "SELECT t.url, t.name, r.since_ms, r.cause, r.detail
         FROM record r JOIN target t ON t.number = r.target
         WHERE r.state = ?1 AND t.removed_ms IS NULL ORDER BY r.since_ms, t.number",
    )?;
    let rows = statement.query_map([State::Down.code()], |row| {
        Ok(DownTarget {
            url: row.get(0)?,
            name: row.get(1)?,
            since_ms: row.get(2)?,
            cause: Cause::from_code(row.get(3)?),
            detail: Detail::from_code(row.get(4)?).unwrap_or(Detail::None),
        })
    })?;
    rows.collect()
}

fn certificates(connection: &Connection, until_s: i64) -> rusqlite::Result<Vec<(String, i64)>> {
    let mut statement = connection.prepare(
        "SELECT t.url, r.certificate FROM record r JOIN target t ON t.number = r.target
         WHERE r.certificate <> 0 AND r.certificate < ?1 AND t.removed_ms IS NULL
         ORDER BY r.certificate, t.number",
    )?;
    statement.query_map([until_s], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
