//! `HttpCheck`: polls a target over HTTP, from its name to its last byte.

mod hops;
mod reuse;

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use crate::address::{Address, Host, Scheme};
use crate::check::Check;
use crate::check::answer::{Question, Received, is_redirect};
use crate::check::counted::Counted;
use crate::check::exchange::exchange;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::head::Keep;
use crate::check::http2;
use crate::check::judge::judge;
use crate::check::network::Network;
use crate::check::options::{HttpOptions, SetupError};
use crate::check::progress::Progress;
use crate::check::proxy::{self, Environment};
use crate::check::redirect::{Trail, next_method};
use crate::check::request::{Form, Request, is_same_host};
use crate::check::stream::Stream;
use crate::check::tls::{Handshake, Offer, Shown};
use crate::check::watch::Reach;
use crate::outcome::{Cause, Detail, Finding};
use crate::target::{HttpVersion, Origin, Plan, Proxy, Target};
pub(crate) use hops::conclude;

/// Polls targets over HTTP; one serves any number of threads and runtimes.
#[derive(Debug)]
pub struct HttpCheck {
    network: Arc<Network>,
    environment: Environment,
}

/// What is asked of one hop.
#[derive(Clone, Copy, Debug)]
struct Hop<'a> {
    target: &'a Target,
    address: &'a Address,
    method: &'a str,
    has_body: bool,
    is_home: bool,
}

