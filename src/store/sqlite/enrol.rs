//! Giving targets their numbers.

use rusqlite::{Connection, params};
use xxhash_rust::xxh3::Xxh3Default;

use super::append::close_open_hour;
use crate::target::Target;

/// A target as the store knows it.
struct Known {
    id: i64,
    shape: i64,
    number: u32,
    is_removed: bool,
    is_seen: bool,
}

/// What becomes of those that are not among the targets that are enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Removed,
    Kept,
}

/// Gives each of `targets` its number.
pub(super) fn enrol(
    connection: &Connection,
    targets: &mut [Target],
    others: Others,
) -> rusqlite::Result<()> {
    let now_ms = now_ms(connection)?;
    let mut known = known(connection)?;
    let mut next = known.iter().map(|target| target.number).max().unwrap_or(0);
    let mut insert = connection.prepare_cached(
        "INSERT INTO target (number, id, shape, added_ms, interval_ms, given_id, url, name, team,
             labels) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut update = connection.prepare_cached(
        "UPDATE target SET id = ?2, shape = ?3, removed_ms = NULL, interval_ms = ?5, given_id = ?6,
             url = ?7, name = ?8, team = ?9, labels = ?10 WHERE number = ?1 AND ?4 NOT NULL",
    )?;
    for target in targets {
        let shown = Shown::of(target);
        let shape = shown.shape(target);
        let old = find(&mut known, target.id.0.cast_signed());
        let statement = if let Some(old) = old {
            old.is_seen = true;
            target.number = old.number;
            if old.is_removed {
                forget_state(connection, old.number)?;
            }
            if old.shape == shape && !old.is_removed {
                continue;
            }
            &mut update
        } else {
            next += 1;
            target.number = next;
            &mut insert
        };
        statement.execute(params![
            target.number,
            target.id.0.cast_signed(),
            shape,
            now_ms,
            target.every_ms,
            target.given_id.as_deref(),
            shown.url,
            target.name.as_deref(),
            target.labels.group.as_deref(),
            shown.labels,
        ])?;
    }
    match others {
        Others::Kept => Ok(()),
        Others::Removed => remove_unseen(connection, &known),
    }
}

/// Marks those of `known` that are in the list no more, and closes their hours: nobody else does.
fn remove_unseen(connection: &Connection, known: &[Known]) -> rusqlite::Result<()> {
    let gone = known.iter().filter(|target| !target.is_seen && !target.is_removed);
    for target in gone.clone() {
        close_open_hour(connection, target.number)?;
    }
    remove(connection, gone.map(|target| target.number))
}

/// Forgets the state of the target `number`, which nobody watched since it was removed.
fn forget_state(connection: &Connection, number: u32) -> rusqlite::Result<()> {
    for sql in [
        "INSERT OR IGNORE INTO transition
         SELECT (t.removed_ms << 21) | (t.number & 2097151), t.number, r.state, 0, 0, 0
         FROM target t JOIN record r ON r.target = t.number WHERE t.number = ?1 AND r.state <> 0",
        "UPDATE record SET state = 0, cause = 0, detail = 0, suspect_ms = 0, since_ms =
             max(since_ms, (SELECT removed_ms FROM target WHERE number = ?1))
         WHERE target = ?1 AND state <> 0",
    ] {
        connection.prepare_cached(sql)?.execute([number])?;
    }
    Ok(())
}

fn now_ms(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    connection.query_row(sql, [], |row| row.get(0))
}

/// All that was ever enrolled, in the order of the ids.
fn known(connection: &Connection) -> rusqlite::Result<Vec<Known>> {
    let mut statement =
        connection.prepare("SELECT number, id, shape, removed_ms NOT NULL FROM target")?;
    let mut known = statement
        .query_map([], |row| {
            Ok(Known {
                number: row.get(0)?,
                id: row.get(1)?,
                shape: row.get(2)?,
                is_removed: row.get(3)?,
                is_seen: false,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    known.sort_unstable_by_key(|target| (target.id, target.number));
    Ok(known)
}

/// The target `id` that no other of the list was taken for.
fn find(known: &mut [Known], id: i64) -> Option<&mut Known> {
    let first = known.partition_point(|target| target.id < id);
    known
        .get_mut(first..)?
        .iter_mut()
        .take_while(|target| target.id == id)
        .find(|target| !target.is_seen)
}

/// Marks what is not in the list any more; its open outage ends, since nobody watches it.
pub(super) fn remove(
    connection: &Connection,
    numbers: impl Iterator<Item = u32>,
) -> rusqlite::Result<()> {
    let now_ms = now_ms(connection)?;
    for number in numbers {
        for sql in [
            "UPDATE target SET removed_ms = ?2 WHERE number = ?1",
            "UPDATE incident SET ended_ms = max(?2, began_ms)
             WHERE target = ?1 AND ended_ms IS NULL",
            "UPDATE record SET has_incident = 0
             WHERE target = ?1 AND has_incident AND ?2 NOT NULL",
        ] {
            connection.prepare_cached(sql)?.execute(params![number, now_ms])?;
        }
    }
    Ok(())
}

/// What the store shows of a target and has to be written out for it.
struct Shown {
    url: String,
    labels: String,
}

impl Shown {
    fn of(target: &Target) -> Self {
        let pairs = &target.labels.pairs;
        let labels = if pairs.is_empty() {
            "{}".to_owned()
        } else {
            serde_json::to_string(pairs).unwrap_or_default()
        };
        Self { url: target.address.to_string(), labels }
    }

    /// A hash of all that is shown, so that a start writes only what changed.
    fn shape(&self, target: &Target) -> i64 {
        let mut hasher = Xxh3Default::new();
        let texts = [
            Some(&*self.url),
            Some(&*self.labels),
            target.given_id.as_deref(),
            target.name.as_deref(),
            target.labels.group.as_deref(),
        ];
        for text in texts {
            hasher.update(text.unwrap_or("\u{1}").as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(&target.every_ms.to_le_bytes());
        hasher.digest().cast_signed()
    }
}
