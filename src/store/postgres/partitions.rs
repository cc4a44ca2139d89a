//! Partitions by time: made ahead, and dropped when what they hold is old enough.

use std::ops::Range;

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::types::ToSql;

use super::setup::{Lock, lock};
use super::{Database, DatabaseError};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Hours of a week, which is what a partition of `hour` holds.
const WEEK_HOURS: i64 = 168;

/// Rows that are forgotten at once.
const AT_ONCE: u64 = 5_000;

/// What is forgotten row by row, and what of it is older than the day `$1` since the Unix epoch; for
/// each there is an index, or there are few rows.
const PAST: [(&str, &str); 5] = [
    ("day", "day < $1::bigint"),
    ("transition", "at < timestamptz 'epoch' + $1::bigint * interval '24 hours'"),
    (
        "incident",
        "began < timestamptz 'epoch' + $1::bigint * interval '24 hours' \
         AND ended < timestamptz 'epoch' + $1::bigint * interval '24 hours'",
    ),
    ("fleet_hour", "hour < $1::bigint * 24"),
    ("gap", "ended < timestamptz 'epoch' + $1::bigint * interval '24 hours'"),
];

/// For how long history is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Samples.
    pub sample_days: u32,
    /// Tallies of hours.
    pub hour_days: u32,
    /// Tallies of days.
    pub day_days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { sample_days: 7, hour_days: 30, day_days: 400 }
    }
}

/// A partition that there is or shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    /// `sample` or `hour`.
    parent: &'static str,
    /// The day or the week, both since the Unix epoch.
    step: i64,
}

impl Partition {
    fn name(&self) -> String {
        format!("{}_{}", self.parent, self.step)
    }

    /// The partition that is called `name`.
    fn named(name: &str) -> Option<Self> {
        let (parent, step) = name.rsplit_once('_')?;
        let parent = ["sample", "hour"].into_iter().find(|known| *known == parent)?;
        Some(Self { parent, step: step.parse().ok()? })
    }

    /// From where on and up to where it holds rows, as SQL has it.
    fn bounds(&self) -> (String, String) {
        let bound = |step: i64| match self.parent {
            "hour" => (step * WEEK_HOURS).to_string(),
            _ => format!("timestamptz 'epoch' + {step} * interval '24 hours'"),
        };
        (bound(self.step), bound(self.step + 1))
    }

    /// Makes it; a parent that is in use meanwhile is not held up.
    fn sql(&self) -> String {
        let (name, (from, to)) = (self.name(), self.bounds());
        let Self { parent, .. } = self;
        format!(
            "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL); \
             ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to});"
        )
    }
}

impl Database {
    /// Makes the partitions that are missing, of `back` days before `now_ms` (Unix milliseconds)
    /// until `ahead` days after it; tells the due times, in Unix milliseconds, for which samples
    /// can be written then.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us; somebody holds a table for long.
    pub async fn partitions_ahead(
        &self,
        now_ms: i64,
        back: u32,
        ahead: u32,
    ) -> Result<Range<i64>, DatabaseError> {
        let today = now_ms.div_euclid(DAY_MS);
        let days = today - i64::from(back)..today + i64::from(ahead) + 1;
        let span = days.start * DAY_MS..days.end * DAY_MS;
        self.partitions_for(&span).await?;
        Ok(span)
    }

