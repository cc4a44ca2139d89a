//! Dropping what is too old or too much, a slice at a time.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{SqliteStore, beside, file_bytes, length};
use crate::store::spill;
use crate::store::{SampleKey, StoreError, Trimmed};

/// Rows that one call drops at most.
const SLICE: usize = 5_000;
/// Empty pages that one call gives back to the disk at most.
const PAGES: i64 = 512;
/// How long windows are kept, in seconds.
const KEEP_SECONDS: i64 = 330;
const HOUR_MS: i64 = 3_600_000;

/// What the store's pages are used for.
struct Room {
    /// Bytes of a page.
    page: u64,
    /// Pages of the file.
    pages: u64,
    /// Pages that hold nothing.
    free: u64,
    /// Bytes of the file that may be in use.
    allowed: u64,
}

impl Room {
    fn used(&self) -> u64 {
        self.pages.saturating_sub(self.free) * self.page
    }

    fn is_short(&self) -> bool {
        self.used() > self.allowed
    }

    /// Whether empty pages are worth giving back: they would be needed for the budget, or they
    /// are many.
    fn is_loose(&self) -> bool {
        let is_over = self.pages * self.page > self.allowed + self.allowed / 20;
        (self.free > 0 && is_over) || (self.free > 4_096 && self.free > self.pages / 3)
    }
}

impl SqliteStore {
    /// Drops one slice.
    pub(super) fn trim_slice(&mut self, now_ms: i64) -> Result<Trimmed, StoreError> {
        let options = self.options.clone();
        let log = options.log_bytes();
        let spilled = length(&self.path.with_file_name(spill::FILE_NAME));
        // The log may reach twice its measure before it is brought in.
        let room = options.max_bytes.saturating_sub(spilled);
        let allowed = (room / 100 * 85).saturating_sub(2 * log);
        let before = |keep: Duration| now_ms - i64::try_from(keep.as_millis()).unwrap_or(now_ms);
        let ages = Ages {
            sample: SampleKey::first_of(before(options.keep_samples).max(0)).0,
            hour: before(options.keep_hours).div_euclid(HOUR_MS),
            day: before(options.keep_days).div_euclid(24 * HOUR_MS),
            change: SampleKey::first_of(before(options.keep_days).max(0)).0,
            second: now_ms.div_euclid(1_000) - KEEP_SECONDS,
        };
        let (dropped, samples, is_loose) = self.write(|transaction| {
            let (mut dropped, samples) = drop_old(transaction, &ages)?;
            let mut more = 0;
            if dropped < SLICE && room_of(transaction, allowed)?.is_short() {
                more = drop_oldest(transaction, SLICE - dropped, &mut dropped)?;
            }
            count_dropped(transaction, samples + more)?;
            Ok((dropped, samples + more, room_of(transaction, allowed)?.is_loose()))
        })?;
        if is_loose {
            self.give_back();
        }
        self.shorten_log();
        let has_more = dropped >= SLICE || is_loose;
        Ok(Trimmed { samples: samples as u64, has_more })
    }

    /// Gives empty pages back to the disk; what fails here is done by a later call.
    fn give_back(&mut self) {
        let sql = format!("PRAGMA incremental_vacuum({PAGES})");
        // Each step of the statement gives one page back.
        let done = self.connection.prepare(&sql).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        if let Err(error) = done {
            tracing::debug!(%error, "empty pages of the store are given back later");
        }
    }

