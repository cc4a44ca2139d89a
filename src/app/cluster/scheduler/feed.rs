//! `Feed`: keeps the drive supplied with the targets of the shards that are ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::drive::Wish;
use crate::app::cluster::waiting::Needed;
use crate::queue::kafka::jobs::fixed;
use crate::shards::Shards;
use crate::stage::dispatch::{Change, JobTarget, LONGEST_GAP_MS, Locations, ShardTargets, Taken};
use crate::store::postgres::leases::Held;
use crate::store::postgres::targets::{JobRow, Known};
use crate::store::postgres::{Database, DatabaseError};

/// How often changes are asked for.
const POLL: Duration = Duration::from_secs(2);
/// Changes that are asked for at a time: some megabytes.
const PAGE: u32 = 10_000;
/// How long after a failure a shard is read again.
const PAUSE: Duration = Duration::from_secs(1);
/// Shards that are read at the same time.
const READERS: usize = 2;

/// Which shards have come to us at a time by the database's clock, and which are ours no more.
#[derive(Debug)]
pub(super) struct Turnover {
    pub(super) gained: Vec<Held>,
    pub(super) lost: Vec<u32>,
    pub(super) now_ms: i64,
}

/// Keeps the drive supplied.
pub(super) struct Feed {
    database: Database,
    shards: Shards,
    drive: mpsc::Sender<Wish>,
    /// The shards that are ours: the epoch of each and, once it was read, what the drive knows.
    ours: BTreeMap<u32, (i64, Option<Known>)>,
    reading: JoinSet<(Taken, Known)>,
    readers: Arc<Semaphore>,
    locations: Option<Locations>,
    needed: Needed,
}

impl Feed {
    pub(super) fn new(database: Database, shards: Shards, drive: mpsc::Sender<Wish>) -> Self {
        Self {
            database,
            shards,
            drive,
            ours: BTreeMap::new(),
            reading: JoinSet::new(),
            readers: Arc::new(Semaphore::new(READERS)),
            locations: None,
            needed: Needed::new("the changes of targets"),
        }
    }

