//! `Flight`: whether a target's poll waits or runs, in one word that anybody may read.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::State;

/// Whether a target's poll is waiting, running or neither, and what is known of the target; read
/// at any time without a lock.
#[derive(Debug, Default)]
pub struct Flight {
    phase: AtomicU64,
    known: AtomicU8,
    /// How often in a row the target asked us to wait.
    throttled: AtomicU8,
    /// Until when it asks us to wait, in monotonic seconds.
    until_s: AtomicU32,
    /// Since when it is in the state that it is known to be in, in Unix seconds.
    since_s: AtomicU32,
}

/// What a [`Flight`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightState {
    /// No poll waits or runs.
    Idle,
    /// A poll is due and waits for a place.
    Waiting,
    /// A poll runs since this monotonic time in microseconds.
    Running(u64),
}

impl Flight {
    const IDLE: u64 = 0;
    const WAITING: u64 = 1;
    const RUNNING_FROM: u64 = 2;

    /// What is going on now.
    #[must_use]
    pub fn state(&self) -> FlightState {
        match self.phase.load(Ordering::Acquire) {
            Self::IDLE => FlightState::Idle,
            Self::WAITING => FlightState::Waiting,
            micros => FlightState::Running(micros - Self::RUNNING_FROM),
        }
    }

    /// Notes that a poll is due and waits; false when one already waits or runs.
    #[must_use]
    pub fn begin_waiting(&self) -> bool {
        self.phase
            .compare_exchange(Self::IDLE, Self::WAITING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Notes that the poll runs since `monotonic_us`.
    pub fn begin_running(&self, monotonic_us: u64) {
        self.phase.store(monotonic_us + Self::RUNNING_FROM, Ordering::Release);
    }

    /// Notes that the poll that ran waits to be made again.
    pub fn wait_again(&self) {
        self.phase.store(Self::WAITING, Ordering::Release);
    }

    /// The state that the target is known to be in.
    #[must_use]
    pub fn known(&self) -> State {
        State::from_code(self.known.load(Ordering::Relaxed)).unwrap_or(State::Pending)
    }

    /// Since when that is so, in Unix milliseconds, to the second.
    #[must_use]
    pub fn known_since_ms(&self) -> i64 {
        i64::from(self.since_s.load(Ordering::Relaxed)) * 1_000
    }

    /// Notes the state that the target is known to be in, and since when in Unix milliseconds.
    pub fn learn(&self, state: State, since_ms: i64) {
        let seconds = u32::try_from(since_ms.div_euclid(1_000)).unwrap_or(0);
        self.since_s.store(seconds, Ordering::Relaxed);
        self.known.store(state.code(), Ordering::Relaxed);
    }

    /// Notes that the target asks us to wait, and tells how often it has done so in a row.
    pub fn note_throttled(&self) -> u8 {
        let times = self.throttled.load(Ordering::Relaxed).saturating_add(1);
        self.throttled.store(times, Ordering::Relaxed);
        times
    }

    /// Notes that the target does not ask us to wait.
    pub fn note_welcome(&self) {
        if self.throttled.load(Ordering::Relaxed) > 0 {
            self.throttled.store(0, Ordering::Relaxed);
            self.until_s.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that the target asks us at `monotonic_us` to wait for so long.
    pub fn wait_until(&self, monotonic_us: u64, wait: Duration) {
        let until_s = (Duration::from_micros(monotonic_us) + wait).as_secs() + 1;
        self.until_s.store(u32::try_from(until_s).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Until when the target asks us to wait, in monotonic seconds; 0: it does not.
    #[must_use]
    pub fn waits_until_s(&self) -> u32 {
        self.until_s.load(Ordering::Relaxed)
    }

    /// Notes that no poll waits or runs any more.
    pub fn end(&self) {
        self.phase.store(Self::IDLE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_takes_one_poll_at_a_time() {
        let flight = Flight::default();
        assert!(flight.begin_waiting());
        assert!(!flight.begin_waiting());
        flight.begin_running(0);
        assert_eq!(flight.state(), FlightState::Running(0));
        assert!(!flight.begin_waiting());
        flight.end();
        assert_eq!(flight.state(), FlightState::Idle);
    }
}