    /// Makes the partitions that are missing of those for the due times of `span`, in Unix
    /// milliseconds.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us; somebody holds a table for long.
    pub async fn partitions_for(&self, span: &Range<i64>) -> Result<(), DatabaseError> {
        if span.is_empty() {
            return Ok(());
        }
        let days = span.start.div_euclid(DAY_MS)..(span.end - 1).div_euclid(DAY_MS) + 1;
        let weeks = week_of(days.start * 24)..week_of(days.end * 24 - 1) + 1;
        let samples = days.map(|step| Partition { parent: "sample", step });
        let wanted = samples.chain(weeks.map(|step| Partition { parent: "hour", step }));
        let wanted: Vec<Partition> = wanted.collect();
        let mut lent = self.lend().await?;
        let transaction = lent.client()?.transaction().await?;
        be_impatient(&transaction).await?;
        // Mostly all are there, and nobody needs to wait.
        if !missing(&transaction, &wanted).await?.is_empty() {
            lock(&transaction, Lock::Partitions).await?;
            for partition in missing(&transaction, &wanted).await? {
                transaction.batch_execute(&partition.sql()).await?;
            }
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    /// Drops the partitions of what is older than `keep` says at `now_ms` (Unix milliseconds), and of
    /// samples none that another recorder keeps; tells how many went.
    ///
    /// Each goes by itself: what somebody reads holds up no other.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us; somebody reads a table for long. The others
    /// went all the same.
    pub async fn drop_partitions(&self, now_ms: i64, keep: Keep) -> Result<u32, DatabaseError> {
        let today = now_ms.div_euclid(DAY_MS);
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let transaction = client.transaction().await?;
        let sample_days = keep.sample_days.max(kept_by_others(&transaction).await?);
        let all = existing(&transaction).await?;
        transaction.commit().await?;
        let first_day = today - i64::from(sample_days);
        let first_week = week_of((today - i64::from(keep.hour_days)) * 24);
        let is_old = |partition: &Partition| match partition.parent {
            "hour" => partition.step < first_week,
            _ => partition.step < first_day,
        };
        let (mut dropped, mut failed) = (0, None);
        for partition in all.into_iter().filter(is_old) {
            match drop_one(client, &partition).await {
                Ok(()) => dropped += 1,
                Err(error) => failed = Some(error),
            }
        }
        lent.give_back();
        failed.map_or(Ok(dropped), Err)
    }

    /// Forgets days, hours of the fleet, outages that are over, changes of state and gaps that are older
    /// than days are kept at `now_ms` (Unix milliseconds), and members that have said nothing for a
    /// day: a few at a time, so that nobody waits for it.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us; somebody holds a table for long. What the
    /// other tables hold is forgotten all the same.
    pub async fn forget_past(&self, now_ms: i64, keep: Keep) -> Result<(), DatabaseError> {
        let first_day = now_ms.div_euclid(DAY_MS) - i64::from(keep.day_days);
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let mut failed = None;
        for (table, is_old) in PAST {
            let sql = format!(
                "DELETE FROM {table} WHERE ctid = ANY (ARRAY \
                 (SELECT ctid FROM {table} WHERE {is_old} LIMIT {AT_ONCE}))"
            );
            failed = delete_all(client, &sql, &[&first_day]).await.err().or(failed);
        }
        let gone = "DELETE FROM member WHERE seen_at < now() - interval '1 day'";
        failed = delete_some(client, gone, &[]).await.err().or(failed);
        lent.give_back();
        failed.map_or(Ok(()), Err)
    }
}

/// The name of the partition of `hour` that holds the hour with this number.
pub(super) fn of_hour(hour: u32) -> String {
    Partition { parent: "hour", step: week_of(hour.into()) }.name()
}

fn week_of(hour: i64) -> i64 {
    hour.div_euclid(WEEK_HOURS)
}

async fn drop_one(client: &mut Client, partition: &Partition) -> Result<(), DatabaseError> {
    let transaction = client.transaction().await?;
    be_impatient(&transaction).await?;
    lock(&transaction, Lock::Partitions).await?;
    // Another recorder may have been faster.
    let name = partition.name();
    transaction.batch_execute(&format!("DROP TABLE IF EXISTS {name}")).await?;
    Ok(transaction.commit().await?)
}

/// Deletes by `sql` until there is nothing left to delete.
async fn delete_all(
    client: &mut Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<(), DatabaseError> {
    while delete_some(client, sql, parameters).await? == AT_ONCE {}
    Ok(())
}

/// Deletes once by `sql`; tells how many rows went.
async fn delete_some(
    client: &mut Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<u64, DatabaseError> {
    let transaction = client.transaction().await?;
    be_impatient(&transaction).await?;
    let count = transaction.execute(sql, parameters).await?;
    transaction.commit().await?;
    Ok(count)
}

/// The most days for which a recorder that is alive keeps samples.
async fn kept_by_others(transaction: &Transaction<'_>) -> Result<u32, DatabaseError> {
    let asked = "SELECT max((facts->>'keep_days')::bigint) FROM member \
                 WHERE role = 'recorder' AND seen_at > now() - interval '1 hour' \
                 AND jsonb_typeof(facts->'keep_days') = 'number'";
    let days: Option<i64> = transaction.query_one(asked, &[]).await?.try_get(0)?;
    Ok(u32::try_from(days.unwrap_or(0)).unwrap_or(0))
}

/// Gives up rather than hold up all who come later: whoever waits for a table stands before them. And
/// whoever falls silent in between holds nothing.
async fn be_impatient(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    let set = "SET LOCAL lock_timeout = '2s'; \
               SET LOCAL idle_in_transaction_session_timeout = '5s'";
    Ok(transaction.batch_execute(set).await?)
}

async fn existing(transaction: &Transaction<'_>) -> Result<Vec<Partition>, DatabaseError> {
    let asked = "SELECT child.relname::text FROM pg_inherits \
                 JOIN pg_class child ON child.oid = inhrelid \
                 WHERE inhparent IN ('poller.sample'::regclass, 'poller.hour'::regclass)";
    let rows = transaction.query(asked, &[]).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.extend(Partition::named(row.try_get(0)?));
    }
    Ok(all)
}

async fn missing(
    transaction: &Transaction<'_>,
    wanted: &[Partition],
) -> Result<Vec<Partition>, DatabaseError> {
    let there = existing(transaction).await?;
    Ok(wanted.iter().filter(|partition| !there.contains(partition)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_found_by_its_name_again() {
        for (parent, step) in [("sample", 20_787), ("hour", 2_969), ("hour", -1)] {
            let partition = Partition { parent, step };
            assert_eq!(Partition::named(&partition.name()), Some(partition));
        }
        assert_eq!(Partition::named("sample_old"), None);
        assert_eq!(Partition::named("second_5"), None);
    }
}