    /// Works until nobody tells of shards any more.
    pub(super) async fn run(mut self, mut turnovers: mpsc::Receiver<Turnover>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                turnover = turnovers.recv() => match turnover {
                    Some(turnover) => self.take_over(turnover).await,
                    None => return,
                },
                Some(read) = self.reading.join_next() => {
                    if let Ok((taken, known)) = read {
                        self.hand_over(taken, known).await;
                    }
                }
                _ = poll.tick() => match self.poll().await {
                    Ok(is_all) => {
                        self.needed.note_there();
                        if !is_all {
                            poll.reset_immediately();
                        }
                    }
                    Err(error) => self.needed.note_away(&error),
                },
            }
        }
    }

    async fn take_over(&mut self, turnover: Turnover) {
        for shard in turnover.lost {
            self.ours.remove(&shard);
            self.wish(Wish::GiveUp(shard)).await;
        }
        let earliest_ms = turnover.now_ms - LONGEST_GAP_MS;
        let is_late = |held: &&Held| held.produced_until_ms.is_some_and(|ms| ms < earliest_ms);
        let late = turnover.gained.iter().filter(is_late).count();
        if late > 0 {
            tracing::warn!("nobody made jobs of {late} shards for longer than is made up for");
        }
        for held in turnover.gained {
            self.ours.insert(held.shard, (held.epoch, None));
            let (database, readers) = (self.database.clone(), Arc::clone(&self.readers));
            self.reading.spawn(read(database, readers, held, turnover.now_ms));
        }
    }

    async fn hand_over(&mut self, taken: Taken, read: Known) {
        let shard = taken.shard;
        // It may have gone to somebody else, and even come back, while it was read.
        if self.ours.get(&shard).is_some_and(|(epoch, _)| *epoch == taken.epoch) {
            self.wish(Wish::Take(taken)).await;
            self.note_known(shard, read);
        }
    }

    /// Notes what the drive knows of `shard`, once it does.
    fn note_known(&mut self, shard: u32, now: Known) {
        if let Some((_, known)) = self.ours.get_mut(&shard) {
            *known = Some(now);
        }
    }

    /// Asks what has changed, and hands it over; whether that was all.
    async fn poll(&mut self) -> Result<bool, DatabaseError> {
        self.follow_locations().await?;
        let known: Vec<(u32, Known)> =
            self.ours.iter().filter_map(|(shard, (_, known))| Some((*shard, (*known)?))).collect();
        if known.is_empty() {
            return Ok(true);
        }
        let rows = self.database.changes_since::<JobRow>(&known, PAGE).await?;
        let is_all = rows.len() < PAGE as usize;
        let mut changes: BTreeMap<u32, (Known, Vec<Change>)> = BTreeMap::new();
        for row in rows {
            let last = Known::at(row.revision, row.number);
            let shard = changes.entry(self.shards.of(row.number));
            let (known, changes) = shard.or_insert_with(|| (last, Vec::new()));
            *known = last;
            changes.push(change(&row));
        }
        for (shard, (last, changes)) in changes {
            tracing::info!(shard, "{} targets have changed", changes.len());
            self.wish(Wish::Change(shard, changes)).await;
            self.note_known(shard, last);
        }
        Ok(is_all)
    }

    async fn follow_locations(&mut self) -> Result<(), DatabaseError> {
        let locations = self.database.locations().await?;
        let names = locations.into_iter().filter(|location| !location.is_retired);
        let locations = Locations::new(names.map(|location| location.name).collect());
        if self.locations.as_ref() != Some(&locations) {
            self.wish(Wish::Locate(locations.clone())).await;
            self.locations = Some(locations);
        }
        Ok(())
    }

    async fn wish(&self, wish: Wish) {
        // The drive has ended when that fails, and so will we.
        let _ = self.drive.send(wish).await;
    }
}

fn change(row: &JobRow) -> Change {
    if row.is_removed { Change::Remove(row.number) } else { Change::Set(target(row)) }
}

fn target(row: &JobRow) -> JobTarget {
    JobTarget {
        id: row.id,
        fixed: fixed(row.number, row.id, row.revision, &row.entry),
        number: row.number,
        every_ms: row.every_ms,
        locations: row.locations,
    }
}

/// Reads the targets of a shard that has come to us at `now_ms`, however often it takes.
async fn read(
    database: Database,
    readers: Arc<Semaphore>,
    held: Held,
    now_ms: i64,
) -> (Taken, Known) {
    let Held { shard, epoch, produced_until_ms } = held;
    let _turn = readers.acquire().await;
    let earliest_ms = now_ms - LONGEST_GAP_MS;
    let until_ms = produced_until_ms.unwrap_or(now_ms).max(earliest_ms);
    let mut needed = Needed::new("the targets of a shard");
    loop {
        let mut targets = ShardTargets::default();
        let keep = |row: JobRow| targets.push(target(&row));
        let done = match database.targets::<JobRow>(shard, keep).await {
            Ok(revision) => note_gap(&database, held, earliest_ms).await.map(|()| revision),
            Err(error) => Err(error),
        };
        match done {
            Ok(revision) => {
                needed.note_there();
                targets.close();
                return (Taken { shard, epoch, until_ms, targets }, Known::up_to(revision));
            }
            Err(error) => needed.note_away(&error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Notes what is not made up for, because nobody had the shard for too long.
async fn note_gap(database: &Database, held: Held, until_ms: i64) -> Result<(), DatabaseError> {
    let Some(since_ms) = held.produced_until_ms.filter(|since_ms| *since_ms < until_ms) else {
        return Ok(());
    };
    let reason = "no scheduler had the shard";
    database.note_gap(held.shard, (since_ms, until_ms), reason).await
}
