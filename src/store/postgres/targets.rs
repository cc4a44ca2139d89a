//! Targets as the database holds them: a shard of them as a stream, and what has changed since.

use std::pin::pin;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_stream::StreamExt as _;

use super::rows::{Us, small};
use super::{Database, DatabaseError, LONGEST, PATIENCE, slow};
use crate::target::{Priority, TargetId};

/// A target with all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// Its number.
    pub number: u32,
    /// Its shard.
    pub shard: u32,
    /// Its id.
    pub id: TargetId,
    /// The `id` that its entry gives.
    pub given_id: Option<Box<str>>,
    /// The name for people.
    pub name: Option<Box<str>>,
    /// Its address without credentials.
    pub url: Box<str>,
    /// The number of its kind of check.
    pub kind: u8,
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// Milliseconds that a poll may take.
    pub timeout_ms: u32,
    /// Who goes first.
    pub priority: Priority,
    /// From how many locations it is polled; 0: from all.
    pub locations: u8,
    /// How many locations must agree that it is down; 0: more than half of them.
    pub quorum: u8,
    /// Days for which its certificate has to be valid.
    pub certificate_days: u32,
    /// Whether it says of us that we have no network, when it fails.
    pub is_sentinel: bool,
    /// Its whole entry as JSON.
    pub entry: Box<[u8]>,
    /// The revision of the list that changed it last.
    pub revision: i64,
    /// Whether it is polled no more.
    pub is_removed: bool,
}

/// As much of a target as jobs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its number.
    pub number: u32,
    /// Its id.
    pub id: TargetId,
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// From how many locations it is polled; 0: from all.
    pub locations: u8,
    /// From when on it is polled, in Unix seconds; to come where a pause ends by itself.
    pub since_s: u32,
    /// Its whole entry as JSON.
    pub entry: Box<[u8]>,
    /// The revision of the list that changed it last.
    pub revision: i64,
    /// Whether it is polled no more, or not until somebody ends its pause.
    pub is_removed: bool,
}

/// A location from which targets are polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRow {
    /// Its number.
    pub id: i16,
    /// Its name.
    pub name: String,
    /// When anybody polled from there last, in Unix milliseconds.
    pub seen_at_ms: i64,
    /// Whether nobody polls from there any more.
    pub is_retired: bool,
}

/// How far the changes of a shard's targets are known: all up to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The revision of the last one.
    pub revision: i64,
    /// Its number; those of one revision come by number.
    pub number: i64,
}

impl Known {
    /// All changes up to `revision` are known.
    #[must_use]
    pub const fn up_to(revision: i64) -> Self {
        Self { revision, number: i64::MAX }
    }

    /// All are known up to that of the target `number` at `revision`.
    #[must_use]
    pub fn at(revision: i64, number: u32) -> Self {
        Self { revision, number: number.into() }
    }
}

/// What a row of targets is read as: [`TargetRow`] or [`JobRow`].
pub trait OfRow: Sized {
    /// The columns that it is made of.
    const COLUMNS: &str;
    /// Which targets are polled, as whoever reads such rows sees it.
    const POLLED: &str = "removed_at IS NULL";

    /// Reads it.
    ///
    /// # Errors
    /// The row makes no sense.
    fn of_row(row: &TargetColumns<'_>) -> Result<Self, DatabaseError>;
}

/// A row of targets, of which an [`OfRow`] takes what it needs.
pub struct TargetColumns<'r>(&'r Row);

impl TargetColumns<'_> {
    /// A number that is never negative, and small enough.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<T, DatabaseError> {
        let number: i64 = self.0.try_get(name)?;
        T::try_from(number).map_err(|_| broken(name, number))
    }

    /// Whether something holds.
    pub(super) fn is(&self, name: &str) -> Result<bool, DatabaseError> {
        Ok(self.0.try_get(name)?)
    }

    /// A time in Unix milliseconds, if there is one.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, DatabaseError> {
        Ok(self.0.try_get::<_, Option<Us>>(name)?.map(Us::ms))
    }

    fn id(&self) -> Result<TargetId, DatabaseError> {
        let id: i64 = self.0.try_get("id")?;
        Ok(TargetId(id.cast_unsigned()))
    }

    fn text(&self, name: &str) -> Result<Option<Box<str>>, DatabaseError> {
        Ok(self.0.try_get::<_, Option<&str>>(name)?.map(Box::from))
    }

    fn entry(&self) -> Result<Box<[u8]>, DatabaseError> {
        Ok(self.0.try_get::<_, &str>("entry")?.as_bytes().into())
    }
}

