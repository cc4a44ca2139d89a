//! `Clients`: who asks name servers, and who named those.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver, TokioResolver};

use super::{ResolverOptions, way};
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// Where the system names its name servers, and how often that is looked at.
const SETTINGS: &str = "/etc/resolv.conf";
const LOOK: Duration = Duration::from_secs(5);
/// Suffixes of the system that are tried at most, as many as resolvers take by custom.
const SUFFIXES: usize = 6;
/// Name servers of entries for which a client is kept.
const CLIENTS: usize = 256;

/// The clients of name servers: one for all that the settings name, one for each of an entry.
pub(crate) struct Clients {
    pub(super) options: ResolverOptions,
    usual: Option<Client>,
    /// When the system's settings were looked at, and when they had changed.
    looked: Option<Instant>,
    changed: Option<SystemTime>,
    special: HashMap<SocketAddr, Client>,
}

/// What the system appends to names that are not whole.
#[derive(Debug, Default)]
struct Suffixes {
    search: Vec<Name>,
    /// Dots that make a name whole.
    ndots: usize,
}

impl Suffixes {
    /// A name without a dot is looked for within the suffixes first; one with too few dots only
    /// when there is no such name as it is: most are whole, and nobody else is to hear of them.
    fn names(&self, name: &str) -> Vec<Name> {
        let Ok(whole) = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))) else {
            return Vec::new();
        };
        let dots = name.matches('.').count();
        if name.ends_with('.') || dots >= self.ndots.max(1) {
            return vec![whole];
        }
        let within = |suffix: &Name| Name::from_ascii(name).ok()?.append_domain(suffix).ok();
        let mut names: Vec<Name> = self.search.iter().take(SUFFIXES).filter_map(within).collect();
        names.insert(if dots == 0 { names.len() } else { 0 }, whole);
        names
    }
}

/// A client of name servers, and what must be known of them to tell whose fault a failure is.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) resolver: TokioResolver,
    servers: Arc<[IpAddr]>,
    suffixes: Arc<Suffixes>,
    chosen_by: Chooser,
}

/// Who named the name servers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chooser {
    User,
    System,
}

impl Clients {
    pub(crate) fn new(options: ResolverOptions) -> Self {
        Self { options, usual: None, looked: None, changed: None, special: HashMap::new() }
    }

    /// The client of `server`; none: of the name servers of the settings.
    pub(crate) fn of(&mut self, server: Option<SocketAddr>) -> Option<Client> {
        let Some(server) = server else {
            if self.has_changed(Instant::now()) || self.usual.is_none() {
                self.usual = self.build_usual();
            }
            return self.usual.clone();
        };
        if let Some(client) = self.special.get(&server) {
            return Some(client.clone());
        }
        let client = chosen(&[server], self.options.limit)?;
        if self.special.len() >= CLIENTS {
            self.special.clear();
        }
        self.special.insert(server, client.clone());
        Some(client)
    }

    /// Whether the system's settings have changed since they were last looked at.
    fn has_changed(&mut self, now: Instant) -> bool {
        let is_recent = self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK);
        if is_recent || !self.options.servers.is_empty() {
            return false;
        }
        self.looked = Some(now);
        let changed = std::fs::metadata(SETTINGS).and_then(|meta| meta.modified()).ok();
        std::mem::replace(&mut self.changed, changed) != changed
    }

    fn build_usual(&self) -> Option<Client> {
        let limit = self.options.limit;
        if !self.options.servers.is_empty() {
            return chosen(&self.options.servers, limit);
        }
        let (system, options) = hickory_resolver::system_conf::read_system_conf()
            .inspect_err(|error| tracing::error!(%error, "cannot read /etc/resolv.conf"))
            .ok()?;
        let (_, search, servers) = system.into_parts();
        let suffixes = Suffixes { search, ndots: options.ndots };
        build(servers, options, limit, (Chooser::System, suffixes))
    }
}

impl Client {
    /// The whole names that `name` may stand for, in the order in which they are asked for; none
    /// when it cannot be asked for.
    pub(super) fn names(&self, name: &str) -> Vec<Name> {
        self.suffixes.names(name)
    }

    /// `fault`, or that of our own network if that is what is behind it.
    pub(crate) fn blame(&self, fault: Fault) -> Fault {
        let is_ours = match (fault.cause, fault.detail) {
            (Cause::Resolver, Detail::Unanswered) => way::is_cut_off(&self.servers),
            // A name server on this machine that has nobody to ask reports a failure.
            (Cause::Dns, Detail::ServerFailure) => {
                self.chosen_by == Chooser::System
                    && self.servers.iter().all(IpAddr::is_loopback)
                    && !way::has_internet()
            }
            _ => false,
        };
        if is_ours { Fault::new(Cause::NoNetwork, Detail::None) } else { fault }
    }
}

/// A client of the name servers that the settings or an entry name.
fn chosen(servers: &[SocketAddr], limit: Duration) -> Option<Client> {
    let server = |server: &SocketAddr| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for connection in &mut connections {
            connection.port = server.port();
        }
        NameServerConfig::new(server.ip(), true, connections)
    };
    let servers = servers.iter().map(server).collect();
    build(servers, ResolverOpts::default(), limit, (Chooser::User, Suffixes::default()))
}

fn build(
    servers: Vec<NameServerConfig>,
    mut options: ResolverOpts,
    limit: Duration,
    (chosen_by, suffixes): (Chooser, Suffixes),
) -> Option<Client> {
    let addresses = servers.iter().map(|server| server.ip).collect();
    let config = ResolverConfig::from_name_servers(servers);
    // Three tries fit into the limit; the cache is ours.
    options.timeout = limit / 10 * 3;
    options.attempts = 2;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = false;
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    let resolver = builder
        .build()
        .inspect_err(|error| tracing::error!(%error, "cannot set up name servers"))
        .ok()?;
    Some(Client { resolver, servers: addresses, suffixes: Arc::new(suffixes), chosen_by })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_whole_are_looked_for_within_the_suffixes() {
        let suffix = |text: &str| Name::from_ascii(text).expect("a name");
        let search = vec![suffix("one.example."), suffix("example.")];
        let names = |ndots: usize, name: &str| -> Vec<String> {
            let suffixes = Suffixes { search: search.clone(), ndots };
            suffixes.names(name).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(1, "db"), ["db.one.example.", "db.example.", "db."]);
        assert_eq!(names(1, "db."), ["db."]);
        assert_eq!(names(1, "a.test"), ["a.test."]);
        assert_eq!(names(5, "a.test"), ["a.test.", "a.test.one.example.", "a.test.example."]);
        assert_eq!(names(1, "a..test"), [""; 0]);
    }
}
