//! The targets that came through the API, and pauses, in their tables.

use rusqlite::{Connection, Row, params};

use super::{SqliteStore, enrol};
use crate::store::StoreError;
use crate::store::{OwnChange, OwnStore, OwnTarget, Pause};
use crate::target::{Target, TargetId};

impl OwnStore for SqliteStore {
    fn amend_own(
        &mut self,
        targets: &mut [Target],
        removed: &[u32],
        change: &OwnChange,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            if !targets.is_empty() {
                enrol::enrol(transaction, targets, enrol::Others::Kept)?;
            }
            enrol::remove(transaction, removed.iter().copied())?;
            keep(transaction, change)
        })?;
        self.shorten_log();
        Ok(())
    }

    fn own_targets(&mut self, now_ms: i64) -> Result<Vec<OwnTarget>, StoreError> {
        self.write(|transaction| {
            let pauses = "DELETE FROM pause WHERE id IN
                              (SELECT id FROM own_target WHERE expires_ms <= ?1)";
            transaction.execute(pauses, [now_ms])?;
            let delete = "DELETE FROM own_target WHERE expires_ms <= ?1";
            transaction.execute(delete, [now_ms])?;
            let select = "SELECT id, entry, added_ms, expires_ms FROM own_target ORDER BY id";
            transaction.prepare(select)?.query_map([], own_target)?.collect()
        })
    }

    fn pauses(&mut self, now_ms: i64) -> Result<Vec<Pause>, StoreError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM pause WHERE until_ms <= ?1", [now_ms])?;
            let select = "SELECT id, since_ms, until_ms, reason FROM pause";
            transaction.prepare(select)?.query_map([], pause)?.collect()
        })
    }

    fn change_pauses(&mut self, put: &[Pause], gone: &[TargetId]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO pause (id, since_ms, until_ms, reason)
                       VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare_cached(sql)?;
            for Pause { id, since_ms, until_ms, reason } in put {
                insert.execute(params![id.0.cast_signed(), since_ms, until_ms, reason])?;
            }
            delete(transaction, "DELETE FROM pause WHERE id = ?1", gone)
        })
    }
}

fn keep(connection: &Connection, change: &OwnChange) -> rusqlite::Result<()> {
    let sql = "INSERT INTO own_target (id, entry, added_ms, expires_ms) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET entry = excluded.entry, expires_ms = excluded.expires_ms";
    let mut insert = connection.prepare_cached(sql)?;
    for OwnTarget { id, entry, added_ms, expires_ms } in &change.put {
        insert.execute(params![id.0.cast_signed(), entry, added_ms, expires_ms])?;
    }
    delete(connection, "DELETE FROM own_target WHERE id = ?1", &change.gone)?;
    delete(connection, "DELETE FROM pause WHERE id = ?1", &change.gone)
}

fn delete(connection: &Connection, sql: &str, ids: &[TargetId]) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(sql)?;
    for id in ids {
        delete.execute([id.0.cast_signed()])?;
    }
    Ok(())
}

fn own_target(row: &Row<'_>) -> rusqlite::Result<OwnTarget> {
    Ok(OwnTarget {
        id: id(row)?,
        entry: row.get(1)?,
        added_ms: row.get(2)?,
        expires_ms: row.get(3)?,
    })
}

fn pause(row: &Row<'_>) -> rusqlite::Result<Pause> {
    Ok(Pause { id: id(row)?, since_ms: row.get(1)?, until_ms: row.get(2)?, reason: row.get(3)? })
}

fn id(row: &Row<'_>) -> rusqlite::Result<TargetId> {
    Ok(TargetId(row.get::<_, i64>(0)?.cast_unsigned()))
}