fn broken(name: &str, number: i64) -> DatabaseError {
    DatabaseError::Broken(format!("a target with {number} as its {name}"))
}

impl OfRow for JobRow {
    const COLUMNS: &str = "number, id, every_ms::bigint, locations::bigint, entry, revision, \
                           ceil(extract(epoch FROM greatest(polled_since, paused_until)))::bigint \
                           AS polled_since, removed_at IS NOT NULL \
                           OR (paused_at IS NOT NULL AND paused_until IS NULL) AS is_removed";
    const POLLED: &str = "removed_at IS NULL AND (paused_at IS NULL OR paused_until IS NOT NULL)";

    fn of_row(row: &TargetColumns<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            number: row.number("number")?,
            id: row.id()?,
            every_ms: row.number("every_ms")?,
            locations: row.number("locations")?,
            since_s: row.number("polled_since")?,
            entry: row.entry()?,
            revision: row.0.try_get("revision")?,
            is_removed: row.0.try_get("is_removed")?,
        })
    }
}

impl OfRow for TargetRow {
    const COLUMNS: &str = "number, shard::bigint, id, given_id, name, url, kind::bigint, \
                           every_ms::bigint, timeout_ms::bigint, priority::bigint, \
                           locations::bigint, quorum::bigint, certificate_days::bigint, \
                           is_sentinel, entry, revision, removed_at IS NOT NULL AS is_removed";

    fn of_row(row: &TargetColumns<'_>) -> Result<Self, DatabaseError> {
        let priority: i64 = row.0.try_get("priority")?;
        let known = usize::try_from(priority).ok().and_then(|place| Priority::ALL.get(place));
        Ok(Self {
            number: row.number("number")?,
            shard: row.number("shard")?,
            id: row.id()?,
            given_id: row.text("given_id")?,
            name: row.text("name")?,
            url: row.text("url")?.unwrap_or_default(),
            kind: row.number("kind")?,
            every_ms: row.number("every_ms")?,
            timeout_ms: row.number("timeout_ms")?,
            priority: *known.ok_or_else(|| broken("priority", priority))?,
            locations: row.number("locations")?,
            quorum: row.number("quorum")?,
            certificate_days: row.number("certificate_days")?,
            is_sentinel: row.0.try_get("is_sentinel")?,
            entry: row.entry()?,
            revision: row.0.try_get("revision")?,
            is_removed: row.0.try_get("is_removed")?,
        })
    }
}

impl Database {
    /// Hands every target of `shard` that is polled to `sink`, by number, as it comes; returns the
    /// revision from which on [`Database::changes_since`] tells what came later.
    ///
    /// # Errors
    /// The database cannot be reached, refuses, or holds what makes no sense.
    pub async fn targets<T: OfRow>(
        &self,
        shard: u32,
        sink: impl FnMut(T),
    ) -> Result<i64, DatabaseError> {
        let revision = self.revision().await?;
        let asked = format!(
            "SELECT {} FROM target WHERE shard = $1 AND {} ORDER BY shard, number",
            T::COLUMNS,
            T::POLLED
        );
        let shard = i32::try_from(shard).unwrap_or(i32::MAX);
        self.each(&asked, &[&shard], sink).await?;
        Ok(revision)
    }

