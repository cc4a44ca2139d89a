//! Changes of targets that are not a list's: each is made only when all is as whoever wants it has seen
//! it.

use std::time::Duration;

use deadpool_postgres::{Client, Transaction};

use super::import::{Imported, Incoming, Origin, bring, let_go, merge, revision, rise};
use super::rows::Us;
use super::{Database, DatabaseError, LONGEST, PATIENCE};
use crate::shards::Shards;
use crate::target::TargetId;

/// How long a change may take: it may be of many targets.
pub(super) const LONGEST_CHANGE: Duration = Duration::from_mins(5);
/// Targets that go at a time at most because it is time.
const GOING: i64 = 10_000;

/// What becomes of a target that is removed: its pause goes as well.
const REMOVE: &str = "UPDATE target SET removed_at = now(), revision = $1, expires_at = NULL, \
                      paused_at = NULL, paused_until = NULL, pause_reason = NULL \
                      WHERE removed_at IS NULL AND";

/// When those go that come in is as is said; nobody else has to know.
const SET_ENDS: &str = "UPDATE target SET expires_at = incoming.expires_at FROM incoming \
                        WHERE target.id = incoming.id \
                        AND target.expires_at IS DISTINCT FROM incoming.expires_at";

/// What is to become of targets: all of it or nothing.
#[derive(Debug, Default)]
pub struct Amendment<'a> {
    /// Targets that are polled in this way from now on.
    pub polled: Vec<Incoming<'a>>,
    /// The targets that are polled no more.
    pub gone: Gone<'a>,
    /// The editions of the targets that it is meant for; none: any.
    pub only_at: Option<&'a [i64]>,
    /// The target that it was made of.
    pub made_of: Option<Seen<'a>>,
}

/// Which targets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gone<'a> {
    /// None.
    #[default]
    None,
    /// This one.
    One(TargetId),
    /// All that came over the API, but for those that are named beside and for these. What is named
    /// must be no list's.
    AllBut(&'a [TargetId]),
}

/// A target as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its id.
    pub id: TargetId,
    /// Its entry.
    pub entry: &'a str,
    /// When it is to go by itself, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
}

/// What became of an [`Amendment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amended {
    /// It was made.
    Made {
        /// What became of targets.
        done: Imported,
        /// The edition that the targets have then.
        edition: i64,
        /// How many came over the API and are polled then.
        own: u64,
    },
    /// Nothing, for the targets have this edition.
    Stale(i64),
    /// Nothing, for the target that it was made of is not what it was, or a list has one by now that
    /// was to be the API's.
    Overtaken,
    /// Nothing, for there is a target with the id that the changed one would have.
    Taken,
}

impl Database {
    /// Makes `amendment`, unless the targets are not what it was meant for: that is looked at when
    /// nobody else can change them any more.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached or refuses.
    pub async fn amend(&self, amendment: Amendment<'_>) -> Result<Amended, DatabaseError> {
        let shards = self.cluster().await?.shards;
        self.within(LONGEST_CHANGE, async |client| amended(client, shards, amendment).await).await
    }

    /// Those of `ids` that are of targets of a list.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn listed(&self, ids: &[TargetId]) -> Result<Vec<TargetId>, DatabaseError> {
        let asked = "SELECT id FROM target \
                     WHERE removed_at IS NULL AND origin = $1 AND id = ANY($2)";
        let ids: Vec<i64> = ids.iter().map(|id| id.0.cast_signed()).collect();
        self.within(LONGEST, async |client| {
            let rows = client.query(asked, &[&Origin::List.code(), &ids]).await?;
            let id =
                |row: &tokio_postgres::Row| Ok(TargetId(row.try_get::<_, i64>(0)?.cast_unsigned()));
            rows.iter().map(id).collect()
        })
        .await
    }

    /// Removes targets whose time has come, unless somebody else changes targets just now; tells how
    /// many went, which may not be all. It does no harm when several do it.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached or refuses.
    pub async fn remove_expired(&self) -> Result<u64, DatabaseError> {
        let asked = "SELECT EXISTS (SELECT FROM target \
                     WHERE expires_at <= now() AND removed_at IS NULL)";
        self.within(PATIENCE, async |client| {
            let statement = client.prepare_cached(asked).await?;
            let is_any: bool = client.query_one(&statement, &[]).await?.try_get(0)?;
            if is_any { expired(client).await } else { Ok(0) }
        })
        .await
    }
}

