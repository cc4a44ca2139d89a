//! `Idle`: connections kept open between the polls of targets that want it, one each at most.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::pki_types::UnixTime;

use crate::address::{Address, Scheme};
use crate::check::stream::Stream;
use crate::check::watch::There;
use crate::target::{Plan, Target};

/// How long a connection is kept without use.
const LIMIT: Duration = Duration::from_secs(90);
/// How often connections that are over it are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Connections between polls.
#[derive(Debug)]
pub(crate) struct Idle {
    kept: Mutex<HashMap<u64, Connection>>,
    max: usize,
    since: Instant,
    /// When to look for connections over the limit next, in seconds since `since`; never while
    /// none is kept.
    next_sweep_s: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    plan: Arc<Plan>,
    kept: Kept,
    since: Instant,
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) stream: Stream,
    /// When the certificate shown over it runs out, in Unix seconds; 0 when there is none.
    pub(crate) certificate_until: i64,
    /// How long its first answer took to begin.
    pub(crate) waited: Duration,
    /// Where it leads.
    pub(crate) there: There,
}

impl Idle {
    /// A store of at most `max` connections.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            kept: Mutex::default(),
            max,
            since: Instant::now(),
            next_sweep_s: AtomicU64::new(u64::MAX),
        }
    }

    /// Closes what is kept for too long; while nothing is, that takes no lock.
    pub(crate) fn sweep(&self, now: Instant) {
        let now_s = now.duration_since(self.since).as_secs();
        if now_s < self.next_sweep_s.load(Ordering::Relaxed) {
            return;
        }
        let mut kept = self.kept.lock();
        kept.retain(|_, one| now.duration_since(one.since) < LIMIT);
        let next = if kept.is_empty() { u64::MAX } else { now_s + SWEEP.as_secs() };
        self.next_sweep_s.store(next, Ordering::Relaxed);
    }

    /// Closes the connection that was kept longest, for its descriptor; false when none is kept.
    pub(crate) fn close_oldest(&self) -> bool {
        let mut kept = self.kept.lock();
        let oldest = kept.iter().min_by_key(|(_, one)| one.since).map(|(id, _)| *id);
        oldest.is_some_and(|id| kept.remove(&id).is_some())
    }

    /// Closes all of them, for want of memory.
    pub(crate) fn close_all(&self) {
        *self.kept.lock() = HashMap::new();
    }

    /// The connection of `target` to `address`, if one is open and nothing came over it since.
    pub(crate) fn take(&self, target: &Target, address: &Address, now: Instant) -> Option<Kept> {
        let connection = self.kept.lock().remove(&target.id.0)?;
        let until = connection.kept.certificate_until;
        let unix = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
        let fits = connection.scheme == address.scheme()
            && connection.port == address.port()
            && *connection.host == *address.host_text()
            && Arc::ptr_eq(&connection.plan, &target.plan)
            && now.duration_since(connection.since) < LIMIT
            && (until == 0 || until >= unix)
            && connection.kept.stream.is_quiet();
        fits.then_some(connection.kept)
    }

    /// Keeps a connection for the next poll of `target`, unless too many are kept.
    pub(crate) fn put(&self, target: &Target, address: &Address, mut kept: Kept, now: Instant) {
        kept.stream.tell_bytes();
        let connection = Connection {
            scheme: address.scheme(),
            host: address.host_text().into(),
            port: address.port(),
            plan: Arc::clone(&target.plan),
            kept,
            since: now,
        };
        let mut all = self.kept.lock();
        if all.len() < self.max || all.contains_key(&target.id.0) {
            all.insert(target.id.0, connection);
            let next = now.duration_since(self.since).as_secs() + SWEEP.as_secs();
            self.next_sweep_s.fetch_min(next, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::counted::Counted;
    use crate::target::{CheckKind, Origin, Priority, Seat, TargetId};

    fn target(url: &str) -> Target {
        Target {
            number: 1,
            id: TargetId::of_address(CheckKind::Http, "GET", url, 0),
            given_id: None,
            name: None,
            address: Address::parse(url).expect("a good address"),
            every_ms: 60_000,
            timeout_ms: 10_000,
            priority: Priority::Normal,
            plan: Arc::default(),
            labels: Arc::default(),
            origin: Origin::default(),
            seat: Seat::default(),
        }
    }

    async fn kept() -> Kept {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (stream, there) = (Stream::Plain(Counted::new(stream)), There::default());
        Kept { stream, certificate_until: 0, waited: Duration::ZERO, there }
    }

    #[tokio::test]
    async fn what_is_kept_too_long_is_closed_by_any_poll_and_the_oldest_on_demand() {
        let (idle, start) = (Idle::new(10), Instant::now());
        for (url, second) in [("http://a/", 1), ("http://b/", 0), ("http://c/", 50)] {
            let (target, now) = (target(url), start + Duration::from_secs(second));
            idle.put(&target, &target.address, kept().await, now);
        }
        let held = || -> Vec<u64> { idle.kept.lock().keys().copied().collect() };
        assert!(idle.close_oldest() && !held().contains(&target("http://b/").id.0));
        idle.sweep(start + LIMIT + Duration::from_secs(10));
        assert_eq!(held(), [target("http://c/").id.0]);
        idle.sweep(start + LIMIT * 2);
        assert!(held().is_empty() && !idle.close_oldest());
        assert_eq!(idle.next_sweep_s.load(Ordering::Relaxed), u64::MAX);
        let target = target("http://a/");
        idle.put(&target, &target.address, kept().await, start);
        idle.close_all();
        assert!(held().is_empty());
    }
}
