//! `Doubt`: a clock that was set far ahead is not believed at once where believing it destroys.

/// How far a clock may be set before it is doubted, in milliseconds.
const FAR_MS: i64 = 60_000;
/// For how long it is doubted, in milliseconds of the monotonic clock.
const LENGTH_MS: i64 = 600_000;

/// The time by which things are old enough to be dropped: for some minutes after the clock was set
/// ahead, the time as it was before. A clock that is wrong for a moment drops nothing.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the unit is in the name")]
pub(super) struct Doubt {
    /// What the clock said at the monotonic zero, when it was looked at last.
    offset_ms: i64,
    /// By how much it is ahead of what is believed.
    ahead_ms: i64,
    /// Until when, in monotonic milliseconds.
    until_ms: i64,
}

impl Doubt {
    /// A clock that is believed, and says `now_ms` at `monotonic_ms`.
    pub(super) const fn new(now_ms: i64, monotonic_ms: i64) -> Self {
        Self { offset_ms: now_ms - monotonic_ms, ahead_ms: 0, until_ms: 0 }
    }

    /// The time that is believed when the clock says `now_ms` at `monotonic_ms`.
    pub(super) fn believed_ms(&mut self, now_ms: i64, monotonic_ms: i64) -> i64 {
        let offset_ms = now_ms - monotonic_ms;
        let moved_ms = offset_ms - std::mem::replace(&mut self.offset_ms, offset_ms);
        if moved_ms.abs() > FAR_MS {
            self.ahead_ms = (self.ahead_ms + moved_ms).max(0);
            self.until_ms = monotonic_ms + LENGTH_MS;
        }
        if monotonic_ms >= self.until_ms {
            self.ahead_ms = 0;
        }
        now_ms - self.ahead_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const NOW_MS: i64 = 1_795_341_600_000;

    #[test]
    fn a_clock_that_is_set_ahead_for_a_moment_is_not_believed() {
        let mut doubt = Doubt::new(NOW_MS, 50);
        assert_eq!(doubt.believed_ms(NOW_MS + 900, 950), NOW_MS + 900);
        let ahead_ms = NOW_MS + 30 * DAY_MS;
        assert_eq!(doubt.believed_ms(ahead_ms + 2_000, 2_050), NOW_MS + 2_000);
        assert_eq!(doubt.believed_ms(ahead_ms + 5_000, 5_050), NOW_MS + 5_000);
        assert_eq!(doubt.believed_ms(NOW_MS + 7_000, 7_050), NOW_MS + 7_000);
        assert_eq!(doubt.believed_ms(NOW_MS + LENGTH_MS, LENGTH_MS + 50), NOW_MS + LENGTH_MS);
    }

    #[test]
    fn a_clock_that_stays_ahead_is_believed_after_some_minutes() {
        let mut doubt = Doubt::new(NOW_MS, 0);
        let ahead_ms = NOW_MS + DAY_MS;
        assert_eq!(doubt.believed_ms(ahead_ms, 0), NOW_MS);
        assert_eq!(
            doubt.believed_ms(ahead_ms + LENGTH_MS - 1, LENGTH_MS - 1),
            NOW_MS + LENGTH_MS - 1
        );
        assert_eq!(doubt.believed_ms(ahead_ms + LENGTH_MS, LENGTH_MS), ahead_ms + LENGTH_MS);
    }

    #[test]
    fn a_clock_that_is_set_back_or_a_little_ahead_is_believed() {
        let mut doubt = Doubt::new(NOW_MS, 0);
        assert_eq!(doubt.believed_ms(NOW_MS + 30_000, 0), NOW_MS + 30_000);
        assert_eq!(doubt.believed_ms(NOW_MS - DAY_MS, 0), NOW_MS - DAY_MS);
        assert_eq!(doubt.believed_ms(NOW_MS, 0), NOW_MS - DAY_MS, "and ahead again");
    }
}
