//! `Manners`: how much of ours one host has to bear, and how a rate is written.

use std::num::NonZeroU32;
use std::time::Duration;

/// Polls of one host that may run at once, unless told otherwise.
const MAX_PER_HOST: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// Launches a second, kept as the time from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    spacing_us: u64,
}

impl Rate {
    /// A rate of `count` launches in `span`; none when that is below one a day or above one a
    /// microsecond.
    #[must_use]
    pub fn of(count: f64, span: Duration) -> Option<Self> {
        let spacing = span.div_f64_checked(count)?;
        let spacing_us = u64::try_from(spacing.as_micros()).ok()?;
        (1..=86_400_000_000).contains(&spacing_us).then_some(Self { spacing_us })
    }

    /// Microseconds from one launch to the next.
    #[must_use]
    pub const fn spacing_us(self) -> u64 {
        self.spacing_us
    }

    /// Launches a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        Duration::from_secs(1).as_secs_f64() / Duration::from_micros(self.spacing_us).as_secs_f64()
    }
}

/// A division that knows its bounds.
trait DivChecked: Sized {
    fn div_f64_checked(self, by: f64) -> Option<Self>;
}

impl DivChecked for Duration {
    fn div_f64_checked(self, by: f64) -> Option<Self> {
        let seconds = self.as_secs_f64() / by;
        (by > 0.0).then(|| Self::try_from_secs_f64(seconds).ok()).flatten()
    }
}

/// What polls do not ask more of than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Polls of one host, which is a name and a port, that may run at once; none: any number.
    pub max_per_host: Option<NonZeroU32>,
    /// Launches a second per host.
    pub host_rate: Option<Rate>,
    /// Launches a second per IP address, whatever the names are that lead to it.
    pub address_rate: Option<Rate>,
    /// The longest time between two polls of a target that has been down for long; none: it is
    /// polled as often as any other.
    pub backoff_dead: Option<Duration>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            max_per_host: Some(MAX_PER_HOST),
            host_rate: None,
            address_rate: None,
            backoff_dead: None,
        }
    }
}

impl Manners {
    /// No consideration for anybody.
    #[must_use]
    pub const fn none() -> Self {
        Self { max_per_host: None, host_rate: None, address_rate: None, backoff_dead: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_time_between_two_launches() {
        let rate = Rate::of(4.0, Duration::from_secs(1)).expect("a good rate");
        assert_eq!(rate.spacing_us(), 250_000);
        assert!((rate.per_second() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for count in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1e9] {
            assert_eq!(Rate::of(count, Duration::from_secs(1)), None, "{count}");
        }
    }
}
