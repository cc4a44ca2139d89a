//! `Tally`: how the polls of one target went in one hour or day.

use super::sketch::{DecodeError, Grain, Sketch, put, take};
use super::window::Window;
use crate::outcome::{Outcome, Verdict};

/// Counts of polls, and how long those took that got an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Polls.
    pub checks: u32,
    /// Polls that found the target up or with a warning.
    pub up: u32,
    /// Polls that failed by a cause of ours.
    pub unknown: u32,
    /// The longest latency of an answered poll, exact, in microseconds.
    pub max_us: u32,
    /// Latencies of the answered polls, coarse.
    pub latency: Sketch,
}

impl Tally {
    /// Counts one poll.
    pub fn add(&mut self, outcome: &Outcome) {
        self.checks = self.checks.saturating_add(1);
        match outcome.finding.verdict {
            Verdict::Up | Verdict::Warning => self.up = self.up.saturating_add(1),
            Verdict::Unknown => self.unknown = self.unknown.saturating_add(1),
            Verdict::Down => {}
        }
        if outcome.finding.is_answered() {
            self.max_us = self.max_us.max(outcome.latency_us);
            self.latency.add(Grain::Coarse.bucket(outcome.latency_us));
        }
    }

    /// Adds all that one second of the fleet counted.
    pub fn add_second(&mut self, window: &Window) {
        let failed = |verdict| {
            let of = window.causes.iter().filter(move |((cause, _), _)| cause.verdict() == verdict);
            of.map(|&(_, count)| count).sum::<u32>()
        };
        let (down, unknown) = (failed(Verdict::Down), failed(Verdict::Unknown));
        self.checks = self.checks.saturating_add(window.checks);
        self.up = self.up.saturating_add(window.checks.saturating_sub(down + unknown));
        self.unknown = self.unknown.saturating_add(unknown);
        let longest = window.largest_answered.map_or(0, |extreme| extreme.latency_us);
        self.max_us = self.max_us.max(longest);
        for (bucket, count) in window.latency.iter() {
            self.latency.add_many(Grain::coarsened(bucket), count);
        }
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.checks = self.checks.saturating_add(other.checks);
        self.up = self.up.saturating_add(other.up);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.max_us = self.max_us.max(other.max_us);
        self.latency.merge(&other.latency);
    }

    /// The latency below which a share `quantile` (0 to 1) of the answered polls lies, in
    /// microseconds; never above the exact maximum.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u32> {
        Some(self.latency.quantile(quantile, Grain::Coarse)?.min(self.max_us))
    }

    /// The tally as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 4 * 8);
        for number in [self.checks, self.up, self.unknown, self.max_us] {
            put(&mut bytes, u64::from(number));
        }
        self.latency.encode(&mut bytes);
        bytes
    }

    /// Reads what [`Tally::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no tally.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes = &mut bytes;
        let mut number = || u32::try_from(take(bytes)?).map_err(|_| DecodeError);
        let (checks, up, unknown, max_us) = (number()?, number()?, number()?, number()?);
        Ok(Self { checks, up, unknown, max_us, latency: Sketch::decode(bytes, Grain::Coarse)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Cause, Detail, Finding, SampleKind};

    fn outcome(latency_us: u32, finding: Finding) -> Outcome {
        Outcome {
            target: 1,
            due_ms: 0,
            finished_us: 0,
            lag_us: 0,
            latency_us,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        }
    }

    #[test]
    fn polls_without_an_answer_do_not_count_as_latency() {
        let mut tally = Tally::default();
        tally.add(&outcome(1_000, Finding { status: 200, ..Finding::default() }));
        tally.add(&outcome(
            9_000_000,
            Finding::default().with_cause(Cause::Timeout, Detail::Waiting),
        ));
        assert_eq!((tally.checks, tally.up, tally.max_us), (2, 1, 1_000));
        assert_eq!(tally.quantile(0.99), Some(1_000));
    }

    #[test]
    fn seconds_of_the_fleet_add_up_to_what_their_polls_would() {
        let outcomes = [
            outcome(1_000, Finding { status: 200, ..Finding::default() }),
            outcome(777_777, Finding::default().with_cause(Cause::Assertion, Detail::None)),
            outcome(9_000_000, Finding::default().with_cause(Cause::Timeout, Detail::Waiting)),
            outcome(5, Finding::default().with_cause(Cause::NoNetwork, Detail::None)),
        ];
        let (mut polls, mut window, mut seconds) =
            (Tally::default(), Window::default(), Tally::default());
        for outcome in &outcomes {
            polls.add(outcome);
            window.add(outcome);
        }
        seconds.add_second(&window);
        assert_eq!(seconds, polls);
    }

    #[test]
    fn a_tally_comes_back_from_its_bytes() {
        let mut tally = Tally::default();
        tally.add(&outcome(77, Finding { status: 200, ..Finding::default() }));
        assert_eq!(Tally::decode(&tally.encode()), Ok(tally));
        assert_eq!(Tally::decode(&[0x80]), Err(DecodeError));
    }
}
