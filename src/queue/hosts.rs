//! `Hosts`: how many polls a host has to bear at once and how fast they come, over all schedulers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::manners::{Manners, Rate};
use crate::target::Target;

/// Addresses whose pace is remembered before those that may be polled again are forgotten.
const ADDRESSES: usize = 1 << 16;

/// The hosts that have more than one target or a rate of their own, and the addresses if these have
/// one. A host is a name and a port.
#[derive(Debug)]
pub struct Hosts {
    manners: Manners,
    /// By the host's hash; a host with a single target needs no gate, for no target is polled twice
    /// at once.
    gates: RwLock<HashMap<u64, Option<Arc<Gate>>, BuildHasherDefault<Hashed>>>,
    inboxes: Arc<RwLock<Vec<Arc<Inbox>>>>,
    /// When each address may be polled again, in monotonic microseconds.
    addresses: Mutex<HashMap<IpAddr, u64>>,
}

impl Default for Hosts {
    /// Hosts without any consideration.
    fn default() -> Self {
        Self::new(Manners::none())
    }
}

impl Hosts {
    /// Hosts that are treated with these manners.
    #[must_use]
    pub fn new(manners: Manners) -> Self {
        Self {
            manners,
            gates: RwLock::default(),
            inboxes: Arc::default(),
            addresses: Mutex::default(),
        }
    }

    /// How hosts are treated.
    #[must_use]
    pub const fn manners(&self) -> &Manners {
        &self.manners
    }

    /// Notes that `target` is polled from now on.
    pub fn join(&self, target: &Target) {
        let Some(terms) = self.terms(target) else { return };
        let key = host_key(target);
        let mut gates = self.gates.write();
        let is_alone = !gates.contains_key(&key);
        let place = gates.entry(key).or_default();
        match place {
            Some(gate) => gate.take_in(terms),
            None if is_alone && terms.spacing_us == 0 => {}
            None => {
                let gate = Gate::new(key, terms, Arc::clone(&self.inboxes));
                gate.targets.store(if is_alone { 1 } else { 2 }, Ordering::Relaxed);
                *place = Some(Arc::new(gate));
            }
        }
    }

    /// Notes that `target` is polled no more.
    pub fn leave(&self, target: &Target) {
        if self.terms(target).is_none() {
            return;
        }
        let mut gates = self.gates.write();
        let key = host_key(target);
        let is_last = gates.get(&key).is_some_and(|gate| {
            gate.as_ref().is_none_or(|gate| gate.targets.fetch_sub(1, Ordering::Relaxed) <= 1)
        });
        if is_last {
            gates.remove(&key);
        }
    }

    /// The gate that polls of `target` pass, if there is one.
    #[must_use]
    pub fn gate(&self, target: &Target) -> Option<Arc<Gate>> {
        let gates = self.gates.read();
        if gates.is_empty() { None } else { gates.get(&host_key(target)).cloned().flatten() }
    }

    /// Whether a poll of `address` may begin at `now_us` (monotonic microseconds).
    ///
    /// # Errors
    /// The time at which to ask again.
    pub fn address_opens(&self, address: IpAddr, now_us: u64) -> Result<(), u64> {
        if self.manners.address_rate.is_none() {
            return Ok(());
        }
        let next_us = self.addresses.lock().get(&address).copied();
        next_us.filter(|next_us| *next_us > now_us).map_or(Ok(()), Err)
    }

    /// When a poll of `address` may begin, if not at `now_us` (monotonic microseconds); at `now_us`
    /// it is taken to begin.
    ///
    /// # Errors
    /// The time at which to ask again.
    pub fn pass_address(&self, address: IpAddr, now_us: u64) -> Result<(), u64> {
        let Some(rate) = self.manners.address_rate else { return Ok(()) };
        let mut addresses = self.addresses.lock();
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, next_us| *next_us > now_us);
        }
        let next_us = addresses.entry(address).or_default();
        if *next_us > now_us {
            return Err(*next_us);
        }
        *next_us = now_us + rate.spacing_us();
        Ok(())
    }

    /// Where a scheduler hears of hosts that have room again.
    #[must_use]
    pub fn inbox(&self) -> Arc<Inbox> {
        let inbox = Arc::<Inbox>::default();
        self.inboxes.write().push(Arc::clone(&inbox));
        inbox
    }

    /// What `target` allows its host to bear; none: anything.
    fn terms(&self, target: &Target) -> Option<Terms> {
        let plan = &target.plan;
        let most = plan.max_per_host.or(self.manners.max_per_host);
        let rate = plan.host_rate.or(self.manners.host_rate);
        let terms = Terms {
            most: most.map_or(u32::MAX, u32::from),
            spacing_us: rate.map_or(0, Rate::spacing_us),
        };
        (most.is_some() || rate.is_some()).then_some(terms)
    }
}

