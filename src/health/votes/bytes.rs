//! Votes as bytes: fifteen for a target that is polled from one location, every minute and always.

use super::{KEPT, Seat, Votes};
use crate::outcome::Verdict;

/// Bytes that are no votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no votes")]
pub struct VotesError;

/// Says of a seat that all slots that it knows of are recorded.
const IS_FULL: u8 = 1 << 3;
/// Says of a seat that some slots passed without a poll.
const HAS_MISSED: u8 = 1 << 4;
/// Says of a seat that it knows of as many slots as are kept.
const KNOWS_ALL: u8 = 1 << 5;
/// Says of a seat that its verdict is not that of its newest slot.
const IS_BEHIND: u8 = 1 << 6;
/// Says of a seat that it has been failing for longer than the slot that its verdict belongs to.
const IS_FAILING: u8 = 1 << 7;

impl Votes {
    /// The votes as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 * self.seats.len());
        for seat in &self.seats {
            seat.encode(&mut bytes);
        }
        bytes
    }

    /// Reads what [`Votes::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no votes.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, VotesError> {
        let mut votes = Self::default();
        while !bytes.is_empty() {
            votes.seats.push(Seat::decode(&mut bytes)?);
        }
        Ok(votes)
    }
}

/// The bits of all slots that are known when that are so many before the newest one.
const fn all(known: u8) -> u64 {
    u64::MAX >> (KEPT - known)
}

impl Seat {
    fn encode(&self, bytes: &mut Vec<u8>) {
        let verdict = match self.verdict {
            None => 0,
            Some(Verdict::Up) => 1,
            Some(Verdict::Warning) => 2,
            Some(Verdict::Down) => 3,
            Some(Verdict::Unknown) => 4,
        };
        let is = |holds: bool, bit: u8| if holds { bit } else { 0 };
        let is_full = self.recorded == all(self.known);
        let is_behind = self.verdict.is_some() && self.said_ms != self.due_ms;
        let flags = verdict
            | is(is_full, IS_FULL)
            | is(self.missed != 0, HAS_MISSED)
            | is(self.known == KEPT, KNOWS_ALL)
            | is(is_behind, IS_BEHIND)
            | is(self.failing_ms != 0, IS_FAILING);
        bytes.push(flags);
        put(bytes, self.location.into());
        put(bytes, self.due_ms.cast_unsigned());
        put(bytes, self.every_ms.into());
        put(bytes, self.tries.into());
        if self.known != KEPT {
            bytes.push(self.known);
        }
        if !is_full {
            bytes.extend(self.recorded.to_le_bytes());
        }
        if self.missed != 0 {
            bytes.extend(self.missed.to_le_bytes());
        }
        if is_behind {
            put(bytes, self.due_ms.wrapping_sub(self.said_ms).cast_unsigned());
        }
        if self.failing_ms != 0 {
            put(bytes, self.failing_ms.into());
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, VotesError> {
        let flags = byte(bytes)?;
        let verdict = match flags & 7 {
            0 => None,
            1 => Some(Verdict::Up),
            2 => Some(Verdict::Warning),
            3 => Some(Verdict::Down),
            4 => Some(Verdict::Unknown),
            _ => return Err(VotesError),
        };
        let location = u16::try_from(take(bytes)?).map_err(|_| VotesError)?;
        let due_ms = take(bytes)?.cast_signed();
        let every_ms = u32::try_from(take(bytes)?).map_err(|_| VotesError)?.max(1);
        let tries = u16::try_from(take(bytes)?).map_err(|_| VotesError)?;
        let known = if flags & KNOWS_ALL == 0 { byte(bytes)?.min(KEPT) } else { KEPT };
        let recorded = if flags & IS_FULL == 0 { word(bytes)? } else { all(known) };
        let missed = if flags & HAS_MISSED == 0 { 0 } else { word(bytes)? };
        let behind_ms = if flags & IS_BEHIND == 0 { 0 } else { take(bytes)?.cast_signed() };
        let said_ms = if verdict.is_some() { due_ms.wrapping_sub(behind_ms) } else { 0 };
        let failing_ms = if flags & IS_FAILING == 0 { 0 } else { take(bytes)? };
        let failing_ms = u32::try_from(failing_ms).map_err(|_| VotesError)?;
        Ok(Self {
            location,
            due_ms,
            every_ms,
            recorded,
            missed,
            known,
            tries,
            verdict,
            said_ms,
            failing_ms,
        })
    }
}

/// Writes `number` in groups of seven bits, the lowest first, as LEB128 does.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits of it")]
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is below 128")]
    bytes.push(number as u8);
}

/// Reads what [`put`] wrote.
fn take(bytes: &mut &[u8]) -> Result<u64, VotesError> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let next = byte(bytes)?;
        number |= u64::from(next & 0x7F) << shift;
        if next < 0x80 {
            return Ok(number);
        }
    }
    Err(VotesError)
}

