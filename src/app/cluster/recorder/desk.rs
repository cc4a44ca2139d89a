//! `Desk`: the loop of a recorder. It alone has the dockets of its shards; what takes time is done by
//! tasks beside it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chores::{Chore, Chores};
use super::figures::Figures;
use super::gain::{Gained, gain};
use super::letters::Letters;
use super::locations::Locations;
use super::targets::Targets;
use super::writer::{Written, write};
use crate::app::role::RoleError;
use crate::clock::Clock;
use crate::queue::kafka::reader::{Arrival, Reader};
use crate::shards::Shards;
use crate::stage::docket::Docket;
use crate::store::ShardBatch;
use crate::store::postgres::leases::Tended;
use crate::store::postgres::{Database, DatabaseError};

/// Samples that make a batch full.
const FULL: usize = 5_000;
/// How long a sample waits at most before it is handed to the writer.
const COMMIT_EVERY: Duration = Duration::from_millis(300);
/// How long it is not noted how far a shard is of which nothing new came.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// Samples that wait at most while others are being written.
const MOST_WAITING: usize = 20_000;
/// How often the desk looks around when nothing comes.
const TICK: Duration = Duration::from_millis(50);
/// Shards that are taken over at a time.
const GAINS: usize = 3;
/// How long a question to the database may take that everything else waits for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a desk works with.
pub(super) struct Parts {
    pub(super) database: Database,
    pub(super) reader: Reader,
    pub(super) letters: Letters,
    pub(super) clock: Clock,
    pub(super) shards: Shards,
    pub(super) figures: Arc<Figures>,
    /// Age up to which every single result is kept.
    pub(super) keep: Duration,
    pub(super) stop: CancellationToken,
}

/// The loop of a recorder.
pub(super) struct Desk {
    pub(super) parts: Parts,
    /// By shard.
    pub(super) dockets: BTreeMap<u32, Docket>,
    /// The epochs of the shards that are ours.
    held: BTreeMap<u32, i64>,
    /// Shards that are to be taken over, and from when on.
    wanted: VecDeque<(u32, Instant)>,
    gains: JoinSet<Gained>,
    writing: JoinSet<Written>,
    pub(super) locations: Locations,
    pub(super) targets: Targets,
    pub(super) chores: Chores,
    /// By how much our clock is ahead of the database's, in milliseconds; none until it was asked.
    ahead_ms: Option<i64>,
    /// Samples that wait to be written.
    pub(super) waiting: usize,
    handed_at: Instant,
    noted_at: Instant,
}

impl Desk {
    pub(super) fn new(parts: Parts) -> Self {
        let now = Instant::now();
        Self {
            chores: Chores::new(&parts),
            parts,
            dockets: BTreeMap::new(),
            held: BTreeMap::new(),
            wanted: VecDeque::new(),
            gains: JoinSet::new(),
            writing: JoinSet::new(),
            locations: Locations::default(),
            targets: Targets::new(now),
            ahead_ms: None,
            waiting: 0,
            handed_at: now,
            noted_at: now,
        }
    }

