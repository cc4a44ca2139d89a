//! The recorder: turns outcomes into rows. One thread keeps the ledger, one writes to the store and
//! one to the journal, so that a disk that stands still holds up neither polls nor figures.

mod backlog;
mod court;
mod doubt;
mod hold;
mod resume;
mod watch;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, RwLock};

pub use court::{Court, Opinion};
pub use hold::StorageFacts;
use hold::{Hold, Journaled};
pub use resume::{Resumed, resume};
use watch::Watch;

use crate::clock::Clock;
use crate::health::Transition;
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::queue::Outlet;
use crate::roster::Roster;
use crate::store::{Batch, Journal, Store};

/// How often outcomes are fetched.
const TICK: Duration = Duration::from_millis(100);
/// How long a sample waits at most before it is handed to the writer.
const COMMIT_EVERY: Duration = Duration::from_millis(400);
/// How often it is noted that the daemon watches, while nothing comes of it.
const IDLE_EVERY: Duration = Duration::from_secs(10);
/// Samples that make a batch full.
const BATCH: usize = 5_000;
/// How often the summary is stored.
const SUMMARY_EVERY: Duration = Duration::from_secs(1);
/// Samples that wait in memory at most for a store that stands still, unless told otherwise; what
/// comes then is in the journal alone.
pub const MOST_HELD: usize = 1_000_000;

/// What a recorder works with.
pub struct Desk {
    /// Where outcomes come from.
    pub outlet: Arc<dyn Outlet>,
    /// What is known of all targets.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What is thought of the daemon itself.
    pub court: Arc<Mutex<Court>>,
    /// The targets, which learn their states.
    pub roster: Arc<RwLock<Roster>>,
    /// The time.
    pub clock: Clock,
    /// Makes the summary that is stored for when no daemon runs.
    pub summarise: Box<dyn Fn() -> String + Send>,
    /// Sees every outcome that is recorded, and every change of state.
    pub tap: Tap,
    /// Samples that wait in memory at most; [`MOST_HELD`] for a daemon.
    pub most_held: usize,
}

/// Sees outcomes as they are recorded, and the changes of state that they bring about.
pub type Tap = Box<dyn Fn(&[Outcome], &[Transition]) + Send>;

/// A recorder at work.
pub struct Recorder {
    hold: Arc<Hold>,
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

/// Ends the recorder's wait before its time.
#[derive(Debug, Default)]
struct Bell {
    is_over: AtomicBool,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// Waits for `length`, or until all is over; tells whether it is.
    fn is_over_after(&self, length: Duration) -> bool {
        let mut guard = self.lock.lock();
        if !self.is_over.load(Ordering::Acquire) {
            let _ = self.rung.wait_for(&mut guard, length);
        }
        self.is_over.load(Ordering::Acquire)
    }
}

impl Recorder {
    /// Starts the recorder's threads; `samples` is how many `store` holds.
    ///
    /// # Errors
    /// The system allows no further thread.
    pub fn start(
        desk: Desk,
        store: impl Store,
        samples: u64,
        journal: impl Journal,
    ) -> io::Result<Self> {
        let hold = Arc::new(Hold::new(&store, samples, desk.most_held));
        let bell = Arc::new(Bell::default());
        let journal: Journaled = Arc::new(Mutex::new(Box::new(journal)));
        let clock = desk.clock.clone();
        let (ending, notes) = (WriterEnd(Arc::clone(&hold)), Arc::clone(&journal));
        let writer = std::thread::Builder::new().name("writer".into()).spawn(move || {
            let WriterEnd(hold) = &ending;
            writer::run(store, hold, &notes, &clock);
        })?;
        let (heap, cord, book) = (Arc::clone(&hold), Arc::clone(&bell), Arc::clone(&journal));
        let scribe = std::thread::Builder::new().name("journal".into()).spawn(move || {
            while !cord.is_over_after(TICK) {
                heap.secure(&book);
            }
        })?;
        let (pile, rope) = (Arc::clone(&hold), Arc::clone(&bell));
        let keeper = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || keep(&desk, &pile, &journal, &rope))?;
        Ok(Self { hold, bell, threads: vec![keeper, writer, scribe] })
    }

    /// How the store is.
    #[must_use]
    pub fn storage(&self) -> StorageFacts {
        self.hold.facts()
    }

    /// A view of the storage that outlives borrows of the recorder.
    pub fn storage_view(&self) -> impl Fn() -> StorageFacts + Send + Sync + use<> {
        let hold = Arc::clone(&self.hold);
        move || hold.facts()
    }

    /// A way to the store for others than the recorder.
    #[must_use]
    pub fn access(&self) -> Access {
        Access { hold: Arc::clone(&self.hold) }
    }

