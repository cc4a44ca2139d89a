//! Outages: what begins, ends or was none.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;

use crate::outcome::{Cause, Detail};
use crate::store::postgres::DatabaseError;
use crate::store::postgres::rows::Us;
use crate::store::{IncidentChange, ShardBatch};

/// What becomes of the outages of many targets at once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// Ends of outages that are open in the database.
    ended: Vec<(u32, i64)>,
    /// Outages that were none.
    withdrawn: Vec<(u32, i64)>,
    /// New outages; open ones have no end.
    begun: Vec<Outage>,
}

/// A new outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    target: u32,
    began_ms: i64,
    ended_ms: Option<i64>,
    cause: Cause,
    detail: Detail,
}

impl Changes {
    /// What `changes`, in their order, come to.
    fn of<'a>(changes: impl Iterator<Item = &'a IncidentChange>) -> Self {
        let mut all = Self::default();
        // Where in `begun` the open outage of a target is.
        let mut open = BTreeMap::new();
        for change in changes {
            match *change {
                IncidentChange::Began { target, at_ms, cause, detail } => {
                    let ended_ms = None;
                    open.insert(target, all.begun.len());
                    all.begun.push(Outage { target, began_ms: at_ms, ended_ms, cause, detail });
                }
                IncidentChange::Ended { target, at_ms } => {
                    match open.remove(&target).and_then(|place: usize| all.begun.get_mut(place)) {
                        Some(outage) => outage.ended_ms = Some(at_ms.max(outage.began_ms)),
                        None => all.ended.push((target, at_ms)),
                    }
                }
                IncidentChange::Withdrawn { target, began_ms } => {
                    // As in the database, below.
                    let older = open.remove(&target).and_then(|place| all.begun.get_mut(place));
                    if let Some(older) = older.filter(|one| one.began_ms != began_ms) {
                        older.ended_ms = Some(began_ms.max(older.began_ms));
                    }
                    all.begun.retain(|one| one.target != target || one.began_ms != began_ms);
                    // What was open may have moved.
                    let is_open = all.begun.iter().enumerate();
                    open = is_open
                        .filter(|(_, one)| one.ended_ms.is_none())
                        .map(|(place, one)| (one.target, place))
                        .collect();
                    all.withdrawn.push((target, began_ms));
                }
            }
        }
        all
    }
}

/// Does what `batches` say of outages.
pub(super) async fn change(
    transaction: &Transaction<'_>,
    batches: &[&ShardBatch],
) -> Result<(), DatabaseError> {
    let all = Changes::of(batches.iter().flat_map(|batch| &batch.batch.incidents));
    end(transaction, &all.ended).await?;
    withdraw(transaction, &all.withdrawn).await?;
    begin(transaction, &all.begun).await
}

/// Has these outages, each of a target and since when in Unix milliseconds, be none.
async fn withdraw(
    transaction: &Transaction<'_>,
    outages: &[(u32, i64)],
) -> Result<(), DatabaseError> {
    if outages.is_empty() {
        return Ok(());
    }
    let (target, began) = split(outages);
    let statement = transaction
        .prepare_cached(
            "DELETE FROM incident USING unnest($1::bigint[], $2::timestamptz[]) \
             AS none(of, at) WHERE target = of AND began = at",
        )
        .await?;
    transaction.execute(&statement, &[&target, &began]).await?;
    // One that began before was real, and nobody knows of it any more.
    end(transaction, outages).await
}

/// Ends what is open of each of these outages' targets at these times, in Unix milliseconds.
async fn end(transaction: &Transaction<'_>, outages: &[(u32, i64)]) -> Result<(), DatabaseError> {
    if outages.is_empty() {
        return Ok(());
    }
    let (target, ended) = split(outages);
    let statement = transaction
        .prepare_cached(
            "UPDATE incident SET ended = greatest(at, began) \
             FROM unnest($1::bigint[], $2::timestamptz[]) AS over(of, at) \
             WHERE target = of AND ended IS NULL",
        )
        .await?;
    transaction.execute(&statement, &[&target, &ended]).await?;
    Ok(())
}

fn split(outages: &[(u32, i64)]) -> (Vec<i64>, Vec<Us>) {
    outages.iter().map(|&(target, ms)| (i64::from(target), Us::of_ms(ms))).unzip()
}

async fn begin(transaction: &Transaction<'_>, outages: &[Outage]) -> Result<(), DatabaseError> {
    if outages.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO incident (target, began, ended, cause, detail) SELECT new.* \
             FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::smallint[], \
             $5::smallint[]) AS new(target, began, ended, cause, detail) WHERE NOT EXISTS \
             (SELECT FROM incident WHERE incident.target = new.target AND incident.ended IS NULL) \
             ON CONFLICT DO NOTHING",
        )
        .await?;
    let target: Vec<i64> = outages.iter().map(|one| one.target.into()).collect();
    let began: Vec<Us> = outages.iter().map(|one| Us::of_ms(one.began_ms)).collect();
    let ended: Vec<Option<Us>> = outages.iter().map(|one| one.ended_ms.map(Us::of_ms)).collect();
    let cause: Vec<i16> = outages.iter().map(|one| one.cause.code().into()).collect();
    let detail: Vec<i16> = outages.iter().map(|one| one.detail.code().into()).collect();
    transaction.execute(&statement, &[&target, &began, &ended, &cause, &detail]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(target: u32, at_ms: i64) -> IncidentChange {
        let (cause, detail) = (Cause::Timeout, Detail::None);
        IncidentChange::Began { target, at_ms, cause, detail }
    }

    fn outage(target: u32, began_ms: i64, ended_ms: Option<i64>) -> Outage {
        Outage { target, began_ms, ended_ms, cause: Cause::Timeout, detail: Detail::None }
    }

    #[test]
    fn an_outage_that_begins_and_ends_at_once_is_one_row() {
        let ended = |target, at_ms| IncidentChange::Ended { target, at_ms };
        let changes = [ended(1, 5), began(1, 7), began(2, 8), ended(1, 9), began(1, 11)];
        let all = Changes::of(changes.iter());
        assert_eq!(all.ended, [(1, 5)]);
        let expected = [outage(1, 7, Some(9)), outage(2, 8, None), outage(1, 11, None)];
        assert_eq!(all.begun, expected);
    }

    #[test]
    fn an_outage_that_was_none_is_not_written() {
        let none = IncidentChange::Withdrawn { target: 1, began_ms: 7 };
        let changes =
            [began(1, 7), began(2, 8), none, IncidentChange::Ended { target: 2, at_ms: 9 }];
        let all = Changes::of(changes.iter());
        assert_eq!(all.begun, [outage(2, 8, Some(9))]);
        assert_eq!(all.withdrawn, [(1, 7)]);
    }

    #[test]
    fn an_outage_that_began_before_one_that_was_none_ends_with_it() {
        let none = IncidentChange::Withdrawn { target: 1, began_ms: 9 };
        let all = Changes::of([began(1, 7), none].iter());
        assert_eq!(all.begun, [outage(1, 7, Some(9))]);
    }
}
