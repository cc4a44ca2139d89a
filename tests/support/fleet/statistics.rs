//! What the fleet saw of its visitors: requests, connections, delays and how many at once.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// Width of a histogram bucket in microseconds.
pub(crate) const BUCKET_US: u64 = 100;
const BUCKETS: usize = 50_001;
const SHARDS: usize = 64;

/// Locks, also after another thread's panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of one address of the fleet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfAddress {
    /// Connections accepted and not answered yet.
    pub(crate) now: u32,
    /// The most that were unanswered at one time.
    pub(crate) most: u32,
    /// Requests read so far.
    pub(crate) requests: u32,
}

/// Counters that the serving threads share.
pub(crate) struct Statistics {
    connections: AtomicU64,
    requests: AtomicU64,
    answers: AtomicU64,
    now: AtomicU32,
    most: AtomicU32,
    longest_us: AtomicU64,
    sum_us: AtomicU64,
    delays: Box<[AtomicU32]>,
    addresses: Box<[Mutex<HashMap<u32, OfAddress>>]>,
    queries: AtomicU64,
    names: Mutex<HashMap<Box<str>, u64>>,
}

impl Statistics {
    pub(crate) fn new() -> Self {
        Self {
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            now: AtomicU32::new(0),
            most: AtomicU32::new(0),
            longest_us: AtomicU64::new(0),
            sum_us: AtomicU64::new(0),
            delays: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
            addresses: (0..SHARDS).map(|_| Mutex::default()).collect(),
            queries: AtomicU64::new(0),
            names: Mutex::default(),
        }
    }

    fn of<T>(&self, address: Ipv4Addr, change: impl FnOnce(&mut OfAddress) -> T) -> T {
        let key = u32::from(address);
        let shard = key as usize % SHARDS;
        change(lock(&self.addresses[shard]).entry(key).or_default())
    }

    /// A connection was accepted.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Something waits for an answer from `address`, from now on.
    pub(crate) fn began(&self, address: Ipv4Addr) {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        if now > self.most.load(Relaxed) {
            self.most.fetch_max(now, Relaxed);
        }
        self.of(address, |entry| {
            entry.now += 1;
            entry.most = entry.most.max(entry.now);
        });
    }

    /// What waited has its answer, or has gone.
    pub(crate) fn ended(&self, address: Ipv4Addr) {
        self.now.fetch_sub(1, Relaxed);
        self.of(address, |entry| entry.now = entry.now.saturating_sub(1));
    }

    /// A request was read; the answer is how many `address` has had with it.
    pub(crate) fn requested(&self, address: Ipv4Addr) -> u32 {
        self.requests.fetch_add(1, Relaxed);
        self.of(address, |entry| {
            entry.requests += 1;
            entry.requests
        })
    }

    /// A whole answer was written `delay_us` after its connection was accepted or readable.
    pub(crate) fn answered(&self, delay_us: u64) {
        self.answers.fetch_add(1, Relaxed);
        self.sum_us.fetch_add(delay_us, Relaxed);
        self.longest_us.fetch_max(delay_us, Relaxed);
        let bucket = usize::try_from(delay_us / BUCKET_US).unwrap_or(usize::MAX).min(BUCKETS - 1);
        self.delays[bucket].fetch_add(1, Relaxed);
    }

    /// A DNS query for `name`, in lower case, was received.
    pub(crate) fn queried(&self, name: &str) {
        self.queries.fetch_add(1, Relaxed);
        let mut names = lock(&self.names);
        if let Some(count) = names.get_mut(name) {
            *count += 1;
        } else {
            names.insert(name.into(), 1);
        }
    }

    /// What is known of `address`.
    pub(crate) fn of_address(&self, address: Ipv4Addr) -> OfAddress {
        self.of(address, |entry| *entry)
    }

    /// How often `name` was asked for.
    pub(crate) fn queries_of(&self, name: &str) -> u64 {
        lock(&self.names).get(name).copied().unwrap_or(0)
    }

