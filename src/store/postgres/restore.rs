//! Taking a shard over: from then on nobody else writes of it, and what is kept of it is read.

use std::collections::BTreeMap;
use std::pin::pin;

use tokio_postgres::Row;
use tokio_stream::StreamExt as _;

use super::rows::{Us, small};
use super::{Database, DatabaseError};
use crate::health::Health;
use crate::outcome::{Cause, Detail};
use crate::stats::Tally;
use crate::store::{KeptRecord, Record, Restored, RestoredShard, SampleKey, Totals};
use crate::target::State;

/// The columns of a record, as [`record_of`] reads them.
const COLUMNS: &str = "record.target, state, since, cause, detail, suspect_ms, has_incident, \
     last_offset, last_code, last_latency_us, certificate_until, hour, tally, votes";

/// Seconds of which windows are read.
const WINDOWS_S: i64 = 300;

impl Database {
    /// Takes `shard` over under the lease of `epoch`, so that whoever had it before writes nothing any
    /// more, and tells what is kept of it at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// [`DatabaseError::Fenced`] when somebody has it under a newer epoch; else the database cannot be
    /// reached, or refuses.
    pub async fn take_over(
        &self,
        shard: u32,
        epoch: i64,
        now_ms: i64,
    ) -> Result<RestoredShard, DatabaseError> {
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let number = small(shard);
        let statement = client
            .prepare_cached(
                "INSERT INTO progress (shard, epoch) VALUES ($1, $2) ON CONFLICT (shard) \
                 DO UPDATE SET epoch = excluded.epoch WHERE progress.epoch <= excluded.epoch \
                 RETURNING step, next_offset, settled_offset, missed, newest, checks, rechecks, \
                 bytes, codes::text, written_at",
            )
            .await?;
        let row = client.query_opt(&statement, &[&number, &epoch]).await?;
        let row = row.ok_or(DatabaseError::Fenced { shard })?;
        let mut restored = progress_of(&row)?;
        let hour = "SELECT hour, tally FROM fleet_hour WHERE shard = $1 ORDER BY hour DESC LIMIT 1";
        let statement = client.prepare_cached(hour).await?;
        if let Some(row) = client.query_opt(&statement, &[&number]).await? {
            let (hour, bytes): (i32, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
            match tally_of(bytes) {
                Ok(tally) => restored.ledger.fleet_hour = Some((unsigned(hour), tally)),
                Err(error) => tracing::warn!(shard, %error, "the hour of a shard begins anew"),
            }
        }
        let seconds = "SELECT second, window_bytes FROM second WHERE shard = $1 AND second > $2";
        let statement = client.prepare_cached(seconds).await?;
        let first = now_ms.div_euclid(1_000) - WINDOWS_S;
        for row in client.query(&statement, &[&number, &first]).await? {
            restored.ledger.seconds.push((row.try_get(0)?, row.try_get(1)?));
        }
        lent.give_back();
        Ok(restored)
    }

    /// Hands what is kept of each target of `shard` to `sink` as it comes; and of each whether it is
    /// polled no more: of those only what is still told to be in some state.
    ///
    /// # Errors
    /// The database cannot be reached or refuses. What cannot be read is left out, with a warning.
    pub async fn records(
        &self,
        shard: u32,
        mut sink: impl FnMut(KeptRecord, bool),
    ) -> Result<(), DatabaseError> {
        let asked = format!(
            "SELECT {COLUMNS}, removed_at IS NOT NULL FROM record \
             JOIN target ON target.number = record.target \
             WHERE record.shard = $1 AND (removed_at IS NULL OR state <> 0 OR has_incident)"
        );
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let statement = client.prepare_cached(&asked).await?;
        let shard = small(shard);
        let rows = client.query_raw(&statement, &[&shard]).await?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.next().await {
            let row = row?;
            if let Some(kept) = readable(&row) {
                sink(kept, row.try_get(14)?);
            }
        }
        lent.give_back();
        Ok(())
    }

    /// Has the partition of `shard` begin anew at `offset`, under the lease of `epoch`: offsets that are
    /// kept are those of another topic.
    ///
    /// # Errors
    /// [`DatabaseError::Fenced`] when somebody has it under a newer epoch; else the database cannot be
    /// reached, or refuses.
    pub async fn begin_anew(
        &self,
        (shard, epoch): (u32, i64),
        offset: i64,
    ) -> Result<(), DatabaseError> {
        let mut lent = self.lend().await?;
        let number = small(shard);
        let transaction = lent.client()?.transaction().await?;
        let begin = "UPDATE progress SET next_offset = $3, settled_offset = $3 \
                     WHERE shard = $1 AND epoch = $2";
        if transaction.execute(begin, &[&number, &epoch, &offset]).await? == 0 {
            return Err(DatabaseError::Fenced { shard });
        }
        let forget = "UPDATE record SET last_offset = -1 WHERE shard = $1 AND last_offset <> -1";
        transaction.execute(forget, &[&number]).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    /// What is kept of the targets with these numbers.
    ///
    /// # Errors
    /// The database cannot be reached or refuses. What cannot be read is left out, with a warning.
    pub async fn records_of(&self, numbers: &[u32]) -> Result<Vec<KeptRecord>, DatabaseError> {
        let mut lent = self.lend().await?;
        let client = lent.client()?;
        let asked = format!("SELECT {COLUMNS} FROM record WHERE target = ANY($1)");
        let statement = client.prepare_cached(&asked).await?;
        let numbers: Vec<i64> = numbers.iter().map(|&number| number.into()).collect();
        let rows = client.query(&statement, &[&numbers]).await?;
        lent.give_back();
        Ok(rows.iter().filter_map(readable).collect())
    }
}

/// What `row` says of a target; one that cannot be read is told, and its target begins anew.
fn readable(row: &Row) -> Option<KeptRecord> {
    let told = |error: &DatabaseError| {
        tracing::warn!(%error, "what is known of a target cannot be read and begins anew");
    };
    record_of(row).inspect_err(told).ok()
}

fn progress_of(row: &Row) -> Result<RestoredShard, DatabaseError> {
    let number = |column: usize| -> Result<u64, DatabaseError> {
        let number: i64 = row.try_get(column)?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let codes: &str = row.try_get(8)?;
    let codes = serde_json::from_str(codes).unwrap_or_else(|error| {
        tracing::warn!(%error, "counts of codes cannot be read and begin anew");
        BTreeMap::default()
    });
    let totals = Totals { checks: number(5)?, codes, bytes: number(7)?, rechecks: number(6)? };
    let newest: Option<Us> = row.try_get(4)?;
    Ok(RestoredShard {
        step: row.try_get(0)?,
        next_offset: row.try_get(1)?,
        settled_offset: row.try_get(2)?,
        missed: number(3)?,
        newest_us: newest.map_or(0, |newest| newest.0),
        written_ms: row.try_get::<_, Us>(9)?.ms(),
        ledger: Restored { totals, ..Restored::default() },
    })
}

fn record_of(row: &Row) -> Result<KeptRecord, DatabaseError> {
    let target: i64 = row.try_get(0)?;
    let broken = |what: &str| DatabaseError::Broken(format!("{what} of the target {target}"));
    let byte = |column: usize| -> Result<u8, DatabaseError> {
        let number: i16 = row.try_get(column)?;
        Ok(u8::try_from(number).unwrap_or(u8::MAX))
    };
    let (since, until): (Us, Option<Us>) = (row.try_get(2)?, row.try_get(10)?);
    let last_code: i16 = row.try_get(8)?;
    let health = Health {
        state: State::from_code(byte(1)?).ok_or_else(|| broken("the state"))?,
        since_ms: since.ms(),
        cause: Cause::from_code(byte(3)?),
        detail: Detail::from_code(byte(4)?).unwrap_or(Detail::None),
        suspect_ms: row.try_get(5)?,
    };
    let record = Record {
        target: u32::try_from(target).map_err(|_| broken("the number"))?,
        health,
        has_incident: row.try_get(6)?,
        last: SampleKey(row.try_get::<_, i64>(7)? + 1),
        last_code: u16::try_from(last_code).unwrap_or(0),
        last_latency_us: unsigned(row.try_get(9)?),
        certificate_until: until.map_or(0, |until| until.0.div_euclid(1_000_000)),
        hour: unsigned(row.try_get(11)?),
        tally: tally_of(row.try_get(12)?)?,
    };
    Ok(KeptRecord { record, votes: row.try_get(13)? })
}

fn tally_of(bytes: &[u8]) -> Result<Tally, DatabaseError> {
    Tally::decode(bytes).map_err(|_| DatabaseError::Broken("a tally".to_owned()))
}

fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
