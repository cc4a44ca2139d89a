//! Setting a database up for a cluster, bringing it up to date, and its partitions by time.

use deadpool_postgres::Transaction;

use super::{Database, DatabaseError, PATIENCE, VERSION};
use crate::shards::Shards;

/// What makes the tables of a cluster.
const SCHEMA: &str = include_str!("schema.sql");

/// The steps from each version of the schema to the next; the first one leads to version 2.
const STEPS: &[&str] = &[];
const _: () = assert!(STEPS.len() + 1 == VERSION as usize, "a version for each step");

/// The roles whose members have shards.
pub const LEASED: [&str; 2] = ["scheduler", "recorder"];

/// What our advisory locks begin with, so that they are nobody else's.
const LOCK: i32 = 0x706f_6c6c;

/// What somebody else may do at the same time, and must wait with.
#[derive(Clone, Copy)]
pub(super) enum Lock {
    /// Setting up and bringing up to date.
    Setup = 1,
    /// Making and dropping partitions.
    Partitions = 2,
}

/// What a database says of the cluster that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The version of its schema.
    pub version: i32,
    /// Into how many shards targets are shared.
    pub shards: Shards,
}

impl Database {
    /// Sets up a cluster of `shards` in the database.
    ///
    /// # Errors
    /// There is one already, or the database cannot be reached or does not let us.
    pub async fn init(&self, shards: Shards) -> Result<(), DatabaseError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction, Lock::Setup).await?;
        if is_there(&transaction).await? {
            let reason = "it holds a cluster already; poller db status shows it";
            return Err(DatabaseError::Refused(reason.to_owned()));
        }
        transaction.batch_execute(SCHEMA).await?;
        let count = i32::try_from(shards.count()).unwrap_or(i32::MAX);
        let cluster = "INSERT INTO cluster (version, shards) VALUES ($1, $2)";
        transaction.execute(cluster, &[&VERSION, &count]).await?;
        let leases = "INSERT INTO lease (role, shard) \
                      SELECT role, shard FROM unnest($1::text[]) role, \
                      generate_series(0, $2::integer - 1) shard";
        transaction.execute(leases, &[&LEASED.as_slice(), &count]).await?;
        let progress = "INSERT INTO progress (shard) SELECT generate_series(0, $1::integer - 1)";
        transaction.execute(progress, &[&count]).await?;
        Ok(transaction.commit().await?)
    }

    /// Brings the schema to the version of this program, and tells which one it had.
    ///
    /// # Errors
    /// There is no cluster, it is of a newer version, or the database cannot be reached or does
    /// not let us.
    pub async fn migrate(&self) -> Result<i32, DatabaseError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction, Lock::Setup).await?;
        let (found, _) = read(&transaction).await?;
        if found > VERSION {
            return Err(DatabaseError::Version { found });
        }
        let done = usize::try_from(found - 1)
            .map_err(|_| DatabaseError::Broken(format!("a schema of version {found}")))?;
        for step in STEPS.iter().skip(done) {
            transaction.batch_execute(step).await?;
        }
        if found < VERSION {
            transaction.execute("UPDATE cluster SET version = $1", &[&VERSION]).await?;
        }
        transaction.commit().await?;
        Ok(found)
    }

    /// What cluster the database holds, of the version that this program knows.
    ///
    /// # Errors
    /// There is none, it is of another version, or the database cannot be reached.
    pub async fn cluster(&self) -> Result<Cluster, DatabaseError> {
        let (version, shards) = self
            .within(PATIENCE, async |client| {
                let transaction = client.transaction().await?;
                let found = read(&transaction).await?;
                transaction.commit().await?;
                Ok(found)
            })
            .await?;
        if version != VERSION {
            return Err(DatabaseError::Version { found: version });
        }
        let count = u32::try_from(shards).ok().and_then(Shards::new);
        let broken = || DatabaseError::Broken(format!("a cluster of {shards} shards"));
        Ok(Cluster { version, shards: count.ok_or_else(broken)? })
    }
}

/// Version and number of shards of the cluster.
async fn read(transaction: &Transaction<'_>) -> Result<(i32, i32), DatabaseError> {
    if !is_there(transaction).await? {
        return Err(DatabaseError::Empty);
    }
    let row = transaction.query_opt("SELECT version, shards FROM cluster", &[]).await?;
    let row = row.ok_or(DatabaseError::Empty)?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

async fn is_there(transaction: &Transaction<'_>) -> Result<bool, DatabaseError> {
    let asked = "SELECT to_regclass('poller.cluster') IS NOT NULL";
    Ok(transaction.query_one(asked, &[]).await?.try_get(0)?)
}

/// Waits until nobody else does `what`; the lock goes with the transaction.
pub(super) async fn lock(transaction: &Transaction<'_>, what: Lock) -> Result<(), DatabaseError> {
    let asked = "SELECT pg_advisory_xact_lock($1, $2)";
    transaction.query_one(asked, &[&LOCK, &(what as i32)]).await?;
    Ok(())
}