    /// Records what has come until now and ends within `grace`, whatever the store does; what it
    /// has not taken by then is in the journal for the next start.
    pub fn stop(self, grace: Duration) {
        let at = Instant::now() + grace;
        self.hold.end_by(at);
        self.bell.is_over.store(true, Ordering::Release);
        let guard = self.bell.lock.lock();
        self.bell.rung.notify_all();
        drop(guard);
        self.hold.wait_for_end(at);
        // A thread that hangs in the store ends with the process.
        for thread in self.threads.into_iter().filter(JoinHandle::is_finished) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// A way to the store for others than the recorder.
#[derive(Clone)]
pub struct Access {
    hold: Arc<Hold>,
}

impl Access {
    /// Does `work` with the store, between two batches, and waits for what it says. `None` when
    /// the store has not come to it within `limit`, and then it is not done at all; or when the
    /// store is closed. What has begun is waited for to its end: it may take effect.
    pub fn with_store<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let offered = Arc::new(Mutex::new(Some(work)));
        let taken = Arc::clone(&offered);
        self.hold.order(Box::new(move |store| {
            let work = taken.lock().take();
            if let Some(work) = work {
                // Nobody listens any more when the daemon ends.
                let _ = sender.send(work(store));
            }
        }));
        if let Ok(said) = receiver.recv_timeout(limit) {
            return Some(said);
        }
        let has_begun = offered.lock().take().is_none();
        if has_begun { receiver.recv().ok() } else { None }
    }
}

/// Notes the end of the writer, whose store is closed by then, even when that was a panic.
struct WriterEnd(Arc<Hold>);

impl Drop for WriterEnd {
    fn drop(&mut self) {
        self.0.note_writer_ended();
    }
}

fn keep(desk: &Desk, hold: &Hold, journal: &Journaled, bell: &Bell) {
    let mut outcomes = Vec::new();
    let mut committed = Instant::now();
    let mut summarised: Option<Instant> = None;
    let mut watch = Watch::new(desk.clock.pairings(), desk.clock.now_ms());
    loop {
        let is_over = bell.is_over.load(Ordering::Acquire);
        if let Some((since_ms, until_ms)) = watch.look(desk.clock.pairings(), desk.clock.now_ms()) {
            let batch = close_batch(desk, hold, false);
            hold.push(Batch { watched_since_ms: since_ms, watched_until_ms: until_ms, ..batch });
        }
        take_in(desk, &mut outcomes);
        hold.note_lost_before(desk.outlet.lost());
        if is_over || is_due(&desk.ledger.lock(), committed.elapsed()) {
            let mut summary = None;
            if is_over || summarised.is_none_or(|at| at.elapsed() >= SUMMARY_EVERY) {
                summarised = Some(Instant::now());
                summary = Some((desk.summarise)());
            }
            let batch = close_batch(desk, hold, is_over);
            hold.push(Batch { summary, watched_since_ms: watch.since_ms(), ..batch });
            committed = Instant::now();
        }
        if is_over {
            return hold.close(journal);
        }
        hold.keep_in_bounds();
        bell.is_over_after(TICK);
    }
}

/// Whether it is time for a batch after `waited` since the last one.
fn is_due(ledger: &Ledger, waited: Duration) -> bool {
    let limit = if ledger.has_news() { COMMIT_EVERY } else { IDLE_EVERY };
    waited >= limit || ledger.pending() >= BATCH
}

fn close_batch(desk: &Desk, hold: &Hold, is_over: bool) -> Batch {
    let now_ms = desk.clock.now_ms();
    let (is_stalled, is_held_up) = (hold.is_stalled(), hold.is_held_up());
    let mut ledger = desk.ledger.lock();
    match (is_over, is_stalled, is_held_up) {
        (true, ..) => ledger.take_last_batch(now_ms),
        (false, true, _) => ledger.take_lean_batch(now_ms),
        (false, false, true) => ledger.take_hurried_batch(now_ms),
        (false, false, false) => ledger.take_batch(now_ms),
    }
}

/// Brings the ledger forward by what has come.
fn take_in(desk: &Desk, outcomes: &mut Vec<Outcome>) {
    desk.outlet.exchange(outcomes);
    if outcomes.is_empty() {
        return;
    }
    let now_us = desk.clock.monotonic_us();
    let mut court = desk.court.lock();
    court.convene(&desk.roster.read(), now_us);
    let transitions = court.sit(&mut desk.ledger.lock(), outcomes, now_us);
    drop(court);
    if !transitions.is_empty() {
        let roster = desk.roster.read();
        for transition in &transitions {
            if let Some(target) = roster.target(transition.target) {
                target.flight().learn(transition.to, transition.at_ms);
            }
        }
    }
    (desk.tap)(outcomes, &transitions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_without_news_waits_for_longer() {
        let mut ledger = Ledger::default();
        assert!(!is_due(&ledger, Duration::from_secs(9)));
        assert!(is_due(&ledger, IDLE_EVERY));
        ledger.enrol(1, None, 0);
        ledger.retire(1, 1);
        assert!(!is_due(&ledger, Duration::from_millis(399)));
        assert!(is_due(&ledger, COMMIT_EVERY));
        let _ = ledger.take_batch(2);
        assert!(!is_due(&ledger, COMMIT_EVERY));
    }
}
