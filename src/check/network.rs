//! `Network`: what checks of every kind connect by: names, connections, TLS.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::client::TlsStream;

use crate::address::Host;
use crate::check::connect::connect;
use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::idle::Idle;
use crate::check::options::{HttpOptions, SetupError};
use crate::check::progress::{Progress, Step};
use crate::check::resolve::{
    Addresses, Exchanger, NamesFacts, QuestionRef, Records, Resolver, ResolverOptions, Wanted,
    Whereabouts,
};
use crate::check::roots;
use crate::check::tls::{Handshake, Shown, Tls};
use crate::check::watch::{Reach, There};
use crate::outcome::{Cause, Detail, Micros};
use crate::target::{Origin, Target};

/// How a name server's time is bounded.
const RESOLVER_LIMIT: Duration = Duration::from_secs(5);

/// What checks of every kind connect by; one serves any number of threads and runtimes.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) options: HttpOptions,
    pub(crate) idle: Idle,
    resolver: Resolver,
    tls: Tls,
}

impl Network {
    /// # Errors
    /// A setting cannot be used.
    pub(crate) fn new(options: HttpOptions) -> Result<Arc<Self>, SetupError> {
        if let Some(file) = &options.ca {
            roots::read_certificates(file).map_err(|error| SetupError::Roots(error.to_string()))?;
        }
        let resolver = Resolver::new(ResolverOptions {
            servers: options.resolvers.clone(),
            max_lookups: options.max_lookups,
            max_names: options.max_names,
            limit: RESOLVER_LIMIT,
        });
        let (tls, idle) = (Tls::new(options.ca.clone()), Idle::new(options.max_idle));
        Ok(Arc::new(Self { options, idle, resolver, tls }))
    }