fn byte(bytes: &mut &[u8]) -> Result<u8, VotesError> {
    let (&first, rest) = bytes.split_first().ok_or(VotesError)?;
    *bytes = rest;
    Ok(first)
}

fn word(bytes: &mut &[u8]) -> Result<u64, VotesError> {
    let (&first, rest) = bytes.split_first_chunk().ok_or(VotesError)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(first))
}

#[cfg(test)]
mod tests {
    use super::super::tests::poll;
    use super::super::{Rule, Slot};
    use super::*;
    use proptest::prelude::*;

    /// Minutes of the present, so that numbers are as long as they will be.
    const NOW: i64 = 30_000_000;

    #[test]
    fn a_target_of_one_location_takes_few_bytes_from_its_first_poll_on() {
        let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
        let mut lengths = Vec::new();
        for slot in NOW..NOW + 100 {
            let (slot, outcome) = poll(1, slot, 0, Verdict::Up);
            votes.weigh(slot, &outcome, rule);
            lengths.push(votes.encode().len());
        }
        assert!(lengths.iter().all(|&length| length <= 24), "{lengths:?}");
        assert!(lengths.last().is_some_and(|&length| length <= 13), "{lengths:?}");
        let up = votes.encode().len();
        for slot in NOW + 100..NOW + 50_000 {
            let (slot, outcome) = poll(1, slot, 0, Verdict::Down);
            votes.weigh(slot, &outcome, rule);
        }
        assert_eq!(votes.encode().len(), up + 5, "since when it has been down for a month");
        assert_eq!(size_of::<super::super::Seat>(), 48, "it takes no more memory than without");
    }

    proptest! {
        #[test]
        fn votes_come_out_of_their_bytes_as_they_went_in(
            polls in prop::collection::vec((0_u16..400, 0_i64..200, 0_u8..4, 0_u8..5), 0..60),
        ) {
            let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 3, 0));
            for (location, slot, tries, what) in polls {
                let verdict = match what {
                    0 => Verdict::Up,
                    1 => Verdict::Warning,
                    2 => Verdict::Down,
                    3 => Verdict::Unknown,
                    _ => {
                        let due_ms = (NOW + slot) * 60_000;
                        votes.miss(Slot { location, due_ms, tries: 0 }, rule);
                        continue;
                    }
                };
                let (slot, outcome) = poll(location, NOW + slot, tries, verdict);
                votes.weigh(slot, &outcome, rule);
            }
            prop_assert_eq!(Votes::decode(&votes.encode()), Ok(votes));
        }

        #[test]
        fn no_bytes_are_a_danger(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(votes) = Votes::decode(&bytes) {
                let mut votes = votes;
                let (slot, outcome) = poll(1, NOW, 0, Verdict::Up);
                votes.weigh(slot, &outcome, Rule::new(60_000, 1, 0));
            }
        }
    }
}
