//! `Settings`: what is in force, flags before environment before file before what is built in.

mod api;
mod cluster;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::file::{self, File};
use crate::config::given::{Given, LogFormat, LogLevel, MaxPerHost, ProxyText, Threading};
use crate::config::place::{data_directory, holds_store};
use crate::config::rules::{INTERVAL_MS, Rules, Strictness};
use crate::config::substitute::Variables;
use crate::config::targets::source::Source;
use crate::manners::Manners;
use crate::target::Proxy;

pub use api::{ApiSettings, Listening, Probing, Secret, StatusSettings};
pub use cluster::{ClusterSettings, KafkaSettings};

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the list comes from.
    pub urls: Source,
    /// How the list is read and its entries filled.
    pub rules: Arc<Rules>,
    /// Whether a list from a URL may lose over half of its targets.
    pub shrink: Shrink,
    /// How polls share the processor's cores.
    pub threading: Threading,
    /// Polls in flight at most; none: chosen by the limit of open files.
    pub max_workers: Option<NonZeroUsize>,
    /// Launches a second at most; none: as many as catching up allows.
    pub max_per_cycle: Option<NonZeroU32>,
    /// Whether fewer polls are in flight while this machine is short of something.
    pub adaptive: Adaptive,
    /// Bytes of memory that the daemon keeps within; none: by what the system allows it.
    pub max_memory: Option<u64>,
    /// How much of ours one host has to bear.
    pub manners: Manners,
    /// Bytes of an answer that are read.
    pub max_body: u64,
    /// Name servers in the place of the system's; empty: the system's.
    pub resolvers: Vec<SocketAddr>,
    /// PEM file with further certificates that are trusted.
    pub ca: Option<PathBuf>,
    /// What polls call themselves.
    pub user_agent: String,
    /// Time that polls in flight get when the daemon stops.
    pub grace: Duration,
    /// The HTTP API, its pages and its metrics.
    pub api: ApiSettings,
    /// The distributed mode.
    pub cluster: ClusterSettings,
    /// Directory of store, socket, pid file and log.
    pub data: PathBuf,
    /// Age up to which every single result is kept.
    pub keep: Duration,
    /// Bytes that the store may take on disk.
    pub max_disk: u64,
    /// The log.
    pub log: Log,
    /// The environment, for the lists that name its variables.
    pub variables: Variables,
}

/// Whether the number of polls in flight follows how this machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adaptive {
    /// It does.
    On,
    /// As many as there may be, whatever happens.
    Off,
}

/// Whether a list from a URL may lose over half of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// Then the old list stays in use.
    Refuse,
    /// It may.
    Allow,
}

/// How the daemon logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
    /// Bytes at which a new file is begun.
    pub size: u64,
    /// Files that are kept, the one in use among them.
    pub files: NonZeroU32,
}

/// One mistake in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what to write.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file cannot be read.
    #[error("cannot read the settings file {}: {source}; name another with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The proxy that flag or environment give is none.
    #[error("the proxy (--proxy, POLLER_PROXY) is wrong; {0}")]
    Proxy(String),
    /// Settings do not go together, or a secret cannot be used.
    #[error("{0}")]
    Unfit(String),
    /// The settings file is wrong, in each of these places; there is at least one.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

impl Settings {
    /// Puts together what flags and environment give and what the settings file at `path` says.
    ///
    /// # Errors
    /// The file cannot be read, or holds mistakes, all of which are told.
    pub fn load(
        given: Given,
        path: Option<&Path>,
        variables: &Variables,
    ) -> Result<Self, SettingsError> {
        let file = path.map_or(Ok(File::default()), |path| file::read(path, variables))?;
        Self::complete(given, file, variables)
    }

    /// The settings of those who only ask a daemon or a store: of the file at `path` nothing but
    /// `data`, `grace` and where a database is is looked at, so that no other secret in it has to be
    /// at hand.
    ///
    /// # Errors
    /// The file cannot be read, or one of these is wrong.
    pub fn of_reader(
        given: Given,
        path: Option<&Path>,
        variables: &Variables,
    ) -> Result<Self, SettingsError> {
        let file = path.map_or(Ok(File::default()), |path| file::read_place(path, variables))?;
        let Given { data, grace, cluster, .. } = given;
        let given = Given { grace, cluster, data, ..Given::default() };
        Self::complete(given, file, variables)
    }

