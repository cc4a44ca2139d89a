//! Pauses of targets: schedulers and recorders hear of them as of any other change.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::{LONGEST_CHANGE, begin};
use super::import::revision;
use super::rows::Us;
use super::{Database, DatabaseError};
use crate::target::TargetId;

/// Whether a target is paused, by the time at which that is asked.
macro_rules! is_paused {
    () => {
        "(paused_at IS NOT NULL AND (paused_until IS NULL OR paused_until > clock_timestamp()))"
    };
}

/// A pause takes the place of the one before, which it prolongs when that is not over.
const PAUSE: &str = concat!(
    "UPDATE target SET revision = $1, paused_until = $3, pause_reason = $4, \
     paused_at = CASE WHEN ",
    is_paused!(),
    " THEN paused_at ELSE clock_timestamp() END WHERE number = ANY ($2)"
);
/// One that ends is over from then on, as one that ends by itself.
const RESUME: &str = concat!(
    "UPDATE target SET revision = $1, paused_until = clock_timestamp() \
     WHERE number = ANY ($2) AND ",
    is_paused!()
);

/// Which targets are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// Those with these ids: of each the first one that there is.
    Ids(&'a [[TargetId; 2]]),
    /// Those with this label, name and value.
    Label(&'a str, &'a str),
}

/// What becomes of their pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseChange<'a> {
    /// They are paused.
    Begin {
        /// Until when, in Unix milliseconds; none: until somebody ends it.
        until_ms: Option<i64>,
        /// Why.
        reason: &'a str,
    },
    /// They are paused no more.
    End,
}

/// What came of a change of pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PausesMade {
    /// It was made of targets with these ids, as users see them.
    Of(Vec<String>),
    /// Nothing: these of the ids, by their places, are of no target.
    Unknown(Vec<usize>),
}

/// A target that is meant.
#[derive(Clone, Debug)]
struct Found {
    id: TargetId,
    number: i64,
    shown: String,
}

impl Database {
    /// Begins or ends pauses of the targets that are `meant`, of all or of none.
    ///
    /// # Errors
    /// There is no cluster, or the database cannot be reached or refuses.
    pub async fn change_pauses(
        &self,
        meant: Meant<'_>,
        change: PauseChange<'_>,
    ) -> Result<PausesMade, DatabaseError> {
        self.within(LONGEST_CHANGE, async |client| {
            let transaction = begin(client).await?;
            let next = revision(&transaction).await? + 1;
            let found = match find(&transaction, meant).await? {
                Ok(found) => found,
                Err(unknown) => return Ok(PausesMade::Unknown(unknown)),
            };
            let numbers: Vec<i64> = found.iter().map(|one| one.number).collect();
            let changed = match change {
                PauseChange::Begin { until_ms, reason } => {
                    let until = until_ms.map(Us::of_ms);
                    transaction.execute(PAUSE, &[&next, &numbers, &until, &reason]).await?
                }
                PauseChange::End => transaction.execute(RESUME, &[&next, &numbers]).await?,
            };
            if changed > 0 {
                // The entries are what they were.
                transaction.execute("UPDATE cluster SET revision = $1", &[&next]).await?;
                transaction.commit().await?;
            }
            Ok(PausesMade::Of(found.into_iter().map(|one| one.shown).collect()))
        })
        .await
    }
}

/// The targets that are `meant`, else the places of the ids of which there is none.
async fn find(
    transaction: &Transaction<'_>,
    meant: Meant<'_>,
) -> Result<Result<Vec<Found>, Vec<usize>>, DatabaseError> {
    let ids = match meant {
        Meant::Ids(ids) => ids,
        Meant::Label(name, value) => {
            let pair = serde_json::json!({ name: value }).to_string();
            return Ok(Ok(all(transaction, "labels @> $1::text::jsonb", &pair).await?));
        }
    };
    let wanted: Vec<i64> = ids.iter().flatten().map(|id| id.0.cast_signed()).collect();
    let mut known = all(transaction, "id = ANY ($1)", &wanted).await?;
    known.sort_unstable_by_key(|one| one.id);
    let place = |id: &TargetId| known.binary_search_by_key(id, |one| one.id).ok();
    let found = |pair: &[TargetId; 2]| known.get(pair.iter().find_map(place)?).cloned();
    let found: Vec<Option<Found>> = ids.iter().map(found).collect();
    let unknown: Vec<usize> =
        (0..).zip(&found).filter(|(_, found)| found.is_none()).map(|(place, _)| place).collect();
    Ok(if unknown.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(unknown) })
}

/// The targets of which `is_so`, by number.
async fn all(
    transaction: &Transaction<'_>,
    is_so: &str,
    value: &(dyn ToSql + Sync),
) -> Result<Vec<Found>, DatabaseError> {
    let asked = format!(
        "SELECT id, number, given_id FROM target WHERE removed_at IS NULL AND {is_so} \
         ORDER BY number"
    );
    let found = |row: &Row| {
        let id = TargetId(row.try_get::<_, i64>(0)?.cast_unsigned());
        let shown = row.try_get::<_, Option<String>>(2)?.unwrap_or_else(|| id.to_string());
        Ok(Found { id, number: row.try_get(1)?, shown })
    };
    transaction.query(&asked, &[value]).await?.iter().map(found).collect()
}
