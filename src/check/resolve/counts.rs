//! `NamesFacts`: what is known of look-ups, for the summary; counted where they are made.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What is known of look-ups at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamesFacts {
    /// Look-ups for which name servers are being asked.
    pub lookups_in_flight: usize,
    /// Look-ups that wait for their turn.
    pub lookups_waiting: usize,
    /// Look-ups in flight at most.
    pub lookups_limit: usize,
    /// Names of which something is remembered.
    pub names_held: usize,
    /// Questions sent to name servers since the start, each time that one is sent.
    pub queries_total: u64,
    /// How often since the start an address served that had expired, for want of a better one.
    pub stale_served_total: u64,
    /// Whether name servers do not serve: those of the settings or the system, or those that an
    /// entry names.
    pub is_server_silent: bool,
}

/// What is counted of look-ups by those who make them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) in_flight: AtomicUsize,
    pub(super) waiting: AtomicUsize,
    pub(super) is_closed: AtomicBool,
    queries: AtomicU64,
    stale: AtomicU64,
}

impl Counts {
    /// A question is sent.
    pub(super) fn query(&self) {
        self.queries.fetch_add(1, Relaxed);
    }

    /// An address serves that has expired.
    pub(super) fn serve_stale(&self) {
        self.stale.fetch_add(1, Relaxed);
    }

    /// What was counted, without what others know better.
    pub(super) fn facts(&self) -> NamesFacts {
        NamesFacts {
            lookups_in_flight: self.in_flight.load(Relaxed),
            lookups_waiting: self.waiting.load(Relaxed),
            queries_total: self.queries.load(Relaxed),
            stale_served_total: self.stale.load(Relaxed),
            is_server_silent: self.is_closed.load(Relaxed),
            ..NamesFacts::default()
        }
    }
}
