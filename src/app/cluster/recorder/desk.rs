//! `Desk`: the loop of a recorder. It alone has the dockets of its shards; what takes time is done by
//! tasks beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chores::{Chore, Chores};
use super::doubts::Doubts;
use super::figures::Figures;
use super::holding::Holding;
use super::locations::Locations;
use super::targets::Targets;
use super::troubles::Work;
use super::writer::{Writer, Written, in_time};
use crate::app::role::RoleError;
use crate::clock::Clock;
use crate::queue::kafka::letters::Letters;
use crate::queue::kafka::reader::{Arrival, Reader};
use crate::shards::Shards;
use crate::stage::docket::Docket;
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
/// Records of targets that one transaction writes because it is time, of all shards together, and
/// those of one shard at least.
const RECORDS: usize = 5_000;
const LEAST_RECORDS: usize = 2;
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
    pub(super) holding: Holding,
    pub(super) writing: JoinSet<Written>,
    pub(super) locations: Locations,
    pub(super) targets: Targets,
    pub(super) doubts: Doubts,
    pub(super) chores: Chores,
    /// By how much our clock is ahead of the database's, in milliseconds; none until it was asked.
    pub(super) ahead_ms: Option<i64>,
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
            holding: Holding::default(),
            writing: JoinSet::new(),
            locations: Locations::default(),
            targets: Targets::default(),
            doubts: Doubts::new(),
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
            let has_room = self.waiting < MOST_WAITING && self.has_partitions();
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
                Some(gained) = self.holding.gains.join_next_with_id() => self.gained(gained),
                Some(written) = self.writing.join_next() => {
                    self.written(written.map_err(|error| broke_off(&error))?);
                }
                Some(chore) = self.chores.done() => {
                    self.chores.note(chore.map_err(|error| broke_off(&error))?);
                }
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
                match written {
                    Ok(written) => self.written(written),
                    Err(error) => tracing::error!(%error, "writing broke off"),
                }
            }
            if self.dockets.values().all(|docket| !docket.has_news()) {
                break;
            }
            self.hand_over().await;
            if self.writing.is_empty() && self.is_stopped_after_a_pause().await {
                return;
            }
        }
        while let Some((shard, mut docket)) = self.dockets.pop_first() {
            while docket.is_behind() {
                let batches = vec![docket.close_more(self.now_ms(), RECORDS)];
                let Written { fenced, refused, .. } = self.writer().write(batches).await;
                if !fenced.is_empty() || !refused.is_empty() {
                    tracing::warn!(shard, "whoever takes the shard over takes some in again");
                    break;
                }
            }
        }
    }

    fn writer(&self) -> Writer {
        let Parts { database, figures, .. } = &self.parts;
        let span = self.chores.span().unwrap_or(0..0);
        Writer { database: database.clone(), figures: Arc::clone(figures), span }
    }

    /// Whether there are partitions for whatever may come: else it is not taken in.
    fn has_partitions(&self) -> bool {
        let last_ms = self.now_ms() + super::intake::AHEAD_MS;
        self.chores.span().is_some_and(|span| span.end > last_ms)
    }

    /// Now, by the database's clock, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms() - self.ahead_ms.unwrap_or(0)
    }

    /// What `asked` of the database for `work` says; none when it does not do so in time or we are to
    /// stop.
    pub(super) async fn ask<T>(
        &self,
        work: Work,
        asked: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Option<T> {
        let said = tokio::select! {
            () = self.parts.stop.cancelled() => return None,
            said = in_time(PATIENCE, asked) => said,
        };
        self.parts.figures.troubles.went(work, said.as_ref().map(|_| ()));
        match said {
            Ok(said) => Some(said),
            Err(error) => {
                tracing::debug!(%error, "the database was asked in vain");
                None
            }
        }
    }

    async fn look_around(&mut self) -> Result<(), RoleError> {
        self.parts.figures.desk_moves();
        self.follow_targets().await;
        self.look_after_pauses();
        self.take_over();
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
        self.resolve_doubts().await;
        let now_ms = self.now_ms();
        let is_due = |docket: &Docket| {
            let is_due = docket.has_news() || (is_noted && docket.is_behind());
            is_due && docket.doubted().next().is_none()
        };
        let mut due: Vec<&mut Docket> =
            self.dockets.values_mut().filter(|docket| is_due(docket)).collect();
        let (mut batches, mut room) = (Vec::with_capacity(due.len()), RECORDS);
        // What one does not need is for the others.
        while let Some(docket) = due.pop() {
            let batch = docket.close_some(now_ms, (room / (due.len() + 1)).max(LEAST_RECORDS));
            room = room.saturating_sub(batch.batch.records.len());
            batches.push(batch);
        }
        if is_noted {
            self.noted_at = self.handed_at;
        }
        self.waiting = self.dockets.values().map(Docket::pending).sum();
        if !batches.is_empty() {
            let writer = self.writer();
            self.writing.spawn(writer.write(batches));
        }
    }
}

fn broke_off(error: &JoinError) -> RoleError {
    broken(&format!("a task broke off: {error}"))
}

fn broken(reason: &str) -> RoleError {
    RoleError { code: 1, reason: reason.to_owned() }
}

/// What the desk does beside its loop, for who looks at it.
pub(super) type Done = Option<Result<Chore, tokio::task::JoinError>>;
