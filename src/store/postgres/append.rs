//! Writing what recorders have taken in: many shards in one transaction, each only under its lease.
//!
//! The row of a shard's progress is written first and only by who has the shard's epoch, so that a
//! recorder whose lease has run out writes nothing. It says as well which batch was written last: when
//! nobody knows whether a transaction came about, the same one is simply tried again.

mod blame;
mod incidents;
mod progress;
mod records;
mod samples;
mod tallies;

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;

use super::{Database, DatabaseError};
use crate::health::votes::Slot;
use crate::store::ShardBatch;

impl Database {
    /// Writes `batches`, each of another shard, as far as their epochs still hold; returns the shards
    /// whose do not, of which nothing is written. A batch that was written before changes nothing.
    ///
    /// # Errors
    /// The database cannot be reached or refuses. When it is [`DatabaseError::Away`], the same batches
    /// can be tried again, and have to be before any later ones.
    pub async fn append(&self, batches: &[ShardBatch]) -> Result<Vec<u32>, DatabaseError> {
        let mut left: Vec<&ShardBatch> = batches.iter().collect();
        left.sort_by_key(|batch| batch.shard);
        let mut fenced = Vec::new();
        let mut connection = self.lend().await?;
        let client = connection.client()?;
        while !left.is_empty() {
            let transaction = client.transaction().await?;
            let (taken, ()) =
                tokio::try_join!(progress::advance(&transaction, &left), be_brief(&transaction))?;
            if taken.len() == left.len() {
                write(&transaction, &left).await?;
                transaction.commit().await?;
                break;
            }
            let written = progress::written(&transaction, &left).await?;
            transaction.rollback().await?;
            let is_refused = |batch: &&ShardBatch| !taken.contains(&batch.shard);
            let refused = left.iter().copied().filter(is_refused).map(|batch| batch.shard);
            fenced.extend(refused.filter(|shard| !written.contains(shard)));
            left.retain(|batch| taken.contains(&batch.shard));
        }
        connection.give_back();
        Ok(fenced)
    }

    /// Which of `asked`, polls by target and slot, are stored, and whether that is only the word that
    /// there was none.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn stored(
        &self,
        asked: &[(u32, Slot)],
    ) -> Result<BTreeMap<(u32, Slot), bool>, DatabaseError> {
        let mut lent = self.lend().await?;
        let stored = samples::stored(lent.client()?, asked).await?;
        lent.give_back();
        Ok(stored)
    }
}

/// Has the transaction end when its owner falls silent, who may be frozen: whoever takes a shard over
/// would wait for it.
async fn be_brief(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    let set = "SET LOCAL idle_in_transaction_session_timeout = '5s'";
    Ok(transaction.batch_execute(set).await?)
}

async fn write(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    samples::add(transaction, batches).await?;
    follow(transaction, batches).await
}

/// Writes what follows from samples.
async fn follow(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    records::put(transaction, batches).await?;
    incidents::change(transaction, batches).await?;
    tallies::put(transaction, batches).await
}
