//! `Drive`: the thread that looks at the time and makes jobs, so that nothing else delays them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::alone::Alone;
use super::figures::SchedulerFigures;
use crate::app::cluster::waiting::Needed;
use crate::clock::Clock;
use crate::daemon::Notifier;
use crate::queue::kafka::jobs::JobTopic;
use crate::stage::dispatch::{Change, Dispatch, Locations, Taken, Turn};
use crate::store::postgres::leases::Holding;

/// How long jobs are gathered that fall due one after the other.
const GATHER: Duration = Duration::from_millis(5);
/// How long after it found no room it asks again.
const FULL: Duration = Duration::from_millis(10);
/// How long it sleeps at most, so that what brokers have is told in time.
const NAP: Duration = Duration::from_millis(200);
/// Wishes that may wait; one of them may hold ten thousand changes.
const WISHES: usize = 8;

/// What is wanted of the drive.
#[derive(Debug)]
pub(super) enum Wish {
    /// Make jobs of a shard.
    Take(Taken),
    /// Make no more jobs of a shard.
    GiveUp(u32),
    /// These targets of a shard have changed.
    Change(u32, Vec<Change>),
    /// Choose among these locations.
    Locate(Locations),
}

/// Until when all jobs of each shard are kept by brokers: its epoch and Unix milliseconds. Copies
/// show the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<Mutex<BTreeMap<u32, (i64, i64)>>>);

impl Kept {
    /// What has moved since `told`, which follows.
    pub(super) fn moved(&self, told: &mut BTreeMap<u32, (i64, i64)>) -> Vec<(u32, i64, i64)> {
        let now = self.0.lock().clone();
        let moved = now.iter().filter(|(shard, at)| told.get(shard) != Some(at));
        let moved = moved.map(|(shard, (epoch, ms))| (*shard, *epoch, *ms)).collect();
        *told = now;
        moved
    }

    /// Whether jobs of `shard` are made, with this epoch.
    pub(super) fn has(&self, shard: u32, epoch: i64) -> bool {
        self.0.lock().get(&shard).is_some_and(|(ours, _)| *ours == epoch)
    }

    /// The time of the shard that lies furthest behind.
    fn oldest_ms(&self) -> Option<i64> {
        self.0.lock().values().map(|(_, ms)| *ms).min()
    }
}

/// What the drive works with.
pub(super) struct Parts {
    pub(super) sink: JobTopic,
    pub(super) clock: Clock,
    pub(super) holding: Holding,
    pub(super) alone: Alone,
    pub(super) figures: SchedulerFigures,
    pub(super) notifier: Notifier,
    /// How long brokers get at the end to take what they have not.
    pub(super) flush: Duration,
    /// Cancelled when it is to end.
    pub(super) stop: CancellationToken,
}

/// The way to the thread.
pub(super) struct Reins {
    /// What is wanted of it.
    pub(super) wishes: mpsc::Sender<Wish>,
    /// Until when jobs are kept.
    pub(super) kept: Kept,
    /// Whether it has ended well, or why not.
    pub(super) ended: oneshot::Receiver<Result<(), String>>,
}

/// Starts the thread.
///
/// # Errors
/// The system gives none.
pub(super) fn start(parts: Parts) -> std::io::Result<Reins> {
    let (wishes, inbox) = mpsc::channel(WISHES);
    let (done, ended) = oneshot::channel();
    let kept = Kept::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let beat = parts.notifier.watchdog_interval().map(|every| (every, Instant::now()));
    let taken = Needed::new("Kafka to take jobs");
    let dispatch = Dispatch::default();
    let drive = Drive { parts, dispatch, kept: kept.clone(), inbox, beat, taken };
    std::thread::Builder::new().name("dispatch".into()).spawn(move || {
        // Nobody waits for it any more when that fails.
        let _ = done.send(runtime.block_on(drive.run()));
    })?;
    Ok(Reins { wishes, kept, ended })
}

struct Drive {
    parts: Parts,
    dispatch: Dispatch,
    kept: Kept,
    inbox: mpsc::Receiver<Wish>,
    /// How often the service manager wants a sign of life, and when it got one.
    beat: Option<(Duration, Instant)>,
    taken: Needed,
}

impl Drive {
    async fn run(mut self) -> Result<(), String> {
        let stop = self.parts.stop.clone();
        loop {
            let wake = self.turn();
            if let Some(reason) = self.parts.sink.broken() {
                return Err(reason);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(wish) = self.inbox.recv() => self.fulfil(wish),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        let is_empty = self.parts.sink.flush(self.parts.flush);
        self.settle();
        if !is_empty {
            let left = self.parts.sink.producer().in_flight();
            tracing::warn!("Kafka did not take {left} jobs in time; whoever comes next makes them");
        }
        Ok(())
    }

    /// Makes what is due; returns when there is something to do again.
    fn turn(&mut self) -> Instant {
        let Parts { sink, clock, holding, alone, .. } = &mut self.parts;
        if let Some(drift_us) = clock.follow_wall() {
            let seconds = drift_us / 1_000_000;
            tracing::warn!(seconds, "the time of the database and ours have parted; ours is set");
        }
        let goes_on = alone.goes_on();
        let is_ours = |shard, epoch| goes_on || holding.epoch(shard) == Some(epoch);
        let turn = self.dispatch.turn(clock.now_ms(), is_ours, sink);
        let unkept_ms = self.settle();
        self.parts.figures.note_turn(&turn, unkept_ms);
        self.show_life();
        self.wake_at(turn)
    }

    fn wake_at(&self, turn: Turn) -> Instant {
        let now = Instant::now();
        if turn.is_behind {
            return now;
        }
        if turn.is_full {
            return now + FULL;
        }
        let next = turn.next_ms.map_or(now + NAP, |at_ms| self.parts.clock.instant_of(at_ms));
        next.clamp(now + GATHER, now + NAP)
    }

    /// Notes until when jobs are kept; returns how old the oldest is that is not, in milliseconds.
    fn settle(&mut self) -> i64 {
        let now_ms = self.parts.clock.now_ms();
        let (kept, mut has_moved) = (&self.kept, false);
        let note = |shard, epoch, ms| {
            has_moved = true;
            kept.0.lock().insert(shard, (epoch, ms));
        };
        let failed = self.dispatch.settle(now_ms, &mut self.parts.sink, note);
        if failed > 0 {
            let reason = self.parts.sink.producer().trouble().unwrap_or_default();
            self.taken.note_away(&format!("jobs of {failed} shards may be lost: {reason}"));
        } else if has_moved {
            self.taken.note_there();
        }
        self.kept.oldest_ms().map_or(0, |oldest_ms| (now_ms - oldest_ms).max(0))
    }

    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Take(taken) => {
                self.kept.0.lock().insert(taken.shard, (taken.epoch, taken.until_ms));
                self.dispatch.take(taken, &mut self.parts.sink);
            }
            Wish::GiveUp(shard) => {
                self.kept.0.lock().remove(&shard);
                self.dispatch.give_up(shard);
            }
            Wish::Change(shard, changes) => self.dispatch.change(shard, changes),
            Wish::Locate(locations) => self.dispatch.locate(locations),
        }
        self.parts.figures.note_held(self.dispatch.shards(), self.dispatch.targets());
    }

    fn show_life(&mut self) {
        if let Some((every, last)) = &mut self.beat
            && last.elapsed() >= *every
        {
            *last = Instant::now();
            self.parts.notifier.alive();
        }
    }
}
