//! Writing a batch; a batch that was written before changes nothing but what it replaces.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::rows::{SAMPLE_COLUMNS, bind};
use crate::health::Transition;
use crate::outcome::{Cause, Detail};
use crate::stats::Tally;
use crate::store::{Batch, ClosedHour, IncidentChange, Record, Sample, SampleKey, Totals};

/// How many things may happen to targets with the same lowest bits within one millisecond.
const TRIES: i64 = 64;
const TARGET_MASK: i64 = (1 << 21) - 1;

/// Writes `batch` in the transaction that `connection` is in.
pub(super) fn append(
    connection: &Connection,
    batch: &Batch,
    run_ms: Option<i64>,
) -> rusqlite::Result<()> {
    if batch.number > 0 && !advance(connection, batch.number)? {
        return Ok(());
    }
    let added = add_samples(connection, &batch.samples)?;
    add_seconds(connection, &batch.seconds)?;
    for transition in &batch.transitions {
        add_transition(connection, transition)?;
    }
    for change in &batch.incidents {
        change_incident(connection, change)?;
    }
    for record in &batch.records {
        put_record(connection, record)?;
    }
    for hour in &batch.hours {
        close_hour(connection, hour)?;
    }
    for (hour, tally) in &batch.fleet_hours {
        connection
            .prepare_cached("INSERT OR REPLACE INTO fleet_hour VALUES (?1, ?2)")?
            .execute(params![hour, tally.encode()])?;
    }
    put_values(connection, batch, added)?;
    let since_ms = Some(batch.watched_since_ms).filter(|&since_ms| since_ms > 0).or(run_ms);
    if let Some(since_ms) = since_ms.filter(|_| batch.watched_until_ms > 0) {
        connection
            .prepare_cached(
                "INSERT INTO run VALUES (?1, ?2) ON CONFLICT DO UPDATE
                 SET watched_until_ms = max(watched_until_ms, excluded.watched_until_ms)",
            )?
            .execute([since_ms, batch.watched_until_ms])?;
    }
    Ok(())
}

/// Notes the number of a batch; whether it comes behind those that were written in this run.
fn advance(connection: &Connection, number: u64) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'batch' AND value < ?1")?
        .execute([number.cast_signed()])?;
    Ok(changed > 0)
}

fn add_samples(connection: &Connection, samples: &[Sample]) -> rusqlite::Result<i64> {
    let sql = format!(
        "INSERT OR IGNORE INTO sample ({SAMPLE_COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut added = 0;
    for sample in samples {
        bind(&mut statement, sample)?;
        added += i64::from(statement.raw_execute()? > 0);
    }
    Ok(added)
}

fn add_seconds(connection: &Connection, seconds: &[(i64, Vec<u8>)]) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO second VALUES (?1, ?2)")?;
    seconds.iter().try_for_each(|second| statement.execute(params![second.0, second.1]).map(drop))
}

/// Adds a row under the first free key at or behind the one that `at_ms` and `target` make, unless
/// the row `same` looks for is there.
fn add_keyed(
    connection: &Connection,
    sql: &str,
    same: &str,
    row: (i64, u32, [i64; 4]),
) -> rusqlite::Result<()> {
    let (at_ms, target, [first, second, third, fourth]) = row;
    let key = SampleKey::first_of(at_ms).0 | (i64::from(target) & TARGET_MASK);
    let mut insert = connection.prepare_cached(sql)?;
    let mut find = connection.prepare_cached(same)?;
    for key in key..key + TRIES {
        if insert.execute(params![key, target, first, second, third, fourth])? > 0
            || find.exists(params![key, target, second])?
        {
            break;
        }
    }
    Ok(())
}

fn add_transition(connection: &Connection, transition: &Transition) -> rusqlite::Result<()> {
    add_keyed(
        connection,
        "INSERT OR IGNORE INTO transition VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        "SELECT 1 FROM transition WHERE key = ?1 AND target = ?2 AND to_state = ?3",
        (
            transition.at_ms,
            transition.target,
            [
                i64::from(transition.from.code()),
                i64::from(transition.to.code()),
                i64::from(transition.cause.map_or(0, Cause::code)),
                i64::from(transition.detail.code()),
            ],
        ),
    )
}

fn change_incident(connection: &Connection, change: &IncidentChange) -> rusqlite::Result<()> {
    match *change {
        IncidentChange::Began { target, at_ms, cause, detail } => {
            begin_incident(connection, (target, at_ms), cause, detail)
        }
        IncidentChange::Ended { target, at_ms } => connection
            .prepare_cached(
                "UPDATE incident SET ended_ms = max(?2, began_ms)
                 WHERE target = ?1 AND ended_ms IS NULL AND began_ms <= ?2",
            )?
            .execute(params![target, at_ms])
            .map(drop),
        IncidentChange::Withdrawn { target, began_ms } => {
            let keys = SampleKey::first_of(began_ms).0..SampleKey::first_of(began_ms + 1).0 + TRIES;
            connection
                .prepare_cached(
                    "DELETE FROM incident WHERE key >= ?1 AND key < ?2 AND target = ?3
                     AND began_ms = ?4",
                )?
                .execute(params![keys.start, keys.end, target, began_ms])
                .map(drop)
        }
    }
}

