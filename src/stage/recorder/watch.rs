//! `Watch`: since when the daemon has watched without a gap.

/// Since when the daemon has watched, by its clock. A clock that is paired with the wall anew has
/// jumped over time in which nobody watched, because the machine slept, or which never was.
#[derive(Debug)]
pub(super) struct Watch {
    pairings: u32,
    /// When it looked last, in Unix milliseconds.
    last_ms: i64,
    /// Since when it has watched, in Unix milliseconds; 0 for the whole run.
    since_ms: i64,
}

impl Watch {
    /// One that begins with the run, on a clock that was paired so often.
    pub(super) const fn new(pairings: u32, now_ms: i64) -> Self {
        Self { pairings, last_ms: now_ms, since_ms: 0 }
    }

    /// Since when it has watched, as it is stored.
    pub(super) const fn since_ms(&self) -> i64 {
        self.since_ms
    }

    /// Looks at the clock, and tells what ended when that has jumped: since when until when the
    /// daemon had watched.
    pub(super) fn look(&mut self, pairings: u32, now_ms: i64) -> Option<(i64, i64)> {
        let ended = (self.since_ms, self.last_ms);
        self.last_ms = now_ms;
        if pairings == self.pairings {
            return None;
        }
        self.pairings = pairings;
        self.since_ms = now_ms;
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_clock_ends_what_was_watched_and_begins_anew() {
        let mut watch = Watch::new(0, 1_000);
        assert_eq!(watch.look(0, 1_100), None);
        assert_eq!(watch.look(1, 9_001_200), Some((0, 1_100)));
        assert_eq!((watch.look(1, 9_001_300), watch.since_ms()), (None, 9_001_200));
        assert_eq!(watch.look(2, 1_400), Some((9_001_200, 9_001_300)));
        assert_eq!(watch.since_ms(), 1_400);
    }
}
