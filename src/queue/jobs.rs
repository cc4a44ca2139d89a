//! The port `JobSink`: where jobs go that other members of a cluster do.

use crate::target::TargetId;

/// A point of a target's grid, at which somebody is to poll it.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// Number of the target.
    pub number: u32,
    /// Its id.
    pub id: TargetId,
    /// When it falls due, in Unix milliseconds.
    pub due_ms: i64,
    /// When a poll of it means nothing any more, in Unix milliseconds.
    pub valid_until_ms: i64,
    /// The epoch of the lease under which this is said.
    pub epoch: i64,
    /// The locations that are to poll it; empty: all.
    pub locations: &'a [&'a str],
    /// What is the same in all jobs of the target, as the sink writes it.
    pub fixed: &'a [u8],
}

/// The sink takes nothing for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Of no shard.
    All,
    /// Of this shard: too much of it is not kept yet.
    Shard,
}

/// How much of a shard was offered up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Jobs that were taken.
    pub jobs: u64,
    /// Missed slots that were taken.
    pub missed: u64,
}

/// What became of all that was offered before a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is kept for sure.
    Yes,
    /// That is not known yet.
    NotYet,
    /// Some of it may be lost.
    Failed,
}

/// Where a dispatcher puts jobs and slots that passed without one. Never waits.
pub trait JobSink {
    /// Takes a job of `shard`.
    ///
    /// # Errors
    /// There is no room; nothing was taken.
    fn offer(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full>;

    /// Takes the word that nobody looked at the time when `slot` of `shard` meant something.
    ///
    /// # Errors
    /// There is no room; nothing was taken.
    fn miss(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full>;

    /// A mark behind all that was taken of `shard` since [`JobSink::restart`].
    fn mark(&self, shard: u32) -> Mark;

    /// What became of all of `shard` before `mark`.
    fn settled(&self, shard: u32, mark: Mark) -> Settled;

    /// Counts what is offered of `shard` anew: what was offered before concerns nobody any more.
    fn restart(&mut self, shard: u32);
}
