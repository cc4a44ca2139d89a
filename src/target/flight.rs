//! `Flight`: whether a target's poll waits or runs, in one word that anybody may read.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::State;

/// Whether a target's poll is waiting, running or neither, and what is known of the target; read
/// at any time without a lock.
#[derive(Debug, Default)]
pub struct Flight {
    phase: AtomicU64,
    known: AtomicU8,
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

    /// Notes the state that the target is known to be in.
    pub fn learn(&self, state: State) {
        self.known.store(state.code(), Ordering::Relaxed);
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
