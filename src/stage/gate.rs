//! `Gate`: whether polls may begin, by how much of its memory the process has in use.

use std::time::Duration;

use super::shortage::Share;

/// Percent of the memory from which on no poll begins.
const CLOSES: u64 = 95;
/// Percent of the memory below which polls begin again.
const OPENS: u64 = 90;
/// How long no poll begins at most; by then what can become free is free.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether polls may begin. A daemon that holds them back for ever would skip them, so where
/// waiting does not help, a few of them go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    #[default]
    Open,
    /// None may.
    Closed {
        /// Since then, in monotonic microseconds.
        since_us: u64,
    },
    /// A few may, though the memory is still as full.
    Ajar,
}

impl Gate {
    /// What becomes of it at `now_us` (monotonic microseconds), by the memory in use.
    #[must_use]
    pub fn turned(self, memory: Share, now_us: u64) -> Self {
        match self {
            Self::Open if memory.is_at_least(CLOSES) => Self::Closed { since_us: now_us },
            Self::Open => Self::Open,
            _ if !memory.is_at_least(OPENS) => Self::Open,
            Self::Closed { since_us }
                if Duration::from_micros(now_us.saturating_sub(since_us)) >= LONGEST =>
            {
                Self::Ajar
            }
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of an open gate that sees these percents, one a second.
    fn seen(percents: &[u64]) -> Gate {
        let seconds = percents.iter().zip(1..);
        seconds.fold(Gate::Open, |gate, (&used, second)| {
            gate.turned(Share { used, of: 100 }, second * 1_000_000)
        })
    }

    #[test]
    fn polls_are_held_when_memory_is_nearly_full_until_there_is_room_again() {
        assert_eq!(seen(&[94]), Gate::Open);
        assert_eq!(seen(&[50, 95]), Gate::Closed { since_us: 2_000_000 });
        assert_eq!(seen(&[95, 93, 90]), Gate::Closed { since_us: 1_000_000 });
        assert_eq!(seen(&[95, 93, 89]), Gate::Open);
        assert_eq!(seen(&[95, 93, 89, 94]), Gate::Open);
    }

    #[test]
    fn where_nothing_becomes_free_a_few_polls_go_on() {
        assert_eq!(seen(&[99, 99, 99, 99, 99]), Gate::Closed { since_us: 1_000_000 });
        assert_eq!(seen(&[99, 99, 99, 99, 99, 99]), Gate::Ajar);
        assert_eq!(seen(&[99; 100]), Gate::Ajar);
        assert_eq!(seen(&[99, 99, 99, 99, 99, 99, 120, 91]), Gate::Ajar);
        assert_eq!(seen(&[99, 99, 99, 99, 99, 99, 120, 89]), Gate::Open);
    }

    #[test]
    fn memory_without_a_limit_is_never_full() {
        let unknown = Share { used: 1 << 40, of: 0 };
        assert_eq!(Gate::Open.turned(unknown, 5), Gate::Open);
    }
}
