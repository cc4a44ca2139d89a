//! Targets that are taken out one by one, and how many are left.

use super::{Database, DatabaseError};
use crate::target::TargetId;

impl Database {
    /// Has the targets `ids` be polled no more; tells how many of them were.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached or refuses.
    pub async fn remove(&self, ids: &[TargetId]) -> Result<u64, DatabaseError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0.cast_signed()).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // Whoever else changes targets waits from here on.
        let next = "UPDATE cluster SET revision = revision + 1 RETURNING revision";
        let row = transaction.query_opt(next, &[]).await?.ok_or(DatabaseError::Empty)?;
        let revision: i64 = row.try_get(0)?;
        let remove = "UPDATE target SET removed_at = now(), revision = $1 \
                      WHERE removed_at IS NULL AND id = ANY ($2)";
        let removed = transaction.execute(remove, &[&revision, &ids]).await?;
        if removed > 0 {
            transaction.commit().await?;
        }
        Ok(removed)
    }

    /// How many targets are polled.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn targets_polled(&self) -> Result<u64, DatabaseError> {
        let counted = "SELECT count(*) FROM target WHERE removed_at IS NULL";
        let row = self.client().await?.query_one(counted, &[]).await?;
        Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
    }
}