    /// Records what `arrivals` bring, of the shards that `tended` says are ours, until it is to stop.
    ///
    /// # Errors
    /// It cannot go on.
    pub(super) async fn work(
        &mut self,
        mut arrivals: Receiver<Vec<Arrival>>,
        mut tended: watch::Receiver<Option<Tended>>,
    ) -> Result<(), RoleError> {
        let stop = self.parts.stop.clone();
        while !stop.is_cancelled() {
            let has_room = self.waiting < MOST_WAITING && self.chores.span().is_some();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = tended.changed() => match changed {
                    Ok(()) => {
                        let now = tended.borrow_and_update().clone();
                        self.hold(now);
                    }
                    // Whoever keeps the leases says why it ended.
                    Err(_) => return Ok(()),
                },
                Some(Ok(gained)) = self.gains.join_next() => self.gained(gained)?,
                Some(Ok(written)) = self.writing.join_next() => self.written(written),
                Some(Ok(chore)) = self.chores.done() => self.chores.note(chore),
                came = arrivals.recv(), if has_room => match came {
                    Some(arrivals) => self.take_in(arrivals).await,
                    None => return Err(broken("what reads from Kafka ended")),
                },
                () = tokio::time::sleep(TICK) => {}
            }
            self.look_around().await?;
        }
        Ok(())
    }

    /// Writes what has come, within `limit`, and what spares whoever gets the shards some work; tells
    /// whether that is all. What is not written stays on Kafka for them.
    pub(super) async fn drain(&mut self, limit: Duration) -> bool {
        // What is asked now is not given up because we are to stop.
        self.parts.stop = CancellationToken::new();
        for shard in self.dockets.keys() {
            self.parts.reader.release(*shard);
        }
        let limit = limit * 4 / 5;
        tokio::time::timeout(limit, self.write_rest()).await.is_ok()
    }

    async fn write_rest(&mut self) {
        loop {
            while let Some(written) = self.writing.join_next().await {
                if let Ok(written) = written {
                    self.written(written);
                }
            }
            if self.dockets.values().all(|docket| !docket.has_news()) {
                break;
            }
            self.hand_over().await;
            tokio::task::yield_now().await;
        }
        while let Some((_, mut docket)) = self.dockets.pop_first() {
            if docket.is_behind() {
                let batches = vec![docket.close_last(self.now_ms())];
                let Parts { database, figures, .. } = &self.parts;
                write(database.clone(), batches, Arc::clone(figures)).await;
            }
        }
    }

    /// Now, by the database's clock, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms() - self.ahead_ms.unwrap_or(0)
    }

    /// What `asked` of the database says; none when it does not do so in time or we are to stop.
    pub(super) async fn ask<T>(
        &self,
        asked: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Option<T> {
        let slow = |_| Err(DatabaseError::Away("it does not answer in time".to_owned()));
        let said = tokio::select! {
            () = self.parts.stop.cancelled() => return None,
            said = tokio::time::timeout(PATIENCE, asked) => said.unwrap_or_else(slow),
        };
        self.parts.figures.database_is(said.as_ref().map(|_| ()));
        match said {
            Ok(said) => Some(said),
            Err(error) => {
                tracing::debug!(%error, "the database was asked in vain");
                None
            }
        }
    }

    fn hold(&mut self, tended: Option<Tended>) {
        let Some(tended) = tended else { return };
        self.ahead_ms = Some(tended.clock_ahead_ms);
        let held: BTreeMap<u32, i64> =
            tended.held.iter().map(|held| (held.shard, held.epoch)).collect();
        let before = std::mem::replace(&mut self.held, held);
        let lost: Vec<u32> = before
            .iter()
            .filter(|(shard, epoch)| self.held.get(shard) != Some(epoch))
            .map(|(shard, _)| *shard)
            .collect();
        for shard in &lost {
            self.drop_docket(*shard);
        }
        let is_new = |(shard, epoch): &(&u32, &i64)| before.get(shard) != Some(epoch);
        let gained: Vec<u32> = self.held.iter().filter(is_new).map(|(shard, _)| *shard).collect();
        if !gained.is_empty() || !lost.is_empty() {
            let (all, members) = (self.held.len(), tended.members);
            tracing::info!(all, gained = gained.len(), lost = lost.len(), members, "shards");
        }
        let now = Instant::now();
        self.wanted.extend(gained.into_iter().map(|shard| (shard, now)));
        self.parts.figures.shards.store(self.held.len() as u64, Ordering::Relaxed);
    }

    fn drop_docket(&mut self, shard: u32) {
        self.parts.reader.release(shard);
        self.targets.forget(shard);
        if let Some(docket) = self.dockets.remove(&shard) {
            self.waiting = self.waiting.saturating_sub(docket.pending());
        }
    }

    fn gained(&mut self, gained: Gained) -> Result<(), RoleError> {
        let Gained { shard, epoch, docket } = gained;
        if self.held.get(&shard) != Some(&epoch) {
            return Ok(());
        }
        match docket {
            Ok((mut docket, revision)) => {
                self.parts.figures.database_is(Ok(()));
                docket.locations_are(self.locations.count());
                self.parts.reader.assign(shard, epoch, docket.next_offset());
                self.targets.begin(shard, revision);
                self.dockets.insert(shard, docket);
            }
            // Its lease is no more ours, which we are told soon.
            Err(DatabaseError::Fenced { .. }) => {}
            Err(error) if error.is_passing() => {
                self.parts.figures.database_is(Err(&error));
                self.wanted.push_back((shard, Instant::now() + super::PAUSE));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn written(&mut self, written: Written) {
        let now_ms = self.now_ms();
        let Written { batches, fenced } = written;
        for batch in batches {
            let ShardBatch { shard, epoch, samples, .. } = batch;
            let docket = self.dockets.get_mut(&shard).filter(|docket| docket.epoch() == epoch);
            if !fenced.contains(&shard) {
                if !samples.is_empty() {
                    let delays = self.parts.figures.count(&samples, now_ms);
                    if let Some(docket) = docket {
                        docket.note_delay(delays);
                    }
                }
                continue;
            }
            tracing::warn!(shard, epoch, "what came was not written: somebody else has the shard");
            if docket.is_some() {
                self.drop_docket(shard);
                // If it is ours after all, the database knows.
                self.wanted.push_back((shard, Instant::now() + super::PAUSE));
            }
        }
    }

    async fn look_around(&mut self) -> Result<(), RoleError> {
        while self.gains.len() < GAINS
            && let Some(&(shard, from)) = self.wanted.front()
            && from <= Instant::now()
        {
            self.wanted.pop_front();
            let Some(&epoch) = self.held.get(&shard) else { continue };
            let Parts { database, shards, .. } = &self.parts;
            self.gains.spawn(gain(database.clone(), *shards, (shard, epoch), self.now_ms()));
        }
        self.follow_targets().await;
        if self.writing.is_empty() {
            let waited = self.handed_at.elapsed();
            if self.waiting >= FULL || waited >= COMMIT_EVERY {
                self.hand_over().await;
            }
        }
        let held: Vec<u32> = self.dockets.keys().copied().collect();
        // What is too old is dropped by the database's clock: ours may be days ahead.
        if let Some(ahead_ms) = self.ahead_ms {
            self.chores.look_around(&self.parts, &held, ahead_ms);
        }
        if self.chores.is_second() {
            self.look_at_kafka()?;
        }
        Ok(())
    }

    fn look_at_kafka(&self) -> Result<(), RoleError> {
        let reader = &self.parts.reader;
        let behind = |(shard, docket): (&u32, &Docket)| {
            reader.end(*shard).map_or(0, |end| (end - docket.next_offset()).max(0))
        };
        let lag = self.dockets.iter().map(behind).sum();
        self.parts.figures.lag.store(lag, Ordering::Relaxed);
        let trouble = reader.trouble();
        if reader.is_refused() {
            let reason = format!("Kafka refuses: {}", trouble.unwrap_or_default());
            return Err(broken(&reason));
        }
        self.parts.figures.kafka_is(trouble.as_deref());
        Ok(())
    }

    /// Hands what waits to the writer, which has nothing to do.
    async fn hand_over(&mut self) {
        self.handed_at = Instant::now();
        let is_noted = self.noted_at.elapsed() >= NOTE_EVERY;
        let doubted: Vec<_> = self.dockets.values().flat_map(Docket::doubted).collect();
        if !doubted.is_empty() {
            let Some(stored) = self.ask(self.parts.database.stored(&doubted)).await else { return };
            let now_ms = self.now_ms();
            self.dockets.values_mut().for_each(|docket| docket.resolve(&stored, now_ms));
        }
        let now_ms = self.now_ms();
        let is_due = |docket: &&mut Docket| docket.has_news() || (is_noted && docket.is_behind());
        let due = self.dockets.values_mut().filter(is_due);
        let batches: Vec<ShardBatch> = due.map(|docket| docket.close(now_ms)).collect();
        if is_noted {
            self.noted_at = self.handed_at;
        }
        self.waiting = 0;
        if !batches.is_empty() {
            let Parts { database, figures, .. } = &self.parts;
            self.writing.spawn(write(database.clone(), batches, Arc::clone(figures)));
        }
    }
}

fn broken(reason: &str) -> RoleError {
    RoleError { code: 1, reason: reason.to_owned() }
}

/// What the desk does beside its loop, for who looks at it.
pub(super) type Done = Option<Result<Chore, tokio::task::JoinError>>;
