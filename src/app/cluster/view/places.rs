//! Places among polls and outages as pages name them: a millisecond, and how many of it are passed.

/// Bits of the count.
const BITS: u32 = 21;
const MASK: i64 = (1 << BITS) - 1;

/// The place behind the first `passed` of the millisecond `at_ms`, as one number.
pub(super) fn packed(at_ms: i64, passed: u32) -> i64 {
    (at_ms << BITS) | i64::from(passed).min(MASK)
}

/// The place that `packed` names.
pub(super) fn unpacked(packed: i64) -> (i64, u32) {
    (packed >> BITS, u32::try_from(packed & MASK).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [(0, 0), (1_700_000_000_123, 7), (1_700_000_000_123, 2_000_000)] {
            assert_eq!(unpacked(packed(place.0, place.1)), place);
        }
    }
}
