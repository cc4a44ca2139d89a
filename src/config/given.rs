//! `Given`: the settings as flags, environment or file name them, each of which may be missing.

mod api;
mod cluster;

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::config::keys::{name_server, proxy};
use crate::config::targets::source::Source;
use crate::config::units::{positive_duration, rate, size};
use crate::config::values::{interval, timeout};
use crate::manners::Rate;
use crate::target::Proxy;

pub(crate) use api::API;
pub use api::{ApiGiven, Listen, Networks, SecretText};
pub(crate) use api::{label, listen, networks, origin};
pub(crate) use cluster::{CLUSTER, broker, lease, location_name, topic_name};
pub use cluster::{ClusterGiven, Sasl};

const LIST: &str = "List";
const POLLING: &str = "Polling";
const POLITENESS: &str = "Politeness";
const STORAGE: &str = "Storage";
const LOG: &str = "Log";

/// What one place says of the settings; flags and environment are read by clap.
#[derive(Args, Clone, Default)]
pub struct Given {
    /// List of targets: a file, an http(s) URL, or - for standard input (default urls.json)
    ///
    /// JSON, JSON lines, CSV, plain text or a Prometheus targets file, told apart by its content.
    /// A URL is read again every minute.
    #[arg(long, value_name = "PATH|URL", env = "POLLER_URLS", hide_env = true, help_heading = LIST)]
    pub urls: Option<Source>,

    /// Poll only the first N entries (default all)
    ///
    /// The entries after them are neither read nor kept in memory.
    #[arg(short, long, value_name = "N", env = "POLLER_LIMIT", hide_env = true, help_heading = LIST)]
    #[arg(value_parser = count::<NonZeroU64>)]
    pub limit: Option<NonZeroU64>,

    /// Time between polls of entries that name none (default 60s)
    ///
    /// Seconds, or a number with ms, s, m, h or d; from 100ms to 7d.
    #[arg(long, value_name = "D", env = "POLLER_INTERVAL", hide_env = true, help_heading = LIST)]
    #[arg(value_parser = interval)]
    pub interval: Option<Duration>,

    /// Time a poll may take, for entries that name none (default half the interval, 30s at most)
    #[arg(long, value_name = "D", env = "POLLER_TIMEOUT", hide_env = true, help_heading = LIST)]
    #[arg(value_parser = timeout)]
    pub timeout: Option<Duration>,

    /// Refuse a list with a bad entry (default: reject the entry alone)
    #[arg(long, value_name = "true|false", env = "POLLER_STRICT", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = LIST)]
    pub strict: Option<bool>,

    /// Take a list from a URL even when over half of its targets are gone
    #[arg(long, value_name = "true|false", env = "POLLER_ALLOW_SHRINK", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = LIST)]
    pub allow_shrink: Option<bool>,

    /// How polls share the processor's cores (default shared)
    #[arg(short, long, value_name = "KIND", env = "POLLER_THREADING", hide_env = true)]
    #[arg(value_enum, help_heading = POLLING)]
    pub threading: Option<Threading>,

    /// Polls in flight at most (default by the limit of open files; --check prints it)
    #[arg(long, value_name = "N", env = "POLLER_MAX_WORKERS", hide_env = true)]
    #[arg(value_parser = count::<NonZeroUsize>, help_heading = POLLING)]
    pub max_workers: Option<NonZeroUsize>,

    /// Launches of polls per second at most (default twice what the list asks for)
    #[arg(long, value_name = "N", env = "POLLER_MAX_PER_CYCLE", hide_env = true)]
    #[arg(value_parser = count::<NonZeroU32>, help_heading = POLLING)]
    pub max_per_cycle: Option<NonZeroU32>,

    /// Run polls at the same time (default true); false: one after the other
    #[arg(long_help = "Run polls at the same time (default true); false: one after the other\n\n\
        Its variable is also known as POLLER_ENABLE_PARALLEL.")]
    #[arg(long, value_name = "true|false", env = "POLLER_PARALLEL", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = POLLING)]
    pub parallel: Option<bool>,

