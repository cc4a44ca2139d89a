//! Which name servers are asked, and whose fault it is when none answers.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::config::ProtocolConfig;
use hickory_resolver::proto::op::ResponseCode;
use tokio::time::Instant;

use super::client::{self, Answer, Trouble};
use super::message::Question;
use crate::check::fault::Fault;
use crate::check::network::Network;
use crate::check::progress::Step;
use crate::check::resolve::way;
use crate::outcome::{Cause, Detail, Verdict};
use crate::target::Target;

/// The name servers that are asked, one after the other until one answers.
#[derive(Debug)]
pub(super) struct Servers<'a> {
    network: &'a Network,
    list: Vec<SocketAddr>,
    chosen_by: Chooser,
    target: &'a Target,
}

/// Who named the name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chooser {
    /// The check: they are part of what it looks at.
    Check,
    /// The settings or the system: they are ours.
    Us,
}

/// A question without an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unanswered {
    pub(super) server: Option<SocketAddr>,
    pub(super) trouble: Trouble,
}

impl<'a> Servers<'a> {
    /// Those that the plan of `target`, the settings or else the system names.
    pub(super) fn of(network: &'a Network, target: &'a Target) -> Self {
        let (list, chosen_by) = match target.plan.resolver {
            Some(server) => (vec![server], Chooser::Check),
            None if network.options.resolvers.is_empty() => (of_system(), Chooser::Us),
            None => (network.options.resolvers.clone(), Chooser::Us),
        };
        Self { network, list, chosen_by, target }
    }

    /// What a time-out is blamed on.
    pub(super) const fn step(&self) -> Step {
        match self.chosen_by {
            Chooser::Check => Step::Asking,
            Chooser::Us => Step::Resolving,
        }
    }

    /// Their addresses.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.list.iter().map(SocketAddr::ip).collect()
    }

    /// The first answer of a server that can serve, else the last there is.
    ///
    /// # Errors
    /// None of them answers; why the last one does not.
    pub(super) async fn ask(
        &self,
        question: &Question,
        deadline: Instant,
    ) -> Result<Answer, Unanswered> {
        let mut result = Err(Unanswered { server: None, trouble: Trouble::Silent });
        for (&server, left) in self.list.iter().zip((1..=self.list.len()).rev()) {
            let now = Instant::now();
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let until = now + deadline.saturating_duration_since(now) / left;
            match self.ask_one(server, question, until).await {
                Ok(answer) if serves(&answer) => return Ok(answer),
                Ok(answer) => result = Ok(answer),
                Err(trouble) if result.is_err() => {
                    result = Err(Unanswered { server: Some(server), trouble });
                }
                Err(_) => {}
            }
        }
        result
    }

    /// Asks one server; where no descriptor is left, a connection that is kept makes room.
    ///
    /// # Errors
    /// Why it gives no answer.
    pub(super) async fn ask_one(
        &self,
        server: SocketAddr,
        question: &Question,
        until: Instant,
    ) -> Result<Answer, Trouble> {
        // Our own were named by nobody but us.
        if self.chosen_by == Chooser::Check || !self.list.contains(&server) {
            self.network.allowed(self.target, &[server.ip()]).map_err(Trouble::Closed)?;
        }
        match client::ask(server, question, until).await {
            Err(Trouble::Closed(fault))
                if fault.detail == Detail::Descriptors && self.network.idle.close_oldest() =>
            {
                client::ask(server, question, until).await
            }
            result => result,
        }
    }

    /// Whose fault it is that there is no answer.
    pub(super) fn blame(&self, trouble: Trouble) -> Fault {
        let fault = of_trouble(trouble);
        if fault.cause.verdict() == Verdict::Unknown || self.chosen_by == Chooser::Check {
            return fault;
        }
        match fault.detail {
            Detail::Unanswered if way::is_cut_off(&self.addresses()) => {
                Fault::new(Cause::NoNetwork, Detail::None)
            }
            Detail::BadAnswer => Fault::new(Cause::Resolver, Detail::BadAnswer),
            _ => Fault::unanswered(),
        }
    }

    /// `fault` of an answer, or that of our own network if that is what is behind it.
    pub(super) fn blame_for_answer(&self, fault: Fault) -> Fault {
        let is_ours = self.chosen_by == Chooser::Us;
        match fault.detail {
            Detail::QueryRefused if is_ours => Fault::new(Cause::Resolver, fault.detail),
            // A name server on this machine that has nobody to ask reports a failure.
            Detail::ServerFailure
                if is_ours
                    && self.list.iter().all(|server| server.ip().is_loopback())
                    && !way::has_internet() =>
            {
                Fault::new(Cause::NoNetwork, Detail::None)
            }
            _ => fault,
        }
    }
}

/// The fault of a name server that is part of what is checked.
pub(super) const fn of_trouble(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Silent => Fault::new(Cause::Dns, Detail::Unanswered),
        Trouble::Rejected(_) => Fault::new(Cause::Dns, Detail::BadAnswer),
        Trouble::Closed(fault) => fault,
    }
}

/// Whether the server that gave `answer` is able and willing to serve.
const fn serves(answer: &Answer) -> bool {
    use ResponseCode as Code;
    !matches!(answer.message.metadata.response_code, Code::ServFail | Code::Refused | Code::NotImp)
}

/// A server as it is shown: its port only when it is not the usual one.
pub(super) fn shown(server: SocketAddr) -> String {
    if server.port() == 53 { server.ip().to_string() } else { server.to_string() }
}

/// The name servers that the system names.
fn of_system() -> Vec<SocketAddr> {
    let read = hickory_resolver::system_conf::read_system_conf();
    let Ok((system, _)) = read.inspect_err(|error| {
        tracing::error!(%error, "cannot read /etc/resolv.conf");
    }) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for server in system.name_servers() {
        let udp = server.connections.iter().find(|one| matches!(one.protocol, ProtocolConfig::Udp));
        let server = SocketAddr::new(server.ip, udp.map_or(53, |connection| connection.port));
        if !list.contains(&server) {
            list.push(server);
        }
    }
    list
}
