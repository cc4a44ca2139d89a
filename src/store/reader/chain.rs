//! The samples of one target, from one to the one before it: a seek each, whatever the fleet's size.

use rusqlite::{Connection, OptionalExtension, params};

use super::{ReadError, Reader};
use crate::store::sqlite::{SAMPLE_COLUMNS, sample_from_row};
use crate::store::{Sample, SampleKey};

/// Samples of the whole fleet that are looked through for one of a target.
const LOOKED: i64 = 20_000;

/// A part of a target's samples, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The samples.
    pub samples: Vec<Sample>,
    /// The key of the one that comes before them; `None` when there is none or it is not kept.
    pub next: Option<SampleKey>,
    /// Whether there were older ones that are not kept any more.
    pub is_torn: bool,
}

impl Reader {
    /// The newest stored sample of the target `number`: the first of `likely` that is stored, else
    /// what is found near the end of the store or in its record. 0 when there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn head(&self, number: u32, likely: [SampleKey; 2]) -> Result<SampleKey, ReadError> {
        self.answer(|connection| {
            for key in likely.into_iter().filter(|key| key.0 != 0) {
                if is_stored(connection, number, key)? {
                    return Ok(key);
                }
            }
            let near: Option<i64> = connection
                .prepare_cached(
                    "SELECT key FROM (SELECT key, target FROM sample ORDER BY key DESC LIMIT ?2)
                     WHERE target = ?1 LIMIT 1",
                )?
                .query_row(params![number, LOOKED], |row| row.get(0))
                .optional()?;
            let recorded: Option<i64> = connection
                .prepare_cached("SELECT last FROM record WHERE target = ?1")?
                .query_row([number], |row| row.get(0))
                .optional()?;
            Ok(SampleKey(near.or(recorded).unwrap_or(0)))
        })
    }

    /// The samples of the target `number` from the one with the key `first` on, the newest first,
    /// `most` at most and none that was recorded before `since_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn walk(
        &self,
        number: u32,
        first: SampleKey,
        since_ms: i64,
        most: usize,
    ) -> Result<Walk, ReadError> {
        self.answer(|connection| walk(connection, number, first, (since_ms, most)))
    }

    /// A sample of the target `number` among the first that were recorded at `at_ms` (Unix
    /// milliseconds) or after it, so as to go back from there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn enter(&self, number: u32, at_ms: i64) -> Result<Option<SampleKey>, ReadError> {
        self.answer(|connection| {
            connection
                .prepare_cached(
                    "SELECT key FROM
                         (SELECT key, target FROM sample WHERE key >= ?2 ORDER BY key LIMIT ?3)
                     WHERE target = ?1 LIMIT 1",
                )?
                .query_row(params![number, SampleKey::first_of(at_ms).0, LOOKED], |row| {
                    row.get(0).map(SampleKey)
                })
                .optional()
        })
    }
}

fn is_stored(connection: &Connection, number: u32, key: SampleKey) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM sample WHERE key = ?1 AND target = ?2")?
        .exists(params![key.0, number])
}

fn walk(
    connection: &Connection,
    number: u32,
    first: SampleKey,
    (since_ms, most): (i64, usize),
) -> rusqlite::Result<Walk> {
    let sql = format!("SELECT {SAMPLE_COLUMNS} FROM sample WHERE key = ?1 AND target = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut walk = Walk { next: Some(first), ..Walk::default() };
    while let Some(key) = walk.next.filter(|_| walk.samples.len() < most) {
        // What follows lies before: whoever goes on meets no sample twice.
        if key.0 == 0 || key.at_ms() < since_ms {
            walk.next = None;
            break;
        }
        let sample = statement.query_row(params![key.0, number], sample_from_row).optional()?;
        let Some(sample) = sample else {
            walk.is_torn = true;
            walk.next = None;
            break;
        };
        walk.next = Some(sample.previous).filter(|previous| *previous < key && previous.0 != 0);
        walk.samples.push(sample);
    }
    Ok(walk)
}
