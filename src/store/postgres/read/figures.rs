//! The figures that targets are sought and ordered by, of all targets, one after the other.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_stream::StreamExt as _;

use super::rows::small;
use super::{DatabaseError, Params, Reader, at, in_time, number, told};

/// How long reading all of them may take.
const WHOLE: Duration = Duration::from_mins(2);
/// The same, as the server is told it.
const WHOLE_LIMIT: &str = "SET LOCAL statement_timeout = '120s'";

/// What a target is sought and ordered by, as its recorder last wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureRow {
    /// Its number.
    pub number: u32,
    /// The number of its state.
    pub state: u8,
    /// The number of the cause of that; 0: none.
    pub cause: u8,
    /// How long its last poll took, in microseconds; none: there was none.
    pub latency_us: Option<u32>,
}

/// Which of the targets are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All that are polled.
    Ever,
    /// Those that changed after this revision of the targets, of this many shards; those that are
    /// polled no more as well.
    Revision(i64, u32),
}

impl Reader {
    /// Hands the figures of all targets of which something is known to `take`, in no order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn figures(
        &self,
        mut take: impl FnMut(FigureRow) + Send,
    ) -> Result<(), DatabaseError> {
        let sql = "SELECT target, state, cause, \
                   CASE WHEN last_at IS NOT NULL THEN last_latency_us END AS latency_us FROM record";
        let row = |row: &Row| {
            take(FigureRow {
                number: number(at(row, "target")?)?,
                state: small(row, "state")?,
                cause: small(row, "cause")?,
                latency_us: at::<Option<i32>>(row, "latency_us")?.map(i32::cast_unsigned),
            });
            Ok(())
        };
        self.each(sql, &[], row).await
    }

    /// Hands number, group and labels (as JSON) of targets to `take`, in no order; none in the place
    /// of both when the target is polled no more.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn kinds(
        &self,
        since: Since,
        mut take: impl FnMut(u32, Option<(Option<&str>, &str)>) + Send,
    ) -> Result<(), DatabaseError> {
        const COLUMNS: &str = "number, group_name, labels::text AS labels, \
                               removed_at IS NOT NULL AS is_removed";
        let row = |row: &Row| {
            let is_removed: bool = at(row, "is_removed")?;
            let told = (at(row, "group_name")?, at(row, "labels")?);
            let kind = (!is_removed).then_some(told);
            take(number(at(row, "number")?)?, kind);
            Ok(())
        };
        match since {
            Since::Ever => {
                let sql = format!("SELECT {COLUMNS} FROM target WHERE removed_at IS NULL");
                self.each(&sql, &[], row).await
            }
            Since::Revision(revision, shards) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM generate_series(0, $2::integer - 1) AS every(one) \
                     JOIN target ON target.shard = every.one AND target.revision > $1"
                );
                self.each(&sql, &[&revision, &shards.cast_signed()], row).await
            }
        }
    }

    /// Hands each row that `sql` asks for to `take` as it comes: one is kept at a time.
    async fn each(
        &self,
        sql: &str,
        params: Params<'_>,
        mut take: impl FnMut(&Row) -> Result<(), DatabaseError> + Send,
    ) -> Result<(), DatabaseError> {
        let all = async {
            let mut client = self.database.client().await?;
            let transaction = client.transaction().await.map_err(told)?;
            transaction.batch_execute(WHOLE_LIMIT).await.map_err(told)?;
            let statement = transaction.prepare_cached(sql).await.map_err(told)?;
            let rows = transaction.query_raw(&statement, params.iter().copied()).await;
            let mut rows = std::pin::pin!(rows.map_err(told)?);
            while let Some(row) = rows.next().await {
                take(&row.map_err(told)?)?;
            }
            Ok(())
        };
        in_time(WHOLE, all).await
    }
}
