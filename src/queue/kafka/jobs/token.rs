//! `Token`: what a record of a job is sent with, and the room that it takes while brokers do not have it.

/// Bits of a token that tell the kind of a record.
const KIND_BITS: u32 = 1;
/// Bits of a token that tell the shard: [`crate::shards::Shards::MOST`] of them.
const SHARD_BITS: u32 = 12;
/// Bits of a token that tell how much room a record takes: no client takes larger ones than a MB.
const ROOM_BITS: u32 = 12;
/// Bytes of the measure in which room is told: about what a record takes beside its payload.
pub(super) const ROOM: usize = 256;
/// Bytes of a key, which is an id.
pub(super) const KEY: usize = 16;
/// Numbers of runs, which begin again.
pub(super) const RUNS: usize = usize::MAX >> (ROOM_BITS + SHARD_BITS + KIND_BITS);

/// The room that a record takes with so many `bytes` beside its key.
pub(super) const fn room(bytes: usize) -> usize {
    (KEY + bytes).div_ceil(ROOM)
}

/// What a record is sent with, which comes back with what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) run: usize,
    pub(super) room: usize,
    pub(super) shard: usize,
    pub(super) is_job: bool,
}

impl Token {
    pub(super) const fn packed(self) -> usize {
        let Self { run, room, shard, is_job } = self;
        let high = ((run & RUNS) << ROOM_BITS) | (room & bits(ROOM_BITS));
        (high << (SHARD_BITS + KIND_BITS)) | (shard << KIND_BITS) | is_job as usize
    }

    pub(super) const fn of(packed: usize) -> Self {
        let shard = (packed >> KIND_BITS) & bits(SHARD_BITS);
        let high = packed >> (SHARD_BITS + KIND_BITS);
        let (run, room) = (high >> ROOM_BITS, high & bits(ROOM_BITS));
        Self { run, room, shard, is_job: packed & 1 == 1 }
    }
}

/// A number of so many bits, all of them set.
const fn bits(count: u32) -> usize {
    (1 << count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_is_sent_with_comes_back_whole() {
        for (run, shard, is_job) in [(0, 0, true), (9, 1, false), (RUNS, 4_095, true)] {
            for bytes in [0, 140, 65_536, 1_000_000] {
                let token = Token { run, room: room(bytes), shard, is_job };
                assert_eq!(Token::of(token.packed()), token);
            }
        }
        assert_eq!([0, 240, 241, 1_000_000].map(room), [1, 1, 2, 3_907]);
    }
}
