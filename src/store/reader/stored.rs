//! What a stopped daemon left, for the summary.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};

use super::{ReadError, Reader};
use crate::stats::{Recent, Window};
use crate::store::{Totals, spill, sqlite};

/// What a stopped daemon left.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its last summary as JSON, if it made one.
    pub summary: Option<String>,
    /// The counts.
    pub totals: Totals,
    /// What finished in the five minutes before now.
    pub recent: Recent,
    /// The addresses of the targets that are named there, by number.
    pub urls: HashMap<u32, String>,
    /// Samples that are kept.
    pub samples: u64,
    /// Samples that wait in the spill file for the next start.
    pub spilled: u64,
    /// Targets of the list by the stored number of their state; a target without a record is
    /// pending.
    pub states: Vec<(u8, u64)>,
    /// Until when a daemon watched last, in Unix milliseconds.
    pub watched_until_ms: Option<i64>,
    /// The store's file.
    pub path: PathBuf,
    /// Bytes on the disk, log and spill included.
    pub bytes: u64,
}

impl Reader {
    /// What a stopped daemon left, as of `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn stored(&self, now_ms: i64) -> Result<Stored, ReadError> {
        let mut stored = self.read(|connection| stored(connection, now_ms))?;
        let spill = self.path.with_file_name(spill::FILE_NAME);
        let spilled = std::fs::metadata(spill).map_or(0, |file| file.len());
        stored.bytes = sqlite::file_bytes(&self.path) + spilled;
        stored.spilled = spill::count_in(spilled);
        stored.path.clone_from(&self.path);
        Ok(stored)
    }
}

fn stored(connection: &Connection, now_ms: i64) -> rusqlite::Result<Stored> {
    let mut recent = Recent::default();
    for (second, bytes) in sqlite::seconds(connection, now_ms.div_euclid(1_000))? {
        if let Ok(window) = Window::decode(&bytes) {
            recent.restore(second, window);
        }
    }
    let summary: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'summary'", [], |row| row.get(0))
        .optional()?;
    // A daemon that has made a summary has counted the states in it.
    let states = if summary.is_some() { Vec::new() } else { states(connection)? };
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let samples = number("SELECT value FROM meta WHERE name = 'samples'")?.unwrap_or(0);
    Ok(Stored {
        summary,
        totals: sqlite::totals(connection)?,
        urls: urls(connection, &recent)?,
        recent,
        samples: u64::try_from(samples).unwrap_or(0),
        spilled: 0,
        states,
        watched_until_ms: number("SELECT max(watched_until_ms) FROM run")?,
        path: PathBuf::new(),
        bytes: 0,
    })
}

fn states(connection: &Connection) -> rusqlite::Result<Vec<(u8, u64)>> {
    let mut statement = connection.prepare(
        "SELECT coalesce(r.state, 0), count(*) FROM target t
         LEFT JOIN record r ON r.target = t.number WHERE t.removed_ms IS NULL GROUP BY 1",
    )?;
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect()
}

fn urls(connection: &Connection, recent: &Recent) -> rusqlite::Result<HashMap<u32, String>> {
    let mut statement = connection.prepare("SELECT url FROM target WHERE number = ?1")?;
    let named = recent.largest().into_iter().chain(recent.largest_answered());
    let mut urls = HashMap::new();
    for extreme in named.chain(recent.slowest()) {
        let url = statement.query_row([extreme.target], |row| row.get(0)).optional()?;
        urls.extend(url.map(|url| (extreme.target, url)));
    }
    Ok(urls)
}
