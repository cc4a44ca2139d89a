//! Writing batches, until they are written or it is known what of them cannot be.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::figures::Figures;
use super::troubles::Work;
use crate::health::votes::Slot;
use crate::store::postgres::{Database, DatabaseError};
use crate::store::{Blamed, ShardBatch};

/// How long one try may take, at first and at most: what is too much for one is not for ever.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(8));
/// How long to wait before the next one, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What became of batches.
pub(super) struct Written {
    /// The batches.
    pub(super) batches: Vec<ShardBatch>,
    /// The shards of which nothing was written, because somebody else has them.
    pub(super) fenced: Vec<u32>,
    /// The shards of which nothing was written, because the database refuses it.
    pub(super) refused: Vec<Refusal>,
}

/// What the database refuses of a shard.
pub(super) struct Refusal {
    pub(super) shard: u32,
    /// Polls that have to be set aside, by target and slot; none when that would not help.
    pub(super) slots: Vec<(u32, Slot)>,
    /// What the database says.
    pub(super) reason: String,
}

/// What writes batches.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) figures: Arc<Figures>,
    /// The due times for which there should be partitions.
    pub(super) span: Range<i64>,
}

impl Writer {
    /// Writes `batches`, the same again and again until nobody doubts that they are written. When the
    /// database refuses, each is written by itself, so that one holds up no other.
    pub(super) async fn write(self, mut batches: Vec<ShardBatch>) -> Written {
        let (mut fenced, mut refused) = (Vec::new(), Vec::new());
        match self.insist(&batches).await {
            Ok(others) => fenced = others,
            Err(error) => {
                tracing::warn!(%error, "outcomes cannot be written together: each shard by itself");
                for batch in &mut batches {
                    match self.write_alone(batch).await {
                        Ok(others) => fenced.extend(others),
                        Err(refusal) => refused.push(refusal),
                    }
                }
            }
        }
        Written { batches, fenced, refused }
    }

    /// Writes `batch`, if need be without what of it the database refuses to hold beside polls.
    async fn write_alone(&self, batch: &mut ShardBatch) -> Result<Vec<u32>, Refusal> {
        let shard = batch.shard;
        let mut error = match self.insist(std::slice::from_ref(batch)).await {
            Ok(fenced) => return Ok(fenced),
            Err(error) => error,
        };
        if error.is_of_rows() {
            // Somebody may have dropped what should be there.
            let made = self.database.partitions_for(&self.span);
            if let Err(error) = in_time(PATIENCE.0, made).await {
                tracing::warn!(shard, %error, "partitions cannot be made");
            }
            let Blamed { slots, targets } = self.blamed(batch).await;
            if !slots.is_empty() {
                return Err(Refusal { shard, slots, reason: error.to_string() });
            }
            if !targets.is_empty() {
                let (first, count) = (targets.first(), targets.len());
                tracing::warn!(shard, count, first, %error, "what is known of targets is not kept");
                batch.leave_out(&targets);
            }
            match self.insist(std::slice::from_ref(batch)).await {
                Ok(fenced) => return Ok(fenced),
                Err(still) => error = still,
            }
        }
        Err(Refusal { shard, slots: Vec::new(), reason: error.to_string() })
    }

    async fn blamed(&self, batch: &ShardBatch) -> Blamed {
        let troubles = &self.figures.troubles;
        let (mut pause, mut patience) = (PAUSES.0, PATIENCE.0);
        troubles.begins(Work::Batch);
        let blamed = loop {
            match in_time(patience, self.database.blamed(batch)).await {
                Ok(blamed) => break blamed,
                Err(error) if error.is_passing() => troubles.fails(Work::Batch, &error),
                Err(error) => {
                    tracing::debug!(%error, "nobody knows what is refused");
                    break Blamed::default();
                }
            }
            (pause, patience) = wait(pause, patience).await;
        };
        troubles.is_over(Work::Batch);
        blamed
    }

    /// Writes `batches` as soon as the database answers.
    ///
    /// # Errors
    /// It refuses, and will again.
    async fn insist(&self, batches: &[ShardBatch]) -> Result<Vec<u32>, DatabaseError> {
        let troubles = &self.figures.troubles;
        let (mut pause, mut patience) = (PAUSES.0, PATIENCE.0);
        // It counts from here on: a try that never ends is no better than one that fails.
        troubles.begins(Work::Batch);
        loop {
            match in_time(patience, self.database.append(batches)).await {
                Err(error) if error.is_passing() => troubles.fails(Work::Batch, &error),
                said => {
                    troubles.is_over(Work::Batch);
                    return said;
                }
            }
            (pause, patience) = wait(pause, patience).await;
        }
    }
}

/// Waits before the next try; how long to wait before the one after it, and how long it may take.
async fn wait(pause: Duration, patience: Duration) -> (Duration, Duration) {
    tokio::time::sleep(pause).await;
    ((pause * 2).min(PAUSES.1), (patience * 2).min(PATIENCE.1))
}

/// What `asked` says within `limit`.
pub(super) async fn in_time<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let slow = |_| Err(DatabaseError::Away("it does not answer in time".to_owned()));
    tokio::time::timeout(limit, asked).await.unwrap_or_else(slow)
}
