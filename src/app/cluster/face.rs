//! `Face`: what a role of the distributed mode answers over HTTP, where somebody wants it to listen.

mod own;
mod role;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::own::Own;
use self::role::OfRole;
pub(in crate::app) use self::role::Shown;
use super::view::{Changer, View, Viewer};
use crate::api::{Server, Services};
use crate::app::StartError;
use crate::app::role::{Role, RoleError};
use crate::app::services;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::settings::Listening;

/// A role that has said nothing of itself for so long stands still.
const STILL: Duration = Duration::from_secs(30);

/// How a role is, as it says itself once in a while.
#[derive(Default)]
pub(in crate::app) struct RoleHealth {
    last: Mutex<Option<Beat>>,
    /// What it waits for before it can begin.
    waits: Mutex<Option<String>>,
}

/// What a role said last.
struct Beat {
    at: Instant,
    readiness: Result<(), String>,
    figures: Value,
}

impl RoleHealth {
    /// Notes that the role moves, whether it does its work or why not, and what it tells of itself, as
    /// an object of JSON. It is to be told every few seconds.
    pub(in crate::app) fn beat(&self, readiness: Result<(), String>, figures: Value) {
        *self.last.lock() = Some(Beat { at: Instant::now(), readiness, figures });
    }

    /// Notes what the role waits for before it can begin; none: it is there.
    pub(in crate::app) fn wait(&self, reason: Option<String>) {
        *self.waits.lock() = reason;
    }

    /// Whether the role does its work.
    ///
    /// # Errors
    /// Why it does not.
    pub(in crate::app) fn readiness(&self) -> Result<(), String> {
        self.liveness()?;
        let last = self.last.lock();
        let begins = || {
            let reason = self.waits.lock().clone();
            Err(reason.unwrap_or_else(|| "it starts".to_owned()))
        };
        last.as_ref().map_or_else(begins, |beat| beat.readiness.clone())
    }

    /// Whether the role moves at all. One that waits for its engines, as at the start, does.
    ///
    /// # Errors
    /// Why only a restart helps.
    pub(in crate::app) fn liveness(&self) -> Result<(), String> {
        match self.last.lock().as_ref().map(|beat| beat.at.elapsed()) {
            Some(still) if still > STILL => {
                Err(format!("it stands still since {} s; restart it", still.as_secs()))
            }
            _ => Ok(()),
        }
    }

    /// What the role told of itself last.
    pub(in crate::app) fn figures(&self) -> Value {
        self.last.lock().as_ref().map_or(Value::Null, |beat| beat.figures.clone())
    }
}

/// What answers over HTTP, until it is dropped.
pub(in crate::app) struct Face {
    server: Server,
}

impl Face {
    /// Where it answers.
    pub(in crate::app) fn address(&self) -> Option<SocketAddr> {
        self.server.address()
    }
}

/// Has `role` answer where `settings` name a place; it answers nowhere unless they do.
///
/// # Errors
/// The place cannot be had, the certificate cannot be used, or the address of the database is none.
pub(in crate::app) fn open(
    role: Role,
    settings: &Settings,
    viewer: &Viewer,
) -> Result<Option<Face>, RoleError> {
    let Listening::At(address) = settings.api.listen else { return Ok(None) };
    let failed = |error: StartError| RoleError { code: 1, reason: error.to_string() };
    let network = services::open(&settings.api).map_err(failed)?;
    let Some(network) = network else { return Ok(None) };
    let services = match role {
        // It knows no database.
        Role::Checker => {
            warn_of_network(address, settings);
            of_itself(settings, viewer)
        }
        Role::Scheduler | Role::Recorder => {
            let view = Arc::new(View::new(settings, viewer)?);
            view.go_on();
            // Which tokens there are is not known yet.
            services::warn_of_network(address, &settings.api, false);
            of_cluster(&view, viewer)
        }
    };
    let options = services::options(settings).map_err(failed)?;
    let services = Services { options: Arc::new(options), ..services };
    let server = Server::on_network(network, &services)
        .map_err(|error| RoleError { code: 1, reason: error.to_string() })?;
    let face = Face { server };
    if let Some(address) = face.address() {
        tracing::info!("answers at {}", services::told(address, &settings.api));
    }
    Ok(Some(face))
}

/// What a process offers that shows a whole cluster.
pub(in crate::app) fn of_cluster(view: &Arc<View>, viewer: &Viewer) -> Services {
    let facts = Arc::new(OfRole::new(view, viewer));
    let view = || Arc::clone(view);
    Services {
        past: Some(view()),
        board: Some(view()),
        events: Some(view()),
        metrics: Some(view()),
        discovery: Some(view()),
        keys: Some(view().keys()),
        changes: Some(Arc::new(Changer(view()))),
        ..Services::of(facts)
    }
}

fn of_itself(settings: &Settings, viewer: &Viewer) -> Services {
    let own = Arc::new(Own::new(&settings.cluster.location, viewer, Clock::system()));
    let facts = Arc::new(OfRole::new(&own, viewer));
    Services { metrics: Some(own), ..Services::of(facts) }
}

/// Says what to do where others than this machine can come in to a checker.
fn warn_of_network(address: SocketAddr, settings: &Settings) {
    if !address.ip().is_loopback() && settings.api.jwt_secret.is_none() {
        tracing::warn!(
            "the API is on the network at {address}, where a checker answers /livez, /readyz and \
             whoever has a token by --jwt-secret; tokens of the cluster are in its database, which a \
             checker does not know"
        );
    }
}

/// Somebody who shows a cluster and is no part of it.
pub(in crate::app) fn bystander() -> Viewer {
    let health = Arc::<RoleHealth>::default();
    let name = format!("poller-view-{}", std::process::id());
    Viewer { name, health, stop: CancellationToken::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_has_not_said_anything_lives_and_is_not_ready() {
        let health = RoleHealth::default();
        assert_eq!(health.liveness(), Ok(()));
        assert_eq!(health.readiness(), Err("it starts".to_owned()));
        health.wait(Some("it waits for Kafka".to_owned()));
        assert_eq!(health.readiness(), Err("it waits for Kafka".to_owned()));
        health.wait(None);
        assert_eq!(health.readiness(), Err("it starts".to_owned()));
        health.beat(Err("no shards".to_owned()), Value::Null);
        assert_eq!(health.readiness(), Err("no shards".to_owned()));
        health.beat(Ok(()), serde_json::json!({"shards": 3}));
        assert_eq!((health.readiness(), health.figures()["shards"].as_u64()), (Ok(()), Some(3)));
    }

    #[test]
    fn a_role_that_falls_silent_is_dead_and_not_ready() {
        let health = RoleHealth::default();
        let Some(at) = Instant::now().checked_sub(STILL + Duration::from_secs(1)) else { return };
        *health.last.lock() = Some(Beat { at, readiness: Ok(()), figures: Value::Null });
        assert!(health.liveness().is_err_and(|why| why.contains("stands still")));
        assert!(health.readiness().is_err());
    }
}
