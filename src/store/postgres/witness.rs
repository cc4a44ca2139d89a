//! What recorders note beside outcomes: locations, members that were heard of, gaps.

use deadpool_postgres::Client;

use super::rows::{Us, small};
use super::{Database, DatabaseError, LONGEST, PATIENCE};

/// A member that was heard of by way of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardMember {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Where it polls from; empty: it polls nothing.
    pub location: String,
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Its version of poller.
    pub version: String,
    /// When it began, in Unix milliseconds.
    pub started_ms: i64,
    /// When it was heard of, in Unix milliseconds.
    pub seen_ms: i64,
    /// By how much its clock is ahead, in milliseconds.
    pub ahead_ms: i64,
    /// Further figures: a JSON object.
    pub facts: String,
}

impl Database {
    /// The number of the location `name`, a new one if it has none yet.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn location(&self, name: &str) -> Result<i16, DatabaseError> {
        self.within(PATIENCE, async |client| {
            let find = client.prepare_cached("SELECT id FROM location WHERE name = $1").await?;
            if let Some(row) = client.query_opt(&find, &[&name]).await? {
                return Ok(row.try_get(0)?);
            }
            // A number is used up even where another one was faster.
            let add = "INSERT INTO location (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
            let add = client.prepare_cached(add).await?;
            client.execute(&add, &[&name]).await?;
            Ok(client.query_one(&find, &[&name]).await?.try_get(0)?)
        })
        .await
    }

    /// Notes that somebody polls from the locations `names`.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn locations_seen(&self, names: &[String]) -> Result<(), DatabaseError> {
        let note = "UPDATE location SET seen_at = now() WHERE name = ANY($1)";
        self.within(PATIENCE, async |client| {
            let note = client.prepare_cached(note).await?;
            client.execute(&note, &[&names]).await?;
            Ok(())
        })
        .await
    }

    /// Notes what was heard of `members`, each once.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn members_heard(&self, members: &[HeardMember]) -> Result<(), DatabaseError> {
        self.within(LONGEST, async |client| put_members(client, members).await).await
    }

    /// Forgets the windows of seconds before `second`, in Unix seconds, of `shards`.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn forget_seconds(&self, shards: &[u32], second: i64) -> Result<(), DatabaseError> {
        let drop = "DELETE FROM second WHERE shard = ANY($1) AND second < $2";
        let shards: Vec<i32> = shards.iter().map(|&shard| small(shard)).collect();
        self.within(LONGEST, async |client| {
            let drop = client.prepare_cached(drop).await?;
            client.execute(&drop, &[&shards, &second]).await?;
            Ok(())
        })
        .await
    }
}

async fn put_members(client: &Client, members: &[HeardMember]) -> Result<(), DatabaseError> {
    let put = client
        .prepare_cached(
            "INSERT INTO member (name, role, location, host, pid, version, started_at, \
             seen_at, ahead_ms, facts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, least($8, now()), $9, $10::text::jsonb) \
             ON CONFLICT (role, name) DO UPDATE SET \
             location = excluded.location, host = excluded.host, pid = excluded.pid, \
             version = excluded.version, started_at = excluded.started_at, \
             seen_at = excluded.seen_at, ahead_ms = excluded.ahead_ms, \
             facts = excluded.facts WHERE member.seen_at <= excluded.seen_at",
        )
        .await?;
    for member in members {
        let HeardMember { name, role, location, host, pid, version, .. } = member;
        let (started, seen) = (Us::of_ms(member.started_ms), Us::of_ms(member.seen_ms));
        let (pid, ahead_ms, facts) = (small(*pid), member.ahead_ms, &member.facts);
        client
            .execute(
                &put,
                &[name, role, location, host, &pid, version, &started, &seen, &ahead_ms, facts],
            )
            .await?;
    }
    Ok(())
}