    /// Takes from `newer` what may change while the daemon polls: the list and what fills its
    /// entries. Tells which of the others differ: they come into force with the next start.
    pub fn renew(&mut self, newer: Self) -> Vec<&'static str> {
        let differs = [
            ("threading", self.threading != newer.threading),
            ("max_workers", self.max_workers != newer.max_workers),
            ("max_per_cycle", self.max_per_cycle != newer.max_per_cycle),
            ("adaptive", self.adaptive != newer.adaptive),
            ("max_memory", self.max_memory != newer.max_memory),
            ("politeness", self.manners != newer.manners),
            ("max_body", self.max_body != newer.max_body),
            ("resolver", self.resolvers != newer.resolvers),
            ("ca", self.ca != newer.ca),
            ("user_agent", self.user_agent != newer.user_agent),
            ("grace", self.grace != newer.grace),
            ("the API", self.api != newer.api),
            ("the distributed mode", self.cluster != newer.cluster),
            ("data", self.data != newer.data),
            ("keep", self.keep != newer.keep),
            ("max_disk", self.max_disk != newer.max_disk),
            ("log", self.log != newer.log),
        ];
        self.urls = newer.urls;
        self.rules = newer.rules;
        self.shrink = newer.shrink;
        self.variables = newer.variables;
        differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Fills what is given from `file` and, for the rest, with what is built in.
    ///
    /// # Errors
    /// The given proxy is none.
    pub fn complete(
        given: Given,
        file: File,
        variables: &Variables,
    ) -> Result<Self, SettingsError> {
        let mut defaults = file.defaults;
        defaults.yield_to(&given);
        let given = given.or(file.given);
        let proxy = given.proxy.as_ref().map_or(Ok(Proxy::Direct), ProxyText::parse);
        let is_set = |flag: Option<bool>| flag == Some(true);
        let strict = is_set(given.strict);
        let manners = manners(&given);
        let rules = Rules {
            defaults,
            matches: file.matches,
            interval_ms: given.interval.map_or(INTERVAL_MS, millis),
            timeout_ms: given.timeout.map(millis),
            proxy: proxy.map_err(SettingsError::Proxy)?,
            limit: given.limit.map(NonZeroU64::get),
            strictness: if strict { Strictness::Strict } else { Strictness::Lenient },
            ..Rules::default()
        };
        let state_directory = variables.value("STATE_DIRECTORY").map(AsRef::as_ref);
        let agent = || concat!("poller/", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Self {
            urls: given.urls.unwrap_or_else(|| Source::File("urls.json".into())),
            rules: Arc::new(rules),
            shrink: if is_set(given.allow_shrink) { Shrink::Allow } else { Shrink::Refuse },
            threading: given.threading.unwrap_or_default(),
            max_workers: match given.parallel {
                Some(false) => Some(NonZeroUsize::MIN),
                _ => given.max_workers,
            },
            max_per_cycle: given.max_per_cycle,
            adaptive: if given.adaptive == Some(false) { Adaptive::Off } else { Adaptive::On },
            max_memory: given.max_memory,
            manners,
            max_body: given.max_body.unwrap_or(16_000_000),
            resolvers: given.resolver,
            ca: given.ca,
            user_agent: given.user_agent.unwrap_or_else(agent),
            grace: given.grace.unwrap_or(Duration::from_secs(10)),
            api: ApiSettings::complete(given.api)?,
            cluster: ClusterSettings::complete(given.cluster)?,
            data: data_directory(given.data, state_directory, holds_store),
            keep: given.keep.unwrap_or(Duration::from_hours(7 * 24)),
            max_disk: given.max_disk.unwrap_or(10_000_000_000),
            log: Log {
                level: given.log_level.unwrap_or_default(),
                format: given.log_format.unwrap_or_default(),
                size: given.log_size.unwrap_or(10_000_000),
                files: given.log_files.or(NonZeroU32::new(5)).unwrap_or(NonZeroU32::MIN),
            },
            variables: variables.clone(),
        })
    }
}

fn manners(given: &Given) -> Manners {
    let usual = Manners::default();
    Manners {
        max_per_host: given.max_per_host.map_or(usual.max_per_host, |MaxPerHost(most)| most),
        host_rate: given.host_rate,
        address_rate: given.address_rate,
        backoff_dead: given.backoff_dead.filter(|longest| !longest.is_zero()),
    }
}

/// The parsers of intervals and timeouts bound them far below what fits.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
