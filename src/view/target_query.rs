//! `TargetQuery`: which targets are asked for, in which order, and from where on.

use std::fmt;
use std::str::FromStr;

use crate::outcome::Cause;
use crate::target::State;

/// Which targets are asked for; the default asks for the first of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetQuery {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those with this text in their address, name, id or group, in whatever case.
    pub text: Option<String>,
    /// Only those with all these labels, as name and value.
    pub labels: Vec<(String, String)>,
    /// Only those whose state has this cause.
    pub cause: Option<Cause>,
    /// Only those of this group.
    pub group: Option<String>,
    /// In which order.
    pub sort: Sort,
    /// Only those that follow this place, as [`super::TargetPage::next`] named it.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

impl TargetQuery {
    /// Whether all targets are asked for, in the order in which they are kept.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Self { state, text, labels, cause, group, sort, .. } = self;
        let is_filtered = state.is_some() || cause.is_some() || group.is_some();
        !is_filtered && text.is_none() && labels.is_empty() && *sort == Sort::Number
    }
}

/// The order of targets: by a figure, the largest first, and by number where it is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// By number: the order in which targets were first seen.
    #[default]
    Number,
    /// By the latency of the last poll.
    Latency,
    /// By the time since when they are down; those that are not come last.
    Downtime,
    /// By how late the last poll began.
    Lag,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 4] = [Self::Number, Self::Latency, Self::Downtime, Self::Lag];

    /// Its name in queries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Latency => "latency",
            Self::Downtime => "downtime",
            Self::Lag => "lag",
        }
    }

    /// The order with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == name)
    }

    /// What places in it begin with.
    const fn mark(self) -> char {
        match self {
            Self::Number => 'n',
            Self::Latency => 't',
            Self::Downtime => 'd',
            Self::Lag => 'g',
        }
    }
}

/// A place in the targets of an order: behind the one with this figure and number. It stays the same
/// place whatever becomes of that target, so a target whose own figure stays the same is met once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The order.
    pub sort: Sort,
    /// The figure; a larger one comes first.
    pub key: u64,
    /// The number; of equal figures, a smaller one comes first.
    pub number: u32,
}

/// A text that names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("after is what next of the page before says, and nothing else")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{:x}.{:x}", self.sort.mark(), self.key, self.number)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut rest = text.chars();
        let mark = rest.next().ok_or(CursorError)?;
        let sort = Sort::ALL.into_iter().find(|sort| sort.mark() == mark).ok_or(CursorError)?;
        let (key, number) = rest.as_str().split_once('.').ok_or(CursorError)?;
        let key = u64::from_str_radix(key, 16).map_err(|_| CursorError)?;
        let number = u32::from_str_radix(number, 16).map_err(|_| CursorError)?;
        let place = Self { sort, key, number };
        // Each place is written in one way alone.
        (place.to_string() == text).then_some(place).ok_or(CursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_read_as_it_was_written(key: u64, number: u32, sort in 0..4_usize) {
            let place = Cursor { sort: Sort::ALL[sort], key, number };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }

        #[test]
        fn what_was_not_written_as_a_place_is_none(text in "[ntdgxX]?[+0-9a-fA-F.]{0,24}") {
            if let Ok(place) = text.parse::<Cursor>() {
                prop_assert_eq!(place.to_string(), text);
            }
        }
    }

    #[test]
    fn slips_are_no_places() {
        for text in ["", "9", "n", "n0", "n.1", "n0.", "n+0.1", "n00.1", "z0.1", "n0.1ffffffff"] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }
}