/// The host of `target`, as a hash: among a million hosts two are the same once in ten million
/// lists.
#[must_use]
pub fn host_key(target: &Target) -> u64 {
    let address = &target.address;
    xxh3_64_with_seed(address.host_text().as_bytes(), address.port().into())
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    /// Polls that may run at once.
    most: u32,
    /// Microseconds from one launch to the next; 0: any.
    spacing_us: u64,
}

/// What polls of one host pass one by one.
#[derive(Debug)]
pub struct Gate {
    key: u64,
    targets: AtomicU32,
    most: AtomicU32,
    in_flight: AtomicU32,
    spacing_us: AtomicU64,
    /// When the next one may begin, in monotonic microseconds.
    next_us: AtomicU64,
    /// Whether somebody waits for a poll to end.
    is_short: AtomicBool,
    inboxes: Arc<RwLock<Vec<Arc<Inbox>>>>,
}

/// Whether a poll may begin.
#[derive(Debug)]
pub enum Entrance {
    /// It may, and has.
    Entered(Pass),
    /// As many run as may; the inboxes hear of the end of one.
    Full,
    /// Not before this time, in monotonic microseconds.
    Later(u64),
}

impl Gate {
    fn new(key: u64, terms: Terms, inboxes: Arc<RwLock<Vec<Arc<Inbox>>>>) -> Self {
        Self {
            key,
            targets: AtomicU32::new(0),
            most: AtomicU32::new(terms.most),
            in_flight: AtomicU32::new(0),
            spacing_us: AtomicU64::new(terms.spacing_us),
            next_us: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
            inboxes,
        }
    }

    /// Takes in one target more; the terms of the last one count.
    fn take_in(&self, terms: Terms) {
        self.targets.fetch_add(1, Ordering::Relaxed);
        self.most.store(terms.most, Ordering::Relaxed);
        self.spacing_us.store(terms.spacing_us, Ordering::Relaxed);
    }

    /// The hash of its host.
    #[must_use]
    pub const fn key(&self) -> u64 {
        self.key
    }

    /// Lets a poll begin at `now_us` (monotonic microseconds), if it may.
    #[must_use]
    pub fn enter(self: &Arc<Self>, now_us: u64) -> Entrance {
        let next_us = self.next_us.load(Ordering::SeqCst);
        if next_us > now_us {
            return Entrance::Later(next_us);
        }
        if !self.try_take() {
            self.is_short.store(true, Ordering::SeqCst);
            // One that ended before the flag was up would not be heard of.
            if !self.try_take() {
                return Entrance::Full;
            }
        }
        let pass = Pass(Arc::clone(self));
        let spacing_us = self.spacing_us.load(Ordering::Relaxed);
        if spacing_us == 0 {
            return Entrance::Entered(pass);
        }
        let after = |next_us: u64| (next_us <= now_us).then(|| now_us + spacing_us);
        match self.next_us.fetch_update(Ordering::SeqCst, Ordering::SeqCst, after) {
            Ok(_) => Entrance::Entered(pass),
            Err(next_us) => Entrance::Later(next_us),
        }
    }

    fn try_take(&self) -> bool {
        let most = self.most.load(Ordering::Relaxed);
        let next = |taken| (taken < most).then_some(taken + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }
}

/// That a poll of a host runs, until it is dropped.
#[derive(Debug)]
pub struct Pass(Arc<Gate>);

impl Drop for Pass {
    fn drop(&mut self) {
        let gate = &self.0;
        gate.in_flight.fetch_sub(1, Ordering::SeqCst);
        if gate.is_short.load(Ordering::SeqCst) && gate.is_short.swap(false, Ordering::SeqCst) {
            for inbox in gate.inboxes.read().iter() {
                inbox.tell(gate.key);
            }
        }
    }
}

/// Where a scheduler hears of hosts that have room again: each is told once for each time that one
/// was found full, so it holds no more than there are hosts.
#[derive(Debug, Default)]
pub struct Inbox {
    keys: Mutex<Vec<u64>>,
    told: Notify,
}

impl Inbox {
    fn tell(&self, key: u64) {
        self.keys.lock().push(key);
        self.told.notify_one();
    }

    /// Takes out the hosts that have room again.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.keys.lock())
    }

    /// Waits until there is one.
    pub async fn told(&self) {
        self.told.notified().await;
    }
}

/// A hasher for keys that are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests;
