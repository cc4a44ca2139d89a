//! `Minute`: totals that were looked at once a second, and how fast they grew over the last minute.

use std::collections::VecDeque;

/// Microseconds that rates are told of.
const SPAN_US: u64 = 60_000_000;
/// Microseconds between two looks at least; who looks may be a little early.
const SPACING_US: u64 = 950_000;
/// Looks that are kept at most.
const KEPT: usize = 64;

/// What only ever grows, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// The moment, in monotonic microseconds.
    pub at_us: u64,
    /// Processor time so far, in seconds.
    pub cpu_seconds: f64,
    /// Bytes that came in so far.
    pub came: u64,
    /// Bytes that went out so far.
    pub went: u64,
}

/// How fast totals grow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    /// Processor time a second: cores that are busy.
    pub cpu_cores: f64,
    /// Bytes a second that came in.
    pub came: f64,
    /// Bytes a second that went out.
    pub went: f64,
}

/// The totals of the last minute.
#[derive(Debug, Default)]
pub(super) struct Minute(VecDeque<Totals>);

impl Minute {
    /// Whether a second has passed since the last look.
    pub(super) fn is_due(&self, now_us: u64) -> bool {
        self.0.back().is_none_or(|last| now_us.saturating_sub(last.at_us) >= SPACING_US)
    }

    /// Keeps `totals`, and forgets those that are of no use any more.
    pub(super) fn note(&mut self, totals: Totals) {
        self.0.push_back(totals);
        let since_us = totals.at_us.saturating_sub(SPAN_US);
        // The first look may lie before the minute, so that all of the minute is told of.
        while self.0.len() > KEPT || self.0.get(1).is_some_and(|second| second.at_us <= since_us) {
            self.0.pop_front();
        }
    }

    /// How fast totals grew from the first look of the last minute to `now`.
    #[expect(clippy::cast_precision_loss, reason = "they are shown with three digits")]
    pub(super) fn rates(&self, now: Totals) -> Rates {
        let since_us = now.at_us.saturating_sub(SPAN_US);
        let first = self.0.iter().rfind(|totals| totals.at_us <= since_us).or(self.0.front());
        let Some(first) = first else { return Rates::default() };
        // What was used in less than a second says little of a second.
        let seconds = (now.at_us.saturating_sub(first.at_us) as f64 / 1e6).max(1.0);
        let bytes = |now: u64, first: u64| now.saturating_sub(first) as f64 / seconds;
        Rates {
            cpu_cores: (now.cpu_seconds - first.cpu_seconds).max(0.0) / seconds,
            came: bytes(now.came, first.came),
            went: bytes(now.went, first.went),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64, cpu_seconds: f64, came: u64) -> Totals {
        Totals { at_us: second * 1_000_000, cpu_seconds, came, went: came / 10 }
    }

    /// A load that doubles after ten minutes: half a core and 1,000 bytes a second, then twice that.
    fn load(second: u64) -> Totals {
        let second = u32::try_from(second).expect("small");
        let doubled = second + second.saturating_sub(600);
        at(second.into(), f64::from(doubled) / 2.0, u64::from(doubled) * 1_000)
    }

    #[test]
    fn rates_are_those_of_the_last_minute() {
        let mut minute = Minute::default();
        for second in 0..=690 {
            minute.note(load(second));
            assert!(minute.0.len() <= 62);
        }
        assert_eq!(minute.rates(load(690)), Rates { cpu_cores: 1.0, came: 2_000.0, went: 200.0 });
        let mut minute = Minute::default();
        (0..=630).for_each(|second| minute.note(load(second)));
        assert_eq!(minute.rates(load(630)), Rates { cpu_cores: 0.75, came: 1_500.0, went: 150.0 });
    }

    #[test]
    fn a_daemon_that_has_just_started_tells_what_it_has_used_since() {
        let mut minute = Minute::default();
        assert_eq!(minute.rates(at(5, 1.0, 10)), Rates::default());
        minute.note(at(0, 0.0, 0));
        let at_once = Rates { cpu_cores: 0.25, came: 100.0, went: 10.0 };
        assert_eq!(minute.rates(at(0, 0.25, 100)), at_once);
        assert_eq!(minute.rates(at(4, 2.0, 100)), Rates { cpu_cores: 0.5, came: 25.0, went: 2.5 });
    }

    #[test]
    fn after_a_standstill_rates_are_those_since_the_last_look() {
        let mut minute = Minute::default();
        (0..=10).for_each(|second| minute.note(load(second)));
        let later = at(1_010, 10.0, 10_000);
        let idle = Rates { cpu_cores: 0.005, came: 0.0, went: 0.0 };
        assert_eq!(minute.rates(later), idle);
        minute.note(later);
        assert_eq!(minute.0.len(), 2);
    }

    #[test]
    fn one_look_a_second_is_due() {
        let mut minute = Minute::default();
        assert!(minute.is_due(0));
        minute.note(at(0, 0.0, 0));
        assert!(!minute.is_due(500_000) && minute.is_due(960_000));
    }
}
