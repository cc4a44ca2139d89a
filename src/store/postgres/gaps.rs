//! Spans of time that nobody made jobs for, or whose outcomes were lost, as they are kept.

use super::{Database, DatabaseError, PATIENCE};

impl Database {
    /// Notes that for `shard` nothing was done from `began_ms` to `ended_ms` (Unix milliseconds),
    /// and why; once for each beginning.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn note_gap(
        &self,
        shard: u32,
        (began_ms, ended_ms): (i64, i64),
        reason: &str,
    ) -> Result<(), DatabaseError> {
        let asked = "INSERT INTO gap (shard, began, ended, reason) VALUES ($1, \
                     timestamptz 'epoch' + $2::bigint * interval '1 millisecond', \
                     timestamptz 'epoch' + $3::bigint * interval '1 millisecond', $4) \
                     ON CONFLICT (shard, began) DO UPDATE SET ended = \
                     greatest(gap.ended, excluded.ended)";
        let shard = i32::try_from(shard).unwrap_or(i32::MAX);
        self.within(PATIENCE, async |client| {
            let statement = client.prepare_cached(asked).await?;
            client.execute(&statement, &[&shard, &began_ms, &ended_ms, &reason]).await?;
            Ok(())
        })
        .await
    }
}
