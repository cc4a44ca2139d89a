//! Targets with what is known of them: by number, by id, and those that need somebody's attention.

use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Row;

use super::rows::{detail, small};
use super::tallies::tally;
use super::{DatabaseError, Reader, Us, at, limit, number};
use crate::health::Health;
use crate::outcome::Cause;
use crate::stats::Tally;
use crate::store::postgres::import::Origin;
use crate::store::reader::Named;
use crate::target::{State, TargetId};

/// A target with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub number: u32,
    /// Its id.
    pub id: TargetId,
    /// The `id` that its entry gives.
    pub given_id: Option<String>,
    /// The name for people.
    pub name: Option<String>,
    /// Its address, without credentials.
    pub url: String,
    /// Milliseconds from one due time to the next.
    pub every_ms: u32,
    /// Its group.
    pub group: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is known of it; none: nobody has polled it yet.
    pub known: Option<Known>,
    /// Who wants it polled.
    pub origin: Origin,
    /// When it is to go by itself, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
    /// Until when it is paused, in Unix milliseconds, when it is for a time.
    pub paused_until_ms: Option<i64>,
}

/// What is known of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its state.
    pub health: Health,
    /// Its last poll.
    pub last: Option<Last>,
    /// When its certificate runs out, in Unix seconds; 0 when none was seen.
    pub certificate_until: i64,
}

/// A target's last poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// When it finished, in Unix milliseconds.
    pub at_ms: i64,
    /// Its status or cause, as stored.
    pub code: u16,
    /// How long it took, in microseconds.
    pub latency_us: u32,
}

/// A target whose certificate runs out soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Its address.
    pub url: String,
    /// When, in Unix seconds.
    pub until_s: i64,
}

/// What is read for a [`Line`].
pub(super) const LINE: &str = "t.number, t.id, t.given_id, t.name, t.url, t.every_ms, \
     t.group_name, t.labels::text AS labels, r.state, r.since, r.cause, r.detail, \
     r.last_at, r.last_code, r.last_latency_us, r.certificate_until, t.origin, t.expires_at, \
     t.paused_at, t.paused_until, coalesce(t.paused_until > now(), t.paused_at IS NOT NULL) \
     AS is_paused";

