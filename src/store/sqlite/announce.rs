//! Writing what is announced on the status page.

use rusqlite::{Connection, params};

use crate::store::Announcement;

/// Adds `announcement`; returns its number.
pub(super) fn add(connection: &Connection, announcement: &Announcement) -> rusqlite::Result<i64> {
    let Announcement { id: _, title, text, kind, from_ms, until_ms } = announcement;
    connection
        .prepare_cached(
            "INSERT INTO announcement (title, text, kind, from_ms, until_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![title, text, kind.as_str(), from_ms, until_ms])
}

/// Removes the announcement `id`; tells whether there was one.
pub(super) fn remove(connection: &Connection, id: i64) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("DELETE FROM announcement WHERE id = ?1")?;
    Ok(statement.execute([id])? > 0)
}
