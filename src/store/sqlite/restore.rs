//! Reading back what a former run left, and noting that a new one begins.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Deserialize;

use super::rows::{SAMPLE_COLUMNS, sample_from_row};
use crate::health::Health;
use crate::outcome::{Cause, Detail};
use crate::stats::{SPAN_S, Tally};
use crate::store::{Record, Restored, Sample, SampleKey, Totals};
use crate::target::State;

/// Reads all that a start needs, and begins a run at `now_ms`.
pub(super) fn restore(connection: &Connection, now_ms: i64) -> rusqlite::Result<Restored> {
    connection.execute("INSERT OR REPLACE INTO run VALUES (?1, ?1)", [now_ms])?;
    // The batches of a run are numbered from 1 on.
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('batch', 0)", [])?;
    let settled = SampleKey(value(connection, "settled")?);
    let newest: Option<i64> =
        connection.query_row("SELECT max(key) FROM sample", [], |row| row.get(0))?;
    Ok(Restored {
        records: records(connection, settled)?,
        seconds: seconds(connection, now_ms.div_euclid(1_000))?,
        fleet_hour: fleet_hour(connection)?,
        totals: totals(connection)?,
        unsettled: samples_behind(connection, settled)?,
        newest: SampleKey(newest.unwrap_or(0)).max(settled),
        samples: u64::try_from(value(connection, "samples")?).unwrap_or(0),
    })
}

/// The number that is kept under `name`.
fn value(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}

/// The columns of a record, in the order that [`record_from_row`] reads.
const RECORD_COLUMNS: &str = "r.target, r.state, r.since_ms, r.cause, r.detail, r.suspect_ms, \
     r.has_incident, r.last, r.code, r.latency_us, r.certificate, r.hour, r.tally";

/// The records of the targets that were in the list when it was last enrolled, and of those that
/// have samples behind `settled`.
fn records(connection: &Connection, settled: SampleKey) -> rusqlite::Result<Vec<Record>> {
    let sql = format!(
        "SELECT {RECORD_COLUMNS} FROM record r JOIN target t ON t.number = r.target
         WHERE t.removed_ms IS NULL OR t.number IN (SELECT target FROM sample WHERE key > ?1)
         ORDER BY r.target"
    );
    connection.prepare(&sql)?.query_map([settled.0], record_from_row)?.collect()
}

/// The records of the targets with these numbers.
pub(super) fn records_of(
    connection: &Connection,
    numbers: &[u32],
) -> rusqlite::Result<Vec<Record>> {
    let sql = format!("SELECT {RECORD_COLUMNS} FROM record r WHERE r.target = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut records = Vec::with_capacity(numbers.len());
    for number in numbers {
        records.extend(statement.query_row([number], record_from_row).optional()?);
    }
    Ok(records)
}

fn record_from_row(row: &Row<'_>) -> rusqlite::Result<Record> {
    let target = row.get(0)?;
    let tally = Tally::decode(row.get_ref(12)?.as_blob()?).unwrap_or_else(|error| {
        tracing::warn!(target, %error, "a stored hour begins anew");
        Tally::default()
    });
    Ok(Record {
        target,
        health: Health {
            state: State::from_code(row.get(1)?).unwrap_or(State::Pending),
            since_ms: row.get(2)?,
            cause: Cause::from_code(row.get(3)?),
            detail: Detail::from_code(row.get(4)?).unwrap_or(Detail::None),
            suspect_ms: row.get(5)?,
        },
        has_incident: row.get(6)?,
        last: SampleKey(row.get(7)?),
        last_code: row.get(8)?,
        last_latency_us: row.get(9)?,
        certificate_until: row.get(10)?,
        hour: row.get(11)?,
        tally,
    })
}

/// The windows of the five minutes before `now_s`.
pub(in crate::store) fn seconds(
    connection: &Connection,
    now_s: i64,
) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut statement =
        connection.prepare("SELECT at, window FROM second WHERE at > ?1 ORDER BY at")?;
    statement.query_map([now_s - SPAN_S], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn fleet_hour(connection: &Connection) -> rusqlite::Result<Option<(u32, Tally)>> {
    let newest = connection
        .query_row("SELECT hour, tally FROM fleet_hour ORDER BY hour DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    Ok(newest.and_then(|(hour, bytes)| Some((hour, Tally::decode(&bytes).ok()?))))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredTotals {
    checks: u64,
    codes: BTreeMap<u16, u64>,
    bytes: u64,
    rechecks: u64,
}

/// The counts that never shrink.
pub(in crate::store) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'totals'", [], |row| row.get(0))
        .optional()?;
    let stored = text.map_or_else(StoredTotals::default, |text| {
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "the stored counts cannot be read and begin anew");
            StoredTotals::default()
        })
    });
    Ok(Totals {
        checks: stored.checks,
        codes: stored.codes,
        bytes: stored.bytes,
        rechecks: stored.rechecks,
    })
}

fn samples_behind(connection: &Connection, settled: SampleKey) -> rusqlite::Result<Vec<Sample>> {
    let sql = format!("SELECT {SAMPLE_COLUMNS} FROM sample WHERE key > ?1 ORDER BY key");
    connection.prepare(&sql)?.query_map([settled.0], sample_from_row)?.collect()
}
