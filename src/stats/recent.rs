//! `Recent`: the one-second windows of the last five minutes and their running sums.

use std::collections::BTreeMap;

use super::minutes::Minutes;
use super::sketch::Dense;
use super::window::{Extreme, Window, add_slow, keep_longer};
use crate::outcome::{Cause, Outcome};

/// Seconds that the figures of the summary reach back.
pub const SPAN_S: i64 = 300;
/// Seconds that a window may lie ahead of the time: the clock is read by several.
const AHEAD_S: i64 = 5;

/// What finished in the last five minutes, kept by the second so that the edge is sharp, and
/// summed up as it comes and goes so that asking costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    windows: BTreeMap<i64, Window>,
    checks: u64,
    latency: Dense,
    phases: [Dense; 5],
    lag: Dense,
    /// What has been forgotten, by the minute.
    minutes: Minutes,
}

impl Recent {
    /// Counts one poll.
    pub fn add(&mut self, outcome: &Outcome) {
        let second = outcome.finished_us.div_euclid(1_000_000);
        let grain = super::Grain::Fine;
        self.windows.entry(second).or_default().add(outcome);
        self.checks += 1;
        if outcome.finding.is_answered() {
            self.latency.add(grain.bucket(outcome.latency_us));
        }
        for (sum, phase) in self.phases.iter_mut().zip(outcome.finding.phases.all()) {
            if let Some(us) = phase.get() {
                sum.add(grain.bucket(us));
            }
        }
        if outcome.kind == crate::outcome::SampleKind::Slot {
            self.lag.add(grain.bucket(outcome.lag_us));
        }
    }

    /// Takes in a window that was stored, in the place of what is known of that second.
    pub fn restore(&mut self, second: i64, window: Window) {
        self.forget(second);
        self.checks += u64::from(window.checks);
        self.latency.merge(&window.latency);
        for (sum, sketch) in self.phases.iter_mut().zip(&window.phases) {
            sum.merge(sketch);
        }
        self.lag.merge(&window.lag);
        self.windows.insert(second, window);
    }

    /// Forgets all windows that lie five minutes or more before `now_s`, in Unix seconds, and
    /// those that lie ahead of it because the clock was set back.
    pub fn expire(&mut self, now_s: i64) {
        while let Some((&second, _)) = self.windows.last_key_value() {
            if second <= now_s + AHEAD_S {
                break;
            }
            self.forget(second);
        }
        while let Some((&second, _)) = self.windows.first_key_value() {
            if second > now_s - SPAN_S {
                break;
            }
            if let Some(window) = self.forget(second) {
                self.minutes.add(second, &window);
            }
        }
    }

    fn forget(&mut self, second: i64) -> Option<Window> {
        let window = self.windows.remove(&second)?;
        self.checks -= u64::from(window.checks);
        self.latency.remove(&window.latency);
        for (sum, sketch) in self.phases.iter_mut().zip(&window.phases) {
            sum.remove(sketch);
        }
        self.lag.remove(&window.lag);
        Some(window)
    }

    /// The window of one second, in Unix seconds.
    #[must_use]
    pub fn window(&self, second: i64) -> Option<&Window> {
        self.windows.get(&second)
    }

    /// The windows of the seconds from `first` to before `end`, in Unix seconds and in their order.
    pub fn windows(&self, first: i64, end: i64) -> impl Iterator<Item = (i64, &Window)> + '_ {
        self.windows.range(first..end.max(first)).map(|(&second, window)| (second, window))
    }

    /// The seconds before the last five minutes, by the minute.
    #[must_use]
    pub const fn minutes(&self) -> &Minutes {
        &self.minutes
    }

    /// How many polls finished.
    #[must_use]
    pub const fn checks(&self) -> u64 {
        self.checks
    }

    /// Seconds from the oldest window to `now_s`, at least 1: what rates are told over.
    #[must_use]
    pub fn span_s(&self, now_s: i64) -> i64 {
        let first = self.windows.first_key_value().map_or(now_s, |(&second, _)| second);
        (now_s - first).clamp(1, SPAN_S)
    }

    /// The latencies of the answered polls.
    #[must_use]
    pub const fn latency(&self) -> &Dense {
        &self.latency
    }

    /// The durations of the phases, in the order of `Phases::NAMES`.
    #[must_use]
    pub const fn phases(&self) -> &[Dense; 5] {
        &self.phases
    }

    /// The lags of the polls that had a slot.
    #[must_use]
    pub const fn lag(&self) -> &Dense {
        &self.lag
    }

    /// The longest lag, in microseconds.
    #[must_use]
    pub fn lag_max_us(&self) -> Option<u32> {
        self.windows.values().map(|window| window.lag_max_us).max()
    }

    /// The longest poll, whatever its verdict; of equals the latest.
    #[must_use]
    pub fn largest(&self) -> Option<Extreme> {
        longest(self.windows.values().rev().filter_map(|window| window.largest))
    }

    /// The longest poll that got an answer; of equals the latest.
    #[must_use]
    pub fn largest_answered(&self) -> Option<Extreme> {
        longest(self.windows.values().rev().filter_map(|window| window.largest_answered))
    }

    /// The slowest polls, the slowest first, once for each target.
    #[must_use]
    pub fn slowest(&self) -> Vec<Extreme> {
        let mut slowest = Vec::new();
        for &extreme in self.windows.values().rev().flat_map(|window| &window.slowest) {
            add_slow(&mut slowest, extreme);
        }
        slowest
    }

    /// Polls by cause and by whether it is permanent, the most frequent first.
    #[must_use]
    pub fn causes(&self) -> Vec<((Cause, bool), u64)> {
        let mut sums = BTreeMap::new();
        for &(key, count) in self.windows.values().flat_map(|window| &window.causes) {
            *sums.entry(key).or_insert(0) += u64::from(count);
        }
        let mut causes: Vec<_> = sums.into_iter().collect();
        causes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        causes
    }
}

