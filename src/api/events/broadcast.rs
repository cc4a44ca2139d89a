//! `Broadcast`: where events are told, put into text once however many read, and never held up by
//! one who reads slowly.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, Sender, channel};

use super::{Events, OUTCOMES};
use crate::outcome::Outcome;
use crate::view::{ToldOutcome, ToldTransition};

/// Events that may wait for a reader; they are kept once for all.
const WAITING: usize = 4_096;
/// Readers at a time.
const READERS: usize = 256;
/// Changes of state that are told in one second at most; whoever reads is told to look again then.
const CHANGES: u32 = 1_000;
/// Microseconds of a second, and of the parts that it is told in.
const SECOND_US: u64 = 1_000_000;
/// Parts of a second over which outcomes are spread where there are many.
const PARTS: u64 = 10;

/// Where events are told; it costs next to nothing while nobody reads.
#[derive(Debug)]
pub struct Broadcast {
    sender: Sender<Told>,
    readers: AtomicUsize,
    pace: Mutex<Pace>,
    changes: Mutex<Changes>,
    /// How many read the outcomes of each target that somebody reads those of.
    watched: Mutex<HashMap<u32, usize>>,
}

/// An event as it goes over the wire, and whom it is for.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) about: About,
    pub(super) text: Bytes,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Everything.
    Fleet,
    /// A change of the target with this number.
    Change(u32),
    /// An outcome of the target with this number.
    Outcome {
        target: u32,
        /// Among those of its second: those below N go to who wants N; none: only to who reads
        /// this target.
        rank: Option<u8>,
    },
}

/// What a reader wants beside the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wants {
    /// Outcomes a second at most.
    pub(super) outcomes: u8,
    /// Events of this target alone.
    pub(super) target: Option<u32>,
}

/// All places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{READERS} read the events already, and there is room for no more; try again later")]
pub(super) struct TooManyReaders;

/// The place of one reader; dropping it gives the place up.
pub(super) struct Place {
    pub(super) receiver: Receiver<Told>,
    pub(super) wants: Wants,
    events: Arc<dyn Events>,
}

/// How many outcomes were told in this second.
#[derive(Debug, Default)]
struct Pace {
    second: u64,
    told: u8,
}

/// Changes since the summary was told last.
#[derive(Debug, Default)]
struct Changes {
    told: u32,
    left_out: u32,
}

impl Changes {
    /// Whether one more is told.
    fn takes(&mut self) -> bool {
        let takes = self.told < CHANGES;
        self.told += u32::from(takes);
        self.left_out = self.left_out.saturating_add(u32::from(!takes));
        takes
    }
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            sender: channel(WAITING).0,
            readers: AtomicUsize::new(0),
            pace: Mutex::default(),
            changes: Mutex::default(),
            watched: Mutex::default(),
        }
    }
}

impl Broadcast {
    /// Whether anybody reads.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Tells the summary, which is made only if somebody reads; it is to be told each second.
    pub fn summary(&self, json: impl FnOnce() -> Bytes) {
        if self.has_readers() {
            self.tell_left_out();
            self.tell(About::Fleet, event("summary", &json()));
        }
    }

    /// Tells a change of the target `number`, which is made only if somebody reads. Of many changes
    /// together a part is left out, of which readers are told with the next summary.
    pub fn transition(&self, number: u32, made: impl FnOnce() -> Option<ToldTransition>) {
        if self.has_readers()
            && self.changes.lock().takes()
            && let Some(made) = made()
        {
            self.tell(About::Change(number), of("transition", &made));
        }
    }

    /// Begins to count changes anew, and tells how many were left out, if any were.
    fn tell_left_out(&self) {
        let Changes { left_out, .. } = std::mem::take(&mut *self.changes.lock());
        if left_out > 0 {
            self.tell(About::Fleet, resync(left_out.into()));
        }
    }