fn begin_incident(
    connection: &Connection,
    (target, at_ms): (u32, i64),
    cause: Cause,
    detail: Detail,
) -> rusqlite::Result<()> {
    let is_open = connection
        .prepare_cached("SELECT 1 FROM incident WHERE target = ?1 AND ended_ms IS NULL")?
        .exists([target])?;
    if is_open {
        return Ok(());
    }
    add_keyed(
        connection,
        "INSERT OR IGNORE INTO incident (key, target, began_ms, ended_ms, cause, detail)
         SELECT ?1, ?2, ?4, NULL, ?5, ?6 WHERE ?3 IS NOT NULL",
        "SELECT 1 FROM incident WHERE key = ?1 AND target = ?2 AND began_ms = ?3",
        (at_ms, target, [0, at_ms, i64::from(cause.code()), i64::from(detail.code())]),
    )
}

fn put_record(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let tally = &record.tally;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO record VALUES (:target, :state, :since, :cause, :detail,
                 :suspect, :has_incident, :last, :code, :latency, :certificate, :hour, :checks,
                 :up, :p50, :p99, :max, :tally)",
        )?
        .execute(named_params! {
            ":target": record.target,
            ":state": record.health.state.code(),
            ":since": record.health.since_ms,
            ":cause": record.health.cause.map_or(0, Cause::code),
            ":detail": record.health.detail.code(),
            ":suspect": record.health.suspect_ms,
            ":has_incident": record.has_incident,
            ":last": record.last.0,
            ":code": record.last_code,
            ":latency": record.last_latency_us,
            ":certificate": record.certificate_until,
            ":hour": record.hour,
            ":checks": tally.checks,
            ":up": tally.up,
            ":p50": tally.quantile(0.5),
            ":p99": tally.quantile(0.99),
            ":max": longest(tally),
            ":tally": tally.encode(),
        })
        .map(drop)
}

fn longest(tally: &Tally) -> Option<u32> {
    (tally.latency.count() > 0).then_some(tally.max_us)
}

/// Adds an hour to what is kept of it, and to its day.
fn close_hour(connection: &Connection, hour: &ClosedHour) -> rusqlite::Result<()> {
    for (table, period, number) in
        [("closed_hour", "hour", hour.hour), ("closed_day", "day", hour.hour / 24)]
    {
        let select = format!("SELECT tally FROM {table} WHERE {period} = ?1 AND target = ?2");
        let stored: Option<Vec<u8>> = connection
            .prepare_cached(&select)?
            .query_row([number, hour.target], |row| row.get(0))
            .optional()?;
        let mut tally = stored.map_or_else(Tally::default, |bytes| {
            Tally::decode(&bytes).unwrap_or_else(|error| {
                tracing::warn!(target = hour.target, period, %error, "a stored tally begins anew");
                Tally::default()
            })
        });
        tally.merge(&hour.tally);
        let put = format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        put_tally(connection, &put, (number, hour.target), &tally)?;
    }
    Ok(())
}

/// Closes the open hour of the target `number`, which nobody polls any more.
pub(super) fn close_open_hour(connection: &Connection, number: u32) -> rusqlite::Result<()> {
    let open: Option<(u32, Vec<u8>)> = connection
        .prepare_cached("SELECT hour, tally FROM record WHERE target = ?1 AND checks > 0")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((hour, bytes)) = open else { return Ok(()) };
    if let Ok(tally) = Tally::decode(&bytes) {
        close_hour(connection, &ClosedHour { target: number, hour, tally })?;
    }
    connection
        .prepare_cached(
            "UPDATE record SET checks = 0, up = 0, p50_us = NULL, p99_us = NULL, max_us = NULL,
                 tally = ?2 WHERE target = ?1",
        )?
        .execute(params![number, Tally::default().encode()])
        .map(drop)
}

fn put_tally(
    connection: &Connection,
    sql: &str,
    (period, target): (u32, u32),
    tally: &Tally,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params![
        period,
        target,
        tally.checks,
        tally.up,
        tally.quantile(0.5),
        tally.quantile(0.99),
        longest(tally),
        tally.encode()
    ])
}

fn put_values(connection: &Connection, batch: &Batch, added: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE meta SET value = value + ?1 WHERE name = 'samples'")?
        .execute([added])?;
    connection
        .prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE name = 'settled'")?
        .execute([batch.settled.0])?;
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    put.execute(["totals", &totals_json(&batch.totals)])?;
    if let Some(summary) = &batch.summary {
        put.execute(["summary", summary])?;
    }
    Ok(())
}

fn totals_json(totals: &Totals) -> String {
    serde_json::json!({
        "checks": totals.checks,
        "codes": totals.codes,
        "bytes": totals.bytes,
        "rechecks": totals.rechecks,
    })
    .to_string()
}
