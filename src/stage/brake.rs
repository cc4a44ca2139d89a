//! `Brake`: whether polls may begin, by how much of its memory the process has in use.

use std::time::Duration;

use super::shortage::Share;

/// Percent of the memory from which on no poll begins.
const FULL: u64 = 95;
/// Percent of the memory below which polls begin again.
const FREE: u64 = 90;
/// How long no poll begins at most; what can become free is free by then.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether polls may begin. Polls that are held back for ever are never made, so where waiting
/// frees nothing, a few of them go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Brake {
    /// They may.
    #[default]
    Off,
    /// None may.
    On {
        /// Since then, in monotonic microseconds.
        since_us: u64,
    },
    /// A few may, though the memory is as full as it was.
    Eased,
}

impl Brake {
    /// What becomes of it at `now_us` (monotonic microseconds), by the memory in use.
    #[must_use]
    pub fn turned(self, memory: Share, now_us: u64) -> Self {
        match self {
            Self::Off if memory.is_at_least(FULL) => Self::On { since_us: now_us },
            Self::Off => Self::Off,
            _ if !memory.is_at_least(FREE) => Self::Off,
            Self::On { since_us }
                if Duration::from_micros(now_us.saturating_sub(since_us)) >= LONGEST =>
            {
                Self::Eased
            }
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a brake that is off and sees these percents, one a second.
    fn seen(percents: &[u64]) -> Brake {
        let seconds = percents.iter().zip(1..);
        seconds.fold(Brake::Off, |brake, (&used, second)| {
            brake.turned(Share { used, of: 100 }, second * 1_000_000)
        })
    }

    #[test]
    fn polls_are_held_when_memory_is_nearly_full_until_there_is_room_again() {
        assert_eq!(seen(&[94]), Brake::Off);
        assert_eq!(seen(&[50, 95]), Brake::On { since_us: 2_000_000 });
        assert_eq!(seen(&[95, 93, 90]), Brake::On { since_us: 1_000_000 });
        assert_eq!(seen(&[95, 93, 89]), Brake::Off);
        assert_eq!(seen(&[95, 93, 89, 94]), Brake::Off);
    }

    #[test]
    fn where_nothing_becomes_free_a_few_polls_go_on() {
        assert_eq!(seen(&[99; 5]), Brake::On { since_us: 1_000_000 });
        assert_eq!(seen(&[99; 6]), Brake::Eased);
        assert_eq!(seen(&[99; 100]), Brake::Eased);
        assert_eq!(seen(&[99, 99, 99, 99, 99, 99, 120, 91]), Brake::Eased);
        assert_eq!(seen(&[99, 99, 99, 99, 99, 99, 120, 89]), Brake::Off);
    }

    #[test]
    fn memory_without_a_limit_is_never_full() {
        let unknown = Share { used: 1 << 40, of: 0 };
        assert_eq!(Brake::Off.turned(unknown, 5), Brake::Off);
    }
}
