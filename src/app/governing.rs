//! `Governing`: a thread that has the number of places follow how this machine is, and holds polls
//! back while its memory is nearly full.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::config::settings::Adaptive;
use crate::process::{LimitedBy, MemoryLimit, open_files, open_files_limit, resident_bytes};
use crate::queue::Places;
use crate::queue::local::{CAPACITY, Outbox};
use crate::stage::brake::Brake;
use crate::stage::governor::{Governor, Move, Turn};
use crate::stage::lateness::Lateness;
use crate::stage::scheduler::Desk;
use crate::stage::shortage::{Share, Shortage, Signals};

/// How often the thread looks at memory and polls in flight.
const ROUND: Duration = Duration::from_millis(200);
/// Microseconds between two decisions at least; who is woken may be a little early.
const SPACING_US: u64 = 990_000;
/// Microseconds between two lines of the log on the memory at least.
const QUIET_US: u64 = 60_000_000;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Governing {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Bytes of memory that a daemon keeps within that may have as much as `limit` says: all of it
/// where a setting of ours says so, else the part that leaves others some.
pub(super) const fn kept_within(limit: MemoryLimit) -> u64 {
    match limit.by {
        LimitedBy::Settings => limit.bytes,
        LimitedBy::Cgroup | LimitedBy::Machine => limit.bytes / 5 * 4,
    }
}

/// What is governed, and by what.
pub(super) struct Governed {
    /// How many polls may run.
    pub places: Arc<Places>,
    /// Why there are fewer places than usual, if there are.
    pub standing: Arc<Mutex<Standing>>,
    /// The schedulers.
    pub desks: Vec<Arc<Desk>>,
    /// The time.
    pub clock: Clock,
    /// How late its runtimes are.
    pub lateness: Vec<Arc<Lateness>>,
    /// Where outcomes wait for the recorder.
    pub outbox: Arc<Outbox>,
    /// Bytes of memory that it keeps within.
    pub memory_limit: u64,
    /// Whether anything is moved.
    pub adaptive: Adaptive,
    /// Gives memory back that is held for the polls to come.
    pub shrink: Box<dyn Fn() + Send>,
}

/// What the summary tells of the places, beside how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// What this machine is short of.
    pub reason: Option<String>,
    /// How often places were taken away since start.
    pub shrunk: u64,
    /// When their number was last changed, in Unix milliseconds.
    pub moved_ms: Option<i64>,
}

