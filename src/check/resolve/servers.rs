//! `Servers`: name servers that know the same, and who named them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::config::ProtocolConfig;
use hickory_resolver::proto::rr::Name;

use super::way;
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// Servers of a list that are asked, and suffixes that are tried, at most: as many as resolvers
/// take by custom.
const SERVERS: usize = 3;
const SUFFIXES: usize = 6;

/// Name servers that know the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) list: Arc<[SocketAddr]>,
    suffixes: Arc<Suffixes>,
    chosen_by: Chooser,
}

/// Who named the name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chooser {
    User,
    System,
}

/// What the system appends to names that are not whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Suffixes {
    search: Vec<Name>,
    /// Dots that make a name whole.
    ndots: usize,
}

impl Servers {
    /// Those that the settings or an entry name.
    pub(super) fn chosen(list: &[SocketAddr]) -> Self {
        let list = list.iter().copied().take(SERVERS).collect();
        Self { list, suffixes: Arc::default(), chosen_by: Chooser::User }
    }

    /// Those that the system names.
    pub(super) fn of_system() -> Option<Self> {
        let (system, options) = hickory_resolver::system_conf::read_system_conf()
            .inspect_err(|error| tracing::error!(%error, "cannot read /etc/resolv.conf"))
            .ok()?;
        let (_, search, named) = system.into_parts();
        let mut list = Vec::new();
        for server in named {
            let is_udp = |protocol: &ProtocolConfig| matches!(protocol, ProtocolConfig::Udp);
            let udp = server.connections.iter().find(|one| is_udp(&one.protocol));
            let server = SocketAddr::new(server.ip, udp.map_or(53, |connection| connection.port));
            if !list.contains(&server) && list.len() < SERVERS {
                list.push(server);
            }
        }
        let suffixes = Arc::new(Suffixes { search, ndots: options.ndots });
        Some(Self { list: list.into(), suffixes, chosen_by: Chooser::System })
    }

    /// The whole names that `name` may stand for, in the order in which they are asked for; none
    /// when it cannot be asked for.
    pub(super) fn names(&self, name: &str) -> Vec<Name> {
        self.suffixes.names(name)
    }

    /// `fault`, or that of our own network if that is what is behind it.
    pub(super) fn blame(&self, fault: Fault) -> Fault {
        let addresses = || self.list.iter().map(SocketAddr::ip);
        let is_ours = match (fault.cause, fault.detail) {
            (Cause::Resolver, Detail::Unanswered) => {
                way::is_cut_off(&addresses().collect::<Vec<_>>())
            }
            // A name server on this machine that has nobody to ask reports a failure.
            (Cause::Dns, Detail::ServerFailure) => {
                self.chosen_by == Chooser::System
                    && addresses().all(|address: IpAddr| address.is_loopback())
                    && !way::has_internet()
            }
            _ => false,
        };
        if is_ours { Fault::new(Cause::NoNetwork, Detail::None) } else { fault }
    }

    /// The servers for people.
    pub(super) fn shown(&self) -> String {
        let list: Vec<String> = self.list.iter().map(ToString::to_string).collect();
        list.join(", ")
    }
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
