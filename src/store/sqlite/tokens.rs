//! Tokens of the API in the store.

use rusqlite::{Connection, Row, params};

use crate::store::tokens::KeptToken;

/// How long a token that is worth nothing any more stays in lists, in milliseconds.
const REMEMBERED_MS: i64 = 90 * 86_400_000;

/// Adds `token`, and forgets those that have been worth nothing for long.
pub(super) fn keep(connection: &Connection, token: &KeptToken) -> rusqlite::Result<()> {
    let bound = token.created_ms - REMEMBERED_MS;
    connection.execute("DELETE FROM token WHERE revoked_ms < ?1 OR expires_ms < ?1", [bound])?;
    connection.execute(
        "INSERT INTO token (id, name, role, hash, created_ms, expires_ms, revoked_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.id,
            token.name,
            token.role,
            token.digest.as_slice(),
            token.created_ms,
            token.expires_ms,
            token.revoked_ms,
        ],
    )?;
    Ok(())
}

/// Notes that the token `id` is revoked since `now_ms`, unless it is already; tells whether there
/// is one.
pub(super) fn revoke(connection: &Connection, id: &str, now_ms: i64) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE token SET revoked_ms = coalesce(revoked_ms, ?2) WHERE id = ?1",
        params![id, now_ms],
    )?;
    Ok(changed > 0)
}

/// All tokens, the oldest first.
pub(in crate::store) fn all(connection: &Connection) -> rusqlite::Result<Vec<KeptToken>> {
    let sql = "SELECT id, name, role, hash, created_ms, expires_ms, revoked_ms FROM token
               ORDER BY created_ms, id";
    connection.prepare(sql)?.query_map([], from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<KeptToken> {
    Ok(KeptToken {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        digest: row.get(3)?,
        created_ms: row.get(4)?,
        expires_ms: row.get(5)?,
        revoked_ms: row.get(6)?,
    })
}
