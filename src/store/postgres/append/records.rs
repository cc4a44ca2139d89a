//! Records of targets, and changes of their states.

use deadpool_postgres::Transaction;

use crate::outcome::Cause;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::rows::{Us, small, tiny};
use crate::store::{Record, ShardBatch};

const PUT: &str = "INSERT INTO record (target, shard, state, since, cause, detail, suspect_ms, \
     has_incident, last_offset, last_at, last_code, last_latency_us, certificate_until, hour, \
     tally, votes) \
     SELECT unnest($1::bigint[]), unnest($2::integer[]), unnest($3::smallint[]), \
     unnest($4::timestamptz[]), unnest($5::smallint[]), unnest($6::smallint[]), \
     unnest($7::bigint[]), unnest($8::boolean[]), unnest($9::bigint[]), now(), \
     unnest($10::smallint[]), unnest($11::integer[]), unnest($12::timestamptz[]), \
     unnest($13::integer[]), unnest($14::bytea[]), unnest($15::bytea[]) \
     ON CONFLICT (target) DO UPDATE SET state = excluded.state, since = excluded.since, \
     cause = excluded.cause, detail = excluded.detail, suspect_ms = excluded.suspect_ms, \
     has_incident = excluded.has_incident, last_offset = excluded.last_offset, \
     last_at = excluded.last_at, last_code = excluded.last_code, \
     last_latency_us = excluded.last_latency_us, certificate_until = excluded.certificate_until, \
     hour = excluded.hour, tally = excluded.tally, votes = excluded.votes";

/// Puts the records of `batches` in the place of those that are there, and adds the changes of state.
pub(super) async fn put(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    put_records(transaction, batches).await?;
    add_transitions(transaction, batches).await
}

async fn put_records(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    let records: Vec<&Record> = batches.iter().flat_map(|batch| &batch.batch.records).collect();
    if records.is_empty() {
        return Ok(());
    }
    let shards: Vec<i32> = batches
        .iter()
        .flat_map(|batch| batch.batch.records.iter().map(|_| small(batch.shard)))
        .collect();
    let votes: Vec<&[u8]> =
        batches.iter().flat_map(|batch| &batch.votes).map(Vec::as_slice).collect();
    let tallies: Vec<Vec<u8>> = records.iter().map(|record| record.tally.encode()).collect();
    let column = |value: fn(&Record) -> i16| -> Vec<i16> {
        records.iter().map(|record| value(record)).collect()
    };
    let long = |value: fn(&Record) -> i64| -> Vec<i64> {
        records.iter().map(|record| value(record)).collect()
    };
    let wide = |value: fn(&Record) -> u32| -> Vec<i32> {
        records.iter().map(|record| small(value(record))).collect()
    };
    let since: Vec<Us> = records.iter().map(|record| Us::of_ms(record.health.since_ms)).collect();
    let has_incident: Vec<bool> = records.iter().map(|record| record.has_incident).collect();
    let until: Vec<Option<Us>> = records.iter().map(|record| certificate(record)).collect();
    let statement = transaction.prepare_cached(PUT).await?;
    transaction
        .execute(
            &statement,
            &[
                &long(|record| record.target.into()),
                &shards,
                &column(|record| record.health.state.code().into()),
                &since,
                &column(|record| record.health.cause.map_or(0, Cause::code).into()),
                &column(|record| record.health.detail.code().into()),
                &long(|record| record.health.suspect_ms),
                &has_incident,
                // Keys are offsets and 1.
                &long(|record| record.last.0 - 1),
                &column(|record| tiny(record.last_code)),
                &wide(|record| record.last_latency_us),
                &until,
                &wide(|record| record.hour),
                &tallies,
                &votes,
            ],
        )
        .await?;
    Ok(())
}

/// When the certificate of a target runs out, if one was seen.
fn certificate(record: &Record) -> Option<Us> {
    let until_s = record.certificate_until;
    (until_s != 0).then(|| Us(until_s.saturating_mul(1_000_000)))
}

async fn add_transitions(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    let all: Vec<_> = batches.iter().flat_map(|batch| &batch.batch.transitions).collect();
    if all.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO transition (at, target, from_state, to_state, cause, detail) \
             SELECT * FROM unnest($1::timestamptz[], $2::bigint[], $3::smallint[], \
             $4::smallint[], $5::smallint[], $6::smallint[]) ON CONFLICT DO NOTHING",
        )
        .await?;
    let at: Vec<Us> = all.iter().map(|change| Us::of_ms(change.at_ms)).collect();
    let target: Vec<i64> = all.iter().map(|change| change.target.into()).collect();
    let from: Vec<i16> = all.iter().map(|change| change.from.code().into()).collect();
    let to: Vec<i16> = all.iter().map(|change| change.to.code().into()).collect();
    let cause: Vec<i16> =
        all.iter().map(|change| change.cause.map_or(0, Cause::code).into()).collect();
    let detail: Vec<i16> = all.iter().map(|change| change.detail.code().into()).collect();
    transaction.execute(&statement, &[&at, &target, &from, &to, &cause, &detail]).await?;
    Ok(())
}
