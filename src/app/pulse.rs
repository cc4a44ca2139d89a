//! `Pulse`: whether every scheduler still looks at the time.

use std::time::Duration;

/// How long a scheduler may stand still; it naps for half a second at most.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(10);

/// When each scheduler was seen to move last.
#[derive(Debug, Default)]
pub(super) struct Pulse(Vec<Beat>);

#[derive(Clone, Copy, Debug)]
struct Beat {
    ticks: u64,
    /// Since when that is so, in monotonic microseconds.
    since_us: u64,
}

impl Pulse {
    /// Looks at the `ticks` of all schedulers at `now_us` (monotonic microseconds); tells how long
    /// one of them has stood still, when that is too long.
    pub(super) fn look(
        &mut self,
        ticks: impl Iterator<Item = u64>,
        now_us: u64,
    ) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        for (index, ticks) in ticks.enumerate() {
            match self.0.get_mut(index) {
                Some(beat) if beat.ticks == ticks => {
                    let still = Duration::from_micros(now_us.saturating_sub(beat.since_us));
                    longest = longest.max(still);
                }
                Some(beat) => *beat = Beat { ticks, since_us: now_us },
                None => self.0.push(Beat { ticks, since_us: now_us }),
            }
        }
        (longest > LONGEST_STANDSTILL).then_some(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_scheduler_that_stands_still_for_long_is_told() {
        let mut pulse = Pulse::default();
        let second = |number: u64| number * 1_000_000;
        assert_eq!(pulse.look([5, 5].into_iter(), second(0)), None);
        assert_eq!(pulse.look([25, 5].into_iter(), second(10)), None);
        let still = pulse.look([27, 5].into_iter(), second(11));
        assert_eq!(still, Some(Duration::from_secs(11)));
        assert_eq!(pulse.look([29, 6].into_iter(), second(12)), None);
    }
}
