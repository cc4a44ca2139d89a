//! `Idle`: connections kept open between the polls of targets that want it, one each at most.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::pki_types::UnixTime;

use crate::address::{Address, Scheme};
use crate::check::stream::Stream;
use crate::target::{Plan, Target};

/// How long a connection is kept without use.
const LIMIT: Duration = Duration::from_secs(90);
/// How often connections that are over it are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Connections between polls.
#[derive(Debug)]
pub(crate) struct Idle {
    store: Mutex<Store>,
    max: usize,
}

#[derive(Debug, Default)]
struct Store {
    connections: HashMap<u64, Connection>,
    swept: Option<Instant>,
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

/// A connection that is kept, and when the certificate shown over it runs out, in Unix seconds;
/// 0 when there is none.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) stream: Stream,
    pub(crate) certificate_until: i64,
}

impl Idle {
    /// A store of at most `max` connections.
    pub(crate) fn new(max: usize) -> Self {
        Self { store: Mutex::default(), max }
    }

    /// The connection of `target` to `address`, if one is open and nothing came over it since.
    pub(crate) fn take(&self, target: &Target, address: &Address, now: Instant) -> Option<Kept> {
        let connection = self.store.lock().connections.remove(&target.id.0)?;
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
    pub(crate) fn put(&self, target: &Target, address: &Address, kept: Kept, now: Instant) {
        let connection = Connection {
            scheme: address.scheme(),
            host: address.host_text().into(),
            port: address.port(),
            plan: Arc::clone(&target.plan),
            kept,
            since: now,
        };
        let mut store = self.store.lock();
        if store.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            store.swept = Some(now);
            store.connections.retain(|_, one| now.duration_since(one.since) < LIMIT);
        }
        if store.connections.len() < self.max || store.connections.contains_key(&target.id.0) {
            store.connections.insert(target.id.0, connection);
        }
    }
}