impl Line {
    /// The id as users see it.
    #[must_use]
    pub fn shown_id(&self) -> String {
        self.given_id.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// What is known of its health; `now_ms` (Unix milliseconds) where that is nothing.
    #[must_use]
    pub fn health(&self, now_ms: i64) -> Health {
        self.known.as_ref().map_or_else(|| Health::pending(now_ms), |known| known.health)
    }

    /// The line in `row`, which has the columns of [`LINE`].
    pub(super) fn of(row: &Row) -> Result<Self, DatabaseError> {
        let until_ms = at::<Option<Us>>(row, "paused_until")?.map(Us::ms);
        let is_paused: bool = at(row, "is_paused")?;
        Ok(Self {
            number: number(at(row, "number")?)?,
            id: TargetId(at::<i64>(row, "id")?.cast_unsigned()),
            given_id: at(row, "given_id")?,
            name: at(row, "name")?,
            url: at(row, "url")?,
            every_ms: at::<i32>(row, "every_ms")?.unsigned_abs(),
            group: at(row, "group_name")?,
            labels: serde_json::from_str(at(row, "labels")?).unwrap_or_default(),
            known: paused(known(row)?, row)?,
            origin: Origin::of_code(at(row, "origin")?),
            expires_ms: at::<Option<Us>>(row, "expires_at")?.map(Us::ms),
            paused_until_ms: until_ms.filter(|_| is_paused),
        })
    }
}

fn known(row: &Row) -> Result<Option<Known>, DatabaseError> {
    if at::<Option<i16>>(row, "state")?.is_none() {
        return Ok(None);
    }
    let health = Health {
        state: State::from_code(small(row, "state")?).unwrap_or(State::Unknown),
        since_ms: at::<Us>(row, "since")?.ms(),
        cause: Cause::from_code(small(row, "cause")?),
        detail: detail(row)?,
        suspect_ms: 0,
    };
    let last_at: Option<Us> = at(row, "last_at")?;
    let code = u16::try_from(at::<i16>(row, "last_code")?).unwrap_or(0);
    let latency_us = at::<i32>(row, "last_latency_us")?.cast_unsigned();
    let is_polled = !matches!(health.state, State::Pending | State::Paused) || code != 0;
    let last = last_at.filter(|_| is_polled);
    let last = last.map(|last_at| Last { at_ms: last_at.ms(), code, latency_us });
    let until = at::<Option<Us>>(row, "certificate_until")?;
    let certificate_until = until.map_or(0, |until| until.ms().div_euclid(1_000));
    Ok(Some(Known { health, last, certificate_until }))
}

/// What is `known` of the target in `row` where its pause has begun or ended, and its recorder has not
/// told that yet.
fn paused(known: Option<Known>, row: &Row) -> Result<Option<Known>, DatabaseError> {
    let is_told = known.as_ref().is_some_and(|known| known.health.state == State::Paused);
    let since: Option<Us> = at(row, "paused_at")?;
    let health = match (at(row, "is_paused")?, since) {
        (true, Some(since)) if !is_told => {
            Health { state: State::Paused, ..Health::pending(since.ms()) }
        }
        (false, _) if is_told => {
            let until: Option<Us> = at(row, "paused_until")?;
            Health::pending(until.map_or(0, Us::ms))
        }
        _ => return Ok(known),
    };
    let (last, certificate_until) =
        known.map_or((None, 0), |known| (known.last, known.certificate_until));
    Ok(Some(Known { health, last, certificate_until }))
}

impl Reader {
    /// The target that one of `ids` is of, unless it was removed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn line(&self, ids: [TargetId; 2]) -> Result<Option<Line>, DatabaseError> {
        let sql = format!(
            "SELECT {LINE} FROM target t LEFT JOIN record r ON r.target = t.number \
             WHERE t.id = ANY ($1) AND t.removed_at IS NULL LIMIT 2"
        );
        let wanted = ids.map(|id| id.0.cast_signed()).to_vec();
        let rows = self.rows(&sql, &[&wanted]).await?;
        let lines = rows.iter().map(Line::of).collect::<Result<Vec<_>, _>>()?;
        // An id that was given goes before one that only looks like it.
        Ok(ids.iter().find_map(|id| lines.iter().find(|line| line.id == *id)).cloned())
    }