    /// The counts of all DNS names.
    pub(crate) fn queries_by_name(&self) -> HashMap<Box<str>, u64> {
        lock(&self.names).clone()
    }

    /// Forgets everything but what is in flight now.
    pub(crate) fn reset(&self) {
        for counter in [
            &self.connections,
            &self.requests,
            &self.answers,
            &self.longest_us,
            &self.sum_us,
            &self.queries,
        ] {
            counter.store(0, Relaxed);
        }
        self.most.store(self.now.load(Relaxed), Relaxed);
        for bucket in &self.delays {
            bucket.store(0, Relaxed);
        }
        for shard in &self.addresses {
            lock(shard).retain(|_, entry| {
                *entry = OfAddress { now: entry.now, most: entry.now, requests: 0 };
                entry.now > 0
            });
        }
        lock(&self.names).clear();
    }

    /// The figures of this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (mut addresses, mut most_per_address) = (0, 0);
        for shard in &self.addresses {
            let shard = lock(shard);
            addresses += shard.len();
            let most = shard.values().map(|entry| entry.most).max().unwrap_or(0);
            most_per_address = most_per_address.max(most);
        }
        let delays = self.delays.iter().enumerate();
        Snapshot {
            connections: self.connections.load(Relaxed),
            requests: self.requests.load(Relaxed),
            answers: self.answers.load(Relaxed),
            in_flight: self.now.load(Relaxed),
            most_in_flight: self.most.load(Relaxed),
            most_in_flight_per_address: most_per_address,
            addresses: u64::try_from(addresses).unwrap_or(u64::MAX),
            queries: self.queries.load(Relaxed),
            sum_us: self.sum_us.load(Relaxed),
            longest_us: self.longest_us.load(Relaxed),
            delays: delays
                .map(|(bucket, count)| (bucket as u64 * BUCKET_US, count.load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    }
}

/// The fleet's figures at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Connections accepted.
    pub(crate) connections: u64,
    /// Requests read.
    pub(crate) requests: u64,
    /// Answers written whole.
    pub(crate) answers: u64,
    /// Connections and requests without an answer now.
    pub(crate) in_flight: u32,
    /// The most of them at one time.
    pub(crate) most_in_flight: u32,
    /// The most of them at one time at one address.
    pub(crate) most_in_flight_per_address: u32,
    /// Addresses that were visited.
    pub(crate) addresses: u64,
    /// DNS queries received.
    pub(crate) queries: u64,
    /// Sum of the delays in microseconds.
    pub(crate) sum_us: u64,
    /// The longest delay in microseconds.
    pub(crate) longest_us: u64,
    /// From a bucket's lower bound in microseconds to its count; each is 100 µs wide, the last
    /// holds everything from 5 s on.
    pub(crate) delays: Vec<(u64, u32)>,
}

impl Snapshot {
    /// The delay in microseconds that the share `quantile` (0 to 1) of the answers kept,
    /// as the middle of its bucket; nothing without answers.
    pub(crate) fn quantile_us(&self, quantile: f64) -> Option<u64> {
        let total: u64 = self.delays.iter().map(|(_, count)| u64::from(*count)).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among the answers is small and not negative"
        )]
        let rank = ((total as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        for (from, count) in &self.delays {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(from + BUCKET_US / 2);
            }
        }
        None
    }

    /// The mean delay in microseconds; 0 without answers.
    pub(crate) fn mean_us(&self) -> u64 {
        self.sum_us.checked_div(self.answers).unwrap_or(0)
    }

    /// The figures as JSON.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "connections": self.connections,
            "requests": self.requests,
            "answers": self.answers,
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "most_in_flight_per_address": self.most_in_flight_per_address,
            "addresses": self.addresses,
            "queries": self.queries,
            "delay_us": {
                "mean": self.mean_us(),
                "p50": self.quantile_us(0.5),
                "p95": self.quantile_us(0.95),
                "p99": self.quantile_us(0.99),
                "max": self.longest_us,
                "sum": self.sum_us,
                "bucket": BUCKET_US,
                "buckets": self.delays,
            },
        })
    }
}
