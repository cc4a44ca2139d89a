//! Starting: from settings to a daemon that polls, in the order in which one part needs another.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::{Mutex, RwLock};

use super::columns::Columns;
use super::door::{Door, Events};
use super::engine::{Engine, Parts};
use super::files::{Shares, told_places};
use super::gauges::{Gauges, Lookups};
use super::governing::{Governed, Governing, kept_within};
use super::keeper::Keeper;
use super::list::Listing;
use super::live::{Live, Told};
use super::own;
use super::probe::Shelf;
use super::reload::{Reloaded, Reloads, log_rejects};
use super::services::{self, Behind};
use super::telling;
use crate::api::{Broadcast, Feed, Server, socket_path};
use crate::check::{Checks, HttpOptions, Whereabouts};
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::config::targets::{List, ListError};
use crate::lock::Lock;
use crate::process::{MemoryLimit, open_files_limit, raise_open_files_limit};
use crate::queue::local::Outbox;
use crate::queue::{Hosts, Outlet, Places};
use crate::stage::recorder::{self, Recorder, Resumed};
use crate::stage::scheduler::{Limits, Locate, Located};
use crate::stage::throttle::Cycle;
use crate::store::StoreError;
use crate::store::reader::Reader;
use crate::store::spill::{self, Spill};
use crate::store::sqlite::{self, SqliteOptions, SqliteStore};
use crate::target::Target;
use crate::view::Lists;
use crate::view::text::{count, plural};

