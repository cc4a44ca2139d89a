//! What leases say to the database; every time is that of its own clock.

use std::time::Duration;

use deadpool_postgres::Client;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::held::Held;
use super::member::MemberFacts;
use super::share::Peer;
use crate::clock::Clock;
use crate::store::postgres::DatabaseError;

/// What stands of a role.
pub(super) struct State {
    /// Shards that there are.
    pub(super) shards: u32,
    /// Shards that nobody has.
    pub(super) free: u32,
    /// When the first lease of those that are had ends.
    pub(super) first_end: Option<Duration>,
    /// Members that are alive.
    pub(super) members: Vec<Peer>,
}

impl State {
    /// Counts the member `name`, which has `has` shards, whether it was seen or not.
    pub(super) fn include(&mut self, name: &str, has: usize) {
        if !self.members.iter().any(|peer| peer.name == name) {
            let has = u32::try_from(has).unwrap_or(u32::MAX);
            self.members.push(Peer { name: name.to_owned(), has });
        }
    }

    /// How many members are alive.
    pub(super) fn live(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }
}

/// Milliseconds as SQL takes them.
fn ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A time as Unix milliseconds.
macro_rules! as_ms {
    ($time:literal) => {
        concat!("(extract(epoch FROM ", $time, ") * 1000)::bigint")
    };
}

/// Milliseconds as a span.
macro_rules! as_span {
    ($ms:literal) => {
        concat!("(", $ms, "::bigint * interval '1 millisecond')")
    };
}

/// A number of the database that is never negative.
fn count(row: &Row, column: usize) -> Result<u32, DatabaseError> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|_| DatabaseError::Broken(format!("a count of {number}")))
}

fn held(row: &Row) -> Result<Held, DatabaseError> {
    let shard: i32 = row.try_get(0)?;
    let shard = u32::try_from(shard)
        .map_err(|_| DatabaseError::Broken(format!("a lease of the shard {shard}")))?;
    Ok(Held { shard, epoch: row.try_get(1)?, produced_until_ms: row.try_get(2)? })
}

fn numbers(shards: &[u32]) -> Vec<i32> {
    shards.iter().filter_map(|shard| i32::try_from(*shard).ok()).collect()
}

/// Tells the others that we are alive, by `ahead_ms` ahead of the database; returns by how many
/// milliseconds `clock` is ahead, give or take half the way there and back, which is told as well.
pub(super) async fn show(
    client: &Client,
    facts: &MemberFacts,
    told: &str,
    (clock, ahead_ms): (&Clock, i64),
) -> Result<(i64, Duration), DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "INSERT INTO member (name, role, location, host, pid, version, started_at, seen_at, \
             ahead_ms, facts) VALUES ($1, $2, $3, $4, $5, $6, timestamptz 'epoch' + ",
            as_span!("$7"),
            ", now(), $8, $9::text::jsonb) ON CONFLICT (role, name) DO UPDATE SET \
             location = excluded.location, host = excluded.host, pid = excluded.pid, \
             version = excluded.version, started_at = excluded.started_at, \
             seen_at = excluded.seen_at, ahead_ms = excluded.ahead_ms, facts = excluded.facts \
             RETURNING ",
            as_ms!("clock_timestamp()")
        ))
        .await?;
    let pid = i32::try_from(facts.pid).unwrap_or(i32::MAX);
    let (MemberFacts { name, role, location, host, version, started_at_ms, .. }, told) =
        (facts, told);
    let (asked_ms, asked) = (clock.now_ms(), Instant::now());
    let row = client
        .query_one(
            &statement,
            &[name, role, location, host, &pid, version, started_at_ms, &ahead_ms, &told],
        )
        .await?;
    let its_ms: i64 = row.try_get(0)?;
    let round = asked.elapsed();
    Ok((asked_ms.saturating_add(ms(round / 2)) - its_ms, round))
}

/// Prolongs what `owner` has by `length` from now on, and tells what that is.
pub(super) async fn renew(
    client: &Client,
    role: &str,
    owner: &str,
    length: Duration,
) -> Result<Vec<Held>, DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "WITH kept AS (UPDATE lease SET until = now() + ",
            as_span!("$3"),
            " WHERE role = $1 AND owner = $2 RETURNING shard, epoch, produced_until) \
             SELECT shard, epoch, ",
            as_ms!("produced_until"),
            " FROM kept ORDER BY shard"
        ))
        .await?;
    let rows = client.query(&statement, &[&role, &owner, &ms(length)]).await?;
    rows.iter().map(held).collect()
}

