//! The whole fleet: what the cluster is, how far its recorders are, and what they counted lately.

use super::{DatabaseError, Reader, Us, VERSION, at};
use std::collections::BTreeMap;

/// What the cluster is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterRow {
    /// Into how many shards its targets are shared.
    pub shards: u32,
    /// Changes with every change of its targets.
    pub revision: i64,
    /// When it was set up, in Unix milliseconds.
    pub created_ms: i64,
    /// The time by the database, in Unix milliseconds.
    pub now_ms: i64,
}

/// How far the recorder of a shard is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgressRow {
    /// The shard.
    pub shard: u32,
    /// Rises with every batch.
    pub step: i64,
    /// Samples that were ever stored.
    pub checks: u64,
    /// Rechecks among them.
    pub rechecks: u64,
    /// Slots that passed without a poll.
    pub missed: u64,
    /// Body bytes.
    pub bytes: u64,
    /// Samples by stored code.
    pub codes: BTreeMap<u16, u64>,
    /// Targets by state, in the order of the states' numbers.
    pub states: Vec<u64>,
    /// When the newest poll finished, in Unix milliseconds.
    pub newest_ms: Option<i64>,
    /// When this was written, in Unix milliseconds.
    pub written_ms: i64,
    /// Milliseconds from due to recorded, lately: p50, p99, most.
    pub delay_ms: [u64; 3],
}

/// A second of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRow {
    /// The shard.
    pub shard: u32,
    /// The second, in Unix time.
    pub second: i64,
    /// The step that wrote it last.
    pub step: i64,
    /// The window as bytes.
    pub bytes: Vec<u8>,
}

/// What is known of all targets that does not depend on polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFacts {
    /// Targets.
    pub total: u64,
    /// Different addresses among them.
    pub unique: u64,
    /// Days that a certificate has to be valid at most.
    pub most_days: i64,
}

/// What the database takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes on its disk.
    pub bytes: u64,
    /// Samples that it keeps, about.
    pub samples: u64,
    /// When the oldest of them fell due, in Unix milliseconds; 0 while there is none.
    pub oldest_ms: i64,
}

impl Reader {
    /// What the cluster is.
    ///
    /// # Errors
    /// The database cannot be read, holds none, or one of another version.
    pub async fn cluster(&self) -> Result<ClusterRow, DatabaseError> {
        let sql = "SELECT version, shards, revision, created_at, now() AS now FROM cluster";
        let rows = self.rows(sql, &[]).await?;
        let row = rows.first().ok_or(DatabaseError::Empty)?;
        let found: i32 = at(row, "version")?;
        if found != VERSION {
            return Err(DatabaseError::Version { found });
        }
        let time = |name| at::<Us>(row, name).map(Us::ms);
        Ok(ClusterRow {
            shards: at::<i32>(row, "shards")?.unsigned_abs(),
            revision: at(row, "revision")?,
            created_ms: time("created_at")?,
            now_ms: time("now")?,
        })
    }

    /// How far the recorders are, by shard.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn progress(&self) -> Result<Vec<ProgressRow>, DatabaseError> {
        let sql = "SELECT shard, step, checks, rechecks, missed, bytes, codes::text AS codes, \
                   states, newest, written_at, delay_ms FROM progress ORDER BY shard LIMIT 4096";
        let mut told = Vec::new();
        for row in &self.rows(sql, &[]).await? {
            let count = |name| at::<i64>(row, name).map(i64::unsigned_abs);
            let counts = |name| {
                let all = at::<Vec<i64>>(row, name)?;
                let all = all.into_iter().map(i64::unsigned_abs).collect::<Vec<u64>>();
                Ok::<_, DatabaseError>(all)
            };
            let delays = counts("delay_ms")?;
            let delay = |index: usize| delays.get(index).copied().unwrap_or(0);
            told.push(ProgressRow {
                shard: at::<i32>(row, "shard")?.unsigned_abs(),
                step: at(row, "step")?,
                checks: count("checks")?,
                rechecks: count("rechecks")?,
                missed: count("missed")?,
                bytes: count("bytes")?,
                // What a newer recorder may write there says nothing to us.
                codes: serde_json::from_str(at(row, "codes")?).unwrap_or_default(),
                states: counts("states")?,
                newest_ms: at::<Option<Us>>(row, "newest")?.map(Us::ms),
                written_ms: at::<Us>(row, "written_at")?.ms(),
                delay_ms: [delay(0), delay(1), delay(2)],
            });
        }
        Ok(told)
    }

    /// The windows of seconds behind `after_s` (Unix) that were written behind the steps `known` of
    /// their shards.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn windows(
        &self,
        known: &[(u32, i64)],
        after_s: i64,
    ) -> Result<Vec<WindowRow>, DatabaseError> {
        let sql = "SELECT s.shard, s.second, s.step, s.window_bytes \
                   FROM unnest($1::int[], $2::bigint[]) AS known (shard, step) \
                   CROSS JOIN LATERAL (SELECT shard, second, step, window_bytes FROM second \
                       WHERE shard = known.shard AND second > $3 AND step > known.step) AS s \
                   LIMIT 2000000";
        let shards: Vec<i32> = known.iter().map(|(shard, _)| shard.cast_signed()).collect();
        let steps: Vec<i64> = known.iter().map(|(_, step)| *step).collect();
        let rows = self.rows(sql, &[&shards, &steps, &after_s]).await?;
        rows.iter()
            .map(|row| {
                Ok(WindowRow {
                    shard: at::<i32>(row, "shard")?.unsigned_abs(),
                    second: at(row, "second")?,
                    step: at(row, "step")?,
                    bytes: at(row, "window_bytes")?,
                })
            })
            .collect()
    }

    /// What is known of all targets but for their different addresses; all of them are counted, so it
    /// is to be asked rarely.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn list_facts(&self) -> Result<ListFacts, DatabaseError> {
        let sql = "SELECT count(*) AS total, coalesce(max(certificate_days), 0)::bigint AS days \
                   FROM target WHERE removed_at IS NULL";
        let row = self.row(sql, &[]).await?;
        Ok(ListFacts {
            total: at::<i64>(&row, "total")?.unsigned_abs(),
            unique: 0,
            most_days: at(&row, "days")?,
        })
    }

    /// How many different addresses there are among the targets; all of them are looked at.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn unique(&self) -> Result<u64, DatabaseError> {
        let sql = "SELECT count(DISTINCT hashtextextended(url, kind)) AS different \
                   FROM target WHERE removed_at IS NULL";
        at::<i64>(&self.row(sql, &[]).await?, "different").map(i64::unsigned_abs)
    }

    /// What the database takes; samples by its own estimate.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn room(&self) -> Result<Room, DatabaseError> {
        let sql = "SELECT pg_database_size(current_database()) AS bytes, \
                   coalesce((SELECT sum(greatest(reltuples, 0)) FROM pg_inherits \
                       JOIN pg_class ON pg_class.oid = inhrelid \
                       WHERE inhparent = 'sample'::regclass), 0)::bigint AS samples, \
                   (SELECT due FROM sample ORDER BY due LIMIT 1) AS oldest";
        let row = self.row(sql, &[]).await?;
        Ok(Room {
            bytes: at::<i64>(&row, "bytes")?.unsigned_abs(),
            samples: at::<i64>(&row, "samples")?.unsigned_abs(),
            oldest_ms: at::<Option<Us>>(&row, "oldest")?.map_or(0, Us::ms),
        })
    }
}