    /// Connects to a port of `host`; where no descriptor is left, a connection that is kept makes
    /// room.
    ///
    /// # Errors
    /// The name does not resolve, or no address answers.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        host: Host<'_>,
        port: u16,
        progress: &mut Progress,
    ) -> Result<Counted, Fault> {
        progress.step = Step::Resolving;
        let addresses;
        let literal;
        let candidates: &[IpAddr] = match host {
            Host::Ip(ip) => {
                literal = [ip];
                &literal
            }
            Host::Name(name) => {
                addresses = self.resolve(target, name, progress).await?;
                &addresses
            }
        };
        let allowed = self.allowed(target, candidates)?;
        let candidates = &*allowed;
        progress.step = Step::Connecting;
        progress.reach.go(There::of(candidates))?;
        progress.tell(|facts| facts.tries(candidates));
        let mut tcp = connect(candidates, port).await;
        if tcp.as_ref().is_err_and(|fault| self.makes_room(*fault)) {
            tcp = Box::pin(connect(candidates, port)).await;
        }
        progress.tell(|facts| facts.connected(candidates, port, &tcp));
        let tcp = tcp?;
        if let ([_, _, ..], Ok(peer)) = (candidates, tcp.peer_addr()) {
            progress.reach.go(There::of(&[peer.ip()]))?;
        }
        let lap = progress.lap();
        progress.finding.phases.connect.add(lap);
        Ok(Counted::new(tcp))
    }

    /// Those of `candidates` that `target` may lead to: it is these very addresses that are connected
    /// to, so that a name cannot mean another one by then.
    ///
    /// # Errors
    /// There are some, and it may lead to none of them.
    pub(crate) fn allowed<'a>(
        &self,
        target: &Target,
        candidates: &'a [IpAddr],
    ) -> Result<Cow<'a, [IpAddr]>, Fault> {
        if target.origin == Origin::List || candidates.is_empty() {
            return Ok(Cow::Borrowed(candidates));
        }
        let policy = &self.options.policy;
        let is_allowed = |address: &&IpAddr| policy.judge(**address).is_ok();
        let allowed: Vec<IpAddr> = candidates.iter().filter(is_allowed).copied().collect();
        if allowed.is_empty() { Err(Fault::forbidden()) } else { Ok(Cow::Owned(allowed)) }
    }

    /// Whether a check that ended by `fault` lacked a descriptor that there is now.
    pub(crate) fn makes_room(&self, fault: Fault) -> bool {
        fault.detail == Detail::Descriptors && self.idle.close_oldest()
    }

    /// `fault` of a poll of `target` that went as `reach` says, or that of our own network where
    /// that is behind it.
    pub(crate) fn blame(&self, fault: Fault, target: &Target, reach: &Reach) -> Fault {
        match (fault.cause, fault.detail) {
            (Cause::Resolver, Detail::Unanswered)
                if self.resolver.is_cut_off(target.plan.resolver) =>
            {
                Fault::no_network()
            }
            _ => reach.blame(fault),
        }
    }

    /// What is known of look-ups at this moment.
    pub(crate) fn names(&self) -> NamesFacts {
        self.resolver.facts()
    }

    /// Where `target` is, as far as that is known; else it is asked for.
    pub(crate) fn locate(&self, target: &Target) -> Whereabouts {
        match target.address.host() {
            Host::Ip(ip) => Whereabouts::At(ip),
            Host::Name(name) => {
                let wanted = Wanted::Addresses(target.plan.ip_version);
                self.resolver.locate(QuestionRef { name, server: target.plan.resolver, wanted })
            }
        }
    }

    /// Has the system's settings for names be read again.
    pub(crate) fn refresh_names(&self) {
        self.resolver.refresh();
    }

    /// Drops what is kept to save time, for want of memory.
    pub(crate) fn shrink_caches(&self) {
        self.resolver.shrink();
        self.idle.close_all();
    }

    /// The addresses of `name`, of the families and from the name server that the plan names.
    ///
    /// # Errors
    /// The name does not resolve, or nobody says whether it does.
    pub(crate) async fn resolve(
        &self,
        target: &Target,
        name: &str,
        progress: &mut Progress,
    ) -> Result<Addresses, Fault> {
        match self.ask(target, name, Wanted::Addresses(target.plan.ip_version), progress).await? {
            Records::Addresses(addresses) => Ok(addresses),
            Records::Exchangers(_) => Err(Fault::new(Cause::Internal, Detail::None)),
        }
    }

    /// The hosts that take mail for `domain`, the preferred ones first; none when there is the
    /// name and no such record.
    ///
    /// # Errors
    /// The name does not resolve, or nobody says whether it does.
    pub(crate) async fn exchangers(
        &self,
        target: &Target,
        domain: &str,
        progress: &mut Progress,
    ) -> Result<Arc<[Exchanger]>, Fault> {
        match self.ask(target, domain, Wanted::Exchangers, progress).await? {
            Records::Exchangers(found) => Ok(found),
            Records::Addresses(_) => Err(Fault::new(Cause::Internal, Detail::None)),
        }
    }

    async fn ask(
        &self,
        target: &Target,
        name: &str,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<Records, Fault> {
        let question = QuestionRef { name, server: target.plan.resolver, wanted };
        let resolve = &mut progress.finding.phases.resolve;
        if let Some(answer) = self.resolver.remembered(question) {
            // A name that is known takes no time; a clock would only measure itself.
            if resolve.get().is_none() {
                *resolve = Micros::from_us(0);
            }
            return answer;
        }
        let answer = Box::pin(self.resolver.ask(question, target.timeout() / 2)).await;
        // The look-up is made again for the next poll.
        let records = answer.inspect_err(|fault| {
            self.makes_room(*fault);
        })?;
        let lap = progress.lap();
        progress.finding.phases.resolve.add(lap);
        Ok(records)
    }

    /// Begins TLS on a connection; what was shown stands in `shown` also where it fails.
    ///
    /// # Errors
    /// The handshake failed, the certificate is not trusted, or a file of the plan cannot be used.
    pub(crate) async fn secure(
        &self,
        tcp: Counted,
        handshake: Handshake<'_>,
        shown: &mut Shown,
        progress: &mut Progress,
    ) -> Result<Box<TlsStream<Counted>>, Fault> {
        progress.step = Step::Handshaking;
        let result = self.tls.handshake(tcp, handshake, shown).await;
        if result.is_ok() || shown.until != 0 {
            let lap = progress.lap();
            progress.finding.phases.tls.add(lap);
        }
        if progress.finding.certificate_until == 0 {
            progress.finding.certificate_until = shown.until;
        }
        result
    }
}
