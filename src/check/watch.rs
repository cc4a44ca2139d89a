//! `Reach`: where a poll goes, and whether this machine lost its way there meanwhile.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::check::fault::Fault;
use crate::check::gateway;
use crate::check::resolve::way;
use crate::outcome::{Cause, Detail};

/// How often the way of a poll is looked at; one that takes no longer costs nothing.
const TICK: Duration = Duration::from_secs(1);
/// How often in a row the way must be gone for the poll to end.
const GONE: u32 = 2;

/// Where a poll goes, noted by the poll for whoever watches over it.
#[derive(Debug, Default)]
pub(crate) struct Reach(Mutex<Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    there: There,
    /// How often in a row there was no way.
    gone: u32,
    /// Whether there ever was none.
    was_gone: bool,
}

/// The addresses that a poll goes to: one, or while it connects the first of each family.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct There {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

impl There {
    /// Those that stand for `addresses`.
    pub(crate) fn of(addresses: &[IpAddr]) -> Self {
        let first = |is_wanted: fn(&IpAddr) -> bool| addresses.iter().copied().find(is_wanted);
        Self { v4: first(IpAddr::is_ipv4), v6: first(IpAddr::is_ipv6) }
    }

    /// Whether this machine has no way to any of them.
    fn is_cut_off(self) -> bool {
        let both = [self.v4, self.v6].into_iter().flatten();
        way::is_cut_off(&both.collect::<smallvec::SmallVec<[IpAddr; 2]>>())
    }
}

impl Reach {
    /// Notes where the poll goes from now on.
    ///
    /// # Errors
    /// This machine has lately lost a way, and there is none to go: what is sent may hang, and
    /// come late when there is one again.
    pub(crate) fn go(&self, there: There) -> Result<(), Fault> {
        self.0.lock().there = there;
        if way::is_lost_lately() && self.look() > 0 {
            return Err(Fault::no_network());
        }
        Ok(())
    }

    /// Where the poll goes.
    pub(crate) fn there(&self) -> There {
        self.0.lock().there
    }

    /// What the poll `looked` comes to, which `started` then; none when its deadline passes. One
    /// that waits while this machine has no way to its target ends soon.
    pub(crate) async fn watch(
        &self,
        mut looked: Pin<&mut impl Future<Output = Result<(), Fault>>>,
        started: Instant,
        deadline: Instant,
    ) -> Option<Result<(), Fault>> {
        let mut next = started + TICK;
        loop {
            match timeout_at(next.min(deadline), looked.as_mut()).await {
                Ok(result) => return Some(result),
                Err(_) if next >= deadline => return None,
                Err(_) => {}
            }
            if self.look() >= GONE {
                return Some(Err(Fault::no_network()));
            }
            next = Instant::now() + TICK;
        }
    }

    /// Looks whether there is a way; how often in a row there was none.
    fn look(&self) -> u32 {
        // The kernel is not asked under the lock.
        let is_gone = self.there().is_cut_off();
        let mut seen = self.0.lock();
        seen.gone = if is_gone { seen.gone + 1 } else { 0 };
        seen.was_gone |= is_gone;
        if is_gone {
            way::note_lost();
        }
        seen.gone
    }

    /// `fault`, or that of our own network where that is behind it.
    pub(crate) fn blame(&self, fault: Fault) -> Fault {
        let was_gone = self.0.lock().was_gone;
        match (fault.cause, fault.detail) {
            (Cause::Timeout | Cause::Reset, _)
            | (Cause::Connect, Detail::Unreachable | Detail::None)
            | (Cause::Dns, Detail::Unanswered)
            | (Cause::Assertion, Detail::Loss)
                if was_gone || self.look() > 0 =>
            {
                Fault::no_network()
            }
            (Cause::Timeout, _) if self.there().v4.is_some_and(gateway::is_silent) => {
                Fault::new(Cause::NoNetwork, Detail::Unreachable)
            }
            // It came late, and not by its own fault.
            (Cause::Assertion, Detail::Latency) if was_gone => Fault::no_network(),
            _ => fault,
        }
    }
}
