//! What the daemon offers over HTTP, and where.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::boot::StartError;
use super::changes::Changer;
use super::door::{Door, Event};
use super::live::Live;
use super::runs::RunRoom;
use crate::api::{ApiOptions, Services, listen};
use crate::check::Checks;
use crate::config::Settings;
use crate::config::settings::{ApiSettings, Listening};
use crate::stage::recorder::Access;
use crate::store::reader::Reader;

/// What stands behind the services of a daemon.
#[expect(dead_code, reason = "the services that need them come one by one")]
pub(super) struct Behind {
    /// What it knows of itself.
    pub live: Arc<Live>,
    /// How targets are looked at.
    pub check: Arc<Checks>,
    /// Reads the store beside its writer; its calls block.
    pub reader: Reader,
    /// The way to the one who writes the store.
    pub access: Access,
    /// The way to the keeper.
    pub events: SyncSender<Event>,
}

/// All that the daemon behind `door` offers.
pub(super) fn services(settings: &Settings, door: Door, behind: &Behind) -> Services {
    let (live, check) = (Arc::clone(&behind.live), Arc::clone(&behind.check));
    let outbox = behind.live.gauges.outbox();
    let changer = Changer::new(Arc::clone(&live), behind.access.clone(), behind.events.clone());
    Services {
        options: Arc::new(options(&settings.api)),
        changes: Some(Arc::new(changer)),
        runs: Some(Arc::new(RunRoom::new(live, check, outbox))),
        ..Services::of(Arc::new(door))
    }
}

fn options(settings: &ApiSettings) -> ApiOptions {
    ApiOptions {
        cors_origins: settings.cors_origins.clone(),
        rate: Some(settings.rate),
        hosts: Vec::new(),
    }
}

/// Opens the network where `settings` want it; where the usual place is taken, that is logged and
/// left out.
///
/// # Errors
/// The place that somebody named cannot be had.
pub(super) fn open(settings: &ApiSettings) -> Result<Option<TcpListener>, StartError> {
    match settings.listen {
        Listening::Off => Ok(None),
        Listening::Usual(address) => Ok(listen(address).map_or_else(
            |error| {
                tracing::warn!(
                    "the API is on the socket alone: {address} cannot be had ({error}); name \
                     another place with --listen"
                );
                None
            },
            Some,
        )),
        Listening::At(address) => {
            listen(address).map(Some).map_err(|source| StartError::Listen { address, source })
        }
    }
}

/// Where the API is, as people read it.
pub(super) fn told(address: SocketAddr, settings: &ApiSettings) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}
