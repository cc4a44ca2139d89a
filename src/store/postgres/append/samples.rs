//! Rows of polls, and of slots without one.

use std::collections::BTreeMap;

use deadpool_postgres::{Client, Transaction};

use crate::health::votes::Slot;
use crate::outcome::{Cause, Micros};
use crate::store::codes::{kind_code, verdict_code};
use crate::store::postgres::DatabaseError;
use crate::store::postgres::rows::{MISSED, Us, large, small, tiny};
use crate::store::{ShardBatch, ShardSample};

/// Sets of values side by side are half as dear as one set of rows. A poll takes the place of the word
/// that there was none; else what is there stays.
const INSERT: &str = "INSERT INTO sample (due, target, location, tries, finished, kind, verdict, \
     code, cause, detail, latency_us, lag_us, bytes, flags, resolve_us, connect_us, tls_us, \
     first_byte_us, transfer_us) \
     SELECT unnest($1::timestamptz[]), unnest($2::bigint[]), unnest($3::smallint[]), \
     unnest($4::smallint[]), unnest($5::timestamptz[]), unnest($6::smallint[]), \
     unnest($7::smallint[]), unnest($8::smallint[]), unnest($9::smallint[]), \
     unnest($10::smallint[]), unnest($11::integer[]), unnest($12::integer[]), \
     unnest($13::bigint[]), unnest($14::smallint[]), unnest($15::integer[]), \
     unnest($16::integer[]), unnest($17::integer[]), unnest($18::integer[]), \
     unnest($19::integer[]) \
     ON CONFLICT (due, target, location, tries) DO UPDATE SET finished = excluded.finished, \
     kind = excluded.kind, verdict = excluded.verdict, code = excluded.code, \
     cause = excluded.cause, detail = excluded.detail, latency_us = excluded.latency_us, \
     lag_us = excluded.lag_us, bytes = excluded.bytes, flags = excluded.flags, \
     resolve_us = excluded.resolve_us, connect_us = excluded.connect_us, tls_us = excluded.tls_us, \
     first_byte_us = excluded.first_byte_us, transfer_us = excluded.transfer_us \
     WHERE sample.kind = 3 AND excluded.kind <> 3";

/// Samples by column.
#[derive(Default)]
struct Columns {
    due: Vec<Us>,
    target: Vec<i64>,
    location: Vec<i16>,
    tries: Vec<i16>,
    finished: Vec<Us>,
    kind: Vec<i16>,
    verdict: Vec<i16>,
    code: Vec<i16>,
    cause: Vec<i16>,
    detail: Vec<i16>,
    latency_us: Vec<i32>,
    lag_us: Vec<i32>,
    bytes: Vec<i64>,
    flags: Vec<i16>,
    phases: [Vec<Option<i32>>; 5],
}

impl Columns {
    fn add(&mut self, sample: &ShardSample) {
        let outcome = &sample.outcome;
        let finding = &outcome.finding;
        self.due.push(Us::of_ms(sample.slot.due_ms));
        self.target.push(outcome.target.into());
        self.location.push(tiny(sample.slot.location));
        self.tries.push(sample.slot.tries.into());
        self.finished.push(Us(outcome.finished_us));
        let kind = sample.missed.map_or(kind_code(outcome.kind).into(), |_| MISSED);
        self.kind.push(kind);
        self.verdict.push(verdict_code(finding.verdict).into());
        let code = if sample.missed.is_some() { 0 } else { outcome.code().to_stored() };
        self.code.push(tiny(code));
        self.cause.push(finding.cause.map_or(0, Cause::code).into());
        self.detail.push(sample.missed.unwrap_or(finding.detail.code()).into());
        self.latency_us.push(small(outcome.latency_us));
        self.lag_us.push(small(outcome.lag_us));
        self.bytes.push(large(finding.bytes));
        self.flags.push(flags(sample));
        for (column, phase) in self.phases.iter_mut().zip(finding.phases.all()) {
            column.push(Micros::get(phase).map(small));
        }
    }
}

/// 1 a recheck follows, 2 over a connection that stood, 4 at least so many bytes; from 8 on how many
/// redirects were followed.
fn flags(sample: &ShardSample) -> i16 {
    let finding = &sample.outcome.finding;
    i16::from(sample.outcome.is_provisional)
        | i16::from(finding.is_reused) << 1
        | i16::from(finding.is_at_least) << 2
        | i16::from(finding.redirects) << 3
}

/// Adds the samples of `batches`.
pub(super) async fn add(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    add_all(transaction, batches.iter().flat_map(|batch| &batch.samples).collect()).await
}

/// Adds `samples`.
pub(super) async fn add_all(
    transaction: &Transaction<'_>,
    mut samples: Vec<&ShardSample>,
) -> Result<(), DatabaseError> {
    if samples.is_empty() {
        return Ok(());
    }
    // In the order of their key they come to lie side by side in its index.
    samples.sort_unstable_by_key(|sample| (sample.slot.due_ms, sample.outcome.target));
    let mut columns = Columns::default();
    for sample in samples {
        columns.add(sample);
    }
    let Columns { due, target, location, tries, finished, kind, verdict, code, .. } = &columns;
    let Columns { cause, detail, latency_us, lag_us, bytes, flags, phases, .. } = &columns;
    let [resolve, connect, tls, first_byte, transfer] = phases;
    let statement = transaction.prepare_cached(INSERT).await?;
    transaction
        .execute(
            &statement,
            &[
                due, target, location, tries, finished, kind, verdict, code, cause, detail,
                latency_us, lag_us, bytes, flags, resolve, connect, tls, first_byte, transfer,
            ],
        )
        .await?;
    Ok(())
}

/// Which of `asked` are stored, and whether only as missed.
pub(super) async fn stored(
    client: &Client,
    asked: &[(u32, Slot)],
) -> Result<BTreeMap<(u32, Slot), bool>, DatabaseError> {
    let statement = client
        .prepare_cached(
            "SELECT due, target, location, tries, kind FROM sample JOIN \
             unnest($1::timestamptz[], $2::bigint[], $3::smallint[], $4::smallint[]) \
             AS asked(due, target, location, tries) USING (due, target, location, tries)",
        )
        .await?;
    let due: Vec<Us> = asked.iter().map(|(_, slot)| Us::of_ms(slot.due_ms)).collect();
    let target: Vec<i64> = asked.iter().map(|(target, _)| i64::from(*target)).collect();
    let location: Vec<i16> = asked.iter().map(|(_, slot)| tiny(slot.location)).collect();
    let tries: Vec<i16> = asked.iter().map(|(_, slot)| slot.tries.into()).collect();
    let rows = client.query(&statement, &[&due, &target, &location, &tries]).await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let (due, target): (Us, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (location, tries): (i16, i16) = (row.try_get(2)?, row.try_get(3)?);
        let slot = Slot {
            due_ms: due.ms(),
            location: u16::try_from(location).unwrap_or(0),
            tries: u8::try_from(tries).unwrap_or(u8::MAX),
        };
        let is_missed = row.try_get::<_, i16>(4)? == MISSED;
        found.insert((u32::try_from(target).unwrap_or(u32::MAX), slot), is_missed);
    }
    Ok(found)
}