/// Why the daemon does not come to poll.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon has the data directory, or it cannot be used.
    #[error(transparent)]
    Lock(#[from] crate::lock::LockError),
    /// The list is no good.
    #[error(transparent)]
    List(#[from] ListError),
    /// The store is no good.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be read beside its writer.
    #[error(transparent)]
    Read(#[from] crate::store::reader::ReadError),
    /// The check cannot be set up.
    #[error(transparent)]
    Check(#[from] crate::check::SetupError),
    /// The control socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] crate::api::SocketError),
    /// The API cannot speak TLS.
    #[error(transparent)]
    Tls(#[from] crate::api::TlsError),
    /// The file of modules cannot be used.
    #[error(transparent)]
    Modules(#[from] crate::config::modules::ModulesError),
    /// The API cannot be where somebody wants it.
    #[error("--listen: {address} cannot be had ({source}); name another place, or off")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refuses something else.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
}

impl StartError {
    /// The exit code that goes with it: 2 for input that makes no sense, else 1.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::List(ListError::Unreadable { .. } | ListError::Unfetched { .. }) => 1,
            Self::List(_) | Self::Check(_) | Self::Modules(_) => 2,
            _ => 1,
        }
    }

    fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// A daemon that polls.
pub struct Booted {
    /// What keeps it in order until it ends.
    pub keeper: Keeper,
    /// One line for who started it.
    pub word: String,
}

/// Brings a daemon up, in the process that will poll: list, store, what it holds of former runs,
/// then the stages, and last the socket. A reload reads `sources` again; `listing` is what was
/// read of the list already.
///
/// # Errors
/// Says what stands in the way; nothing is left behind then.
pub fn boot(
    settings: Settings,
    sources: Sources,
    mut listing: Listing,
    mut lock: Lock,
) -> Result<Booted, StartError> {
    // A limit that cannot be raised only makes the pool smaller.
    let _ = raise_open_files_limit();
    let list = listing.read(&settings)?.ok_or_else(|| ListError::NoValidEntry {
        file: settings.urls.to_string().into(),
        entries: 0,
        first: None,
    })?;
    log_rejects(&list.rejects);
    let rejects = told_rejects(&list);
    let clock = Clock::system();
    let check = Arc::new(Checks::new(http_options(&settings, shares(&settings)))?);
    let (outbox, feed) = (Arc::<Outbox>::default(), Arc::<Feed>::default());
    let gauges = gauges(&settings, &check, &outbox, &clock);
    let (memory, live) = Memory::load(&settings, &clock, list, gauges)?;
    let live = Arc::new(live);
    let desk = desk(&live, &outbox, &feed);
    let recorder = Recorder::start(desk, memory.store, memory.samples, memory.journal)
        .map_err(StartError::system("cannot start a thread"))?;
    // Both are set once, here.
    let _ = live.storage.set(Box::new(recorder.storage_view()));
    let (places, limits) = (Arc::clone(&live.places), limits(&settings, &check));
    let (own, grace) = (Arc::clone(&check), live.grace);
    let feeds = Vec::new();
    let parts = Parts { check: own, outbox, places, limits, feeds, clock, grace };
    let targets = live.polled();
    let engine = Engine::start(settings.threading, &parts, &targets)
        .map_err(StartError::system("cannot start a thread"))?;
    let _ = live.desks.set(engine.desks().to_vec());
    let governing = govern(&settings, &live, &engine, parts)
        .map_err(StartError::system("cannot start a thread"))?;
    let (server, events) = serve(&settings, &live, &check, &recorder, feed)?;
    lock.announce(server.path()).map_err(StartError::system("cannot write the pid file"))?;
    let word = word(&settings, targets.len(), &rejects);
    let reloads = Reloads::new(sources, listing);
    let keeper = Keeper {
        settings,
        reloads,
        live,
        check,
        recorder,
        engine,
        governing,
        server,
        events,
        lock,
    };
    Ok(Booted { keeper, word })
}

/// Connections for reading the store beside its writer.
fn open_reader(settings: &Settings, live: &Live) -> Result<Reader, StartError> {
    let reader = Reader::open(&settings.data.join(sqlite::FILE_NAME))?;
    let told = reader.clone();
    live.gauges.read_pool.set(move || told.pool_use());
    Ok(reader)
}

/// Has the daemon answer on its socket, and on the network where that is wanted.
fn serve(
    settings: &Settings,
    live: &Arc<Live>,
    check: &Arc<Checks>,
    recorder: &Recorder,
    feed: Arc<Feed>,
) -> Result<(Server, Events), StartError> {
    let network = services::open(&settings.api)?;
    let socket = socket_path(&settings.data, |name| std::env::var_os(name));
    let (door, events) = Door::new(Arc::clone(live), feed);
    let behind = Behind {
        live: Arc::clone(live),
        check: Arc::clone(check),
        reader: open_reader(settings, live)?,
        access: recorder.access(),
        events: events.sender.clone(),
    };
    let server = Server::start(&socket, network, &services::services(settings, door, &behind)?)?;
    if let Some(address) = server.address() {
        let _ = live.listen.set(services::told(address, &settings.api));
    }
    Ok((server, events))
}

/// What is said to who started a daemon of so many targets.
fn word(settings: &Settings, targets: usize, rejects: &str) -> String {
    let fewer = told_places(settings.max_workers, open_files_limit());
    let fewer = fewer.map_or_else(String::new, |told| {
        tracing::warn!("{told}");
        format!("; {told}")
    });
    let targets = plural(targets as u64, "target");
    format!("polling {targets} (pid {}){rejects}{fewer}", std::process::id())
}

/// Has the number of places follow how this machine is.
fn govern(
    settings: &Settings,
    live: &Arc<Live>,
    engine: &Engine,
    parts: Parts<Checks>,
) -> std::io::Result<Governing> {
    let (check, lateness) = (parts.check, engine.lateness().to_vec());
    let told = lateness.clone();
    live.gauges.runtime_lag.set(move || {
        let latest = told.iter().map(|of_one| of_one.max_last_minute()).max();
        latest.unwrap_or_default().as_secs_f64()
    });
    Governing::start(Governed {
        places: parts.places,
        standing: Arc::clone(&live.standing),
        desks: engine.desks().to_vec(),
        clock: parts.clock,
        lateness,
        outbox: parts.outbox,
        memory_limit: kept_within(MemoryLimit::find(settings.max_memory)),
        adaptive: settings.adaptive,
        shrink: Box::new(move || check.shrink_caches()),
    })
}

/// What is told of the machine; who knows more of it is plugged in later.
fn gauges(settings: &Settings, check: &Arc<Checks>, outbox: &Arc<Outbox>, clock: &Clock) -> Gauges {
    let gauges = Gauges::new(MemoryLimit::find(settings.max_memory), Arc::clone(outbox));
    gauges.look(clock.monotonic_us());
    let check = Arc::clone(check);
    gauges.lookups.set(move || {
        let names = check.names();
        Lookups {
            in_flight: names.lookups_in_flight as u64,
            waiting: names.lookups_waiting as u64,
            limit: names.lookups_limit as u64,
        }
    });
    gauges
}

/// The edges that the recorder gets.
struct Memory {
    store: SqliteStore,
    journal: Spill,
    samples: u64,
}

impl Memory {
    /// Opens the store and takes in what it and the journal hold.
    fn load(
        settings: &Settings,
        clock: &Clock,
        mut list: List,
        gauges: Gauges,
    ) -> Result<(Self, Live), StartError> {
        let path = settings.data.join(sqlite::FILE_NAME);
        let mut store = SqliteStore::open(&path, store_options(settings))?;
        let annex = own::take_up(&mut store, settings, &mut list, clock.now_ms())?;
        let mut journal = Spill::open(&settings.data.join(spill::FILE_NAME))
            .map_err(StartError::system("cannot open the spill file"))?
            .within(settings.max_disk);
        let aside = journal
            .belong_to(store.id())
            .map_err(StartError::system("cannot take over the spill file"))?;
        if let Some(place) = aside {
            let place = place.display();
            tracing::warn!("the spill file is of another store and was set aside as {place}");
        }
        let (unique, rejected) = (list.unique, list.rejects.total);
        let resumed = recorder::resume(&mut store, &mut journal, list.targets, clock)?;
        let Resumed { mut ledger, roster, samples } = resumed;
        ledger.settle_for(settings.keep);
        annex.settle(&roster, &mut ledger, clock.now_ms());
        let live = Live {
            roster: Arc::new(RwLock::new(roster)),
            ledger: Arc::new(Mutex::new(ledger)),
            court: Arc::default(),
            desks: OnceLock::new(),
            places: Arc::new(Places::new(shares(settings).places)),
            clock: clock.clone(),
            storage: OnceLock::new(),
            store_path: path.display().to_string(),
            started_ms: clock.now_ms(),
            rejected: AtomicU64::new(rejected),
            unique: AtomicU64::new(unique),
            stopping: AtomicBool::new(false),
            grace: settings.grace,
            pulse: Mutex::default(),
            standing: Arc::default(),
            gauges,
            counters: Mutex::default(),
            shelf: Shelf::open(settings.api.modules.as_deref())?,
            reloaded: Reloaded::at(clock.now_ms()),
            listen: OnceLock::new(),
            columns: Columns::default(),
            broadcast: Broadcast::default(),
            told: Told::default(),
            annex,
        };
        Ok((Self { store, journal, samples }, live))
    }
}

/// How long the store keeps things, and how much room it may take.
fn store_options(settings: &Settings) -> SqliteOptions {
    SqliteOptions {
        keep_samples: settings.keep,
        max_bytes: settings.max_disk,
        ..SqliteOptions::default()
    }
}

/// What the recorder works with.
fn desk(live: &Arc<Live>, outbox: &Arc<Outbox>, feed: &Arc<Feed>) -> recorder::Desk {
    let summarised = Arc::clone(live);
    let outlet: Arc<dyn Outlet> = Arc::<Outbox>::clone(outbox);
    recorder::Desk {
        outlet,
        ledger: Arc::clone(&live.ledger),
        court: Arc::clone(&live.court),
        roster: Arc::clone(&live.roster),
        clock: live.clock.clone(),
        summarise: Box::new(move || {
            serde_json::to_string(&summarised.summary(Lists::Short)).unwrap_or_default()
        }),
        tap: telling::tap(live, feed),
        most_held: recorder::MOST_HELD,
    }
}

/// How the files that may be open are shared out.
pub(super) fn shares(settings: &Settings) -> Shares {
    Shares::of(settings.max_workers, open_files_limit())
}

/// What holds polls back that are due.
pub(super) fn limits(settings: &Settings, check: &Arc<Checks>) -> Limits {
    let locate = settings.manners.address_rate.map(|_| {
        let check = Arc::clone(check);
        let locate = move |target: &Target| match check.locate(target) {
            Whereabouts::At(address) => Located::At(address),
            Whereabouts::Asking => Located::Asking,
            Whereabouts::Nowhere => Located::Nowhere,
        };
        Arc::new(locate) as Locate
    });
    Limits {
        hosts: Arc::new(Hosts::new(settings.manners)),
        cycle: settings.max_per_cycle.map(|most| Arc::new(Cycle::new(most))),
        locate,
    }
}

/// How checks are made by the settings, with their shares of the files that may be open.
pub(super) fn http_options(settings: &Settings, shares: Shares) -> HttpOptions {
    HttpOptions {
        max_lookups: shares.lookups,
        max_idle: shares.kept,
        max_body: settings.max_body,
        user_agent: settings.user_agent.clone(),
        ca: settings.ca.clone(),
        resolvers: settings.resolvers.clone(),
        policy: settings.api.policy(),
        ..HttpOptions::default()
    }
}

/// What is said of entries that cannot be used.
pub(super) fn told_rejects(list: &List) -> String {
    match (list.rejects.total, list.rejects.first.first()) {
        (0, _) => String::new(),
        (total, first) => {
            let first = first.map_or_else(String::new, |first| format!(": {first}"));
            format!("; {} of {} entries rejected{first}", count(total), count(list.entries))
        }
    }
}
