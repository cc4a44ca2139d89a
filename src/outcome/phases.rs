//! `Phases`: where the time of a poll went.

use std::fmt;

/// Microseconds spent in each part of a poll, summed over its redirects; `None` where the poll
/// had no such part or did not reach it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Until the name was resolved.
    pub resolve: Micros,
    /// From there until the connection stood.
    pub connect: Micros,
    /// The TLS handshake.
    pub tls: Micros,
    /// From the request until the first byte of the answer.
    pub first_byte: Micros,
    /// From there until the last byte.
    pub transfer: Micros,
}

impl Phases {
    /// The names of the phases, in their order.
    pub const NAMES: [&'static str; 5] = ["resolve", "connect", "tls", "first_byte", "transfer"];

    /// The phases, in the order of [`Phases::NAMES`].
    #[must_use]
    pub const fn all(&self) -> [Micros; 5] {
        [self.resolve, self.connect, self.tls, self.first_byte, self.transfer]
    }
}

/// A number of microseconds that may be missing, in four bytes; it saturates at 71 minutes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Micros(u32);

impl Micros {
    /// No time was taken.
    pub const NONE: Self = Self(u32::MAX);

    /// `duration`, or the most that can be told.
    #[must_use]
    pub fn of(duration: std::time::Duration) -> Self {
        Self::from_us(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX - 1))
    }

    /// `us` microseconds.
    #[must_use]
    pub const fn from_us(us: u32) -> Self {
        Self(if us == u32::MAX { u32::MAX - 1 } else { us })
    }

    /// The microseconds, when there are any.
    #[must_use]
    pub const fn get(self) -> Option<u32> {
        if self.0 == u32::MAX { None } else { Some(self.0) }
    }

    /// Adds `duration`, as when a further hop passes through the same phase.
    pub fn add(&mut self, duration: std::time::Duration) {
        let sum = u64::from(self.get().unwrap_or(0)) + u64::from(Self::of(duration).0);
        *self = Self::from_us(u32::try_from(sum).unwrap_or(u32::MAX - 1));
    }
}

impl Default for Micros {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(us) => write!(formatter, "{us}us"),
            None => formatter.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_missing_phase_stays_missing_until_time_is_added() {
        let mut phase = Micros::NONE;
        assert_eq!(phase.get(), None);
        phase.add(Duration::from_micros(5));
        phase.add(Duration::from_micros(6));
        assert_eq!(phase.get(), Some(11));
    }
}
