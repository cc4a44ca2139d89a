//! The targets of the list with their state and uptime.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Row as Fields, params};

use super::{ReadError, Reader};
use crate::health::Transition;
use crate::outcome::{Cause, Code, Detail};
use crate::stats::{Spans, uptime};
use crate::store::SampleKey;
use crate::target::State;

/// The days that uptime is told for.
pub const UPTIME_DAYS: [i64; 4] = [1, 7, 30, 90];
const DAY_MS: i64 = 86_400_000;

/// Which targets are wanted; all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those with this id or this address.
    pub name: Option<String>,
    /// Those in this state.
    pub state: Option<State>,
    /// Those that have all of these labels.
    pub labels: Vec<(String, String)>,
}

/// A target as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number.
    pub number: u32,
    /// Its id as users see it.
    pub id: String,
    /// Its address, without credentials.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Its group, when it has one.
    pub group: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Milliseconds from one due time to the next.
    pub interval_ms: u32,
    /// Its state.
    pub state: State,
    /// Since when, in Unix milliseconds; `None` before its first poll.
    pub since_ms: Option<i64>,
    /// Why, when it is not up.
    pub cause: Option<Cause>,
    /// What exactly went wrong.
    pub detail: Detail,
    /// What its last poll got.
    pub code: Option<Code>,
    /// How long that took, in microseconds.
    pub latency_us: Option<u32>,
    /// When it finished, in Unix milliseconds.
    pub last_ms: Option<i64>,
    /// When its certificate runs out, in Unix seconds.
    pub certificate_until: Option<i64>,
    /// The share of time that it was up, over each of [`UPTIME_DAYS`]; `None` when it was not
    /// watched or its state not known in all that time.
    pub uptime: [Option<f64>; 4],
}

impl Reader {
    /// The targets of the list that are `wanted`, in the order of their numbers, with their
    /// uptime as of `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn targets(&self, wanted: &Wanted, now_ms: i64) -> Result<Vec<Row>, ReadError> {
        self.read(|connection| {
            let mut rows = rows(connection, wanted)?;
            rows.retain(|row| is_wanted(row, wanted));
            let watched = watched(connection)?;
            let mut changes = changes(connection, &rows, now_ms)?;
            for row in &mut rows {
                let mut own = changes.remove(&row.number).unwrap_or_default();
                if own.is_empty() {
                    own.extend(only_change(row));
                }
                own.sort_by_key(|change| change.at_ms);
                row.uptime = UPTIME_DAYS
                    .map(|days| uptime(&own, &watched, (now_ms - days * DAY_MS, now_ms)));
            }
            Ok(rows)
        })
    }
}

fn is_wanted(row: &Row, wanted: &Wanted) -> bool {
    wanted.state.is_none_or(|state| state == row.state)
        && wanted.labels.iter().all(|(name, value)| row.labels.get(name) == Some(value))
}

fn rows(connection: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.number, coalesce(t.given_id, printf('%016x', t.id)), t.url, t.name, t.team,
                t.labels, t.interval_ms, coalesce(r.state, 0), r.since_ms, coalesce(r.cause, 0),
                coalesce(r.detail, 0), r.code, r.latency_us, r.last, nullif(r.certificate, 0)
         FROM target t LEFT JOIN record r ON r.target = t.number
         WHERE t.removed_ms IS NULL
           AND (?1 IS NULL OR t.url = ?1 OR coalesce(t.given_id, printf('%016x', t.id)) = ?1)
         ORDER BY t.number",
    )?;
    statement.query_map([wanted.name.as_deref()], row_from_fields)?.collect()
}

fn row_from_fields(fields: &Fields<'_>) -> rusqlite::Result<Row> {
    let labels = fields.get_ref(5)?.as_str()?;
    let last = SampleKey(fields.get::<_, Option<i64>>(13)?.unwrap_or(0));
    let is_polled = last != SampleKey::default();
    let code: Option<u16> = fields.get(11)?;
    Ok(Row {
        number: fields.get(0)?,
        id: fields.get(1)?,
        url: fields.get(2)?,
        name: fields.get(3)?,
        group: fields.get(4)?,
        labels: serde_json::from_str(labels).unwrap_or_default(),
        interval_ms: fields.get(6)?,
        state: State::from_code(fields.get(7)?).unwrap_or(State::Pending),
        since_ms: fields.get(8)?,
        cause: Cause::from_code(fields.get(9)?),
        detail: Detail::from_code(fields.get(10)?).unwrap_or(Detail::None),
        code: code.filter(|_| is_polled).map(Code::from_stored),
        latency_us: fields.get::<_, Option<u32>>(12)?.filter(|_| is_polled),
        last_ms: is_polled.then(|| last.at_ms()),
        certificate_until: fields.get(14)?,
        uptime: [None; 4],
    })
}

/// When daemons watched.
pub(super) fn watched(connection: &Connection) -> rusqlite::Result<Spans> {
    let mut statement =
        connection.prepare_cached("SELECT started_ms, watched_until_ms FROM run")?;
    let spans = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Spans::new(spans.collect::<rusqlite::Result<_>>()?))
}

/// The changes of state of `rows` within the longest time that uptime is told for.
fn changes(
    connection: &Connection,
    rows: &[Row],
    now_ms: i64,
) -> rusqlite::Result<HashMap<u32, Vec<Transition>>> {
    let mut changes: HashMap<u32, Vec<Transition>> =
        rows.iter().map(|row| (row.number, Vec::new())).collect();
    let longest = UPTIME_DAYS.iter().max().copied().unwrap_or(0);
    let first = SampleKey::first_of((now_ms - longest * DAY_MS).max(0));
    let mut statement = connection.prepare_cached(
        "SELECT key, target, from_state, to_state FROM transition WHERE key >= ?1 ORDER BY key",
    )?;
    let mut found = statement.query(params![first.0])?;
    while let Some(fields) = found.next()? {
        let target = fields.get(1)?;
        if let Some(own) = changes.get_mut(&target) {
            own.push(Transition {
                target,
                from: State::from_code(fields.get(2)?).unwrap_or(State::Unknown),
                to: State::from_code(fields.get(3)?).unwrap_or(State::Unknown),
                at_ms: SampleKey(fields.get(0)?).at_ms(),
                cause: None,
                detail: Detail::None,
            });
        }
    }
    Ok(changes)
}

/// The change that brought about the state of a target which has not changed for long.
fn only_change(row: &Row) -> Option<Transition> {
    let at_ms = row.since_ms?;
    let (cause, detail) = (row.cause, row.detail);
    Some(Transition {
        target: row.number,
        from: State::Pending,
        to: row.state,
        at_ms,
        cause,
        detail,
    })
}
