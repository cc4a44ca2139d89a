//! How far shards are, and who may write of them.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::store::ShardBatch;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::rows::{Us, large, small};

const ADVANCE: &str = "UPDATE progress SET step = new.step, next_offset = new.next, \
     settled_offset = new.settled, checks = new.checks, rechecks = new.rechecks, \
     missed = new.missed, bytes = new.bytes, codes = new.codes::jsonb, \
     states = ARRAY[pending, up, warning, down, unknown, paused], \
     newest = nullif(new.newest, timestamptz 'epoch'), written_at = now(), \
     delay_ms = ARRAY[p50, p99, most] \
     FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
     $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], \
     $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], \
     $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[]) \
     AS new(shard, epoch, step, next, settled, checks, rechecks, missed, bytes, codes, \
     newest, pending, up, warning, down, unknown, paused, p50, p99, most) \
     WHERE progress.shard = new.shard AND progress.epoch = new.epoch \
     AND progress.step = new.step - 1 RETURNING progress.shard";

/// Brings the progress of shards forward; returns those for which that was let.
pub(super) async fn advance(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<Vec<u32>, DatabaseError> {
    let statement = transaction.prepare_cached(ADVANCE).await?;
    let numbers = |value: fn(&ShardBatch) -> i64| -> Vec<i64> {
        batches.iter().map(|batch| value(batch)).collect()
    };
    let codes = |batch: &&ShardBatch| serde_json::json!(batch.batch.totals.codes).to_string();
    let codes: Vec<String> = batches.iter().map(codes).collect();
    let newest: Vec<Us> = batches.iter().map(|batch| Us(batch.newest_us)).collect();
    let counts = [
        numbers(|batch| batch.epoch),
        numbers(|batch| batch.step),
        numbers(|batch| batch.next_offset),
        numbers(|batch| batch.settled_offset),
        numbers(|batch| large(batch.batch.totals.checks)),
        numbers(|batch| large(batch.batch.totals.rechecks)),
        numbers(|batch| large(batch.missed)),
        numbers(|batch| large(batch.batch.totals.bytes)),
    ];
    let states: [Vec<i64>; 6] = std::array::from_fn(|place| {
        let count = |batch: &&ShardBatch| batch.states.get(place).copied().unwrap_or(0);
        batches.iter().map(|batch| large(count(batch))).collect()
    });
    let delays: [Vec<i64>; 3] = std::array::from_fn(|place| {
        batches.iter().map(|batch| batch.delay_ms.get(place).copied().unwrap_or(0)).collect()
    });
    let shards = numbers_of(batches);
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&shards];
    values.extend(counts.iter().map(as_value));
    values.push(&codes);
    values.push(&newest);
    values.extend(states.iter().chain(&delays).map(as_value));
    let rows = transaction.query(&statement, &values).await?;
    rows.iter().map(shard).collect()
}

/// Those of the shards of `batches` of which exactly that one was written last.
pub(super) async fn written(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<Vec<u32>, DatabaseError> {
    let statement = transaction
        .prepare_cached(
            "SELECT shard FROM progress JOIN \
             unnest($1::integer[], $2::bigint[], $3::bigint[]) AS new(shard, epoch, step) \
             USING (shard, epoch, step)",
        )
        .await?;
    let epochs: Vec<i64> = batches.iter().map(|batch| batch.epoch).collect();
    let steps: Vec<i64> = batches.iter().map(|batch| batch.step).collect();
    let rows = transaction.query(&statement, &[&numbers_of(batches), &epochs, &steps]).await?;
    rows.iter().map(shard).collect()
}

fn as_value(column: &Vec<i64>) -> &(dyn ToSql + Sync) {
    column
}

fn numbers_of(batches: &[&ShardBatch]) -> Vec<i32> {
    batches.iter().map(|batch| small(batch.shard)).collect()
}

fn shard(row: &Row) -> Result<u32, DatabaseError> {
    let shard: i32 = row.try_get(0)?;
    u32::try_from(shard).map_err(|_| DatabaseError::Broken(format!("the shard {shard}")))
}
