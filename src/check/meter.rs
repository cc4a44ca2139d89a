//! What polls move and hold, over all of them: bytes over the wire, bytes of answers in memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that came in and went out over connections that are closed, since the process began.
static CAME: AtomicU64 = AtomicU64::new(0);
static WENT: AtomicU64 = AtomicU64::new(0);
/// Bytes that polls in flight hold of answers.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Bytes that polls moved over the wire since the process began, those of TLS among them. What a
/// poll moves is added when its connection is closed or kept for the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that came in.
    pub came: u64,
    /// Bytes that went out.
    pub went: u64,
}

/// What polls moved over the wire so far.
#[must_use]
pub fn traffic() -> Traffic {
    Traffic { came: CAME.load(Ordering::Relaxed), went: WENT.load(Ordering::Relaxed) }
}

/// Bytes that polls in flight hold of answers now.
#[must_use]
pub fn held_bytes() -> u64 {
    HELD.load(Ordering::Relaxed)
}

impl Traffic {
    /// Adds it to what polls moved so far; then it is nothing.
    pub(crate) fn tell(&mut self) {
        let Self { came, went } = std::mem::take(self);
        for (total, bytes) in [(&CAME, came), (&WENT, went)] {
            if bytes > 0 {
                total.fetch_add(bytes, Ordering::Relaxed);
            }
        }
    }
}

/// The bytes that one buffer takes of what polls in flight hold; none when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    total: &'static AtomicU64,
    bytes: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self::none()
    }
}

impl Held {
    /// A buffer that is empty.
    pub(crate) const fn none() -> Self {
        Self { total: &HELD, bytes: 0 }
    }

    /// A buffer of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        let mut held = Self::none();
        held.set(bytes);
        held
    }

    /// Notes how large the buffer is now; where that has not changed, it costs nothing.
    pub(crate) fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes > self.bytes {
            self.total.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.total.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_buffers_hold_is_counted_as_they_grow_shrink_and_go() {
        static TOTAL: AtomicU64 = AtomicU64::new(0);
        let total = || TOTAL.load(Ordering::Relaxed);
        let mut one = Held { total: &TOTAL, bytes: 0 };
        let mut other = Held { total: &TOTAL, bytes: 0 };
        one.set(1_000);
        other.set(50);
        one.set(1_000);
        assert_eq!(total(), 1_050);
        one.set(200);
        drop(other);
        assert_eq!(total(), 200);
        drop(one);
        assert_eq!(total(), 0);
    }

    #[test]
    fn traffic_is_told_once() {
        let before = traffic();
        let mut some = Traffic { came: 1_000_000, went: 7_000_000 };
        some.tell();
        some.tell();
        assert_eq!(some, Traffic::default());
        // Other tests move bytes as well.
        let after = traffic();
        assert!(after.came >= before.came + 1_000_000 && after.went >= before.went + 7_000_000);
    }
}
