//! `Reason`: why a slot passed without a poll, as reports number it.

use crate::queue::Unpolled;

/// Why a slot passed without a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The target's last poll still ran.
    Running,
    /// No place was free.
    Saturated,
    /// For the sake of its host.
    Politeness,
    /// Nobody looked at the time while the slot meant something.
    Standstill,
    /// Its job came when it meant nothing any more.
    Late,
    /// Its entry cannot be polled, or no record is large enough for it.
    Entry,
}

impl Reason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Saturated,
        Self::Politeness,
        Self::Standstill,
        Self::Late,
        Self::Entry,
    ];

    /// Its number in reports, which never changes.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Running => 0,
            Self::Saturated => 1,
            Self::Politeness => 2,
            Self::Standstill => 3,
            Self::Late => 4,
            Self::Entry => 5,
        }
    }

    /// Its name in figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Saturated => "saturated",
            Self::Politeness => "politeness",
            Self::Standstill => "standstill",
            Self::Late => "late",
            Self::Entry => "entry",
        }
    }

    /// Why a job came back; none: it is somebody else's.
    #[must_use]
    pub const fn of(unpolled: Unpolled) -> Option<Self> {
        match unpolled {
            Unpolled::Running => Some(Self::Running),
            Unpolled::Saturated => Some(Self::Saturated),
            Unpolled::Politeness => Some(Self::Politeness),
            Unpolled::Late => Some(Self::Late),
            Unpolled::Withdrawn => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_as_its_number() {
        for (number, reason) in (0..).zip(Reason::ALL) {
            assert_eq!(reason.number(), number, "{reason:?}");
        }
    }
}
