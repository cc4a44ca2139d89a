//! The distributed mode: each role as one process over Kafka and PostgreSQL.

mod checker;
mod db;
mod door;
mod face;
mod recorder;
mod scheduler;
mod view;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use self::face::RoleHealth;
use self::view::Viewer;
use super::role::{Role, RoleError};
use crate::config::Settings;
use crate::config::given::Sasl;
use crate::daemon::Notifier;
use crate::queue::kafka::{Connection, Login};
use crate::signal::Signal;
use crate::store::postgres::leases::MemberFacts;
use crate::store::postgres::{Address, Database, DatabaseError};

pub(super) use db::db;
pub(super) use door::door;

/// Connections to the database of a role.
const CONNECTIONS: usize = 6;

impl From<DatabaseError> for RoleError {
    fn from(error: DatabaseError) -> Self {
        let code = if matches!(error, DatabaseError::Address(_)) { 2 } else { 1 };
        Self { code, reason: error.to_string() }
    }
}

/// What a role works with.
pub(super) struct Member {
    /// The settings.
    pub(super) settings: Settings,
    /// Its role.
    pub(super) role: Role,
    /// What it is called.
    pub(super) name: String,
    /// Its host.
    pub(super) host: String,
    /// Cancelled when it is to end.
    pub(super) stop: CancellationToken,
    /// What the service manager is told.
    pub(super) notifier: Notifier,
    /// How it is, as it says itself to whoever asks it over HTTP.
    pub(super) health: Arc<RoleHealth>,
}

impl Member {
    fn new(role: Role, settings: &Settings, notifier: Notifier) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "unknown" } else { host.trim() }.to_owned();
        let usual = || format!("{host}-{}-{}", role.as_str(), std::process::id());
        let name = settings.cluster.member.clone().unwrap_or_else(usual);
        let stop = CancellationToken::new();
        let health = Arc::default();
        Self { settings: settings.clone(), role, name, host, stop, notifier, health }
    }

    /// How Kafka is reached.
    pub(super) fn kafka(&self) -> Connection {
        let cluster = &self.settings.cluster;
        let login = cluster.kafka.sasl.as_ref().map(|(mechanism, user, password)| Login {
            mechanism: match mechanism {
                Sasl::Plain => "PLAIN",
                Sasl::ScramSha256 => "SCRAM-SHA-256",
                Sasl::ScramSha512 => "SCRAM-SHA-512",
            },
            user: user.clone(),
            password: password.text().to_owned(),
        });
        Connection {
            brokers: cluster.kafka.brokers.clone(),
            ca: cluster.kafka.ca.clone(),
            identity: cluster.kafka.identity.clone(),
            sasl: login,
            prefix: cluster.topics.clone(),
            client: self.name.clone(),
        }
    }

    /// What the database is told of it, which began at `started_at_ms` (Unix milliseconds).
    fn facts(&self, started_at_ms: i64) -> MemberFacts {
        MemberFacts {
            name: self.name.clone(),
            role: self.role.as_str(),
            location: String::new(),
            host: self.host.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at_ms,
        }
    }

    /// Connections to the database.
    ///
    /// # Errors
    /// Nobody says where it is, or its address is none.
    pub(super) fn database(&self) -> Result<Database, RoleError> {
        database(&self.settings, &self.name)
    }
}

/// Connections to the database that `settings` name, as `client`.
///
/// # Errors
/// They name none, or its address is none.
pub(super) fn database(settings: &Settings, client: &str) -> Result<Database, RoleError> {
    Ok(Database::at(&address(settings, client)?, CONNECTIONS)?)
}

/// Where the database is that `settings` name, for `client`.
///
/// # Errors
/// They name none.
fn address(settings: &Settings, client: &str) -> Result<Address, RoleError> {
    let cluster = &settings.cluster;
    let Some(url) = &cluster.postgres else {
        let reason = "no database is named; say where it is with --postgres \
                      postgres://USER@HOST/DATABASE or POLLER_POSTGRES";
        return Err(RoleError { code: 2, reason: reason.to_owned() });
    };
    Ok(Address {
        url: url.text().to_owned(),
        ca: cluster.postgres_ca.clone(),
        client: client.to_owned(),
    })
}

/// Works as `role` until a signal ends that.
///
/// # Errors
/// It could not begin, or not go on.
pub(super) fn serve(
    role: Role,
    settings: &Settings,
    signals: Receiver<Signal>,
    notifier: Notifier,
) -> Result<(), RoleError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            RoleError { code: 1, reason: format!("cannot start a thread: {error}") }
        })?;
    let member = Member::new(role, settings, notifier);
    // Before anybody waits for the database, which may be away for long.
    member.kafka().can_be_used()?;
    let stop = member.stop.clone();
    let viewer = Viewer {
        name: format!("{}-view", member.name),
        health: Arc::clone(&member.health),
        stop: stop.clone(),
    };
    let _face = face::open(role, settings, &viewer)?;
    let ended = runtime.block_on(async {
        let mut work: Pin<Box<dyn Future<Output = Result<(), RoleError>>>> = match role {
            Role::Scheduler => Box::pin(scheduler::run(member)),
            Role::Checker => Box::pin(checker::run(member)),
            Role::Recorder => Box::pin(recorder::run(member)),
        };
        let mut signals = signals;
        loop {
            tokio::select! {
                ended = &mut work => return ended,
                signal = signals.recv() => match signal {
                    Some(Signal::Drain) if !stop.is_cancelled() => stop.cancel(),
                    // A second one ends it at once.
                    None | Some(Signal::Drain | Signal::ExitNow) => return Ok(()),
                    // A role has nothing to read again and logs its figures by itself.
                    Some(_) => {}
                },
            }
        }
    });
    // A question that brokers have not answered yet may take some ten seconds; nobody wants to know.
    runtime.shutdown_background();
    ended
}
