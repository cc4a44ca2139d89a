//! Members of the cluster, as they last said of themselves.

use tokio_postgres::Row;

use super::DatabaseError;
use super::rows::Us;

/// A member of the cluster, as it last said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberRow {
    /// Its name.
    pub name: String,
    /// `scheduler`, `checker` or `recorder`.
    pub role: String,
    /// Where it polls from; empty: it polls nothing.
    pub location: String,
    /// Its host.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Its version.
    pub version: String,
    /// When it began, in Unix milliseconds.
    pub started_ms: i64,
    /// When it was heard of last, in Unix milliseconds.
    pub seen_ms: i64,
    /// How long ago that is by the database's clock, in milliseconds.
    pub seen_ms_ago: i64,
    /// By how many milliseconds its clock is ahead.
    pub ahead_ms: i64,
    /// Shards that it has.
    pub shards: i64,
    /// Further figures, as JSON.
    pub facts: String,
}

/// The members that were heard of since a time, 10,000 at most.
pub(super) const MEMBERS: &str = "\
    SELECT name, role, location, host, pid, version, started_at, seen_at, \
    (extract(epoch FROM now() - seen_at) * 1000)::bigint AS seen_ms_ago, ahead_ms, \
    coalesce(has, 0) AS shards, facts::text AS facts FROM member LEFT JOIN \
    (SELECT role, split_part(owner, '#', 1) AS name, count(*) AS has \
    FROM lease WHERE until >= now() GROUP BY 1, 2) AS owned USING (role, name) \
    WHERE seen_at >= $1 ORDER BY role, location, name LIMIT 10000";

/// A row of [`MEMBERS`].
pub(super) fn member(row: &Row) -> Result<MemberRow, DatabaseError> {
    Ok(MemberRow {
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        location: row.try_get("location")?,
        host: row.try_get("host")?,
        pid: row.try_get("pid")?,
        version: row.try_get("version")?,
        started_ms: row.try_get::<_, Us>("started_at")?.ms(),
        seen_ms: row.try_get::<_, Us>("seen_at")?.ms(),
        seen_ms_ago: row.try_get("seen_ms_ago")?,
        ahead_ms: row.try_get("ahead_ms")?,
        shards: row.try_get("shards")?,
        facts: row.try_get("facts")?,
    })
}