    /// Have fewer polls in flight while this machine is short of time, memory or files (default on)
    #[arg(
        long_help = "Have fewer polls in flight while this machine is short of time, memory or \
        files (default on)\n\nIts variable is also known as POLLER_RESOURCE_MONITORING."
    )]
    #[arg(long, value_name = "on|off", env = "POLLER_ADAPTIVE", hide_env = true)]
    #[arg(num_args = 0..=1, default_missing_value = "on", hide_possible_values = true)]
    #[arg(value_parser = BoolishValueParser::new(), help_heading = POLLING)]
    pub adaptive: Option<bool>,

    /// Memory that the daemon keeps within (default 80 % of what the system allows it)
    ///
    /// Near it new polls wait and caches shrink; nothing is given up.
    #[arg(long, value_name = "SIZE", env = "POLLER_MAX_MEMORY", hide_env = true)]
    #[arg(value_parser = positive_size, help_heading = POLLING)]
    pub max_memory: Option<u64>,

    /// Polls in flight per host, a name and a port, at most (default 8), or none for any number
    #[arg(long, value_name = "N|none", env = "POLLER_MAX_PER_HOST", hide_env = true)]
    #[arg(value_parser = max_per_host, help_heading = POLITENESS)]
    pub max_per_host: Option<MaxPerHost>,

    /// Launches of polls per second and host at most, spread evenly, like 10 or 30/m (default any)
    #[arg(long, value_name = "RATE", env = "POLLER_HOST_RATE", hide_env = true)]
    #[arg(value_parser = rate, help_heading = POLITENESS)]
    pub host_rate: Option<Rate>,

    /// Launches of polls per second and IP address at most, spread evenly (default any)
    #[arg(long, value_name = "RATE", env = "POLLER_ADDRESS_RATE", hide_env = true)]
    #[arg(value_parser = rate, help_heading = POLITENESS)]
    pub address_rate: Option<Rate>,

    /// Poll a target that has been down for long less often, but at least every D (default off)
    ///
    /// One that has been down for a time T is polled every T/10, and as usual once it answers.
    /// Without a value D is an hour; 0 turns it off.
    #[arg(long, value_name = "D", env = "POLLER_BACKOFF_DEAD", hide_env = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1h")]
    #[arg(value_parser = crate::config::units::duration, help_heading = POLITENESS)]
    pub backoff_dead: Option<Duration>,

    /// Bytes of an answer that are read (default 16MB)
    ///
    /// A longer one still counts as up; its size is told as "at least".
    #[arg(long, value_name = "SIZE", env = "POLLER_MAX_BODY", hide_env = true)]
    #[arg(value_parser = positive_size, help_heading = POLLING)]
    pub max_body: Option<u64>,

    /// Name server in the place of the system's, IP or IP:PORT; may be repeated
    #[arg(long, value_name = "IP", env = "POLLER_RESOLVER", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = name_server, help_heading = POLLING)]
    pub resolver: Vec<SocketAddr>,

    /// PEM file with further certificates that are trusted
    #[arg(long, value_name = "FILE", env = "POLLER_CA", hide_env = true, help_heading = POLLING)]
    pub ca: Option<PathBuf>,

    /// Proxy of polls: env (what the environment names), none or a URL (default none)
    #[arg(long, value_name = "env|none|URL", env = "POLLER_PROXY", hide_env = true)]
    #[arg(help_heading = POLLING)]
    pub proxy: Option<ProxyText>,

    /// What polls call themselves (default poller/VERSION)
    #[arg(long, value_name = "TEXT", env = "POLLER_USER_AGENT", hide_env = true)]
    #[arg(value_parser = header_text, help_heading = POLLING)]
    pub user_agent: Option<String>,

    /// Time that polls in flight get when the daemon stops (default 10s)
    #[arg(long, value_name = "D", env = "POLLER_GRACE", hide_env = true)]
    #[arg(value_parser = crate::config::units::duration, help_heading = POLLING)]
    pub grace: Option<Duration>,

    /// The HTTP API.
    #[command(flatten)]
    pub api: ApiGiven,

    /// The distributed mode.
    #[command(flatten)]
    pub cluster: ClusterGiven,

    /// Directory of store, socket, pid file and log (default ./data)
    ///
    /// Else what the service manager names, else ./data if it holds a store, else /var/lib/poller if that does,
    /// else ./data.
    #[arg(long, value_name = "DIR", env = "POLLER_DATA", hide_env = true, help_heading = STORAGE)]
    #[arg(global = true)]
    pub data: Option<PathBuf>,

    /// Age up to which every single result is kept (default 7d)
    #[arg(long, value_name = "D", env = "POLLER_KEEP", hide_env = true, help_heading = STORAGE)]
    #[arg(value_parser = positive_duration)]
    pub keep: Option<Duration>,

    /// Bytes that the store may take on disk (default 10GB)
    #[arg(long, value_name = "SIZE", env = "POLLER_MAX_DISK", hide_env = true)]
    #[arg(value_parser = positive_size, help_heading = STORAGE)]
    pub max_disk: Option<u64>,

    /// What is logged (default info)
    #[arg(long, value_name = "LEVEL", env = "POLLER_LOG_LEVEL", hide_env = true)]
    #[arg(value_enum, help_heading = LOG)]
    pub log_level: Option<LogLevel>,

    /// How a line of the log looks (default text)
    #[arg(long, value_name = "FORM", env = "POLLER_LOG_FORMAT", hide_env = true)]
    #[arg(value_enum, help_heading = LOG)]
    pub log_format: Option<LogFormat>,

    /// Size at which a new log file is begun (default 10MB)
    #[arg(long, value_name = "SIZE", env = "POLLER_LOG_SIZE", hide_env = true)]
    #[arg(value_parser = positive_size, help_heading = LOG)]
    pub log_size: Option<u64>,

    /// Log files that are kept, the one in use among them (default 5)
    #[arg(long, value_name = "N", env = "POLLER_LOG_FILES", hide_env = true)]
    #[arg(value_parser = count::<NonZeroU32>, help_heading = LOG)]
    pub log_files: Option<NonZeroU32>,
}

