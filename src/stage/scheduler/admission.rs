//! `Admission`: whether a poll that is due may begin, for the sake of hosts, addresses and this
//! machine.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::manners::Manners;
use crate::queue::{Entrance, Hosts, Inbox, Pass, host_key};
use crate::stage::throttle::Cycle;
use crate::target::Target;

use super::parked::Parked;

/// How long a poll waits until it is asked again where its host is, in microseconds.
const LOCATE_US: u64 = 20_000;
/// How long a poll waits at most for the address of its host, in milliseconds: when nobody tells it,
/// the poll itself has to say so.
const LONGEST_ASKING_MS: i64 = 5_000;
/// What tells the keys of names whose address is asked for from those of hosts.
const ASKING: u64 = 0x5bd1_e995_9e37_79b9;

/// Where a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// At this address.
    At(IpAddr),
    /// That is being asked for.
    Asking,
    /// Nobody knows; its poll will tell why.
    Nowhere,
}

/// Tells where a target is, without waiting.
pub type Locate = Arc<dyn Fn(&Target) -> Located + Send + Sync>;

/// What holds polls back that are due.
#[derive(Clone, Default)]
pub struct Limits {
    /// Hosts, over all schedulers.
    pub hosts: Arc<Hosts>,
    /// Launches of all schedulers, where they are limited.
    pub cycle: Option<Arc<Cycle>>,
    /// Tells where a target is; none: addresses have no rate.
    pub locate: Option<Locate>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Limits");
        shown.field("hosts", &self.hosts).field("cycle", &self.cycle).finish_non_exhaustive()
    }
}

/// For whose sake a poll waits, and until when in monotonic microseconds if that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) key: u64,
    pub(super) until_us: Option<u64>,
}

/// Whether polls may begin, and those that may not.
#[derive(Debug)]
pub(super) struct Admission {
    limits: Limits,
    pub(super) inbox: Arc<Inbox>,
    pub(super) parked: Parked,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let inbox = limits.hosts.inbox();
        Self { limits, inbox, parked: Parked::default() }
    }

    pub(super) fn manners(&self) -> &Manners {
        self.limits.hosts.manners()
    }

    pub(super) fn join(&self, target: &Target) {
        self.limits.hosts.join(target);
    }

    pub(super) fn leave(&self, target: &Target) {
        self.limits.hosts.leave(target);
    }

    /// Lets a poll of `target` begin at `now_us` (monotonic microseconds), which has waited for so
    /// many milliseconds.
    ///
    /// # Errors
    /// For whose sake it has to wait.
    pub(super) fn admit(
        &self,
        target: &Target,
        now_us: u64,
        waited_ms: i64,
    ) -> Result<Option<Pass>, Wait> {
        let located = self.limits.locate.as_ref().map(|locate| locate(target));
        if located == Some(Located::Asking) && waited_ms < LONGEST_ASKING_MS {
            let key = host_key(target) ^ ASKING;
            return Err(Wait { key, until_us: Some(now_us + LOCATE_US) });
        }
        let full = |address, at_us| Wait { key: address_key(address), until_us: Some(at_us) };
        if let Some(Located::At(address)) = located {
            // Nothing of the host's is spent while its address is closed.
            let opens = self.limits.hosts.address_opens(address, now_us);
            opens.map_err(|at_us| full(address, at_us))?;
        }
        let pass = match self.limits.hosts.gate(target) {
            None => None,
            Some(gate) => match gate.enter(now_us) {
                Entrance::Entered(pass) => Some(pass),
                Entrance::Full => return Err(Wait { key: gate.key(), until_us: None }),
                Entrance::Later(at_us) => {
                    return Err(Wait { key: gate.key(), until_us: Some(at_us) });
                }
            },
        };
        if let Some(Located::At(address)) = located {
            let passed = self.limits.hosts.pass_address(address, now_us);
            passed.map_err(|at_us| full(address, at_us))?;
        }
        Ok(pass)
    }

    /// Takes one of the launches that the rate of all allows at `now_us` (monotonic microseconds).
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub(super) fn take_launch(&self, now_us: u64) -> Result<(), Duration> {
        self.limits.cycle.as_ref().map_or(Ok(()), |cycle| cycle.take(now_us))
    }

    /// Gives back a launch that did not come about.
    pub(super) fn give_back_launch(&self) {
        if let Some(cycle) = &self.limits.cycle {
            cycle.give_back();
        }
    }

    /// For whose sakes others wait that may go on now that a poll of `target` waits for `parked`
    /// alone, or has begun.
    pub(super) fn follows(&mut self, target: &Target, parked: Option<u64>) -> Vec<u64> {
        if self.parked.is_empty() {
            return Vec::new();
        }
        let host = host_key(target);
        let mut keys = vec![host];
        if let Some(locate) = &self.limits.locate {
            keys.push(host ^ ASKING);
            if let Located::At(address) = locate(target) {
                keys.push(address_key(address));
            }
        }
        keys.retain(|key| Some(*key) != parked);
        for key in &keys {
            self.parked.note_gone(*key);
        }
        keys
    }

    /// Those for whose sake polls waited that may be asked again at `now_us`.
    pub(super) fn take_open(&mut self, now_us: u64) -> Vec<u64> {
        if self.parked.is_empty() {
            let _ = self.inbox.take();
            return Vec::new();
        }
        let mut open = self.inbox.take();
        for key in &open {
            self.parked.note_gone(*key);
        }
        open.extend(std::iter::from_fn(|| self.parked.pop_timer(now_us)));
        open
    }
}

/// The key of an address among those of hosts.
fn address_key(address: IpAddr) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault};
    BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(address)
}
