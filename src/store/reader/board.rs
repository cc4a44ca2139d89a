//! What the status page shows beside states: announcements and times of outages.

use rusqlite::Connection;

use super::{ReadError, Reader};
use crate::store::{Announcement, AnnouncementKind};

/// Announcements that are told at most.
const ANNOUNCEMENTS: i64 = 100;
/// Outages that are looked at, at most.
const LOOKED_AT: i64 = 200_000;

/// A time in which one target was down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// Number of the target.
    pub target: u32,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds; `None` while it lasts.
    pub ended_ms: Option<i64>,
}

impl Reader {
    /// The announcements that are not over at `now_ms` (Unix milliseconds), the latest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn announcements(&self, now_ms: i64) -> Result<Vec<Announcement>, ReadError> {
        self.read(|connection| announcements(connection, now_ms))
    }

    /// The downtimes of targets that `is_wanted` holds for and that began after `since_ms` (Unix
    /// milliseconds), the latest first, `limit` at most.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn downtimes(
        &self,
        since_ms: i64,
        limit: usize,
        is_wanted: impl Fn(u32) -> bool,
    ) -> Result<Vec<Downtime>, ReadError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT target, began_ms, ended_ms FROM incident
                 WHERE key >= ?1 ORDER BY key DESC LIMIT ?2",
            )?;
            let first = crate::store::SampleKey::first_of(since_ms.max(0)).0;
            let mut rows = statement.query([first, LOOKED_AT])?;
            let mut downtimes = Vec::new();
            while downtimes.len() < limit
                && let Some(row) = rows.next()?
            {
                let target = row.get(0)?;
                if is_wanted(target) {
                    let (began_ms, ended_ms) = (row.get(1)?, row.get(2)?);
                    downtimes.push(Downtime { target, began_ms, ended_ms });
                }
            }
            Ok(downtimes)
        })
    }
}

fn announcements(connection: &Connection, now_ms: i64) -> rusqlite::Result<Vec<Announcement>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, title, text, kind, from_ms, until_ms FROM announcement
         WHERE until_ms IS NULL OR until_ms > ?1 ORDER BY from_ms DESC, id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map([now_ms, ANNOUNCEMENTS], |row| {
        let kind: String = row.get(3)?;
        Ok(Announcement {
            id: row.get(0)?,
            title: row.get(1)?,
            text: row.get(2)?,
            kind: AnnouncementKind::named(&kind).unwrap_or_default(),
            from_ms: row.get(4)?,
            until_ms: row.get(5)?,
        })
    })?;
    rows.collect()
}
