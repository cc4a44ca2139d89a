//! Hours and days: of one target, of all, and of the fleet.

use std::collections::BTreeMap;

use super::{DatabaseError, Reader, at, limit, number};
use crate::stats::Tally;
use crate::store::reader::Period;

impl Reader {
    /// The tallies of the target `number` from the period `first` to `last`, without the open hour.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn tallies(
        &self,
        number: u32,
        period: Period,
        (first, last): (u32, u32),
    ) -> Result<Vec<(u32, Tally)>, DatabaseError> {
        let sql = match period {
            Period::Hour => {
                "SELECT hour AS at, tally FROM hour \
                 WHERE target = $1 AND hour BETWEEN $2 AND $3 ORDER BY hour LIMIT 10000"
            }
            Period::Day => {
                "SELECT day AS at, tally FROM day \
                 WHERE target = $1 AND day BETWEEN $2 AND $3 ORDER BY day LIMIT 10000"
            }
        };
        let params = (i64::from(number), first.cast_signed(), last.cast_signed());
        let rows = self.rows(sql, &[&params.0, &params.1, &params.2]).await?;
        rows.iter()
            .map(|row| Ok((at::<i32>(row, "at")?.cast_unsigned(), tally(at(row, "tally")?)?)))
            .collect()
    }

    /// The tallies of all targets from the period `first` to `last`, by target and period, behind
    /// the target and period `after`, `most` at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn all_tallies(
        &self,
        period: Period,
        (first, last): (u32, u32),
        after: (u32, u32),
        most: usize,
    ) -> Result<Vec<(u32, u32, Tally)>, DatabaseError> {
        let sql = match period {
            Period::Hour => {
                "SELECT hour AS at, target, tally FROM hour WHERE hour BETWEEN $1 AND $2 \
                 AND (target, hour) > ($3, $4) ORDER BY target, hour LIMIT $5"
            }
            Period::Day => {
                "SELECT day AS at, target, tally FROM day WHERE day BETWEEN $1 AND $2 \
                 AND (target, day) > ($3, $4) ORDER BY target, day LIMIT $5"
            }
        };
        let bounds = (first.cast_signed(), last.cast_signed());
        let after = (i64::from(after.0), after.1.cast_signed());
        let rows =
            self.rows(sql, &[&bounds.0, &bounds.1, &after.0, &after.1, &limit(most)]).await?;
        rows.iter()
            .map(|row| {
                let period = at::<i32>(row, "at")?.cast_unsigned();
                Ok((period, number(at(row, "target")?)?, tally(at(row, "tally")?)?))
            })
            .collect()
    }

    /// The fleet's hours from `first` to `last`, the one that is not over among them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn fleet_hours(
        &self,
        (first, last): (u32, u32),
    ) -> Result<BTreeMap<u32, Tally>, DatabaseError> {
        // Newest first, so that what is cut off of very many is the oldest.
        let sql = "SELECT hour, tally FROM fleet_hour WHERE hour BETWEEN $1 AND $2 \
                   ORDER BY hour DESC LIMIT 4000000";
        let rows = self.rows(sql, &[&first.cast_signed(), &last.cast_signed()]).await?;
        let mut hours: BTreeMap<u32, Tally> = BTreeMap::new();
        for row in &rows {
            let hour = at::<i32>(row, "hour")?.cast_unsigned();
            hours.entry(hour).or_default().merge(&tally(at(row, "tally")?)?);
        }
        Ok(hours)
    }
}

/// The tally in `bytes`.
pub(super) fn tally(bytes: &[u8]) -> Result<Tally, DatabaseError> {
    Tally::decode(bytes).map_err(|_| DatabaseError::Broken("a tally cannot be read".to_owned()))
}