    /// What has changed of targets behind what is `known` of their shards, those that are polled no
    /// more as well: `most` of them at most, fewer only when there are no more. Those of a shard come
    /// in the order of revisions and numbers, so that the last one tells what is known then.
    ///
    /// Nothing is left out: whoever changes targets takes the next revision under a lock that is
    /// kept until all is done, so that a revision is never seen before a lower one.
    ///
    /// # Errors
    /// The database cannot be reached, refuses, or holds what makes no sense.
    pub async fn changes_since<T: OfRow>(
        &self,
        known: &[(u32, Known)],
        most: u32,
    ) -> Result<Vec<T>, DatabaseError> {
        let (most, mut changed) = (most as usize, Vec::new());
        for (shard, Known { revision, number }) in self.changed_shards(known).await? {
            let left = most.saturating_sub(changed.len());
            if left == 0 {
                break;
            }
            let asked = format!(
                "SELECT {} FROM target WHERE shard = $1 AND (revision, number) > ($2, $3) \
                 ORDER BY shard, target.revision, target.number LIMIT $4",
                T::COLUMNS
            );
            let left = i64::try_from(left).unwrap_or(i64::MAX);
            self.each(&asked, &[&shard, &revision, &number, &left], |row| changed.push(row))
                .await?;
        }
        Ok(changed)
    }

    /// Those of the shards of which more has changed than is `known`.
    async fn changed_shards(
        &self,
        known: &[(u32, Known)],
    ) -> Result<Vec<(i32, Known)>, DatabaseError> {
        // The limit has each shard looked up for itself, in the index.
        let asked = "SELECT known.shard, known.revision, known.number \
                     FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) \
                     AS known(shard, revision, number) CROSS JOIN LATERAL \
                     (SELECT FROM target WHERE target.shard = known.shard \
                     AND (target.revision, target.number) > (known.revision, known.number) \
                     ORDER BY target.shard, target.revision, target.number LIMIT 1) AS newer";
        let shards: Vec<i32> = known.iter().map(|(shard, _)| small(*shard)).collect();
        let revisions: Vec<i64> = known.iter().map(|(_, known)| known.revision).collect();
        let numbers: Vec<i64> = known.iter().map(|(_, known)| known.number).collect();
        let shard = |row: &Row| {
            let known = Known { revision: row.try_get(1)?, number: row.try_get(2)? };
            Ok((row.try_get(0)?, known))
        };
        self.within(PATIENCE, async |client| {
            let statement = client.prepare_cached(asked).await?;
            let rows = client.query(&statement, &[&shards, &revisions, &numbers]).await?;
            rows.iter().map(shard).collect()
        })
        .await
    }

    /// The revision of the targets: it rises whenever any of them change.
    ///
    /// # Errors
    /// The database cannot be reached or holds no cluster.
    pub async fn revision(&self) -> Result<i64, DatabaseError> {
        self.within(PATIENCE, async |client| {
            let statement = client.prepare_cached("SELECT revision FROM cluster").await?;
            let row = client.query_opt(&statement, &[]).await?.ok_or(DatabaseError::Empty)?;
            Ok(row.try_get(0)?)
        })
        .await
    }

    /// All locations, by name.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn locations(&self) -> Result<Vec<LocationRow>, DatabaseError> {
        let asked = "SELECT id, name, seen_at, is_retired FROM location ORDER BY name";
        let location = |row: &Row| {
            Ok(LocationRow {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                seen_at_ms: row.try_get::<_, Us>(2)?.ms(),
                is_retired: row.try_get(3)?,
            })
        };
        self.within(PATIENCE, async |client| {
            let statement = client.prepare_cached(asked).await?;
            client.query(&statement, &[]).await?.iter().map(location).collect()
        })
        .await
    }

    /// Hands each row that `asked` finds to `sink` as it comes: one is kept at a time, and each is
    /// waited for for some time at most.
    pub(super) async fn each<T: OfRow>(
        &self,
        asked: &str,
        values: &[&(dyn ToSql + Sync)],
        mut sink: impl FnMut(T),
    ) -> Result<(), DatabaseError> {
        let late = |_| slow(LONGEST);
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let begun = tokio::time::timeout(LONGEST, async {
            let statement = client.prepare_cached(asked).await?;
            client.query_raw(&statement, values.iter().copied()).await
        });
        let mut rows = pin!(begun.await.map_err(late)??);
        while let Some(row) = tokio::time::timeout(LONGEST, rows.next()).await.map_err(late)? {
            sink(T::of_row(&TargetColumns(&row?))?);
        }
        lent.give_back();
        Ok(())
    }
}
