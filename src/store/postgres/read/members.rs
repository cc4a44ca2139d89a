//! Who works in the cluster, who has which shard, and what nobody did.

use super::{DatabaseError, PATIENCE, Reader, Us, at, in_time};
use crate::store::postgres::members::{MEMBERS, MemberRow, member};
use crate::store::postgres::targets::LocationRow;

/// Who has a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseRow {
    /// `scheduler` or `recorder`.
    pub role: String,
    /// The shard.
    pub shard: u32,
    /// Its owner, also one whose lease has run out.
    pub owner: Option<String>,
    /// Whether that lease holds.
    pub is_held: bool,
    /// Until when all jobs are made, in Unix milliseconds.
    pub produced_ms: Option<i64>,
}

/// A span of time that nobody made jobs for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapRow {
    /// The shard.
    pub shard: u32,
    /// Its beginning, in Unix milliseconds.
    pub began_ms: i64,
    /// Its end, in Unix milliseconds.
    pub ended_ms: i64,
    /// Why.
    pub reason: String,
}

impl Reader {
    /// The members that were heard of since `since_ms` (Unix milliseconds), 10,000 at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn members(&self, since_ms: i64) -> Result<Vec<MemberRow>, DatabaseError> {
        let rows = self.rows(MEMBERS, &[&Us::of_ms(since_ms)]).await?;
        rows.iter().map(member).collect()
    }

    /// Who has which shard.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn leases(&self) -> Result<Vec<LeaseRow>, DatabaseError> {
        let sql = "SELECT role, shard, owner, coalesce(owner IS NOT NULL AND until > now(), false) \
                   AS is_held, produced_until FROM lease ORDER BY role, shard LIMIT 10000";
        let rows = self.rows(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(LeaseRow {
                    role: at(row, "role")?,
                    shard: at::<i32>(row, "shard")?.unsigned_abs(),
                    owner: at(row, "owner")?,
                    is_held: at(row, "is_held")?,
                    produced_ms: at::<Option<Us>>(row, "produced_until")?.map(Us::ms),
                })
            })
            .collect()
    }

    /// The places that targets are polled from, without those that were given up.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn locations(&self) -> Result<Vec<LocationRow>, DatabaseError> {
        let mut all = in_time(PATIENCE, self.database.locations()).await?;
        all.retain(|location| !location.is_retired);
        Ok(all)
    }

    /// The gaps that ended since `since_ms` (Unix milliseconds), the newest first, 10,000 at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn gaps(&self, since_ms: i64) -> Result<Vec<GapRow>, DatabaseError> {
        let sql = "SELECT shard, began, ended, reason FROM gap WHERE ended >= $1 \
                   ORDER BY began DESC LIMIT 10000";
        self.gap_rows(sql, &[&Us::of_ms(since_ms)]).await
    }

    /// The gaps of a shard that ended since `since_ms` (Unix milliseconds), 10,000 at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn gaps_of(&self, shard: u32, since_ms: i64) -> Result<Vec<GapRow>, DatabaseError> {
        let sql = "SELECT shard, began, ended, reason FROM gap WHERE shard = $1 AND ended >= $2 \
                   ORDER BY began DESC LIMIT 10000";
        self.gap_rows(sql, &[&shard.cast_signed(), &Us::of_ms(since_ms)]).await
    }

    async fn gap_rows(
        &self,
        sql: &str,
        params: super::Params<'_>,
    ) -> Result<Vec<GapRow>, DatabaseError> {
        let rows = self.rows(sql, params).await?;
        rows.iter()
            .map(|row| {
                Ok(GapRow {
                    shard: at::<i32>(row, "shard")?.unsigned_abs(),
                    began_ms: at::<Us>(row, "began")?.ms(),
                    ended_ms: at::<Us>(row, "ended")?.ms(),
                    reason: at(row, "reason")?,
                })
            })
            .collect()
    }
}
