//! `Feed`: keeps the drive supplied with the targets of the shards that are ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::drive::Wish;
use crate::app::cluster::waiting::Needed;
use crate::queue::kafka::jobs::fixed;
use crate::shards::Shards;
use crate::stage::dispatch::{Change, JobTarget, LONGEST_GAP_MS, Locations, ShardTargets, Taken};
use crate::store::postgres::leases::Held;
use crate::store::postgres::targets::{JobRow, Known, LocationRow};
use crate::store::postgres::{Database, DatabaseError};

/// How often changes are asked for.
const POLL: Duration = Duration::from_secs(2);
/// Changes that are asked for at a time: some megabytes.
const PAGE: u32 = 10_000;
/// How long after a failure a shard is read again.
const PAUSE: Duration = Duration::from_secs(1);
/// Shards that are read at the same time.
const READERS: usize = 2;

/// Which shards are ours no more, and which have come to us after that, at a time by the database's
/// clock.
#[derive(Debug, Default)]
pub(super) struct Turnover {
    pub(super) gained: Vec<Held>,
    pub(super) lost: Vec<u32>,
    pub(super) now_ms: i64,
}

impl Turnover {
    /// Whether nothing came and went.
    pub(super) const fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }

    /// Takes in what came and went `later`.
    pub(super) fn follow(&mut self, later: Self) {
        self.gained.retain(|held| !later.lost.contains(&held.shard));
        self.gained.extend(later.gained);
        self.lost.extend(later.lost);
        self.lost.sort_unstable();
        self.lost.dedup();
        self.now_ms = later.now_ms;
    }
}

/// What came of reading a shard: its targets, and what is known of them then.
type Read = Result<(Taken, Known), DatabaseError>;

/// A shard whose targets are to be read.
struct Wanted {
    held: Held,
    /// When it came to us, in Unix milliseconds.
    now_ms: i64,
    needed: Needed,
}

impl Wanted {
    const fn new(held: Held, now_ms: i64) -> Self {
        Self { held, now_ms, needed: Needed::new("the targets of a shard") }
    }
}

/// Keeps the drive supplied.
pub(super) struct Feed {
    database: Database,
    shards: Shards,
    drive: mpsc::Sender<Wish>,
    /// The shards that are ours: the epoch of each and, once it was read, what the drive knows.
    ours: BTreeMap<u32, (i64, Option<Known>)>,
    reading: JoinSet<(Wanted, Read)>,
    /// What is read by which task.
    tasks: BTreeMap<Id, (Held, i64, AbortHandle)>,
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
            tasks: BTreeMap::new(),
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
                // Not before it is known from where they are polled.
                Some(read) = self.reading.join_next_with_id(), if self.locations.is_some() => {
                    match read {
                        Ok((task, (wanted, read))) => {
                            self.tasks.remove(&task);
                            self.note_read(wanted, read).await;
                        }
                        Err(error) => self.note_broken(&error),
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
            // Others wait for a turn to read.
            let tasks = self.tasks.values().filter(|(held, ..)| held.shard == shard);
            tasks.for_each(|(.., task)| task.abort());
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
            self.begin(Wanted::new(held, turnover.now_ms), Duration::ZERO);
        }
    }

    /// Begins after a `pause` to read a shard.
    fn begin(&mut self, wanted: Wanted, pause: Duration) {
        let (database, readers) = (self.database.clone(), Arc::clone(&self.readers));
        let (held, now_ms) = (wanted.held, wanted.now_ms);
        let task = self.reading.spawn(async move {
            tokio::time::sleep(pause).await;
            // Whoever pauses has no turn: others may be read while one cannot be.
            let _turn = readers.acquire().await;
            let read = read(&database, held, now_ms).await;
            (wanted, read)
        });
        self.tasks.insert(task.id(), (held, now_ms, task));
    }

    /// Takes in what came of reading a shard: what fails is done again while the shard is ours.
    async fn note_read(&mut self, mut wanted: Wanted, read: Result<(Taken, Known), DatabaseError>) {
        match read {
            Ok((taken, known)) => {
                wanted.needed.note_there();
                self.hand_over(taken, known).await;
            }
            Err(error) => {
                wanted.needed.note_away(&error);
                self.read_again(wanted);
            }
        }
    }

    /// Notes that reading a shard broke off: nobody else does it.
    fn note_broken(&mut self, error: &JoinError) {
        let Some((held, now_ms, _)) = self.tasks.remove(&error.id()) else { return };
        if !error.is_cancelled() {
            tracing::error!(shard = held.shard, "reading its targets broke off: {error}");
        }
        self.read_again(Wanted::new(held, now_ms));
    }

