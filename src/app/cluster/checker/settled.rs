//! `Settled`: which slots of a target brokers have the end of already.

/// The last slot of a target that has come to its end for sure, and which of those before it have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// When the last one fell due, in Unix milliseconds; 0: none has.
    last_ms: i64,
    /// A bit for each of the last 64 slots, the last one lowest.
    bits: u64,
}

impl Settled {
    /// Notes that the slot at `due_ms` (Unix milliseconds) of a target that is polled every `every_ms`
    /// milliseconds has come to its end.
    pub(super) fn note(&mut self, due_ms: i64, every_ms: u32) {
        match self.behind(due_ms, every_ms) {
            Some(slots) => self.bits |= 1 << slots,
            None if due_ms > self.last_ms => {
                let every_ms = i64::from(every_ms.max(1));
                let (ahead, rest) =
                    ((due_ms - self.last_ms) / every_ms, (due_ms - self.last_ms) % every_ms);
                let ahead = u32::try_from(ahead).ok().filter(|_| rest == 0);
                let before = ahead.and_then(|ahead| self.bits.checked_shl(ahead)).unwrap_or(0);
                *self = Self { last_ms: due_ms, bits: before | 1 };
            }
            None => {}
        }
    }

    /// Whether the slot at `due_ms` (Unix milliseconds) has come to its end for sure.
    pub(super) fn has(&self, due_ms: i64, every_ms: u32) -> bool {
        self.behind(due_ms, every_ms).is_some_and(|slots| self.bits >> slots & 1 == 1)
    }

    /// How many slots before the last one `due_ms` lies, when it is one of those that are known.
    fn behind(&self, due_ms: i64, every_ms: u32) -> Option<u32> {
        let (every_ms, by_ms) = (i64::from(every_ms.max(1)), self.last_ms - due_ms);
        let slots = u32::try_from(by_ms / every_ms).ok()?;
        (self.last_ms != 0 && by_ms >= 0 && by_ms % every_ms == 0 && slots < u64::BITS)
            .then_some(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_settled_when_it_was_noted_in_whatever_order() {
        let mut settled = Settled::default();
        assert!(!settled.has(5_000, 1_000));
        for due_ms in [5_000, 7_000, 4_000] {
            settled.note(due_ms, 1_000);
        }
        let has: Vec<i64> =
            (0..10).map(|n| n * 1_000).filter(|due| settled.has(*due, 1_000)).collect();
        assert_eq!(has, [4_000, 5_000, 7_000]);
        assert!(!settled.has(6_500, 1_000));
    }

    #[test]
    fn what_lies_too_far_back_or_on_another_grid_is_not_known() {
        let mut settled = Settled::default();
        settled.note(1_000, 1_000);
        settled.note(64_000, 1_000);
        assert!(settled.has(1_000, 1_000));
        settled.note(65_000, 1_000);
        assert!(!settled.has(1_000, 1_000) && settled.has(64_000, 1_000));
        settled.note(65_300, 1_000);
        assert!(!settled.has(65_000, 1_000) && settled.has(65_300, 1_000));
    }
}
