//! `SchedulerFigures`: how it goes, for whoever wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::stage::dispatch::Turn;

/// How it goes. Copies show the same.
#[derive(Clone, Debug, Default)]
pub(in crate::app::cluster) struct SchedulerFigures(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    targets: AtomicU64,
    shards: AtomicU64,
    members: AtomicU64,
    jobs: AtomicU64,
    missed: AtomicU64,
    lag_ms: AtomicI64,
    unkept_ms: AtomicI64,
    turns: AtomicU64,
}

/// What they were at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(in crate::app::cluster) struct Figures {
    /// Targets of the shards that are ours.
    pub(in crate::app::cluster) targets: u64,
    /// Shards that are ours and whose jobs are made.
    pub(in crate::app::cluster) shards: u64,
    /// Schedulers that are alive.
    pub(in crate::app::cluster) members: u64,
    /// Jobs that were made since the start.
    pub(in crate::app::cluster) jobs: u64,
    /// Slots that were told as missed since the start.
    pub(in crate::app::cluster) missed: u64,
    /// By how much the shard lies behind that lies furthest behind, in milliseconds.
    pub(in crate::app::cluster) lag_ms: i64,
    /// How old the oldest job is that brokers do not have for sure, in milliseconds.
    pub(in crate::app::cluster) unkept_ms: i64,
    /// Looks at the time since the start: it stands still when these do.
    pub(in crate::app::cluster) turns: u64,
}

impl SchedulerFigures {
    /// What they are now.
    pub(in crate::app::cluster) fn now(&self) -> Figures {
        let cells = &self.0;
        Figures {
            targets: cells.targets.load(Ordering::Relaxed),
            shards: cells.shards.load(Ordering::Relaxed),
            members: cells.members.load(Ordering::Relaxed),
            jobs: cells.jobs.load(Ordering::Relaxed),
            missed: cells.missed.load(Ordering::Relaxed),
            lag_ms: cells.lag_ms.load(Ordering::Relaxed),
            unkept_ms: cells.unkept_ms.load(Ordering::Relaxed),
            turns: cells.turns.load(Ordering::Relaxed),
        }
    }

    pub(super) fn note_turn(&self, turn: &Turn, unkept_ms: i64) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
        self.0.jobs.fetch_add(turn.jobs, Ordering::Relaxed);
        self.0.missed.fetch_add(turn.missed, Ordering::Relaxed);
        self.0.lag_ms.store(turn.lag_ms, Ordering::Relaxed);
        self.0.unkept_ms.store(unkept_ms, Ordering::Relaxed);
    }

    pub(super) fn note_held(&self, shards: usize, targets: usize) {
        self.0.shards.store(shards as u64, Ordering::Relaxed);
        self.0.targets.store(targets as u64, Ordering::Relaxed);
    }

    pub(super) fn note_members(&self, members: u32) {
        self.0.members.store(members.into(), Ordering::Relaxed);
    }
}