impl HttpCheck {
    /// A check that works by `options`; reads the environment's proxies.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, SetupError> {
        Self::over(Network::new(options)?)
    }

    /// A check that connects by `network`.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub(crate) fn over(network: Arc<Network>) -> Result<Self, SetupError> {
        if network.options.user_agent.chars().any(char::is_control) {
            return Err(SetupError::UserAgent(network.options.user_agent.clone()));
        }
        let environment = Environment::read(|name| std::env::var(name).ok());
        Ok(Self { network, environment })
    }

    /// Checks `target` within its timeout and says what it found.
    pub async fn check(&self, target: Arc<Target>) -> Finding {
        self.find(&target, None).await.0
    }

    /// The same, with the facts if there is a place for them.
    async fn find(&self, target: &Target, facts: Option<Box<Facts>>) -> (Finding, Facts) {
        let started = tokio::time::Instant::now();
        let reach = Arc::<Reach>::default();
        let mut progress = Progress::new(started.into_std(), Arc::clone(&reach), facts);
        let deadline = started + target.timeout();
        let result = {
            let polled = pin!(self.poll(target, &mut progress));
            reach.watch(polled, started, deadline).await
        };
        let result = result.unwrap_or_else(|| Err(progress.timeout()));
        progress.end(result.map_err(|fault| self.network.blame(fault, target, &reach)))
    }

    pub(crate) async fn poll(&self, target: &Target, progress: &mut Progress) -> Result<(), Fault> {
        self.network.idle.sweep(Instant::now());
        let plan = &*target.plan;
        // Where a proxy leads is not ours to judge.
        if target.origin == Origin::Api && plan.proxy != Proxy::Direct {
            return Err(Fault::setting());
        }
        let hop = Hop {
            target,
            address: &target.address,
            method: &plan.method,
            has_body: true,
            is_home: true,
        };
        let mut received = self.visit(hop, progress).await?;
        if plan.redirects > 0 && is_redirect(received.status, &received.fields) {
            received = Box::pin(self.follow(hop, received, progress)).await?;
        }
        judge(plan, received, progress)
    }

    async fn follow(
        &self,
        first: Hop<'_>,
        mut received: Received,
        progress: &mut Progress,
    ) -> Result<Received, Fault> {
        let target = first.target;
        let mut address = target.address.clone();
        let mut method = first.method;
        let mut has_body = first.has_body;
        let mut trail = Trail::default();
        while let Some(location) = &received.fields.location
            && is_redirect(received.status, &received.fields)
        {
            trail.note(method, &address);
            if progress.finding.redirects >= target.plan.redirects {
                return Err(Fault::new(Cause::Redirect, Detail::TooMany));
            }
            let next = next_method(received.status, method);
            has_body &= next == method;
            method = next;
            let next_address = trail.next(&address, location, method)?;
            let is_home = is_same_host(&target.address, &next_address);
            // A body is for the host that the entry names, as its secrets are.
            if has_body && !is_home && target.plan.body.is_some() {
                return Err(Fault::new(Cause::Redirect, Detail::BadLocation));
            }
            hops::redirects(&address, location, progress);
            address = next_address;
            progress.finding.redirects += 1;
            // Until the next hop answers, none has.
            (progress.finding.status, progress.finding.bytes) = (0, 0);
            let hop = Hop { target, address: &address, method, has_body, is_home };
            received = self.visit(hop, progress).await?;
        }
        Ok(received)
    }

    /// Asks one hop.
    async fn visit(&self, hop: Hop<'_>, progress: &mut Progress) -> Result<Received, Fault> {
        hops::begin(hop, progress);
        let plan = &*hop.target.plan;
        let proxy = match plan.proxy {
            Proxy::Direct => None,
            _ => proxy::choose(&plan.proxy, &self.environment, hop.address)?,
        };
        let question = Question {
            method: hop.method,
            expectation: &plan.expect,
            max_body: self.network.options.max_body,
            follows: plan.redirects > 0,
            keep: if progress.is_told() { Keep::All } else { Keep::Needed },
        };
        let credentials = proxy.and_then(proxy::credentials);
        let request = Request {
            plan,
            address: hop.address,
            home: &hop.target.address,
            method: hop.method,
            user_agent: &self.network.options.user_agent,
            is_home: hop.is_home,
            has_body: hop.has_body,
            form: match (proxy, hop.address.scheme()) {
                (Some(_), Scheme::Http) => Form::Absolute(credentials.as_deref()),
                _ => Form::Origin,
            },
        };
        // Without TLS nobody says whether HTTP/2 is understood (RFC 9113, section 3.3).
        if plan.http_version == HttpVersion::Http2 && hop.address.scheme() == Scheme::Https {
            return Box::pin(self.visit_http2(hop, &request, &question, progress)).await;
        }
        let bytes = request.to_bytes()?;
        if reuse::may_reuse(hop, progress) {
            return Box::pin(self.visit_reusing(hop, &bytes, &question, progress)).await;
        }
        let mut stream = self.open(hop, progress).await?;
        let received = exchange(&mut stream, &bytes, &question, progress).await?;
        match request.form {
            Form::Absolute(_) if received.status == 407 => Err(Fault::proxy()),
            _ => Ok(received),
        }
    }

    async fn visit_http2(
        &self,
        hop: Hop<'_>,
        request: &Request<'_>,
        question: &Question<'_>,
        progress: &mut Progress,
    ) -> Result<Received, Fault> {
        let mut stream = self.open(hop, progress).await?;
        let speaks_http2 = match &stream {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        };
        if speaks_http2 {
            return http2::exchange(stream, request, question, progress).await;
        }
        exchange(&mut stream, &request.to_bytes()?, question, progress).await
    }

    /// Opens a connection to a hop: through its proxy, and with its handshake.
    async fn open(&self, hop: Hop<'_>, progress: &mut Progress) -> Result<Stream, Fault> {
        let plan = &*hop.target.plan;
        let tcp = if plan.proxy == Proxy::Direct {
            self.connect(hop, hop.address, progress).await?
        } else {
            Box::pin(self.connect_through(hop, progress)).await?
        };
        match hop.address.scheme() {
            Scheme::Http => Ok(Stream::Plain(tcp)),
            _ => Box::pin(self.secure(tcp, hop, plan, progress)).await,
        }
    }

    async fn connect(
        &self,
        hop: Hop<'_>,
        address: &Address,
        progress: &mut Progress,
    ) -> Result<Counted, Fault> {
        self.network.connect(hop.target, address.host(), address.port(), progress).await
    }

    async fn connect_through(
        &self,
        hop: Hop<'_>,
        progress: &mut Progress,
    ) -> Result<Counted, Fault> {
        let plan = &*hop.target.plan;
        let Some(proxy) = proxy::choose(&plan.proxy, &self.environment, hop.address)? else {
            return self.connect(hop, hop.address, progress).await;
        };
        progress.tell(|facts| facts.put("proxy", proxy.to_string()));
        progress.is_at_proxy = true;
        let connected = self.connect(hop, proxy, progress).await;
        progress.is_at_proxy = false;
        let tcp = connected.map_err(Fault::before_proxy)?;
        if hop.address.scheme() == Scheme::Http {
            return Ok(tcp);
        }
        let mut stream = Stream::Plain(tcp);
        proxy::tunnel(&mut stream, proxy, hop.address, &self.network.options.user_agent).await?;
        let lap = progress.lap();
        progress.finding.phases.connect.add(lap);
        match stream {
            Stream::Plain(tcp) => Ok(tcp),
            Stream::Tls(_) => Err(Fault::proxy()),
        }
    }

    async fn secure(
        &self,
        tcp: Counted,
        hop: Hop<'_>,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<Stream, Fault> {
        let named = plan.tls.server_name.as_deref().filter(|_| hop.is_home);
        let host = named.map_or(hop.address.host(), Host::Name);
        let offer = Offer::Http(plan.http_version);
        let handshake = Handshake { host, plan: &plan.tls, offer };
        let mut shown = Shown::default();
        let secured = self.network.secure(tcp, handshake, &mut shown, progress).await;
        hops::shows(&shown, progress);
        Ok(Stream::Tls(secured?))
    }
}

impl Check for HttpCheck {
    type Facts = ();

    async fn check(&self, target: Arc<Target>) -> (Finding, ()) {
        (self.find(&target, None).await.0, ())
    }
}
