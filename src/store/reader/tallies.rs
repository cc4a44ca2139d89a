//! Tallies: of one target by the period, of the fleet by the hour, of all targets slice by slice.

use rusqlite::params;

use super::{Period, ReadError, Reader};
use crate::stats::Tally;

/// Rows of the fleet's hours at most: two years.
const FLEET_HOURS: u32 = 17_568;

impl Period {
    /// The table that holds its tallies, and its column there.
    const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Hour => ("closed_hour", "hour"),
            Self::Day => ("closed_day", "day"),
        }
    }

    /// How long it is, in milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The period that `at_ms` (Unix milliseconds) lies in, counted since the Unix epoch.
    #[must_use]
    pub fn of(self, at_ms: i64) -> u32 {
        u32::try_from(at_ms.div_euclid(self.ms()).max(0)).unwrap_or(u32::MAX)
    }
}

impl Reader {
    /// The tallies of the target `number` for the periods from `first` to `last`, in their order;
    /// a period in which it was not polled has none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn tallies(
        &self,
        number: u32,
        period: Period,
        (first, last): (u32, u32),
    ) -> Result<Vec<(u32, Tally)>, ReadError> {
        let (table, column) = period.table();
        // One seek a period, since the table is in the order of time.
        let sql = format!(
            "WITH RECURSIVE period (at) AS
                 (SELECT ?2 UNION ALL SELECT at + 1 FROM period WHERE at < ?3)
             SELECT at, tally FROM period CROSS JOIN {table} ON {column} = at AND target = ?1"
        );
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![number, first, last])?;
            let mut tallies = Vec::new();
            while let Some(row) = rows.next()? {
                if let Ok(tally) = Tally::decode(row.get_ref(1)?.as_blob()?) {
                    tallies.push((row.get(0)?, tally));
                }
            }
            Ok(tallies)
        })
    }

    /// The tallies of the fleet for the hours from `first` to `last` (since the Unix epoch), in
    /// their order; the last one that was stored may not be over.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn fleet_hours(&self, (first, last): (u32, u32)) -> Result<Vec<(u32, Tally)>, ReadError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT hour, tally FROM fleet_hour WHERE hour >= ?1 AND hour <= ?2
                 ORDER BY hour LIMIT ?3",
            )?;
            let mut rows = statement.query(params![first, last, FLEET_HOURS])?;
            let mut tallies = Vec::new();
            while let Some(row) = rows.next()? {
                if let Ok(tally) = Tally::decode(row.get_ref(1)?.as_blob()?) {
                    tallies.push((row.get(0)?, tally));
                }
            }
            Ok(tallies)
        })
    }

    /// Tallies of all targets behind the period and target `after`, to the end of the period
    /// `last`: in the order of periods and then of targets, `most` at most. Each is told as period,
    /// target and tally.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn all_tallies(
        &self,
        period: Period,
        after: (u32, u32),
        last: u32,
        most: usize,
    ) -> Result<Vec<(u32, u32, Tally)>, ReadError> {
        let (table, column) = period.table();
        let sql = format!(
            "SELECT {column}, target, tally FROM {table}
             WHERE ({column}, target) > (?1, ?2) AND {column} <= ?3 ORDER BY 1, 2 LIMIT ?4"
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![after.0, after.1, last, most])?;
            let mut tallies = Vec::new();
            while let Some(row) = rows.next()? {
                let tally = Tally::decode(row.get_ref(2)?.as_blob()?).unwrap_or_default();
                tallies.push((row.get(0)?, row.get(1)?, tally));
            }
            Ok(tallies)
        })
    }
}
