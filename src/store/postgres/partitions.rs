//! Partitions by time: made ahead, and dropped when what they hold is old enough.

use std::ops::Range;

use deadpool_postgres::Transaction;

use super::setup::{Lock, lock};
use super::{Database, DatabaseError};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Hours of a week, which is what a partition of `hour` holds.
const WEEK_HOURS: i64 = 168;

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
        let week = |day: i64| (day * 24).div_euclid(WEEK_HOURS);
        let weeks = week(days.start)..week(days.end - 1) + 1;
        let samples = days.clone().map(|step| Partition { parent: "sample", step });
        let wanted = samples.chain(weeks.map(|step| Partition { parent: "hour", step }));
        let wanted: Vec<Partition> = wanted.collect();
        let span = days.start * DAY_MS..days.end * DAY_MS;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // Mostly all are there, and nobody needs to wait.
        if missing(&transaction, &wanted).await?.is_empty() {
            transaction.commit().await?;
            return Ok(span);
        }
        lock(&transaction, Lock::Partitions).await?;
        be_impatient(&transaction).await?;
        for partition in missing(&transaction, &wanted).await? {
            transaction.batch_execute(&partition.sql()).await?;
        }
        transaction.commit().await?;
        Ok(span)
    }

    /// Drops what is older than `keep` says at `now_ms` (Unix milliseconds), and members that have
    /// said nothing for a day; tells how many partitions went.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us; somebody reads a table for long.
    pub async fn drop_partitions(&self, now_ms: i64, keep: Keep) -> Result<u32, DatabaseError> {
        let today = now_ms.div_euclid(DAY_MS);
        let first_day = today - i64::from(keep.sample_days);
        let first_week = ((today - i64::from(keep.hour_days)) * 24).div_euclid(WEEK_HOURS);
        let is_old = |partition: &Partition| match partition.parent {
            "hour" => partition.step < first_week,
            _ => partition.step < first_day,
        };
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let old = |all: Vec<Partition>| all.into_iter().filter(is_old).collect::<Vec<_>>();
        let mut dropped = 0;
        if !old(existing(&transaction).await?).is_empty() {
            lock(&transaction, Lock::Partitions).await?;
            be_impatient(&transaction).await?;
            for partition in old(existing(&transaction).await?) {
                transaction.batch_execute(&format!("DROP TABLE {}", partition.name())).await?;
                dropped += 1;
            }
        }
        let first = i32::try_from(today - i64::from(keep.day_days)).unwrap_or(0);
        transaction.execute("DELETE FROM day WHERE day < $1", &[&first]).await?;
        let gone = "DELETE FROM member WHERE seen_at < now() - interval '1 day'";
        transaction.execute(gone, &[]).await?;
        transaction.commit().await?;
        Ok(dropped)
    }
}

/// Gives up rather than hold up all who come later: whoever waits for a table stands before them.
async fn be_impatient(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    Ok(transaction.batch_execute("SET LOCAL lock_timeout = '2s'").await?)
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
