//! Changes of state and outages: of one target, or of the fleet.

use rusqlite::{Connection, Row, params};

use super::targets::watched;
use super::{ReadError, Reader};
use crate::health::{Health, Transition};
use crate::outcome::{Cause, Detail};
use crate::stats::uptime;
use crate::store::SampleKey;
use crate::target::State;

/// Changes of one target that its uptime is told from at most, the newest ones: one that changes
/// more often is told as if it had not changed before them.
const CHANGES: i64 = 20_000;
/// Outages that are looked at for one page, however few of them are wanted.
const LOOKED: usize = 20_000;

/// Which outages are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outages {
    /// Those of this target; of all without one.
    pub target: Option<u32>,
    /// Those that last, or those that are over; both without it.
    pub lasting: Option<bool>,
    /// Those that began at this key or after it.
    pub from: SampleKey,
    /// Those that began before this key.
    pub before: SampleKey,
    /// So many at most.
    pub most: usize,
}

/// An outage of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Its key, ascending with its beginning.
    pub key: SampleKey,
    /// The target's number.
    pub target: u32,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds; `None` while it lasts.
    pub ended_ms: Option<i64>,
    /// Why.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
}

impl Reader {
    /// The share of time that the target `number` was up over each of `spans_ms` (milliseconds), as
    /// of `now_ms` (Unix milliseconds); `health` is what is known of it now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn uptime_of<const SPANS: usize>(
        &self,
        number: u32,
        health: &Health,
        now_ms: i64,
        spans_ms: [i64; SPANS],
    ) -> Result<[Option<f64>; SPANS], ReadError> {
        self.answer(|connection| {
            let longest = spans_ms.iter().max().copied().unwrap_or(0);
            let mut changes = changes(connection, number, now_ms - longest)?;
            let from = changes.last().map_or(State::Pending, |last| last.to);
            // What came about just now may not be stored yet; what did long ago is kept no more.
            if from != health.state {
                let (to, at_ms) = (health.state, health.since_ms);
                let (cause, detail) = (health.cause, health.detail);
                changes.push(Transition { target: number, from, to, at_ms, cause, detail });
            }
            let watched = watched(connection)?;
            Ok(spans_ms.map(|span| uptime(&changes, &watched, (now_ms - span, now_ms))))
        })
    }

    /// The outages that are wanted, the newest first, and the key of the last one that was looked
    /// at when there may be more behind it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn outages(&self, wanted: &Outages) -> Result<(Vec<Outage>, Option<SampleKey>), ReadError> {
        let (index, condition) = match (wanted.target, wanted.lasting) {
            (Some(_), _) => ("INDEXED BY incident_of", "target = ?3 AND"),
            (None, Some(true)) => {
                ("INDEXED BY incident_lasting", "?3 = 0 AND ended_ms IS NULL AND")
            }
            (None, _) => ("", "?3 = 0 AND"),
        };
        let sql = format!(
            "SELECT key, target, began_ms, ended_ms, cause, detail FROM incident {index}
             WHERE {condition} key >= ?1 AND key < ?2 ORDER BY key DESC"
        );
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let (from, before) = (wanted.from.0, wanted.before.0);
            let mut rows = statement.query(params![from, before, wanted.target.unwrap_or(0)])?;
            let (mut outages, mut looked) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let outage = outage_from_row(row)?;
                looked += 1;
                let lasts = outage.ended_ms.is_none();
                if wanted.lasting.is_none_or(|lasting| lasting == lasts) {
                    outages.push(outage);
                }
                if outages.len() >= wanted.most || looked >= LOOKED {
                    return Ok((outages, Some(outage.key)));
                }
            }
            Ok((outages, None))
        })
    }
}

fn outage_from_row(row: &Row<'_>) -> rusqlite::Result<Outage> {
    Ok(Outage {
        key: SampleKey(row.get(0)?),
        target: row.get(1)?,
        began_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        cause: Cause::from_code(row.get(4)?),
        detail: Detail::from_code(row.get(5)?).unwrap_or(Detail::None),
    })
}

/// The newest changes of the target `number` since `since_ms`, in the order of time.
fn changes(
    connection: &Connection,
    number: u32,
    since_ms: i64,
) -> rusqlite::Result<Vec<Transition>> {
    let mut statement = connection.prepare_cached(
        "SELECT key, from_state, to_state FROM transition INDEXED BY transition_of
         WHERE target = ?1 AND key >= ?2 ORDER BY key DESC LIMIT ?3",
    )?;
    let first = SampleKey::first_of(since_ms.max(0)).0;
    let rows = statement.query_map(params![number, first, CHANGES], |row| {
        Ok(Transition {
            target: number,
            from: State::from_code(row.get(1)?).unwrap_or(State::Unknown),
            to: State::from_code(row.get(2)?).unwrap_or(State::Unknown),
            at_ms: SampleKey(row.get(0)?).at_ms(),
            cause: None,
            detail: Detail::None,
        })
    })?;
    let mut changes = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    changes.sort_by_key(|change| change.at_ms);
    Ok(changes)
}