fn longest(extremes: impl Iterator<Item = Extreme>) -> Option<Extreme> {
    let mut longest = None;
    extremes.for_each(|extreme| keep_longer(&mut longest, extreme));
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Code, Detail, Finding, Micros, Phases, SampleKind};

    fn outcome(target: u32, second: i64, latency_us: u32, status: u16) -> Outcome {
        let phases = Phases { connect: Micros::from_us(7), ..Phases::default() };
        let mut finding = Finding { status, phases, bytes: 10, ..Finding::default() };
        if status == 0 {
            finding = finding.with_cause(Cause::Timeout, Detail::Waiting);
        }
        Outcome {
            target,
            due_ms: second * 1_000,
            finished_us: second * 1_000_000,
            lag_us: 3,
            latency_us,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        }
    }

    #[test]
    fn the_largest_delay_is_forgotten_to_the_second() {
        let mut recent = Recent::default();
        recent.add(&outcome(1, 1_000, 900, 200));
        recent.add(&outcome(2, 1_001, 500, 200));

        recent.expire(1_299);
        assert_eq!(recent.largest().map(|extreme| extreme.latency_us), Some(900));
        recent.expire(1_300);
        assert_eq!(recent.largest().map(|extreme| extreme.latency_us), Some(500));
        recent.expire(1_301);
        assert_eq!(recent.largest(), None);
        assert_eq!((recent.checks(), recent.latency().count(), recent.lag().count()), (0, 0, 0));
    }

    #[test]
    fn a_timeout_is_the_largest_delay_but_not_the_largest_answered() {
        let mut recent = Recent::default();
        recent.add(&outcome(1, 10, 9_000, 0));
        recent.add(&outcome(2, 10, 100, 404));
        assert_eq!(recent.largest().map(|extreme| extreme.code), Some(Code::Cause(Cause::Timeout)));
        assert_eq!(recent.largest_answered().map(|extreme| extreme.target), Some(2));
        assert_eq!(recent.causes(), [((Cause::Timeout, false), 1)]);
    }

    #[test]
    fn a_slow_target_is_listed_once() {
        let mut recent = Recent::default();
        for second in 0..20 {
            recent.add(&outcome(1, second, 1_000 + u32::try_from(second).expect("small"), 200));
            recent.add(&outcome(2, second, 500, 200));
        }
        let slowest: Vec<_> =
            recent.slowest().iter().map(|extreme| (extreme.target, extreme.latency_us)).collect();
        assert_eq!(slowest, [(1, 1_019), (2, 500)]);
    }

    #[test]
    fn a_window_comes_back_from_its_bytes_and_counts_once() {
        let mut recent = Recent::default();
        recent.add(&outcome(1, 10, 9_000, 0));
        recent.add(&outcome(2, 10, 100, 404));
        let window = recent.window(10).expect("it was just counted").clone();
        let read = Window::decode(&window.encode()).expect("the bytes are whole");
        assert_eq!(read, window);
        recent.restore(10, read);
        assert_eq!(recent.checks(), 2);
        assert!(Window::decode(&window.encode()[..20]).is_err());
    }

    #[test]
    fn windows_of_shards_add_up_to_that_of_all() {
        let all: Vec<Outcome> = (0..60)
            .map(|n| outcome(n, 10, 100 + n % 7, if n % 9 == 0 { 0 } else { 200 }))
            .collect();
        let mut whole = Window::default();
        let mut shards = [Window::default(), Window::default(), Window::default()];
        for (outcome, shard) in all.iter().zip([0, 1, 2].into_iter().cycle()) {
            whole.add(outcome);
            shards[shard].add(outcome);
        }
        let mut sum = Window::default();
        for shard in &shards {
            sum.merge(shard);
        }
        let latencies =
            |window: &Window| window.slowest.iter().map(|one| one.latency_us).collect::<Vec<_>>();
        assert_eq!(latencies(&sum), latencies(&whole));
        assert_eq!(sum.largest.map(|one| one.latency_us), whole.largest.map(|one| one.latency_us));
        // Of equals, others may be named.
        for window in [&mut sum, &mut whole] {
            window.slowest.clear();
            window.largest = None;
            window.largest_answered = None;
        }
        assert_eq!(sum, whole);
    }
}
