//! `Hold`: what recorder and writer share: the batches that wait, what is asked of the store, and
//! how it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::backlog::{Backlog, Front};
use crate::store::{Batch, Excess, Journal, Store, Trimmed};

/// How long a batch waits before its samples are noted down in the journal as well.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a batch waits before the store counts as degraded, whatever it says.
const SILENCE: Duration = Duration::from_secs(5);

/// The journal, which recorder and writer share.
pub(super) type Journaled = Arc<Mutex<Box<dyn Journal>>>;

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageFacts {
    /// Why it does not take what it is given, or takes more room than it may, while that is so.
    pub fault: Option<String>,
    /// Bytes on the disk, log and journal included.
    pub bytes: u64,
    /// Samples that it holds.
    pub samples: u64,
    /// Samples that wait in memory.
    pub queued: u64,
    /// Samples that are noted down in the journal.
    pub spilled: u64,
    /// Samples that were lost for good.
    pub lost: u64,
    /// The longest that one write has taken, in microseconds.
    pub commit_max_us: u64,
}

/// What recorder and writer share.
pub(super) struct Hold {
    state: Mutex<State>,
    changed: Condvar,
}

/// Something to be done with the store.
pub(super) type Order = Box<dyn FnOnce(&mut dyn Store) + Send>;

struct State {
    backlog: Backlog,
    orders: VecDeque<Order>,
    end: End,
    fault: Option<String>,
    store_bytes: u64,
    samples: u64,
    /// Whether the store waits for records, to drop samples that are in none yet.
    is_held_up: bool,
    /// Why the store takes more room than it may.
    excess: Option<Excess>,
    /// Samples and bytes of the journal.
    spilled: (u64, u64),
    /// When the journal was last seen to work.
    secured: Instant,
    commit_max_us: u64,
    /// Samples lost here, and before they came here.
    lost: (u64, u64),
}

/// How far the end has come.
#[derive(Default)]
struct End {
    /// When all must be over, once that is known.
    by: Option<Instant>,
    /// Whether no further batch comes.
    is_closed: bool,
    /// Whether all that is not stored is in the journal.
    is_secured: bool,
    /// Whether the writer has ended.
    has_writer_ended: bool,
}

/// What the writer is to do next.
pub(super) enum Next {
    /// This.
    Order(Order),
    /// Store this batch.
    Write(Front),
    /// Nothing for the moment.
    Rest,
    /// End.
    End,
}

