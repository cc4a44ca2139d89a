//! Topics that a dispatcher writes to and a group of checkers reads, in memory.

use std::collections::VecDeque;

use poller::queue::{Full, JobSink, Mark, Settled, Slot};

use super::START_MS;

#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) number: u32,
    pub(super) due: u32,
    /// It says that its slot was missed.
    pub(super) is_missed: bool,
}

#[derive(Default)]
pub(super) struct Partition {
    pub(super) records: VecDeque<Record>,
    /// Offset of the first record, which is where the group has committed.
    pub(super) committed: u64,
    /// Where its checker is.
    pub(super) position: u64,
    /// Which checker has it.
    pub(super) checker: Option<usize>,
}

/// Topics that take what a dispatcher makes.
pub(super) struct Topics<'t> {
    pub(super) partitions: &'t mut [Partition],
    pub(super) is_away: bool,
    pub(super) made: &'t mut u64,
}

impl Topics<'_> {
    fn add(&mut self, shard: u32, slot: &Slot<'_>, is_missed: bool) -> Result<(), Full> {
        if self.is_away {
            return Err(Full::All);
        }
        let due = (slot.due_ms - START_MS) as u32;
        self.partitions[shard as usize].records.push_back(Record {
            number: slot.number,
            due,
            is_missed,
        });
        *self.made += 1;
        Ok(())
    }
}

impl JobSink for Topics<'_> {
    fn offer(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        self.add(shard, slot, false)
    }

    fn miss(&mut self, shard: u32, slot: &Slot<'_>) -> Result<(), Full> {
        self.add(shard, slot, true)
    }

    fn mark(&self, _: u32) -> Mark {
        Mark::default()
    }

    fn settled(&self, _: u32, _: Mark) -> Settled {
        if self.is_away { Settled::NotYet } else { Settled::Yes }
    }

    fn restart(&mut self, _: u32) {}
}
