//! `PauseSpan`: when a target is not polled because somebody wants it so.

/// A span of time in which a target is not polled because somebody wants it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseSpan {
    /// Since when, in Unix milliseconds.
    pub since_ms: i64,
    /// Until when, in Unix milliseconds; none: until somebody ends it.
    pub until_ms: Option<i64>,
}

impl PauseSpan {
    /// When it ended, if it is over at `now_ms`; both in Unix milliseconds.
    #[must_use]
    pub fn ended(self, now_ms: i64) -> Option<i64> {
        self.until_ms.filter(|until_ms| *until_ms <= now_ms)
    }
}
