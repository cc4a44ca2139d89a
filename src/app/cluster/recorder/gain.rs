//! Taking a shard over: its docket as the database has it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::writer::in_time;
use crate::queue::kafka::reader::Logs;
use crate::shards::Shards;
use crate::stage::docket::{Docket, Terms};
use crate::store::RestoredShard;
use crate::store::postgres::terms::TermsRow;
use crate::store::postgres::{Database, DatabaseError};
use crate::target::State;

/// How long taking over may take, be it of millions of targets.
const PATIENCE: Duration = Duration::from_mins(5);

/// A shard that was taken over, or was not.
pub(super) struct Gained {
    /// The shard.
    pub(super) shard: u32,
    /// The epoch of its lease.
    pub(super) epoch: i64,
    /// Where its partition begins, when its topic was made anew.
    pub(super) anew: Option<i64>,
    /// What is kept of it, and the revision of its targets.
    pub(super) docket: Result<(Docket, i64), DatabaseError>,
    /// Where its partition begins, when it was found that its topic was made anew meanwhile.
    pub(super) begins: Option<i64>,
}

/// Where what a recorder works with is kept.
pub(super) struct Kept {
    pub(super) database: Database,
    pub(super) logs: Logs,
}

/// How a target is polled and judged.
pub(super) const fn terms(row: &TermsRow) -> Terms {
    let (locations, quorum) = (row.locations as u16, row.quorum as u16);
    Terms { every_ms: row.every_ms, locations, quorum }
}

/// Takes `shard` over under the lease of `epoch`; from the offset `anew` on when there is one.
pub(super) async fn gain(
    Kept { database, logs }: Kept,
    shards: Shards,
    (shard, epoch, anew): (u32, i64, Option<i64>),
    now_ms: i64,
) -> Gained {
    let mut begins = None;
    let docket = in_time(PATIENCE, async {
        if let Some(offset) = anew {
            database.begin_anew((shard, epoch), offset).await?;
        }
        let restored = database.take_over(shard, epoch, now_ms).await?;
        if anew.is_none() {
            let RestoredShard { next_offset, written_ms, .. } = restored;
            begins = logs.begins_anew(shard, next_offset, written_ms).await;
        }
        restore(&database, (shards, restored), (shard, epoch), now_ms).await
    });
    let docket = docket.await;
    Gained { shard, epoch, anew, docket, begins }
}

async fn restore(
    database: &Database,
    (shards, restored): (Shards, RestoredShard),
    (shard, epoch): (u32, i64),
    now_ms: i64,
) -> Result<(Docket, i64), DatabaseError> {
    let mut docket = Docket::restore(shards, (shard, epoch), &restored, now_ms);
    let (mut polled, mut pauses) = (BTreeMap::new(), BTreeMap::new());
    let revision = database
        .targets(shard, |row: TermsRow| {
            polled.insert(row.number, terms(&row));
            pauses.extend(row.pause.map(|pause| (row.number, Some(pause))));
        })
        .await?;
    database
        .records(shard, |kept, is_removed| {
            let number = kept.record.target;
            if let Some(terms) = polled.remove(&number) {
                if kept.record.health.state == State::Paused {
                    // It may have gone and come back without its pause while nobody had the shard.
                    pauses.entry(number).or_insert(None);
                }
                docket.enrol(number, terms, Some(kept));
            } else if is_removed {
                // It was given up while nobody had the shard.
                let terms = Terms { every_ms: 60_000, locations: 1, quorum: 1 };
                docket.enrol(number, terms, Some(kept));
                docket.retire(number, now_ms);
            }
        })
        .await?;
    for (number, terms) in polled {
        docket.enrol(number, terms, None);
    }
    for (number, pause) in pauses {
        docket.note_pause(number, pause);
    }
    Ok((docket, revision))
}