impl Given {
    /// What is given here, and for what is not what `weaker` says.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        Self {
            urls: self.urls.or(weaker.urls),
            limit: self.limit.or(weaker.limit),
            interval: self.interval.or(weaker.interval),
            timeout: self.timeout.or(weaker.timeout),
            strict: self.strict.or(weaker.strict),
            allow_shrink: self.allow_shrink.or(weaker.allow_shrink),
            threading: self.threading.or(weaker.threading),
            max_workers: self.max_workers.or(weaker.max_workers),
            max_per_cycle: self.max_per_cycle.or(weaker.max_per_cycle),
            parallel: self.parallel.or(weaker.parallel),
            adaptive: self.adaptive.or(weaker.adaptive),
            max_memory: self.max_memory.or(weaker.max_memory),
            max_per_host: self.max_per_host.or(weaker.max_per_host),
            host_rate: self.host_rate.or(weaker.host_rate),
            address_rate: self.address_rate.or(weaker.address_rate),
            backoff_dead: self.backoff_dead.or(weaker.backoff_dead),
            max_body: self.max_body.or(weaker.max_body),
            resolver: if self.resolver.is_empty() { weaker.resolver } else { self.resolver },
            ca: self.ca.or(weaker.ca),
            proxy: self.proxy.or(weaker.proxy),
            user_agent: self.user_agent.or(weaker.user_agent),
            grace: self.grace.or(weaker.grace),
            api: self.api.or(weaker.api),
            cluster: self.cluster.or(weaker.cluster),
            data: self.data.or(weaker.data),
            keep: self.keep.or(weaker.keep),
            max_disk: self.max_disk.or(weaker.max_disk),
            log_level: self.log_level.or(weaker.log_level),
            log_format: self.log_format.or(weaker.log_format),
            log_size: self.log_size.or(weaker.log_size),
            log_files: self.log_files.or(weaker.log_files),
        }
    }
}

impl fmt::Debug for Given {
    /// Shows nothing: an address among the settings may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Given").finish_non_exhaustive()
    }
}

/// A proxy as it was written; it may hold a password, so it is parsed where no message repeats it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyText(Box<str>);

impl ProxyText {
    /// The proxy that it names.
    ///
    /// # Errors
    /// Says what to write.
    pub fn parse(&self) -> Result<Proxy, String> {
        proxy(&self.0)
    }
}

impl From<&str> for ProxyText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// How polls share the processor's cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Threading {
    /// One work-stealing runtime
    #[default]
    Shared,
    /// One runtime a core, each with its own share of the targets
    PerCore,
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What failed
    Error,
    /// And what may fail soon
    Warn,
    /// And what a person wants to know
    #[default]
    Info,
    /// And what helps to find a fault
    Debug,
    /// Everything
    Trace,
}

impl LogLevel {
    /// The level's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// A whole number above 0.
pub(crate) fn count<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| "write a whole number above 0".to_owned())
}

/// Polls in flight per host; none: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPerHost(pub Option<NonZeroU32>);

/// Polls in flight per host: a whole number above 0, or `none` for any number.
pub(crate) fn max_per_host(text: &str) -> Result<MaxPerHost, String> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(MaxPerHost(None));
    }
    let number = text.trim().parse().map_err(|_| "write a whole number above 0, or none")?;
    Ok(MaxPerHost(Some(number)))
}

/// A size above 0.
pub(crate) fn positive_size(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("write a size above 0, like 16MB".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Text that can be the value of a header.
pub(crate) fn header_text(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && http::HeaderValue::from_str(text).is_ok();
    let want = || "write ASCII text without line breaks".to_owned();
    fits.then(|| text.trim().to_owned()).ok_or_else(want)
}