    /// The targets with these numbers, in the order of these; without those that were removed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn lines(&self, numbers: &[u32]) -> Result<Vec<Line>, DatabaseError> {
        let sql = format!(
            "SELECT {LINE} FROM target t LEFT JOIN record r ON r.target = t.number \
             WHERE t.number = ANY ($1) AND t.removed_at IS NULL"
        );
        let wanted: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
        let rows = self.rows(&sql, &[&wanted]).await?;
        let lines = rows.iter().map(|row| Line::of(row).map(|line| (line.number, line)));
        let mut lines = lines.collect::<Result<HashMap<_, _>, _>>()?;
        Ok(numbers.iter().filter_map(|number| lines.remove(number)).collect())
    }

    /// The first target whose group and name, else its address, are `key` as they stand in addresses:
    /// all targets may have to be looked through.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn line_of_key(&self, key: &str) -> Result<Option<Line>, DatabaseError> {
        let plain = |column: &str| {
            format!("lower(translate(btrim({column}, E' \\t\\n'), '/_,.#+& ', '--------'))")
        };
        let sql = format!(
            "SELECT {LINE} FROM target t LEFT JOIN record r ON r.target = t.number \
             WHERE t.removed_at IS NULL AND {} || '_' || {} = $1 ORDER BY t.number LIMIT 1",
            plain("coalesce(t.group_name, '')"),
            plain("coalesce(t.name, t.url)")
        );
        let rows = self.rows(&sql, &[&key]).await?;
        rows.first().map(Line::of).transpose()
    }

    /// The entries of the targets with these numbers, as JSON.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn entries(&self, numbers: &[u32]) -> Result<HashMap<u32, String>, DatabaseError> {
        let sql = "SELECT number, entry FROM target WHERE number = ANY ($1)";
        let wanted: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
        let rows = self.rows(sql, &[&wanted]).await?;
        rows.iter().map(|row| Ok((number(at(row, "number")?)?, at(row, "entry")?))).collect()
    }

    /// The open hour of the target `number`: hours since the Unix epoch, and what was counted.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn open_hour(&self, number: u32) -> Result<Option<(u32, Tally)>, DatabaseError> {
        let sql = "SELECT hour, tally FROM record WHERE target = $1";
        let rows = self.rows(sql, &[&i64::from(number)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some((at::<i32>(row, "hour")?.cast_unsigned(), tally(at(row, "tally")?)?)))
    }

    /// What the targets with these numbers are called, also of those that were removed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn named(&self, numbers: &[u32]) -> Result<HashMap<u32, Named>, DatabaseError> {
        let sql = "SELECT number, id, given_id, url, name FROM target WHERE number = ANY ($1)";
        let wanted: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
        let rows = self.rows(sql, &[&wanted]).await?;
        rows.iter()
            .map(|row| {
                let id = TargetId(at::<i64>(row, "id")?.cast_unsigned());
                let given: Option<String> = at(row, "given_id")?;
                let named = Named {
                    id: given.unwrap_or_else(|| id.to_string()),
                    url: at(row, "url")?,
                    name: at(row, "name")?,
                };
                Ok((number(at(row, "number")?)?, named))
            })
            .collect()
    }

    /// The targets that are down, the longest first, `most` at most.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn down(&self, most: usize) -> Result<Vec<Line>, DatabaseError> {
        let sql = format!(
            "SELECT {LINE} FROM record r JOIN target t ON t.number = r.target \
             WHERE r.state = 3 AND t.removed_at IS NULL ORDER BY r.since, r.target LIMIT $1"
        );
        let rows = self.rows(&sql, &[&limit(most)]).await?;
        rows.iter().map(Line::of).collect()
    }

    /// The targets whose certificate is at `now_s` (Unix seconds) valid for fewer days than they
    /// expect, which is `most_days` at most, the soonest first, `most` at most; and how many there
    /// are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn expiring(
        &self,
        now_s: i64,
        most_days: i64,
        most: usize,
    ) -> Result<(Vec<Expiring>, u64), DatabaseError> {
        let sql = "SELECT t.url, r.certificate_until, count(*) OVER () AS total \
                   FROM record r JOIN target t ON t.number = r.target \
                   WHERE r.certificate_until < $2 AND t.removed_at IS NULL \
                   AND r.certificate_until < $1::timestamptz + t.certificate_days * interval '1 day' \
                   ORDER BY r.certificate_until, r.target LIMIT $3";
        let at_ms = now_s.saturating_mul(1_000);
        let last_ms = at_ms.saturating_add(most_days.saturating_mul(86_400_000));
        let rows = self.rows(sql, &[&Us::of_ms(at_ms), &Us::of_ms(last_ms), &limit(most)]).await?;
        let total = rows.first().map_or(Ok(0), |row| at::<i64>(row, "total"))?;
        let told = rows.iter().map(|row| {
            let until_s = at::<Us>(row, "certificate_until")?.ms().div_euclid(1_000);
            Ok(Expiring { url: at(row, "url")?, until_s })
        });
        Ok((told.collect::<Result<_, DatabaseError>>()?, total.unsigned_abs()))
    }
}
