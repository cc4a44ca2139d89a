//! What a cluster's database says of the cluster, and what is changed in it by hand.

use std::ops::ControlFlow;
use std::pin::pin;

use tokio_postgres::Row;
use tokio_stream::StreamExt as _;

use super::import::Origin;
use super::members::{MEMBERS, MemberRow, member};
use super::rows::Us;
use super::targets::LocationRow;
use super::{Database, DatabaseError};
use crate::target::TargetId;

/// A target that is polled, as its entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported<'r> {
    /// Its id.
    pub id: TargetId,
    /// The `id` that its entry gives.
    pub given_id: Option<&'r str>,
    /// Its entry, as the database has it.
    pub entry: &'r str,
    /// When it is to go by itself, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
}

/// What a cluster's database says of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The version of its schema.
    pub version: i32,
    /// Into how many shards targets are shared.
    pub shards: u32,
    /// The revision of the targets.
    pub revision: i64,
    /// Targets that are polled.
    pub targets: u64,
    /// Targets that were polled once.
    pub removed: u64,
    /// The locations.
    pub locations: Vec<LocationRow>,
    /// The members that have said something lately, and those that have not left.
    pub members: Vec<MemberRow>,
    /// Roles, and who has their shards.
    pub leases: Vec<Share>,
    /// Spans that nobody made jobs for, the last ones first.
    pub gaps: Vec<GapSpan>,
}

/// How the shards of a role are had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The role.
    pub role: String,
    /// Shards that somebody has.
    pub held: i64,
    /// Shards that nobody has.
    pub free: i64,
    /// Those who have some.
    pub owners: i64,
    /// The highest epoch: how often a shard changed hands at most.
    pub epoch: i64,
}

/// A span that nobody made jobs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapSpan {
    /// Shards that it was one of.
    pub shards: i64,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds.
    pub ended_ms: i64,
    /// Why there was one.
    pub reason: String,
}

const TARGETS: &str = "SELECT (SELECT revision FROM cluster), \
                       count(*) FILTER (WHERE removed_at IS NULL), count(removed_at) FROM target";
const LEASES: &str = "SELECT role, count(*) FILTER (WHERE until >= now()), \
                      count(*) FILTER (WHERE until IS NULL OR until < now()), \
                      count(DISTINCT owner) FILTER (WHERE until >= now()), max(epoch) \
                      FROM lease GROUP BY role ORDER BY role DESC";
const GAPS: &str = "SELECT count(*), began, max(ended), min(reason) \
                    FROM gap GROUP BY began ORDER BY began DESC LIMIT 20";

impl Database {
    /// What the database says of its cluster.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached.
    pub async fn status(&self) -> Result<Status, DatabaseError> {
        let cluster = self.cluster().await?;
        let locations = self.locations().await?;
        let client = self.client().await?;
        let counted = client.query_one(TARGETS, &[]).await?;
        let count = |column| -> Result<u64, DatabaseError> {
            Ok(u64::try_from(counted.try_get::<_, i64>(column)?).unwrap_or(0))
        };
        let rows = client.query(MEMBERS, &[&Us(0)]).await?;
        let members = rows.iter().map(member).collect::<Result<_, _>>()?;
        let rows = client.query(LEASES, &[]).await?;
        let leases = rows.iter().map(share).collect::<Result<_, _>>()?;
        let rows = client.query(GAPS, &[]).await?;
        let gaps = rows.iter().map(gap).collect::<Result<_, _>>()?;
        let (targets, removed) = (count(1)?, count(2)?);
        let (version, shards) = (cluster.version, cluster.shards.count());
        let revision = counted.try_get(0)?;
        Ok(Status { version, shards, revision, targets, removed, locations, members, leases, gaps })
    }

    /// Has jobs made for the location `name` no more, or again; none when there is no such one.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn set_retired(
        &self,
        name: &str,
        is_retired: bool,
    ) -> Result<Option<LocationRow>, DatabaseError> {
        let client = self.client().await?;
        let change = "UPDATE location SET is_retired = $2 WHERE name = $1";
        client.execute(change, &[&name, &is_retired]).await?;
        let all = self.locations().await?;
        Ok(all.into_iter().find(|location| location.name == name))
    }

    /// Hands every target that is polled and that `origin` wants to `take`, by number, until that wants
    /// no more.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn entries(
        &self,
        origin: Origin,
        mut take: impl FnMut(Exported<'_>) -> ControlFlow<()>,
    ) -> Result<(), DatabaseError> {
        let client = self.client().await?;
        let asked = "SELECT id, given_id, entry, expires_at FROM target \
                     WHERE removed_at IS NULL AND origin = $1 ORDER BY number";
        let statement = client.prepare_cached(asked).await?;
        let mut rows = pin!(client.query_raw(&statement, [origin.code()]).await?);
        while let Some(row) = rows.next().await {
            let row = row?;
            let id: i64 = row.try_get(0)?;
            let exported = Exported {
                id: TargetId(id.cast_unsigned()),
                given_id: row.try_get(1)?,
                entry: row.try_get(2)?,
                expires_ms: row.try_get::<_, Option<Us>>(3)?.map(Us::ms),
            };
            if take(exported).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn share(row: &Row) -> Result<Share, DatabaseError> {
    Ok(Share {
        role: row.try_get(0)?,
        held: row.try_get(1)?,
        free: row.try_get(2)?,
        owners: row.try_get(3)?,
        epoch: row.try_get(4)?,
    })
}

fn gap(row: &Row) -> Result<GapSpan, DatabaseError> {
    Ok(GapSpan {
        shards: row.try_get(0)?,
        began_ms: row.try_get::<_, Us>(1)?.ms(),
        ended_ms: row.try_get::<_, Us>(2)?.ms(),
        reason: row.try_get(3)?,
    })
}
