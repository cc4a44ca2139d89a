//! `Shards`: into how many parts a cluster shares its targets, and which part one belongs to.
//!
//! A shard is one partition of the topics of jobs and of outcomes, one lease of a scheduler and one
//! of a recorder. Numbers of targets carry their shard: `number = place · count + shard`, so that
//! what is kept of one shard lies dense, by place.

use std::num::NonZeroU32;

use crate::target::TargetId;

/// Into how many shards a cluster shares its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards(NonZeroU32);

impl Shards {
    /// Shards at most: a shard is two partitions of Kafka.
    pub const MOST: u32 = 4_096;

    /// So many shards; none when that are none or more than [`Shards::MOST`].
    #[must_use]
    pub fn new(count: u32) -> Option<Self> {
        NonZeroU32::new(count).filter(|count| count.get() <= Self::MOST).map(Self)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.get()
    }

    /// The shard that a new target with this id comes to.
    #[must_use]
    pub const fn of_id(self, id: TargetId) -> u32 {
        // The upper bits decide the phase; the lower ones are independent of them.
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below 4,096")]
        let shard = (id.0 % self.0.get() as u64) as u32;
        shard
    }

    /// The shard of the target `number`.
    #[must_use]
    pub const fn of(self, number: u32) -> u32 {
        number % self.0.get()
    }

    /// The place of the target `number` within its shard.
    #[must_use]
    pub const fn place(self, number: u32) -> u32 {
        number / self.0.get()
    }

    /// The number of the target at `place` of `shard`; none when it is too large to be one.
    #[must_use]
    pub fn number(self, shard: u32, place: u32) -> Option<u32> {
        place.checked_mul(self.0.get())?.checked_add(shard).filter(|_| shard < self.0.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_shard_and_its_place() {
        let shards = Shards::new(64).expect("some");
        for (shard, place) in [(0, 1), (63, 0), (17, 1_000_000)] {
            let number = shards.number(shard, place).expect("small");
            assert_eq!((shards.of(number), shards.place(number)), (shard, place));
        }
        assert_eq!(shards.number(64, 0), None);
        assert_eq!(shards.number(1, u32::MAX), None);
    }

    #[test]
    fn there_are_some_shards_and_not_too_many() {
        assert_eq!(Shards::new(0), None);
        assert_eq!(Shards::new(Shards::MOST + 1), None);
    }
}