    /// Has a shard read again, if it is still ours.
    fn read_again(&mut self, wanted: Wanted) {
        let Held { shard, epoch, .. } = wanted.held;
        if self.ours.get(&shard).is_some_and(|(ours, _)| *ours == epoch) {
            self.begin(wanted, PAUSE);
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
        self.remove_expired().await;
        Ok(is_all)
    }

    /// Has targets go whose time has come, whoever's they are. What does not work is done again the
    /// next time, by whichever scheduler.
    async fn remove_expired(&self) {
        match self.database.remove_expired().await {
            Ok(0) => {}
            Ok(count) => tracing::info!("{count} targets have gone, as they were to by now"),
            Err(error) => tracing::debug!(%error, "targets that are to go may be polled still"),
        }
    }

    async fn follow_locations(&mut self) -> Result<(), DatabaseError> {
        let locations = self.database.locations().await?;
        let locations = among(locations);
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
        since_s: row.since_s,
        locations: row.locations,
    }
}

/// The locations to choose among: those that are not retired.
fn among(rows: Vec<LocationRow>) -> Locations {
    let has_retired = rows.iter().any(|location| location.is_retired);
    let names = rows.into_iter().filter(|location| !location.is_retired);
    let names = names.map(|location| location.name).collect();
    if has_retired { Locations::without_others(names) } else { Locations::new(names) }
}

/// Reads the targets of a shard that has come to us at `now_ms`.
async fn read(database: &Database, held: Held, now_ms: i64) -> Read {
    let Held { shard, epoch, produced_until_ms } = held;
    let earliest_ms = now_ms - LONGEST_GAP_MS;
    let until_ms = produced_until_ms.unwrap_or(now_ms).max(earliest_ms);
    let mut targets = ShardTargets::default();
    let keep = |row: JobRow| targets.push(target(&row));
    let revision = database.targets::<JobRow>(shard, keep).await?;
    note_gap(database, held, earliest_ms).await?;
    targets.close();
    Ok((Taken { shard, epoch, until_ms, targets }, Known::up_to(revision)))
}

/// Notes what is not made up for, because nobody had the shard for too long.
async fn note_gap(database: &Database, held: Held, until_ms: i64) -> Result<(), DatabaseError> {
    let Some(since_ms) = held.produced_until_ms.filter(|since_ms| *since_ms < until_ms) else {
        return Ok(());
    };
    let reason = "no scheduler had the shard";
    database.note_gap(held.shard, (since_ms, until_ms), reason).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::Address;

    fn held(shard: u32, epoch: i64) -> Held {
        Held { shard, epoch, produced_until_ms: None }
    }

    #[tokio::test]
    async fn who_cannot_read_a_shard_has_no_turn_and_ends_when_it_is_not_ours() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("postgres://{}/none", nobody.local_addr().expect("one"));
        drop(nobody);
        let address = Address { url, ca: None, client: "test".to_owned() };
        let database = Database::at(&address, 2).expect("an address");
        let (wishes, mut drive) = mpsc::channel(16);
        let mut feed = Feed::new(database, Shards::new(8).expect("some"), wishes);
        let gained = (1..=3).map(|shard| held(shard, 1)).collect();
        feed.take_over(Turnover { gained, lost: Vec::new(), now_ms: 0 }).await;
        // More than have a turn, and none of them can be read.
        for _ in 0..3 {
            let (task, (wanted, read)) =
                feed.reading.join_next_with_id().await.expect("three").expect("no panic");
            feed.tasks.remove(&task);
            assert!(read.is_err());
            feed.note_read(wanted, read).await;
        }
        assert_eq!((feed.reading.len(), feed.readers.available_permits()), (3, READERS));
        feed.take_over(Turnover { gained: Vec::new(), lost: vec![1, 2, 3], now_ms: 1 }).await;
        while let Some(read) = feed.reading.join_next_with_id().await {
            feed.note_broken(&read.err().expect("it was ended"));
        }
        assert!(feed.tasks.is_empty() && feed.reading.is_empty());
        for shard in 1..=3 {
            assert!(matches!(drive.try_recv(), Ok(Wish::GiveUp(lost)) if lost == shard));
        }
    }

    #[test]
    fn what_waits_to_be_told_becomes_one() {
        let mut waiting =
            Turnover { gained: vec![held(1, 1), held(2, 1)], lost: vec![5], now_ms: 1 };
        waiting.follow(Turnover { gained: vec![held(5, 3)], lost: vec![2], now_ms: 2 });
        waiting.follow(Turnover { gained: vec![held(1, 7)], lost: vec![1, 5], now_ms: 3 });
        assert_eq!(waiting.lost, [1, 2, 5]);
        assert_eq!(waiting.gained, [held(1, 7)]);
        assert!(waiting.now_ms == 3 && !waiting.is_empty());
    }
}
