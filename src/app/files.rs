//! How the files that may be open are shared out: to polls, to look-ups, to connections kept.

use std::num::NonZeroUsize;

use crate::view::text::count;

/// Files that are not for polls: look-ups get half of them, and the other half has room for the
/// store, the log, the socket and its visitors, a twelfth of all for visitors over the network, and
/// `KEPT` connections.
const RESERVED: u64 = 512;
/// Connections that are kept between polls even where no file is left over.
const KEPT: u64 = 128;
/// Polls in flight at most when the limit of open files would allow more.
const MOST_PLACES: u64 = 16_384;
/// Look-ups in flight at most, and the sockets that one opens at worst: two families are asked
/// for, of two name servers at once.
const MOST_LOOKUPS: u64 = 256;
const LOOKUP_FILES: u64 = 4;
/// Connections that are kept between polls at most.
const MOST_KEPT: u64 = 4_096;
/// Visitors of the API over the network at a time, at least and at most.
const VISITORS: std::ops::RangeInclusive<u64> = 4..=1_024;

/// How many files may be open for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Polls in flight at most: what was asked for, as far as the limit of open files allows it,
    /// else what that allows.
    pub(super) places: NonZeroUsize,
    /// Look-ups in flight at most.
    pub(super) lookups: usize,
    /// Connections that are kept between polls at most.
    pub(super) kept: usize,
    /// Visitors of the API over the network at most.
    pub(super) visitors: usize,
}

impl Shares {
    /// The shares of `open_files`, when so many places are asked for.
    pub(super) fn of(asked: Option<NonZeroUsize>, open_files: u64) -> Self {
        // A small limit is shared half and half.
        let reserved = RESERVED.min(open_files / 2);
        let left = open_files.saturating_sub(reserved);
        let asked = asked.map_or(MOST_PLACES, |asked| asked.get() as u64);
        let places = NonZeroUsize::new(size(asked.min(left))).unwrap_or(NonZeroUsize::MIN);
        let spare = left.saturating_sub(u64::try_from(places.get()).unwrap_or(u64::MAX));
        let lookups = (reserved / 2 + spare / 2) / LOOKUP_FILES;
        let kept = reserved.saturating_sub(RESERVED - KEPT) + spare.div_ceil(2) - spare / 8;
        let visitors = reserved / 12 + spare / 8;
        Self {
            visitors: size(visitors.clamp(*VISITORS.start(), *VISITORS.end())),
            places,
            lookups: size(lookups.clamp(1, MOST_LOOKUPS)),
            kept: size(kept.min(MOST_KEPT)),
        }
    }

    /// Files that may have to be open so that so many polls run at once.
    pub(super) const fn files_for(polls: u64) -> u64 {
        // As many are set aside as polls take, and no more than are of use.
        polls.saturating_add(if polls < RESERVED { polls } else { RESERVED })
    }
}

/// What is said when fewer polls may be in flight than were asked for.
#[must_use]
pub(super) fn told_places(asked: Option<NonZeroUsize>, open_files: u64) -> Option<String> {
    let (asked, places) = (asked?, Shares::of(asked, open_files).places);
    (places < asked).then(|| {
        format!(
            "{} polls in flight at most, not {}: the limit of open files is {}; raise it \
             (ulimit -n, LimitNOFILE=) or lower --max-workers",
            count(places.get() as u64),
            count(asked.get() as u64),
            count(open_files)
        )
    })
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(asked: Option<NonZeroUsize>, open_files: u64) -> usize {
        Shares::of(asked, open_files).places.get()
    }

    #[test]
    fn the_pool_is_sized_from_the_limit_of_open_files_unless_told() {
        assert_eq!(places(None, 20_000), 16_384);
        assert_eq!(places(None, 1_024), 512);
        assert_eq!(places(None, 256), 128);
        assert_eq!(places(None, u64::MAX), 16_384);
        assert_eq!(places(NonZeroUsize::new(7), 20_000), 7);
        assert_eq!(places(NonZeroUsize::new(100_000), 200_000), 100_000);
    }

    #[test]
    fn as_many_files_as_are_told_give_room_for_so_many_polls() {
        for polls in [1, 100, 511, 512, 513, 5_000] {
            let (files, asked) = (Shares::files_for(polls), size(polls));
            assert_eq!(places(NonZeroUsize::new(asked), files), asked);
            assert!(
                places(NonZeroUsize::new(asked), files.saturating_sub(2)) < asked || polls == 1
            );
        }
    }

    #[test]
    fn more_places_than_open_files_allow_are_cut_and_told() {
        let asked = NonZeroUsize::new(100_000);
        assert_eq!(places(asked, 1_024), 512);
        let told = told_places(asked, 1_024).expect("a word");
        assert!(told.starts_with("512 polls in flight at most, not 100,000"), "{told}");
        assert_eq!(told_places(NonZeroUsize::new(512), 1_024), None);
        assert_eq!(told_places(None, 1_024), None);
    }

    #[test]
    fn look_ups_visitors_and_kept_connections_get_what_polls_leave() {
        let shares = |asked, open_files| {
            let shares = Shares::of(NonZeroUsize::new(asked), open_files);
            (shares.lookups, shares.kept, shares.visitors)
        };
        assert_eq!(shares(0, 1 << 20), (256, 4_096, 1_024));
        assert_eq!(shares(0, 20_000), (256, 1_292, 430));
        assert_eq!(shares(0, 1_024), (64, 128, 42));
        assert_eq!(shares(112, 1_024), (114, 278, 92));
        assert_eq!(shares(5_000, 1_024), (64, 128, 42));
        assert_eq!(shares(0, 64), (4, 0, 4));
        assert_eq!(shares(0, 0), (1, 0, 4));
    }
}
