//! Writing batches, until they are written.

use std::sync::Arc;
use std::time::Duration;

use super::figures::Figures;
use crate::store::ShardBatch;
use crate::store::postgres::{Database, DatabaseError};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before the next one, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What became of batches.
pub(super) struct Written {
    /// The batches.
    pub(super) batches: Vec<ShardBatch>,
    /// The shards of which nothing was written, because somebody else has them.
    pub(super) fenced: Vec<u32>,
}

/// Writes `batches`, the same again and again until nobody doubts that they are written.
pub(super) async fn write(
    database: Database,
    batches: Vec<ShardBatch>,
    figures: Arc<Figures>,
) -> Written {
    let (mut pause, most) = PAUSES;
    loop {
        let tried = tokio::time::timeout(PATIENCE, database.append(&batches)).await;
        let slow = |_| Err(DatabaseError::Away("it does not answer in time".to_owned()));
        match tried.unwrap_or_else(slow) {
            Ok(fenced) => {
                figures.database_is(Ok(()));
                return Written { batches, fenced };
            }
            Err(error) if error.is_passing() => figures.database_is(Err(&error)),
            Err(error) => tracing::error!(%error, "outcomes cannot be written, and wait"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(most);
    }
}
