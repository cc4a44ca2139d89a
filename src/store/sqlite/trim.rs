//! Dropping what is too old or too much, a slice at a time.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{SqliteStore, beside, file_bytes, length, log_bytes};
use crate::store::{Excess, SampleKey, StoreError, Trimmed};

/// Rows that one call drops at most.
const SLICE: usize = 5_000;
/// How often dropping waits for samples to come into a tally before it goes on without them.
const PATIENCE: u32 = 20;
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
        self.disk = self.disk.max(available(&self.path));
        let log = log_bytes(self.budget());
        // The log may reach twice its measure before it is brought in. The spill file takes no more
        // than is left; what is in it comes here and needs no room there any more.
        let allowed = (self.budget() / 100 * 85).saturating_sub(2 * log);
        let before = |keep: Duration| now_ms - i64::try_from(keep.as_millis()).unwrap_or(now_ms);
        let ages = Ages {
            sample: SampleKey::first_of(before(options.keep_samples).max(0)).0,
            hour: before(options.keep_hours).div_euclid(HOUR_MS),
            day: before(options.keep_days).div_euclid(24 * HOUR_MS),
            change: SampleKey::first_of(before(options.keep_days).max(0)).0,
            second: now_ms.div_euclid(1_000) - KEEP_SECONDS,
        };
        let has_waited = self.held_up >= PATIENCE;
        let (dropped, room) = self.write(|transaction| {
            let mut dropped = drop_old(transaction, &ages)?;
            if dropped.rows < SLICE && room_of(transaction, allowed)?.is_short() {
                drop_oldest(transaction, has_waited, &mut dropped)?;
            }
            if dropped.samples > 0 {
                count_dropped(transaction, dropped.samples)?;
            }
            Ok((dropped, room_of(transaction, allowed)?))
        })?;
        let log = self.shorten_log();
        // A file whose log is held does not become shorter, only the log longer.
        let is_loose = room.is_loose() && log == Log::Free;
        if is_loose {
            self.give_back();
        }
        let has_more = dropped.rows >= SLICE || is_loose;
        let is_held_up = dropped.is_held_up && room.is_short();
        self.held_up = if is_held_up { self.held_up.saturating_add(1) } else { 0 };
        let is_stuck = room.is_short() && !has_more && (has_waited || !is_held_up);
        let excess = match log {
            _ if file_bytes(&self.path) <= options.max_bytes => None,
            Log::Held => Some(Excess::LogHeld),
            Log::Free => is_stuck.then_some(Excess::NothingLeft),
        };
        Ok(Trimmed { samples: dropped.samples as u64, has_more, is_held_up, excess })
    }

    /// Bytes that the store may take: what it was allowed, and not more than the disk has.
    fn budget(&self) -> u64 {
        self.options.max_bytes.min(self.disk)
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

    /// Brings the log into the store's file when it has become long, and tells whether it has to stay
    /// because a reader still needs it; then a later call does it.
    ///
    /// Nobody is waited for: what waits for readers here holds up samples.
    pub(super) fn shorten_log(&mut self) -> Log {
        if length(&beside(&self.path, "-wal")) < log_bytes(self.budget()) {
            return Log::Free;
        }
        let frames = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        match self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], frames) {
            Ok((all, brought_in)) if brought_in < all => Log::Held,
            Ok(_) => Log::Free,
            Err(error) => {
                tracing::debug!(%error, "the log of the store is shortened later");
                Log::Held
            }
        }
    }
}

/// Bytes that the store `path` could take on its disk.
pub(super) fn available(path: &Path) -> u64 {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let free = rustix::fs::statvfs(directory.unwrap_or(Path::new(".")))
        .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    free.saturating_add(file_bytes(path))
}

/// Whether the log can be brought into the store's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Free,
    Held,
}

/// What lies before these may go.
struct Ages {
    sample: i64,
    hour: i64,
    day: i64,
    change: i64,
    second: i64,
}

/// What was dropped.
#[derive(Clone, Copy, Default)]
struct Dropped {
    rows: usize,
    /// Of these, samples.
    samples: usize,
    /// Whether the next samples are in no tally yet.
    is_held_up: bool,
}

impl Dropped {
    fn left(&self) -> usize {
        SLICE.saturating_sub(self.rows)
    }
}

/// Up to where samples are in a tally; what lies behind is needed after a crash.
fn settled(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE name = 'settled'")?
        .query_row([], |row| row.get(0))
}

/// Drops what is too old.
fn drop_old(transaction: &Transaction<'_>, ages: &Ages) -> rusqlite::Result<Dropped> {
    transaction.prepare_cached("DELETE FROM second WHERE at < ?1")?.execute([ages.second])?;
    let before = ages.sample.min(settled(transaction)?);
    let samples = drop_keys(transaction, "sample", before, SLICE)?;
    let mut dropped = Dropped { rows: samples, samples, is_held_up: false };
    for (table, period, before) in
        [("closed_hour", "hour", ages.hour), ("closed_day", "day", ages.day)]
    {
        dropped.rows += drop_periods(transaction, (table, period), before, dropped.left())?;
    }
    dropped.rows += drop_keys(transaction, "transition", ages.change, dropped.left())?;
    transaction
        .prepare_cached("DELETE FROM run WHERE watched_until_ms < ?1")?
        .execute([SampleKey(ages.change).at_ms()])?;
    Ok(dropped)
}

/// Drops the oldest samples, when there are none hours, then days, then changes of state. Samples
/// that are in no tally yet are waited for, unless `has_waited` says that this was in vain.
fn drop_oldest(
    transaction: &Transaction<'_>,
    has_waited: bool,
    dropped: &mut Dropped,
) -> rusqlite::Result<()> {
    let limit = dropped.left();
    let samples = drop_keys(transaction, "sample", settled(transaction)? + 1, limit)?;
    dropped.samples += samples;
    dropped.rows += samples;
    if samples == limit {
        return Ok(());
    }
    dropped.is_held_up = transaction.prepare_cached("SELECT 1 FROM sample")?.exists([])?;
    let is_enough = if dropped.is_held_up { !has_waited } else { samples > 0 };
    if is_enough {
        return Ok(());
    }
    let limit = dropped.left();
    let mut count = drop_periods(transaction, ("closed_hour", "hour"), i64::MAX, limit)?;
    if count == 0 {
        count = drop_periods(transaction, ("closed_day", "day"), i64::MAX, limit)?;
    }
    if count == 0 {
        count = drop_keys(transaction, "transition", i64::MAX, limit)?;
    }
    dropped.rows += count;
    Ok(())
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