    /// Brings the log into the store's file when it has become long; what fails here, because a
    /// reader still needs the log, is done by a later call.
    pub(super) fn shorten_log(&mut self) {
        let limit = self.options.log_bytes();
        let log = length(&beside(&self.path, "-wal"));
        let mode = match log {
            log if log < limit => return,
            log if log < 4 * limit => "PRAGMA wal_checkpoint(PASSIVE)",
            _ => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        let done = self.connection.query_row(mode, [], |row| row.get::<_, i64>(0));
        if let Err(error) = done {
            tracing::debug!(%error, "the log of the store is shortened later");
        }
        if log >= 4 * limit {
            tracing::debug!(log, bytes = file_bytes(&self.path), "the log of the store was long");
        }
    }
}

/// What lies before these may go.
struct Ages {
    sample: i64,
    hour: i64,
    day: i64,
    change: i64,
    second: i64,
}

/// Drops what is too old; tells how many rows in all and how many samples.
fn drop_old(transaction: &Transaction<'_>, ages: &Ages) -> rusqlite::Result<(usize, usize)> {
    transaction.prepare_cached("DELETE FROM second WHERE at < ?1")?.execute([ages.second])?;
    // A sample that is in no tally yet is needed after a crash.
    let settled: i64 = transaction
        .prepare_cached("SELECT value FROM meta WHERE name = 'settled'")?
        .query_row([], |row| row.get(0))?;
    let samples = drop_keys(transaction, "sample", ages.sample.min(settled), SLICE)?;
    let mut dropped = samples;
    for (table, period, before) in
        [("closed_hour", "hour", ages.hour), ("closed_day", "day", ages.day)]
    {
        let left = SLICE - dropped.min(SLICE);
        dropped += drop_periods(transaction, (table, period), before, left)?;
    }
    dropped += drop_keys(transaction, "transition", ages.change, SLICE - dropped.min(SLICE))?;
    transaction
        .prepare_cached("DELETE FROM run WHERE watched_until_ms < ?1")?
        .execute([SampleKey(ages.change).at_ms()])?;
    Ok((dropped, samples))
}

/// Drops the oldest samples, when there are none hours, then days, then changes of state; tells
/// how many samples.
fn drop_oldest(
    transaction: &Transaction<'_>,
    limit: usize,
    dropped: &mut usize,
) -> rusqlite::Result<usize> {
    let samples = drop_keys(transaction, "sample", i64::MAX, limit)?;
    let mut count = samples;
    if count == 0 {
        count = drop_periods(transaction, ("closed_hour", "hour"), i64::MAX, limit)?;
    }
    if count == 0 {
        count = drop_periods(transaction, ("closed_day", "day"), i64::MAX, limit)?;
    }
    if count == 0 {
        count = drop_keys(transaction, "transition", i64::MAX, limit)?;
    }
    *dropped += count;
    Ok(samples)
}

/// Drops the first `limit` rows of `table` that lie before `key`.
fn drop_keys(
    connection: &Connection,
    table: &str,
    key: i64,
    limit: usize,
) -> rusqlite::Result<usize> {
    let bound: Option<i64> = connection
        .prepare_cached(&format!("SELECT key FROM {table} ORDER BY key LIMIT 1 OFFSET ?1"))?
        .query_row([i64::try_from(limit).unwrap_or(0)], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(&format!("DELETE FROM {table} WHERE key < ?1"))?
        .execute([bound.map_or(key, |bound| bound.min(key))])
}

/// Drops the first `limit` rows of `table` whose period lies before `before`.
fn drop_periods(
    connection: &Connection,
    (table, period): (&str, &str),
    before: i64,
    limit: usize,
) -> rusqlite::Result<usize> {
    let select =
        format!("SELECT {period}, target FROM {table} ORDER BY {period}, target LIMIT 1 OFFSET ?1");
    let bound: Option<(i64, i64)> = connection
        .prepare_cached(&select)?
        .query_row([i64::try_from(limit).unwrap_or(0)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last, target) = bound.filter(|&(last, _)| last < before).unwrap_or((before, 0));
    connection
        .prepare_cached(&format!("DELETE FROM {table} WHERE ({period}, target) < (?1, ?2)"))?
        .execute(params![last, target])
}

fn count_dropped(connection: &Connection, samples: usize) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE meta SET value = max(value - ?1, 0) WHERE name = 'samples'")?
        .execute([i64::try_from(samples).unwrap_or(0)])
        .map(drop)
}

fn room_of(connection: &Connection, allowed: u64) -> rusqlite::Result<Room> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(Room {
        page: number("page_size")?.unsigned_abs(),
        pages: number("page_count")?.unsigned_abs(),
        free: number("freelist_count")?.unsigned_abs(),
        allowed,
    })
}
