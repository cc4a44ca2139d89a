//! `Gauges`: what the daemon uses of its machine, from those who know it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::minute::{Minute, Totals};
use crate::check::{held_bytes, traffic};
use crate::process::{MemoryLimit, cpu_seconds};
use crate::queue::local::Outbox;
use crate::store::reader::PoolUse;
use crate::view::Resources;

/// What the summary tells of the machine, and where it comes from.
#[derive(Debug)]
pub(super) struct Gauges {
    memory: MemoryLimit,
    outbox: Arc<Outbox>,
    minute: Mutex<Minute>,
    /// How late the runtimes woke at most in the last minute, in seconds.
    pub(super) runtime_lag: Plug<f64>,
    /// The look-ups of names.
    pub(super) lookups: Plug<Lookups>,
    /// The connections for reading the store: none, while the daemon itself reads nothing of it.
    pub(super) read_pool: Plug<PoolUse>,
}

/// Look-ups of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lookups {
    /// Those that run.
    pub in_flight: u64,
    /// Those that wait for their turn.
    pub waiting: u64,
    /// Those that may run at once.
    pub limit: u64,
}

/// A figure that some part of the daemon tells from when it is there; before, it is nothing.
pub(super) struct Plug<T>(OnceLock<Box<dyn Fn() -> T + Send + Sync>>);

impl<T> Default for Plug<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T: Default> Plug<T> {
    /// Has `tell` tell the figure from now on; the first who is plugged in does so for ever.
    pub(super) fn set(&self, tell: impl Fn() -> T + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(tell));
    }

    /// The figure now.
    pub(super) fn get(&self) -> T {
        self.0.get().map_or_else(T::default, |tell| tell())
    }
}

impl<T> fmt::Debug for Plug<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plugged = self.0.get().is_some();
        formatter.debug_struct("Plug").field("is_plugged", &is_plugged).finish()
    }
}

impl Gauges {
    /// Where what polls found waits to be recorded.
    pub(super) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// What is told of a daemon that keeps within `memory` and leaves outcomes in `outbox`.
    pub(super) fn new(memory: MemoryLimit, outbox: Arc<Outbox>) -> Self {
        Self {
            memory,
            outbox,
            minute: Mutex::default(),
            runtime_lag: Plug::default(),
            lookups: Plug::default(),
            read_pool: Plug::default(),
        }
    }

    /// Looks at what is told as a rate, if a second has passed since the last time; `now_us` is
    /// monotonic.
    pub(super) fn look(&self, now_us: u64) {
        let mut minute = self.minute.lock();
        if minute.is_due(now_us) {
            minute.note(totals(now_us, cpu_seconds().unwrap_or(0.0)));
        }
    }

    /// What the daemon uses at `now_us` (monotonic), when its processor time is `cpu_seconds`.
    pub(super) fn resources(&self, now_us: u64, cpu_seconds: f64) -> Resources {
        let rates = self.minute.lock().rates(totals(now_us, cpu_seconds));
        let (lookups, pool) = (self.lookups.get(), self.read_pool.get());
        Resources {
            memory_limit_bytes: self.memory.bytes,
            memory_limit_by: self.memory.by.as_str().into(),
            buffers_bytes: held_bytes(),
            cpu_cores: rates.cpu_cores,
            runtime_lag_max: self.runtime_lag.get(),
            outbox: self.outbox.waiting() as u64,
            read_pool_in_use: pool.in_use,
            read_pool_size: pool.size,
            read_pool_waits: pool.waits,
            lookups_in_flight: lookups.in_flight,
            lookups_waiting: lookups.waiting,
            lookups_limit: lookups.limit,
            bytes_in_per_second: rates.came,
            bytes_out_per_second: rates.went,
        }
    }
}

fn totals(at_us: u64, cpu_seconds: f64) -> Totals {
    let moved = traffic();
    Totals { at_us, cpu_seconds, came: moved.came, went: moved.went }
}
