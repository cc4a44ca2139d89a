//! Outages and changes of state.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::rows::{detail, small};
use super::{DatabaseError, Reader, Us, at, limit, number};
use crate::health::Transition;
use crate::outcome::{Cause, Detail};
use crate::target::State;

/// Changes of one target that its uptime is told from at most.
const CHANGES: i64 = 20_000;

/// An outage of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The target's number.
    pub target: u32,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds; `None` while it lasts.
    pub ended_ms: Option<i64>,
    /// Why.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
}

/// Which outages are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Those of this target.
    pub target: Option<u32>,
    /// Those that last, or those that are over.
    pub lasting: Option<bool>,
    /// Those that began from then on, in Unix milliseconds.
    pub from_ms: i64,
    /// Those at this place and behind it.
    pub place: IncidentPlace,
    /// So many at most.
    pub most: usize,
}

/// A place among the outages, by when they began, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncidentPlace {
    /// When, in Unix milliseconds.
    pub began_ms: i64,
    /// So many that began in that millisecond are passed already.
    pub passed: u32,
}

/// A change of a target's state, with the transaction that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The change.
    pub transition: Transition,
    /// The number of the transaction.
    pub written: i64,
}

/// Changes of state in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changes.
    pub all: Vec<Change>,
    /// All that any transaction with a lower number than this wrote is there.
    pub complete_until: i64,
}

impl Reader {
    /// The outages that are wanted, the newest first, and the place behind the last one when there
    /// may be more.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn incidents(
        &self,
        wanted: &Incidents,
    ) -> Result<(Vec<Incident>, Option<IncidentPlace>), DatabaseError> {
        let mut own = String::new();
        let place = wanted.place;
        // What began in the millisecond of the place belongs to it.
        let until = Us::of_ms(place.began_ms.saturating_add(1));
        let (from, passed, most) =
            (Us::of_ms(wanted.from_ms), i64::from(place.passed), limit(wanted.most));
        let target = wanted.target.map(i64::from);
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&until, &from, &passed, &most];
        if let Some(target) = &target {
            params.push(target);
            own.push_str(" AND target = $5");
        }
        match wanted.lasting {
            None => {}
            Some(true) => own.push_str(" AND ended IS NULL"),
            Some(false) => own.push_str(" AND ended IS NOT NULL"),
        }
        let sql = format!(
            "SELECT target, began, ended, cause, detail FROM incident \
             WHERE began < $1 AND began >= $2{own} \
             ORDER BY began DESC, target DESC OFFSET $3 LIMIT $4"
        );
        let rows = self.rows(&sql, &params).await?;
        let told = rows.iter().map(incident).collect::<Result<Vec<_>, _>>()?;
        let next = told.last().filter(|_| told.len() == wanted.most).map(|last| {
            let equal = told.iter().rev().take_while(|one| one.began_ms == last.began_ms).count();
            let before = if last.began_ms == place.began_ms { place.passed } else { 0 };
            let passed = before.saturating_add(u32::try_from(equal).unwrap_or(u32::MAX));
            IncidentPlace { began_ms: last.began_ms, passed }
        });
        Ok((told, next))
    }

    /// The newest changes of the target `number` since `since_ms` (Unix milliseconds), the last one
    /// before them among these, in the order of time.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn changes_of(
        &self,
        number: u32,
        since_ms: i64,
    ) -> Result<Vec<Transition>, DatabaseError> {
        let sql = format!(
            "(SELECT {CHANGE} FROM transition WHERE target = $1 AND at >= $2 \
                ORDER BY at DESC, from_state = {DOWN} DESC LIMIT {CHANGES}) \
             UNION ALL (SELECT {CHANGE} FROM transition WHERE target = $1 AND at < $2 \
                ORDER BY at DESC, from_state = {DOWN} DESC LIMIT 1)"
        );
        let rows = self.rows(&sql, &[&i64::from(number), &Us::of_ms(since_ms)]).await?;
        let mut changes = rows.iter().map(transition).collect::<Result<Vec<_>, _>>()?;
        changes.sort_by_key(|change| (change.at_ms, change.from == State::Down));
        Ok(changes)
    }

    /// The changes of all targets that were written by transactions from the number `first` on, in
    /// the order of these, `most` at most: a transaction with a lower number may end later.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn changes(&self, first: i64, most: usize) -> Result<Changes, DatabaseError> {
        // What was brought from another server may have been written by numbers to come.
        let sql = format!(
            "SELECT complete_until, written, {CHANGE} FROM (SELECT \
             pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS complete_until, \
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS to_come) AS now \
             LEFT JOIN LATERAL (SELECT * FROM transition WHERE written >= $1 AND written < to_come \
             ORDER BY written, at, target, from_state = {DOWN} LIMIT $2) AS own ON true"
        );
        let rows = self.rows(&sql, &[&first, &limit(most)]).await?;
        let mut changes = Changes::default();
        for row in &rows {
            changes.complete_until = at(row, "complete_until")?;
            if let Some(written) = at::<Option<i64>>(row, "written")? {
                changes.all.push(Change { transition: transition(row)?, written });
            }
        }
        Ok(changes)
    }
}

/// The number of the state down. What was taken back follows the change that it takes back, at the same
/// time: of two such changes the one from there is the later one.
const DOWN: u8 = State::Down.code();

const CHANGE: &str = "at, target, from_state, to_state, cause, detail";

fn incident(row: &Row) -> Result<Incident, DatabaseError> {
    Ok(Incident {
        target: number(at(row, "target")?)?,
        began_ms: at::<Us>(row, "began")?.ms(),
        ended_ms: at::<Option<Us>>(row, "ended")?.map(Us::ms),
        cause: Cause::from_code(small(row, "cause")?),
        detail: detail(row)?,
    })
}

fn transition(row: &Row) -> Result<Transition, DatabaseError> {
    let state = |name| Ok::<_, DatabaseError>(State::from_code(small(row, name)?));
    Ok(Transition {
        target: number(at(row, "target")?)?,
        from: state("from_state")?.unwrap_or(State::Unknown),
        to: state("to_state")?.unwrap_or(State::Unknown),
        at_ms: at::<Us>(row, "at")?.ms(),
        cause: Cause::from_code(small(row, "cause")?),
        detail: detail(row)?,
    })
}