    /// Tells those of `outcomes` that somebody wants to know, at `now_us` (monotonic): some of them,
    /// spread over the second, and all of targets whose own are read.
    pub fn outcomes(
        &self,
        outcomes: &[Outcome],
        now_us: u64,
        made: impl Fn(&Outcome) -> Option<ToldOutcome>,
    ) {
        if !self.has_readers() || outcomes.is_empty() {
            return;
        }
        let watched = self.watched.lock();
        let mut pace = self.pace.lock();
        let sampled = pace.share(outcomes.len(), now_us);
        let mut given = 0;
        for (index, outcome) in outcomes.iter().enumerate() {
            // One in so many, from the first on.
            let is_sampled = given < sampled && index * sampled >= given * outcomes.len();
            let rank = is_sampled.then(|| pace.next());
            given += usize::from(is_sampled);
            let target = outcome.target;
            if (rank.is_some() || watched.contains_key(&target))
                && let Some(made) = made(outcome)
            {
                self.tell(About::Outcome { target, rank }, of("outcome", &made));
            }
        }
    }

    fn tell(&self, about: About, text: Bytes) {
        // Nobody may be left to read it.
        let _ = self.sender.send(Told { about, text });
    }

    /// A place for a reader of `events`.
    ///
    /// # Errors
    /// All are taken.
    pub(super) fn join(events: &Arc<dyn Events>, wants: Wants) -> Result<Place, TooManyReaders> {
        let own = events.broadcast();
        let next = |readers| (readers < READERS).then_some(readers + 1);
        own.readers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .map_err(|_| TooManyReaders)?;
        if let Some(target) = wants.target {
            *own.watched.lock().entry(target).or_default() += 1;
        }
        Ok(Place { receiver: own.sender.subscribe(), wants, events: Arc::clone(events) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let own = self.events.broadcast();
        own.readers.fetch_sub(1, Ordering::Relaxed);
        if let Some(target) = self.wants.target {
            let mut watched = own.watched.lock();
            if let Some(count) = watched.get_mut(&target) {
                *count -= 1;
                if *count == 0 {
                    watched.remove(&target);
                }
            }
        }
    }
}

impl Pace {
    /// How many of `count` outcomes are told at `now_us`: all while they are few, else so many that
    /// they are spread over the second.
    fn share(&mut self, count: usize, now_us: u64) -> usize {
        let second = now_us / SECOND_US;
        if second != self.second {
            *self = Self { second, told: 0 };
        }
        let left = usize::from(OUTCOMES - self.told);
        if count <= left / 2 {
            return count;
        }
        let part = now_us % SECOND_US * PARTS / SECOND_US + 1;
        let so_far = usize::try_from(u64::from(OUTCOMES) * part / PARTS).unwrap_or(0);
        so_far.saturating_sub(self.told.into()).min(count)
    }

    /// The rank of the next outcome of this second. Ranks are told in an order in which those of
    /// who wants few are spread over the second as well.
    fn next(&mut self) -> u8 {
        /// Shares no divisor with the number of outcomes, so that every rank comes once.
        const STRIDE: u8 = 7;
        let rank = self.told * STRIDE % OUTCOMES;
        self.told += 1;
        rank
    }
}

/// An event that says that so many were left out.
pub(super) fn resync(missed: u64) -> Bytes {
    event("resync", format!("{{\"missed\":{missed}}}").as_bytes())
}

/// An event whose data is `value`.
fn of(name: &str, value: &impl Serialize) -> Bytes {
    // It is made of values alone, which JSON can always tell.
    event(name, &serde_json::to_vec(value).unwrap_or_default())
}

/// An event whose data is `json`, which has no line breaks.
fn event(name: &str, json: &[u8]) -> Bytes {
    let mut text = BytesMut::with_capacity(name.len() + json.len() + 17);
    for part in [b"event: ", name.as_bytes(), b"\ndata: ", json, b"\n\n"] {
        text.put_slice(part);
    }
    text.freeze()
}