async fn amended(
    client: &mut Client,
    shards: Shards,
    amendment: Amendment<'_>,
) -> Result<Amended, DatabaseError> {
    let Amendment { polled, gone, only_at, made_of } = amendment;
    let transaction = begin(client).await?;
    let is_any = !polled.is_empty() || matches!(gone, Gone::AllBut(_));
    if is_any {
        bring(&transaction, shards, polled.into_iter()).await?;
    }
    let before = revision(&transaction).await?;
    let edition = edition(&transaction).await?;
    if only_at.is_some_and(|editions| !editions.contains(&edition)) {
        return Ok(Amended::Stale(edition));
    }
    let mut origin = Origin::Api;
    if let Some(seen) = made_of {
        match polled_as(&transaction, seen).await? {
            // Another address does not make it another's.
            Some(of) => origin = of,
            None => return Ok(Amended::Overtaken),
        }
    }
    match gone {
        Gone::AllBut(_) if is_any_polled(&transaction, "AND origin = 0").await? => {
            return Ok(Amended::Overtaken);
        }
        // One that becomes another is not to take that one's place.
        Gone::One(_) if is_any && is_any_polled(&transaction, "").await? => {
            return Ok(Amended::Taken);
        }
        _ => {}
    }
    let (mut done, mut has_ends) = (Imported::default(), false);
    if is_any {
        done = merge(&transaction, shards, before + 1, origin).await?;
        has_ends = transaction.execute(SET_ENDS, &[]).await? > 0;
    }
    done.removed = remove(&transaction, before + 1, gone).await?;
    if done.is_any() {
        rise(&transaction, before + 1).await?;
    }
    let own = own_targets(&transaction).await?;
    if done.is_any() || has_ends {
        transaction.commit().await?;
    }
    let edition = if done.is_any() { before + 1 } else { edition };
    Ok(Amended::Made { done, edition, own })
}

/// Begins a change. One that takes its time is no reason to wait for it, nor is one that hangs.
pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, DatabaseError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute("SET LOCAL lock_timeout = '10s'").await?;
    let_go(&transaction).await?;
    Ok(transaction)
}

/// The edition of the targets, which nobody else can change now.
async fn edition(transaction: &Transaction<'_>) -> Result<i64, DatabaseError> {
    Ok(transaction.query_one("SELECT edition FROM cluster", &[]).await?.try_get(0)?)
}

/// Who wants the target polled that was `seen`, if it is as it was.
async fn polled_as(
    transaction: &Transaction<'_>,
    seen: Seen<'_>,
) -> Result<Option<Origin>, DatabaseError> {
    let asked = "SELECT entry, origin, expires_at FROM target WHERE id = $1 AND removed_at IS NULL";
    let Some(row) = transaction.query_opt(asked, &[&seen.id.0.cast_signed()]).await? else {
        return Ok(None);
    };
    let expires_ms = row.try_get::<_, Option<Us>>(2)?.map(Us::ms);
    let is_same = row.try_get::<_, &str>(0)? == seen.entry && expires_ms == seen.expires_ms;
    Ok(if is_same { Some(Origin::of_code(row.try_get(1)?)) } else { None })
}

/// Whether something that comes in is polled already, by a target for which `and` holds.
async fn is_any_polled(transaction: &Transaction<'_>, and: &str) -> Result<bool, DatabaseError> {
    let asked = format!(
        "SELECT EXISTS (SELECT FROM incoming JOIN target USING (id) \
         WHERE removed_at IS NULL {and})"
    );
    Ok(transaction.query_one(&asked, &[]).await?.try_get(0)?)
}

/// How many targets are polled that came over the API.
async fn own_targets(transaction: &Transaction<'_>) -> Result<u64, DatabaseError> {
    let counted = "SELECT count(*) FROM target WHERE removed_at IS NULL AND origin = 1";
    Ok(transaction.query_one(counted, &[]).await?.try_get::<_, i64>(0)?.unsigned_abs())
}

/// Has targets polled no more; tells how many were.
async fn remove(
    transaction: &Transaction<'_>,
    revision: i64,
    gone: Gone<'_>,
) -> Result<u64, DatabaseError> {
    let removed = match gone {
        Gone::None => 0,
        Gone::One(id) => {
            let sql = format!("{REMOVE} id = $2");
            transaction.execute(&sql, &[&revision, &id.0.cast_signed()]).await?
        }
        Gone::AllBut(others) => {
            let sql = format!(
                "{REMOVE} origin = 1 \
                 AND NOT EXISTS (SELECT FROM unnest($2::bigint[]) AS named (id) \
                 WHERE named.id = target.id) \
                 AND NOT EXISTS (SELECT FROM incoming WHERE incoming.id = target.id)"
            );
            let others: Vec<i64> = others.iter().map(|id| id.0.cast_signed()).collect();
            transaction.execute(&sql, &[&revision, &others]).await?
        }
    };
    Ok(removed)
}

async fn expired(client: &mut Client) -> Result<u64, DatabaseError> {
    let transaction = client.transaction().await?;
    let_go(&transaction).await?;
    // Whoever has the lock may keep it long, and what is asked next is not to wait for that.
    let asked = "SELECT revision FROM cluster FOR UPDATE SKIP LOCKED";
    let Some(row) = transaction.query_opt(asked, &[]).await? else { return Ok(0) };
    let revision = row.try_get::<_, i64>(0)? + 1;
    let sql = format!(
        "{REMOVE} number = ANY (ARRAY (SELECT number FROM target WHERE expires_at <= now() \
         AND removed_at IS NULL ORDER BY expires_at LIMIT $2))"
    );
    let removed = transaction.execute(&sql, &[&revision, &GOING]).await?;
    if removed > 0 {
        rise(&transaction, revision).await?;
    }
    transaction.commit().await?;
    Ok(removed)
}
