//! `Point` and `Pace`: how far a run has come, and how fast it goes on, in figures and in words.

use std::collections::VecDeque;
use std::time::Duration;

use crate::view::text::{count, duration};

/// How far back the rate looks.
const WINDOW: Duration = Duration::from_secs(10);
/// The time between two marks of the window.
const GRAIN: Duration = Duration::from_secs(1);

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// Checks that came to their end.
    pub(super) done: u64,
    /// Those of them that found an error.
    pub(super) failed: u64,
    /// All that there are, where that is known.
    pub(super) total: Option<u64>,
    /// Checks that come to their end in a second.
    pub(super) rate: f64,
}

impl Point {
    /// All checks, where the number can still be true.
    pub(super) fn total(&self) -> Option<u64> {
        self.total.filter(|&total| total >= self.done)
    }

    /// The parts of a sentence: `1,200 of 10,000 checked`, `3 failed`, `240/s`, `about 37 s left`.
    pub(super) fn words(&self) -> Vec<String> {
        let checked = match self.total() {
            Some(total) => format!("{} of {} checked", count(self.done), count(total)),
            None => format!("{} checked", count(self.done)),
        };
        let mut words = vec![checked, format!("{} failed", count(self.failed))];
        if self.rate > 0.0 {
            words.push(per_second(self.rate));
            words.extend(self.left().map(|left| format!("about {left} left")));
        }
        words
    }

    /// The time until all is done, at this rate.
    #[expect(clippy::cast_precision_loss, reason = "counts of checks are far below 2^52")]
    fn left(&self) -> Option<String> {
        let missing = self.total()? - self.done;
        let seconds = (missing as f64 / self.rate).ceil();
        Some(if seconds < 60.0 { format!("{seconds:.0} s") } else { duration(seconds) })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive, and far below 2^52"
)]
fn per_second(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}/s") } else { format!("{}/s", count(rate.round() as u64)) }
}

/// How fast a run goes on, by its last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    marks: VecDeque<(Duration, u64)>,
}

impl Pace {
    /// Checks in a second, now that `elapsed` has passed and `done` have come to their end.
    #[expect(clippy::cast_precision_loss, reason = "counts of checks are far below 2^52")]
    pub(super) fn rate(&mut self, elapsed: Duration, done: u64) -> f64 {
        if self.marks.back().is_none_or(|&(at, _)| elapsed.saturating_sub(at) >= GRAIN) {
            if self.marks.is_empty() {
                self.marks.push_back((Duration::ZERO, 0));
            }
            self.marks.push_back((elapsed, done));
        }
        // The first mark is the last one that is not younger than the window.
        while self.marks.get(1).is_some_and(|&(at, _)| elapsed.saturating_sub(at) >= WINDOW) {
            self.marks.pop_front();
        }
        let (at, before) = self.marks.front().copied().unwrap_or_default();
        let span = elapsed.saturating_sub(at).as_secs_f64();
        if span > 0.0 { done.saturating_sub(before) as f64 / span } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(done: u64, total: Option<u64>, rate: f64) -> String {
        Point { done, failed: 3, total, rate }.words().join(", ")
    }

    #[test]
    fn a_point_is_told_with_what_is_known_of_it() {
        let all = said(1_200, Some(10_000), 240.2);
        assert_eq!(all, "1,200 of 10,000 checked, 3 failed, 240/s, about 37 s left");
        assert_eq!(said(1_200, None, 240.2), "1,200 checked, 3 failed, 240/s");
        assert_eq!(said(1_200, Some(1_300), 0.0), "1,200 of 1,300 checked, 3 failed");
        assert!(said(0, Some(10_000), 1.25).ends_with("1.2/s, about 2 h 13 min left"));
        assert!(said(10, Some(10), 1.0).ends_with("about 0 s left"));
    }

    #[test]
    fn a_total_that_was_passed_is_none() {
        assert_eq!(said(11, Some(10), 1.0), "11 checked, 3 failed, 1.0/s");
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut pace = Pace::default();
        let mut rate = |second, done| per_second(pace.rate(Duration::from_secs(second), done));
        assert_eq!([rate(0, 0), rate(1, 100), rate(2, 200)], ["0.0/s", "100/s", "100/s"]);
        for second in 3..=20 {
            rate(second, 200);
        }
        assert_eq!(rate(21, 200), "0.0/s", "what was long ago counts no more");
        assert_eq!(rate(31, 500), "30/s");
    }

    #[test]
    fn looks_that_follow_closely_cost_no_memory() {
        let mut pace = Pace::default();
        for tenth in 0..10_000 {
            pace.rate(Duration::from_millis(tenth * 100), tenth);
        }
        assert!(pace.marks.len() <= 12, "{}", pace.marks.len());
    }
}
