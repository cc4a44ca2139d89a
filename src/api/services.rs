//! `Services`: all that the API has to tell and to do, each behind a trait of its own; a process
//! offers the routes of what it has.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::board::Board;
use super::changes::Changes;
use super::events::Events;
use super::facts::Facts;
use super::guard::JwtKey;
use super::keys::Keys;
use super::metrics::{Metrics, Visits};
use super::past::Past;
use super::probe::Prober;
use super::runs::Runs;
use super::sd::Discovery;
use super::server::Tls;
use crate::clock::Clock;

/// What a process offers over HTTP.
#[derive(Clone)]
pub struct Services {
    /// What the daemon knows and does.
    pub facts: Arc<dyn Facts>,
    /// What is stored of the past.
    pub past: Option<Arc<dyn Past>>,
    /// What stands behind the status page.
    pub board: Option<Arc<dyn Board>>,
    /// How visitors are treated.
    pub options: Arc<ApiOptions>,
    /// Events as they happen.
    pub events: Option<Arc<dyn Events>>,
    /// The time.
    pub clock: Clock,
    /// The tokens.
    pub keys: Option<Arc<dyn Keys>>,
    /// Questions that were answered.
    pub visits: Arc<Visits>,
    /// What is told to monitoring systems.
    pub metrics: Option<Arc<dyn Metrics>>,
    /// The targets, for service discovery.
    pub discovery: Option<Arc<dyn Discovery>>,
    /// Probes targets at once.
    pub prober: Option<Arc<dyn Prober>>,
    /// What changes targets.
    pub changes: Option<Arc<dyn Changes>>,
    /// What runs checks.
    pub runs: Option<Arc<dyn Runs>>,
}

impl Services {
    /// The services of a daemon that tells its facts and nothing more.
    #[must_use]
    pub fn of(facts: Arc<dyn Facts>) -> Self {
        Self {
            facts,
            past: None,
            board: None,
            options: Arc::default(),
            clock: Clock::system(),
            events: None,
            keys: None,
            visits: Arc::default(),
            metrics: None,
            prober: None,
            discovery: None,
            changes: None,
            runs: None,
        }
    }
}

/// How visitors are treated.
#[derive(Debug)]
pub struct ApiOptions {
    /// Origins whose pages may ask.
    pub cors_origins: Vec<String>,
    /// Questions a second of one address at most; none: any number.
    pub rate: Option<NonZeroU32>,
    /// Host names that requests over loopback may name beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// The key by which other services sign tokens.
    pub jwt: Option<JwtKey>,
    /// The certificate, where the network is spoken to over TLS.
    pub tls: Option<Arc<Tls>>,
    /// Connections over the network at a time.
    pub connections: usize,
    /// How long visitors may take.
    pub patience: Patience,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            cors_origins: Vec::new(),
            rate: None,
            hosts: Vec::new(),
            jwt: None,
            tls: None,
            connections: 64,
            patience: Patience::default(),
        }
    }
}

/// How long visitors may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a handshake of TLS.
    pub handshake: Duration,
    /// For the head of a question, and before it while nothing is asked.
    pub head: Duration,
    /// For a whole question with its body.
    pub body: Duration,
    /// For taking something of an answer.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
        }
    }
}
