//! Changes of single targets, each made only when all is as whoever wants it has seen it.

use std::time::Duration;

use deadpool_postgres::{Client, Transaction};

use super::import::{Imported, Origin, bring, let_go, merge, revision, rise};
use super::{Database, DatabaseError, LONGEST};
use crate::shards::Shards;
use crate::target::{Target, TargetId};

/// How long a change may take: it may be of many targets.
const LONGEST_CHANGE: Duration = Duration::from_mins(5);

/// What is to become of single targets: all of it or nothing.
#[derive(Debug, Default)]
pub struct Amendment<'a> {
    /// Targets that are polled in this way from now on, each with its whole entry as JSON.
    pub polled: Vec<(&'a Target, String)>,
    /// A target that is polled no more.
    pub gone: Option<TargetId>,
    /// The revisions of the targets that it is meant for; none: any.
    pub only_at: Option<&'a [i64]>,
    /// The target that it was made of, and its entry then.
    pub made_of: Option<(TargetId, &'a str)>,
}

/// What became of an [`Amendment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amended {
    /// It was made, and the targets have a revision then.
    Made(Imported, i64),
    /// Nothing, for the targets have this revision.
    Stale(i64),
    /// Nothing, for the target that it was made of is not what it was.
    Overtaken,
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

    /// How many targets are polled.
    ///
    /// # Errors
    /// The database cannot be reached or refuses.
    pub async fn targets_polled(&self) -> Result<u64, DatabaseError> {
        let counted = "SELECT count(*) FROM target WHERE removed_at IS NULL";
        self.within(LONGEST, async |client| {
            let row = client.query_one(counted, &[]).await?;
            Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
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
    let transaction = client.transaction().await?;
    // An import that takes its time is no reason to wait for it, nor is one that hangs.
    transaction.batch_execute("SET LOCAL lock_timeout = '10s'").await?;
    let_go(&transaction).await?;
    let is_any = !polled.is_empty();
    if is_any {
        bring(&transaction, shards, polled.into_iter()).await?;
    }
    let before = revision(&transaction).await?;
    if only_at.is_some_and(|revisions| !revisions.contains(&before)) {
        return Ok(Amended::Stale(before));
    }
    let mut origin = Origin::Api;
    if let Some((id, entry)) = made_of {
        match polled_as(&transaction, id).await? {
            // Another address does not make it another's.
            Some((now, of)) if now == entry => origin = of,
            _ => return Ok(Amended::Overtaken),
        }
    }
    let mut done = Imported::default();
    if is_any {
        done = merge(&transaction, shards, before + 1, origin).await?;
    }
    if let Some(id) = gone {
        done.removed = remove(&transaction, before + 1, id).await?;
    }
    if !done.is_any() {
        return Ok(Amended::Made(done, before));
    }
    rise(&transaction, before + 1).await?;
    transaction.commit().await?;
    Ok(Amended::Made(done, before + 1))
}

/// The entry of the target `id`, if that is polled, and who wants it to be.
async fn polled_as(
    transaction: &Transaction<'_>,
    id: TargetId,
) -> Result<Option<(String, Origin)>, DatabaseError> {
    let asked = "SELECT entry, origin FROM target WHERE id = $1 AND removed_at IS NULL";
    let Some(row) = transaction.query_opt(asked, &[&id.0.cast_signed()]).await? else {
        return Ok(None);
    };
    Ok(Some((row.try_get(0)?, Origin::of_code(row.try_get(1)?))))
}

/// Has the target `id` polled no more; tells how many were.
async fn remove(
    transaction: &Transaction<'_>,
    revision: i64,
    id: TargetId,
) -> Result<u64, DatabaseError> {
    let remove = "UPDATE target SET removed_at = now(), revision = $1 \
                  WHERE removed_at IS NULL AND id = $2";
    Ok(transaction.execute(remove, &[&revision, &id.0.cast_signed()]).await?)
}
