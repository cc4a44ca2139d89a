//! Hours and days of targets, hours of the fleet, and the seconds of the last five minutes.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;

use crate::stats::Tally;
use crate::store::ShardBatch;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::partitions::of_hour;
use crate::store::postgres::rows::small;

/// Adds and replaces what `batches` say was counted.
pub(super) async fn put(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    let mut hours = BTreeMap::<u32, BTreeMap<u32, Tally>>::new();
    let mut days = hours.clone();
    for closed in batches.iter().flat_map(|batch| &batch.batch.hours) {
        for (all, period) in [(&mut hours, closed.hour), (&mut days, closed.hour / 24)] {
            let targets = all.entry(period).or_default();
            targets.entry(closed.target).or_default().merge(&closed.tally);
        }
    }
    for (table, periods) in [("hour", hours), ("day", days)] {
        for (period, targets) in periods {
            if table == "hour" && !is_kept(transaction, period).await? {
                continue;
            }
            merge(transaction, (table, period), targets).await?;
        }
    }
    put_fleet(transaction, batches).await?;
    put_seconds(transaction, batches).await
}

/// Whether there is a place for tallies of `hour`. What was last polled weeks ago closes its hour when
/// hours of that time are kept no more: then it counts in its day alone.
async fn is_kept(transaction: &Transaction<'_>, hour: u32) -> Result<bool, DatabaseError> {
    let statement = transaction.prepare_cached("SELECT to_regclass($1) IS NOT NULL").await?;
    Ok(transaction.query_one(&statement, &[&of_hour(hour)]).await?.try_get(0)?)
}

/// Adds what was counted of targets in one hour or day to what is kept of that.
async fn merge(
    transaction: &Transaction<'_>,
    (table, period): (&str, u32),
    mut targets: BTreeMap<u32, Tally>,
) -> Result<(), DatabaseError> {
    let period = small(period);
    let numbers: Vec<i64> = targets.keys().map(|&number| i64::from(number)).collect();
    let kept = format!("SELECT target, tally FROM {table} WHERE {table} = $1 AND target = ANY($2)");
    let statement = transaction.prepare_cached(&kept).await?;
    for row in transaction.query(&statement, &[&period, &numbers]).await? {
        let (number, bytes): (i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        let Some(own) = u32::try_from(number).ok().and_then(|number| targets.get_mut(&number))
        else {
            continue;
        };
        match Tally::decode(bytes) {
            Ok(kept) => own.merge(&kept),
            Err(error) => tracing::warn!(target = number, table, %error, "a tally begins anew"),
        }
    }
    let put = format!(
        "INSERT INTO {table} (target, {table}, checks, up, tally) \
         SELECT unnest($2::bigint[]), $1, unnest($3::integer[]), unnest($4::integer[]), \
         unnest($5::bytea[]) ON CONFLICT (target, {table}) DO UPDATE SET \
         checks = excluded.checks, up = excluded.up, tally = excluded.tally"
    );
    let checks: Vec<i32> = targets.values().map(|tally| small(tally.checks)).collect();
    let up: Vec<i32> = targets.values().map(|tally| small(tally.up)).collect();
    let bytes: Vec<Vec<u8>> = targets.values().map(Tally::encode).collect();
    let statement = transaction.prepare_cached(&put).await?;
    transaction.execute(&statement, &[&period, &numbers, &checks, &up, &bytes]).await?;
    Ok(())
}

async fn put_fleet(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    // Of what is told twice the last one counts.
    let mut all = BTreeMap::new();
    for batch in batches {
        for (hour, tally) in &batch.batch.fleet_hours {
            all.insert((small(batch.shard), small(*hour)), tally.encode());
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO fleet_hour (shard, hour, tally) SELECT * \
             FROM unnest($1::integer[], $2::integer[], $3::bytea[]) \
             ON CONFLICT (shard, hour) DO UPDATE SET tally = excluded.tally",
        )
        .await?;
    let (places, tallies): (Vec<_>, Vec<Vec<u8>>) = all.into_iter().unzip();
    let (shards, hours): (Vec<i32>, Vec<i32>) = places.into_iter().unzip();
    transaction.execute(&statement, &[&shards, &hours, &tallies]).await?;
    Ok(())
}

async fn put_seconds(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    let (mut shards, mut seconds, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let mut windows: Vec<&[u8]> = Vec::new();
    for batch in batches {
        for (second, window) in &batch.batch.seconds {
            shards.push(small(batch.shard));
            seconds.push(*second);
            steps.push(batch.step);
            windows.push(window);
        }
    }
    if shards.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO second (shard, second, step, window_bytes) SELECT * \
             FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bytea[]) \
             ON CONFLICT (shard, second) DO UPDATE SET step = excluded.step, \
             window_bytes = excluded.window_bytes",
        )
        .await?;
    transaction.execute(&statement, &[&shards, &seconds, &steps, &windows]).await?;
    Ok(())
}