impl Hold {
    /// Of a store that holds `samples`; `most_held` samples may wait in memory.
    pub(super) fn new(store: &impl Store, samples: u64, most_held: usize) -> Self {
        let state = State {
            backlog: Backlog::new(most_held),
            orders: VecDeque::new(),
            end: End::default(),
            fault: None,
            store_bytes: store.bytes(),
            samples,
            is_held_up: false,
            excess: None,
            spilled: (0, 0),
            secured: Instant::now(),
            lost: (0, 0),
            commit_max_us: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn facts(&self) -> StorageFacts {
        let state = self.state.lock();
        StorageFacts {
            fault: state.fault(),
            bytes: state.store_bytes + state.spilled.1,
            samples: state.samples,
            queued: state.backlog.in_memory() as u64,
            spilled: state.spilled.0,
            lost: state.lost.0 + state.lost.1,
            commit_max_us: state.commit_max_us,
        }
    }

    /// Lets go of what is too much for the memory, while the journal that should have taken it
    /// hangs as well.
    pub(super) fn keep_in_bounds(&self) {
        let mut state = self.state.lock();
        if state.secured.elapsed() > SILENCE {
            let lost = state.backlog.lighten();
            state.lost.0 += lost;
        }
    }

    /// Whether the store stands still.
    pub(super) fn is_stalled(&self) -> bool {
        self.state.lock().backlog.is_stalled(before(PATIENCE))
    }

    /// Whether the store waits for records, to drop samples that are in none yet.
    pub(super) fn is_held_up(&self) -> bool {
        self.state.lock().is_held_up
    }

    /// Hands `batch` to the writer.
    pub(super) fn push(&self, batch: Batch) {
        self.state.lock().backlog.push(batch, Instant::now());
        self.changed.notify_all();
    }

    /// Notes how many samples were lost before they came here.
    pub(super) fn note_lost_before(&self, lost: u64) {
        self.state.lock().lost.1 = lost;
    }

    /// Notes that `lost` samples are lost.
    pub(super) fn note_lost(&self, lost: u64) {
        self.state.lock().lost.0 += lost;
    }

    /// Notes down in the journal what waits for a store that stands still, lets go of what is too
    /// much for the memory, and clears the journal when all has been stored.
    pub(super) fn secure(&self, journal: &Journaled) {
        if self.is_stalled() {
            self.note_down(journal);
        }
        let mut journal = journal.lock();
        // What is added meanwhile is not in the journal.
        let is_empty = self.state.lock().backlog.is_empty();
        if is_empty && journal.count() > 0 {
            // What cannot be cut now is read again at the next start and recognised as stored.
            let _ = journal.clear();
        }
        let mut state = self.state.lock();
        state.spilled = (journal.count(), journal.bytes());
        state.secured = Instant::now();
        let lost = state.backlog.lighten();
        state.lost.0 += lost;
    }

    /// Notes all down that is in memory alone, as far as the journal takes it.
    fn note_down(&self, journal: &Journaled) {
        // First the journal: whoever has it alone knows what is not in it yet.
        let mut journal = journal.lock();
        let unnoted = self.state.lock().backlog.unnoted();
        for chunk in unnoted {
            let samples = chunk.batch.samples.get(chunk.from..).unwrap_or_default();
            if journal.append(samples).is_err() {
                // Its keys ascend: what comes later has to wait as well.
                return;
            }
            self.state.lock().backlog.note(chunk.number);
        }
    }

    /// Says that no further batch comes, waits until all is stored, and notes down what is not
    /// shortly before the end.
    pub(super) fn close(&self, journal: &Journaled) {
        let mut state = self.state.lock();
        state.end.is_closed = true;
        self.changed.notify_all();
        let by = state.end.by.unwrap_or_else(Instant::now);
        let left = by.saturating_duration_since(Instant::now());
        // The journal has to be written as well.
        let until = by.checked_sub((left / 4).min(Duration::from_secs(1))).unwrap_or(by);
        while !state.backlog.is_empty() && !self.changed.wait_until(&mut state, until).timed_out() {
        }
        drop(state);
        self.note_down(journal);
        self.secure(journal);
        self.state.lock().end.is_secured = true;
        self.changed.notify_all();
    }

    /// Notes that the writer has ended.
    pub(super) fn note_writer_ended(&self) {
        self.state.lock().end.has_writer_ended = true;
        self.changed.notify_all();
    }

    /// Says by when all must be over.
    pub(super) fn end_by(&self, at: Instant) {
        self.state.lock().end.by = Some(at);
        self.changed.notify_all();
    }

    /// Waits until recorder and writer are through, until `at` at most.
    pub(super) fn wait_for_end(&self, at: Instant) {
        let mut state = self.state.lock();
        while !state.end.is_reached() && !self.changed.wait_until(&mut state, at).timed_out() {}
    }

    /// What the writer is to do next; waits at most `patience` for it.
    pub(super) fn next(&self, patience: Duration) -> Next {
        let mut state = self.state.lock();
        if state.orders.is_empty() && state.backlog.is_empty() && !state.end.is_closed {
            let _ = self.changed.wait_for(&mut state, patience);
        }
        if state.end.is_over() {
            return Next::End;
        }
        if let Some(order) = state.orders.pop_front() {
            return Next::Order(order);
        }
        match state.backlog.front() {
            Some(front) => Next::Write(front),
            None if state.end.is_closed => Next::End,
            None => Next::Rest,
        }
    }

    /// Lets go of the first batch, which has been stored.
    pub(super) fn pop(&self, store: &impl Store, took: Duration) {
        let bytes = store.bytes();
        let mut state = self.state.lock();
        let took_us = u64::try_from(took.as_micros()).unwrap_or(0);
        state.commit_max_us = state.commit_max_us.max(took_us);
        state.samples += state.backlog.pop() as u64;
        state.fault = None;
        state.store_bytes = bytes;
        drop(state);
        self.changed.notify_all();
    }

    /// Notes what was dropped, and tells why the store took more room than it may until then.
    pub(super) fn note_trimmed(&self, store: &impl Store, trimmed: Trimmed) -> Option<Excess> {
        let bytes = store.bytes();
        let mut state = self.state.lock();
        state.store_bytes = bytes;
        state.samples = state.samples.saturating_sub(trimmed.samples);
        state.is_held_up = trimmed.is_held_up;
        std::mem::replace(&mut state.excess, trimmed.excess)
    }

    /// Asks the writer to do `order` with the store, between two batches.
    pub(super) fn order(&self, order: Order) {
        self.state.lock().orders.push_back(order);
        self.changed.notify_all();
    }

    /// Notes that the store did not take the first batch, and waits before the next try.
    pub(super) fn stall(&self, reason: String, pause: Duration) {
        let mut state = self.state.lock();
        state.fault = Some(reason);
        let until = Instant::now() + pause;
        while !state.end.is_over() && state.orders.is_empty() && !self.has_passed(&mut state, until)
        {
        }
    }

    /// Waits for a change, until `at` at most; whether that time has come.
    fn has_passed(&self, state: &mut MutexGuard<'_, State>, at: Instant) -> bool {
        let at = state.end.by.map_or(at, |by| by.min(at));
        self.changed.wait_until(state, at).timed_out()
    }
}

impl State {
    /// Why the store is degraded, if it is.
    fn fault(&self) -> Option<String> {
        let excess = || self.excess.map(|excess| excess.to_string());
        self.fault.clone().or_else(|| self.silence()).or_else(excess)
    }

    /// What is wrong when nothing says so: a disk that hangs gives no error.
    fn silence(&self) -> Option<String> {
        if self.end.has_writer_ended && !self.end.is_closed {
            return Some("the thread that writes has ended; restart the daemon".to_owned());
        }
        let seconds = SILENCE.as_secs();
        let hangs = self.backlog.is_stalled(before(SILENCE));
        hangs.then(|| format!("the store has taken nothing for over {seconds} s"))
    }
}

impl End {
    fn is_reached(&self) -> bool {
        self.is_secured && self.has_writer_ended
    }

    fn is_over(&self) -> bool {
        self.is_closed && self.by.is_some_and(|by| Instant::now() >= by)
    }
}

/// The moment that lies `patience` before now, if there is one.
fn before(patience: Duration) -> Option<Instant> {
    Instant::now().checked_sub(patience)
}
