//! What the daemon offers over HTTP, and where.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::board::Board;
use super::boot::StartError;
use super::changes::Changer;
use super::door::{Door, Event};
use super::keys::KeptKeys;
use super::live::Live;
use super::metrics::Figures;
use super::past::Archive;
use super::probe::Probes;
use super::runs::RunRoom;
use super::sd::Sd;
use crate::api::{ApiOptions, JwtKey, Keys, Patience, Services, Tls, listen};
use crate::check::Checks;
use crate::config::Settings;
use crate::config::settings::{ApiSettings, Listening};
use crate::stage::recorder::Access;
use crate::store::reader::Reader;

/// What stands behind the services of a daemon.
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
///
/// # Errors
/// The tokens cannot be read, or the certificate cannot be used.
pub(super) fn services(
    settings: &Settings,
    door: Door,
    behind: &Behind,
) -> Result<Services, StartError> {
    let api = &settings.api;
    let clock = behind.live.clock.clone();
    let known = behind.reader.tokens()?;
    let keys = Arc::new(KeptKeys::new(known, behind.access.clone(), clock.clone()));
    if let Listening::At(address) = api.listen {
        warn_of_network(address, api, keys.list().is_empty());
    }
    let live = || Arc::clone(&behind.live);
    let check = || Arc::clone(&behind.check);
    let reader = || behind.reader.clone();
    let changer = Changer::new(live(), behind.access.clone(), behind.events.clone());
    let outbox = behind.live.gauges.outbox();
    Ok(Services {
        changes: Some(Arc::new(changer)),
        runs: Some(Arc::new(RunRoom::new(live(), check(), outbox))),
        past: Some(Arc::new(Archive::new(live(), reader()))),
        board: Some(Arc::new(Board::new(api.status.clone(), behind))),
        options: Arc::new(options(settings)?),
        clock,
        events: Some(live() as _),
        keys: Some(keys),
        metrics: Some(Arc::new(Figures::new(live(), check(), api))),
        discovery: Some(Arc::new(Sd(live()))),
        prober: Some(Arc::new(Probes::new(live(), check(), reader(), api.probe))),
        ..Services::of(Arc::new(door))
    })
}

/// How visitors are treated.
///
/// # Errors
/// The certificate cannot be used.
pub(super) fn options(settings: &Settings) -> Result<ApiOptions, StartError> {
    let api = &settings.api;
    let tls = api.tls.as_ref().map(|(certificate, key)| Tls::load(certificate, key)).transpose()?;
    Ok(ApiOptions {
        cors_origins: api.cors_origins.clone(),
        rate: Some(api.rate),
        hosts: Vec::new(),
        jwt: api.jwt_secret.as_ref().map(|secret| JwtKey::new(secret.bytes())),
        tls: tls.map(Arc::new),
        connections: super::boot::shares(settings).visitors,
        patience: Patience::default(),
    })
}

/// Says what to do where others than this machine can come in.
pub(super) fn warn_of_network(address: SocketAddr, settings: &ApiSettings, has_no_tokens: bool) {
    if address.ip().is_loopback() {
        return;
    }
    if has_no_tokens && settings.jwt_secret.is_none() {
        tracing::warn!(
            "the API is on the network at {address}, where everything needs a token, and there is \
             none yet: poller token create --role read makes one"
        );
    }
    if settings.tls.is_none() {
        tracing::warn!(
            "tokens go over the network to {address} as they are; give the API a certificate with \
             --tls-cert and --tls-key, or put a proxy that has one before it"
        );
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