/// What stands of `role`; whoever has said nothing for `length` is not alive.
pub(super) async fn state(
    client: &Client,
    role: &str,
    length: Duration,
) -> Result<State, DatabaseError> {
    let (leases, members) = tokio::try_join!(leases(client, role), members(client, role, length))?;
    let first_end: Option<i64> = leases.try_get(2)?;
    let first_end = first_end.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    let peer = |row: &Row| Ok(Peer { name: row.try_get(0)?, has: count(row, 1)? });
    let members = members.iter().map(peer).collect::<Result<_, DatabaseError>>()?;
    Ok(State { shards: count(&leases, 0)?, free: count(&leases, 1)?, first_end, members })
}

async fn leases(client: &Client, role: &str) -> Result<Row, DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "SELECT count(*), count(*) FILTER (WHERE owner IS NULL OR until < now()), ",
            as_ms!("min(until) FILTER (WHERE owner IS NOT NULL AND until >= now()) - now()"),
            " FROM lease WHERE role = $1"
        ))
        .await?;
    Ok(client.query_one(&statement, &[&role]).await?)
}

async fn members(client: &Client, role: &str, length: Duration) -> Result<Vec<Row>, DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "SELECT name, coalesce(has, 0) FROM member LEFT JOIN \
             (SELECT split_part(owner, '#', 1) AS name, count(*) AS has FROM lease \
             WHERE role = $1 AND until >= now() GROUP BY 1) AS owned USING (name) \
             WHERE role = $1 AND seen_at >= now() - ",
            as_span!("$2")
        ))
        .await?;
    Ok(client.query(&statement, &[&role, &ms(length)]).await?)
}

/// Gives `shards` of `owner` up.
pub(super) async fn release(
    client: &Client,
    role: &str,
    owner: &str,
    shards: &[u32],
) -> Result<(), DatabaseError> {
    let statement = client
        .prepare_cached(
            "UPDATE lease SET owner = NULL, until = NULL \
             WHERE role = $1 AND owner = $2 AND shard = ANY($3::integer[])",
        )
        .await?;
    client.execute(&statement, &[&role, &owner, &numbers(shards)]).await?;
    Ok(())
}

/// Takes up to `most` shards that nobody has, under new epochs.
pub(super) async fn take(
    client: &Client,
    facts: &MemberFacts,
    (owner, length): (&str, Duration),
    most: u32,
) -> Result<Vec<Held>, DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "UPDATE lease SET owner = $2, epoch = epoch + 1, until = now() + ",
            as_span!("$3"),
            " WHERE role = $1 AND shard IN (SELECT shard FROM lease WHERE role = $1 \
             AND (owner IS NULL OR until < now()) ORDER BY shard LIMIT $4 \
             FOR UPDATE SKIP LOCKED) RETURNING shard, epoch, ",
            as_ms!("produced_until")
        ))
        .await?;
    let rows =
        client.query(&statement, &[&facts.role, &owner, &ms(length), &i64::from(most)]).await?;
    rows.iter().map(held).collect()
}

/// Notes until when all jobs were made; tells the shards for which that was let.
pub(super) async fn advance(
    client: &Client,
    role: &str,
    owner: &str,
    moved: &[(u32, i64, i64)],
) -> Result<Vec<u32>, DatabaseError> {
    let statement = client
        .prepare_cached(concat!(
            "UPDATE lease SET produced_until = greatest(produced_until, timestamptz 'epoch' + ",
            as_span!("moved.ms"),
            ") FROM unnest($3::integer[], $4::bigint[], $5::bigint[]) AS moved(shard, epoch, ms) \
             WHERE role = $1 AND owner = $2 AND lease.shard = moved.shard \
             AND lease.epoch = moved.epoch RETURNING lease.shard"
        ))
        .await?;
    let shards: Vec<u32> = moved.iter().map(|(shard, _, _)| *shard).collect();
    let epochs: Vec<i64> = moved.iter().map(|(_, epoch, _)| *epoch).collect();
    let times: Vec<i64> = moved.iter().map(|(_, _, ms)| *ms).collect();
    let rows =
        client.query(&statement, &[&role, &owner, &numbers(&shards), &epochs, &times]).await?;
    let shard = |row: &Row| {
        let shard: i32 = row.try_get(0)?;
        Ok(u32::try_from(shard).unwrap_or(u32::MAX))
    };
    rows.iter().map(shard).collect()
}

/// Gives all up that `owner` has, and takes it off the list of members.
pub(super) async fn leave(
    client: &Client,
    facts: &MemberFacts,
    owner: &str,
) -> Result<(), DatabaseError> {
    let released = "UPDATE lease SET owner = NULL, until = NULL WHERE role = $1 AND owner = $2";
    client.execute(released, &[&facts.role, &owner]).await?;
    let gone = "DELETE FROM member WHERE name = $1 AND role = $2 AND pid = $3";
    let pid = i32::try_from(facts.pid).unwrap_or(i32::MAX);
    client.execute(gone, &[&facts.name, &facts.role, &pid]).await?;
    Ok(())
}
