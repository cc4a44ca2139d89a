//! `View`: one picture of the whole cluster, from its database alone, for every face that one
//! machine has.
//!
//! One task looks once a second at what has changed, whoever asks and however many; what is asked
//! beside that are single queries with limits.

mod board;
mod changes;
mod columns;
mod detail;
mod events;
mod export;
mod facts;
mod fleet;
mod gathered;
mod history;
mod keys;
mod metrics;
mod past;
mod pauses;
mod places;
mod polls;
mod summary;
mod targets;
mod windows;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(super) use self::changes::Changer;
use self::columns::Columns;
use self::events::ToldChanges;
use self::gathered::Gathered;
use self::keys::DatabaseKeeping;
use self::targets::{Counts, Pages};
use super::face::RoleHealth;
use crate::api::{Broadcast, Keys, PastError, Told};
use crate::app::keys::KeptKeys;
use crate::app::own;
use crate::app::role::RoleError;
use crate::clock::Clock;
use crate::config::Settings;
use crate::config::rules::Rules;
use crate::config::settings::StatusSettings;
use crate::stats::Recent;
use crate::store::postgres::read::Reader;
use crate::store::postgres::{Address, Database, DatabaseError};
use crate::view::{Lists, StatusPage, Summary};

/// Connections for looking at the database.
const CONNECTIONS: usize = 4;
/// Connections for changing something there.
const WRITERS: usize = 2;
/// Threads on which answers of the database are taken.
const THREADS: usize = 2;
/// How often what has changed is looked at.
const ROUND: Duration = Duration::from_secs(1);

/// The whole cluster, as its database tells it.
pub(in crate::app) struct View {
    reader: Reader,
    /// For the little that is changed.
    writer: Database,
    /// What fills the entries of targets that come over the API.
    rules: Arc<Rules>,
    runtime: OwnRuntime,
    clock: Clock,
    /// Where the database is, without credentials.
    place: String,
    /// After how long a silent member is lost, in milliseconds.
    patience_ms: i64,
    status: StatusSettings,
    /// What was found out by looking once a second.
    gathered: Mutex<Gathered>,
    /// The last five minutes.
    recent: Mutex<Recent>,
    /// The summary of the last look.
    summary: RwLock<Arc<Summary>>,
    /// The tokens, as they were at the last look.
    keys: Arc<KeptKeys<DatabaseKeeping>>,
    /// What targets are sought and ordered by, while somebody does.
    columns: Columns,
    /// How many targets questions matched lately.
    counts: Mutex<Counts>,
    /// Pages of the slowest targets that were asked for lately.
    slowest: Mutex<Pages>,
    /// The status page that was made last, and when.
    page: Mutex<Option<(u64, Arc<StatusPage>)>>,
    broadcast: Broadcast,
    told_changes: Mutex<ToldChanges>,
}

/// A runtime that may be given up anywhere.
struct OwnRuntime {
    runtime: Option<Runtime>,
    tasks: Mutex<JoinSet<()>>,
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        self.tasks.lock().abort_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// For whom a view is.
#[derive(Clone)]
pub(in crate::app) struct Viewer {
    /// What the database is told that we are called.
    pub(in crate::app) name: String,
    /// How whoever shows it is.
    pub(in crate::app) health: Arc<RoleHealth>,
    /// Cancelled when whoever shows it is to end.
    pub(in crate::app) stop: CancellationToken,
}

impl View {
    /// The view of the database that `settings` name; nothing is asked yet.
    ///
    /// # Errors
    /// They name none, its address is none, or there is no thread to be had.
    pub(in crate::app) fn new(settings: &Settings, viewer: &Viewer) -> Result<Self, RoleError> {
        let address = super::address(settings, &viewer.name)?;
        let place = shown(&address);
        let reader = Reader::at(&address, CONNECTIONS)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("view")
            .enable_all()
            .build()
            .map_err(|error| RoleError {
                code: 1,
                reason: format!("cannot start a thread: {error}"),
            })?;
        let writer = Database::at(&address, WRITERS)?;
        let keeping =
            DatabaseKeeping { database: writer.clone(), threads: runtime.handle().clone() };
        let keys = Arc::new(KeptKeys::new(Vec::new(), keeping, Clock::system()));
        let lease_ms = i64::try_from(settings.cluster.lease.as_millis()).unwrap_or(i64::MAX);
        let mut first = Summary { schema: 1, state: "stopped".to_owned(), ..Summary::default() };
        summary::tell_away(&mut first, &place, "it has not been asked yet");
        Ok(Self {
            reader,
            writer,
            rules: own::rules(&settings.rules, &settings.api),
            runtime: OwnRuntime { runtime: Some(runtime), tasks: Mutex::default() },
            clock: Clock::system(),
            place,
            patience_ms: lease_ms.saturating_mul(3),
            status: settings.api.status.clone(),
            gathered: Mutex::default(),
            recent: Mutex::default(),
            summary: RwLock::new(Arc::new(first)),
            keys,
            columns: Columns::default(),
            counts: Mutex::default(),
            slowest: Mutex::default(),
            page: Mutex::default(),
            broadcast: Broadcast::default(),
            told_changes: Mutex::default(),
        })
    }

    /// The tokens.
    pub(in crate::app) fn keys(&self) -> Arc<dyn Keys> {
        Arc::<KeptKeys<_>>::clone(&self.keys)
    }

    /// Where the database is, without credentials.
    pub(in crate::app) fn place(&self) -> &str {
        &self.place
    }

    /// Looks for the first time, now.
    ///
    /// # Errors
    /// The database cannot be read, or holds no cluster of this version.
    pub(in crate::app) fn look_now(&self) -> Result<(), RoleError> {
        self.wait(self.look()).map_err(RoleError::from)
    }

    /// Goes on looking once a second, for as long as somebody has the view.
    pub(in crate::app) fn go_on(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        let round = async move {
            let mut rhythm = tokio::time::interval(ROUND);
            rhythm.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                rhythm.tick().await;
                let Some(view) = weak.upgrade() else { return };
                // What is wrong is in the summary, where whoever asks finds it.
                let _ = view.look().await;
                view.tell_events().await;
            }
        };
        if let Some(runtime) = &self.runtime.runtime {
            let mut tasks = self.runtime.tasks.lock();
            tasks.spawn_on(round, runtime.handle());
            tasks.spawn_on(Self::keep_columns(Arc::downgrade(self)), runtime.handle());
        }
    }

    /// Waits for `work` on the threads of the view. Not to be called where tasks run.
    fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        match &self.runtime.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(DatabaseError::Away("nobody asks any more".to_owned())),
        }
    }

    /// The same for an answer of the past.
    fn ask<T>(&self, work: impl Future<Output = Result<T, DatabaseError>>) -> Told<T> {
        self.wait(work).map_err(|error| PastError::Unreadable(error.to_string()))
    }

    /// The time by the clock of the database, in Unix milliseconds.
    fn now_ms(&self) -> i64 {
        self.clock.now_ms() + self.gathered.lock().ahead_ms
    }

    /// The summary of the last look, with whole lists when they are wanted and can be had.
    fn told(&self, lists: Lists) -> Summary {
        let told = Arc::clone(&self.summary.read());
        let mut summary = (*told).clone();
        if lists == Lists::All {
            self.tell_all(&mut summary);
        }
        summary
    }
}

/// Where the database at `address` is, without credentials.
fn shown(address: &Address) -> String {
    let Ok(mut url) = url::Url::parse(&address.url) else { return "PostgreSQL".to_owned() };
    // What has no host has no credentials either.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    url.to_string()
}