impl Governing {
    /// Begins to govern.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(governed: Governed) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let mut watch = Watch::of(governed);
        let govern = move || watch.govern(&ended);
        let thread = std::thread::Builder::new().name("governor".into()).spawn(govern)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Governing {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// What the thread knows.
struct Watch {
    governed: Governed,
    governor: Governor,
    brake: Brake,
    /// Polls in flight at most since the last decision.
    in_flight: usize,
    /// When the last decision was made, and when the memory was spoken of, in monotonic
    /// microseconds.
    decided_us: u64,
    told_us: Option<u64>,
    has_told_eased: bool,
}

impl Watch {
    fn of(governed: Governed) -> Self {
        let governor = Governor::new(governed.places.most());
        let decided_us = governed.clock.monotonic_us();
        Self {
            governed,
            governor,
            brake: Brake::Off,
            in_flight: 0,
            decided_us,
            told_us: None,
            has_told_eased: false,
        }
    }

    fn govern(&mut self, ended: &Receiver<()>) {
        while ended.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
            let now_us = self.governed.clock.monotonic_us();
            let used = resident_bytes().unwrap_or(0);
            let memory = Share { used, of: self.governed.memory_limit };
            self.in_flight = self.in_flight.max(self.governed.places.taken());
            if self.governed.adaptive == Adaptive::On {
                self.brake(memory, now_us);
            }
            if now_us.saturating_sub(self.decided_us) >= SPACING_US {
                self.decided_us = now_us;
                self.decide(memory);
            }
        }
    }

    /// Looks whether polls may begin.
    fn brake(&mut self, memory: Share, now_us: u64) {
        let brake = self.brake.turned(memory, now_us);
        if brake == self.brake {
            return;
        }
        self.brake = brake;
        let is_held = matches!(brake, Brake::On { .. });
        if is_held {
            (self.governed.shrink)();
        }
        self.tell_brake(memory, now_us);
        self.move_places();
        self.governed.places.hold(is_held);
        self.note_standing(memory);
    }

    /// Looks how many polls may run at once.
    fn decide(&mut self, memory: Share) {
        let signals = self.signals(memory);
        self.in_flight = 0;
        if self.governed.adaptive == Adaptive::Off {
            self.governor.look(&signals);
        } else if let Some(moved) = self.governor.decide(&signals) {
            tell_turn(&moved);
            self.move_places();
        }
        self.note_standing(memory);
    }

    /// How this machine was since the last decision.
    fn signals(&self, memory: Share) -> Signals {
        let Governed { desks, lateness, outbox, .. } = &self.governed;
        let runtime_late = lateness.iter().map(|of_one| of_one.take_latest()).max();
        let schedule_late_us = desks.iter().map(|desk| desk.take_lateness_us()).max();
        Signals {
            runtime_late: runtime_late.unwrap_or_default(),
            schedule_late: Duration::from_micros(schedule_late_us.unwrap_or(0)),
            outbox: Share { used: outbox.waiting() as u64, of: CAPACITY as u64 },
            files: Share { used: open_files().unwrap_or(0), of: open_files_limit() },
            without_file: outbox.take_without_file(),
            memory,
            in_flight: self.in_flight,
        }
    }

    /// Has as many places as governor and brake allow.
    fn move_places(&self) {
        let limit = match self.brake {
            Brake::Eased => self.governor.floor(),
            Brake::Off | Brake::On { .. } => self.governor.limit(),
        };
        let Governed { places, standing, clock, .. } = &self.governed;
        places.set_limit(limit);
        standing.lock().moved_ms = Some(clock.now_ms());
    }

    /// Notes for the summary what is lacking.
    fn note_standing(&self, memory: Share) {
        let reason = match self.brake {
            Brake::Off => self.governor.shortage(),
            Brake::On { .. } | Brake::Eased => Some(Shortage::Memory(memory)),
        };
        let mut standing = self.governed.standing.lock();
        standing.reason = reason.map(|shortage| shortage.to_string());
        standing.shrunk = self.governor.episodes();
    }

    /// Tells of the brake, not more often than anybody wants to read.
    fn tell_brake(&mut self, memory: Share, now_us: u64) {
        let is_new = self.told_us.is_none_or(|told_us| now_us.saturating_sub(told_us) >= QUIET_US);
        let reason = Shortage::Memory(memory);
        match self.brake {
            Brake::On { .. } if is_new => {
                self.told_us = Some(now_us);
                tracing::warn!(%reason, "memory is nearly full; no poll begins until some is free");
            }
            Brake::Eased if !self.has_told_eased => {
                self.has_told_eased = true;
                let places = self.governor.floor();
                tracing::warn!(
                    %reason,
                    places,
                    "memory stays nearly full though no poll begins; a few go on, late; give the \
                     daemon more memory (--max-memory, MemoryMax=) or fewer targets"
                );
            }
            Brake::Off if self.has_told_eased => {
                self.has_told_eased = false;
                tracing::info!("memory is free again; polls begin as usual");
            }
            _ => {}
        }
    }
}

/// Tells of a change of the places what is worth telling.
fn tell_turn(moved: &Move) {
    let Move { from, to, turn } = *moved;
    match turn {
        Some(Turn::Begins(reason)) => {
            tracing::warn!(from, to, %reason, "this machine is short of something; fewer polls run at once");
        }
        Some(Turn::AtFloor(reason)) => {
            tracing::warn!(to, %reason, "this machine is still short of something; as few polls as may be run at once");
        }
        Some(Turn::Ends) => tracing::info!(to, "as many polls as usual may run at once again"),
        None => {}
    }
}
