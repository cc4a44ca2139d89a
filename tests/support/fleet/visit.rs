//! One connection as the statistics see it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use super::state::State;

/// A connection to an address of the fleet; it counts as in flight from its acceptance, or from
/// the next request's first byte, until its answer is about to end or it goes.
pub(crate) struct Visit {
    pub(crate) state: Arc<State>,
    pub(crate) address: Ipv4Addr,
    /// When the request could be read.
    pub(crate) since: Instant,
    /// Which request of its address this is, from 1 on.
    pub(crate) count: u32,
    waiting: bool,
}

impl Visit {
    /// Counts a connection that was accepted.
    pub(crate) fn new(state: &Arc<State>, address: Ipv4Addr, since: Instant) -> Self {
        state.statistics.connected();
        state.statistics.began(address);
        Self { state: Arc::clone(state), address, since, count: 0, waiting: true }
    }

    /// Begins for one of several requests at once of a connection that was counted before.
    pub(crate) fn again(state: &Arc<State>, address: Ipv4Addr) -> Self {
        let state = Arc::clone(state);
        Self { state, address, since: Instant::now(), count: 0, waiting: false }
    }

    /// Counts a request that could be read at `since`.
    pub(crate) fn request(&mut self, since: Instant) {
        if !self.waiting {
            self.state.statistics.began(self.address);
            self.waiting = true;
        }
        self.since = since;
        self.count = self.state.statistics.requested(self.address);
    }

    /// Takes the connection out of flight; just before the last bytes go, so that a visitor that
    /// comes again at once is never counted as two.
    pub(crate) fn end(&mut self) {
        if self.waiting {
            self.state.statistics.ended(self.address);
            self.waiting = false;
        }
    }

    /// Counts the answer, written whole by now.
    pub(crate) fn answered(&self) {
        let delay = self.since.elapsed().as_micros();
        self.state.statistics.answered(u64::try_from(delay).unwrap_or(u64::MAX));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end();
    }
}
