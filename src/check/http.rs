//! `HttpCheck`: polls a target over HTTP, from its name to its last byte.

mod reuse;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::address::{Address, Host, Scheme};
use crate::check::Check;
use crate::check::answer::{Question, Received, is_redirect};
use crate::check::connect::connect;
use crate::check::exchange::exchange;
use crate::check::fault::Fault;
use crate::check::idle::Idle;
use crate::check::judge::judge;
use crate::check::options::{HttpOptions, SetupError};
use crate::check::progress::{Progress, Step};
use crate::check::proxy::{self, Environment};
use crate::check::redirect::{Trail, next_method};
use crate::check::request::{Form, Request, is_same_host};
use crate::check::resolve::{Addresses, QuestionRef, Resolver, ResolverOptions};
use crate::check::stream::Stream;
use crate::check::tls::Tls;
use crate::check::{http2, roots};
use crate::outcome::{Cause, Detail, Finding, Micros};
use crate::target::{HttpVersion, Plan, Proxy, Target};

/// How a name server's time is bounded.
const RESOLVER_LIMIT: Duration = Duration::from_secs(5);

/// Polls targets over HTTP; one serves any number of threads and runtimes.
#[derive(Debug)]
pub struct HttpCheck {
    options: HttpOptions,
    resolver: Resolver,
    tls: Tls,
    idle: Idle,
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
        if options.user_agent.chars().any(char::is_control) {
            return Err(SetupError::UserAgent(options.user_agent));
        }
        if let Some(file) = &options.ca {
            roots::read_certificates(file).map_err(|error| SetupError::Roots(error.to_string()))?;
        }
        let resolver = Resolver::new(ResolverOptions {
            servers: options.resolvers.clone(),
            max_lookups: options.max_lookups,
            max_names: options.max_names,
            limit: RESOLVER_LIMIT,
        });
        Ok(Self {
            resolver,
            tls: Tls::new(options.ca.clone()),
            idle: Idle::new(options.max_idle),
            environment: Environment::read(|name| std::env::var(name).ok()),
            options,
        })
    }

    async fn poll(&self, target: &Target, progress: &mut Progress) -> Result<(), Fault> {
        let plan = &*target.plan;
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
            address = trail.next(&address, location, method)?;
            let is_home = is_same_host(&target.address, &address);
            // A body is for the host that the entry names, as its secrets are.
            if has_body && !is_home && target.plan.body.is_some() {
                return Err(Fault::new(Cause::Redirect, Detail::BadLocation));
            }
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
        let plan = &*hop.target.plan;
        let proxy = match plan.proxy {
            Proxy::Direct => None,
            _ => proxy::choose(&plan.proxy, &self.environment, hop.address)?,
        };
        let question = Question {
            method: hop.method,
            expectation: &plan.expect,
            max_body: self.options.max_body,
            follows: plan.redirects > 0,
        };
        let credentials = proxy.and_then(proxy::credentials);
        let request = Request {
            plan,
            address: hop.address,
            home: &hop.target.address,
            method: hop.method,
            user_agent: &self.options.user_agent,
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
            self.connect(hop.target, hop.address, progress).await?
        } else {
            Box::pin(self.connect_through(hop, progress)).await?
        };
        match hop.address.scheme() {
            Scheme::Http => Ok(Stream::Plain(tcp)),
            Scheme::Https => Box::pin(self.secure(tcp, hop.address, plan, progress)).await,
        }
    }

    /// Connects to `address`; where no descriptor is left, a connection that is kept makes room.
    async fn connect(
        &self,
        target: &Target,
        address: &Address,
        progress: &mut Progress,
    ) -> Result<TcpStream, Fault> {
        progress.step = Step::Resolving;
        let addresses;
        let literal;
        let candidates: &[IpAddr] = match address.host() {
            Host::Ip(ip) => {
                literal = [ip];
                &literal
            }
            Host::Name(name) => {
                addresses = self.resolve(target, name, progress).await?;
                &addresses
            }
        };
        progress.step = Step::Connecting;
        let mut tcp = connect(candidates, address.port()).await;
        if tcp.as_ref().is_err_and(|fault| self.makes_room(*fault)) {
            tcp = Box::pin(connect(candidates, address.port())).await;
        }
        let tcp = tcp?;
        let lap = progress.lap();
        progress.finding.phases.connect.add(lap);
        Ok(tcp)
    }

    /// Whether a poll that ended by `fault` lacked a descriptor that there is now.
    fn makes_room(&self, fault: Fault) -> bool {
        fault.detail == Detail::Descriptors && self.idle.close_oldest()
    }

    async fn resolve(
        &self,
        target: &Target,
        name: &str,
        progress: &mut Progress,
    ) -> Result<Addresses, Fault> {
        let plan = &*target.plan;
        let question = QuestionRef { name, server: plan.resolver, family: plan.ip_version };
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
        let addresses = answer.inspect_err(|fault| {
            self.makes_room(*fault);
        })?;
        let lap = progress.lap();
        progress.finding.phases.resolve.add(lap);
        Ok(addresses)
    }

    async fn connect_through(
        &self,
        hop: Hop<'_>,
        progress: &mut Progress,
    ) -> Result<TcpStream, Fault> {
        let plan = &*hop.target.plan;
        let Some(proxy) = proxy::choose(&plan.proxy, &self.environment, hop.address)? else {
            return self.connect(hop.target, hop.address, progress).await;
        };
        progress.is_at_proxy = true;
        let connected = self.connect(hop.target, proxy, progress).await;
        progress.is_at_proxy = false;
        let tcp = connected.map_err(Fault::before_proxy)?;
        if hop.address.scheme() == Scheme::Http {
            return Ok(tcp);
        }
        let mut stream = Stream::Plain(tcp);
        proxy::tunnel(&mut stream, proxy, hop.address, &self.options.user_agent).await?;
        let lap = progress.lap();
        progress.finding.phases.connect.add(lap);
        match stream {
            Stream::Plain(tcp) => Ok(tcp),
            Stream::Tls(_) => Err(Fault::proxy()),
        }
    }

    async fn secure(
        &self,
        tcp: TcpStream,
        address: &Address,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<Stream, Fault> {
        progress.step = Step::Handshaking;
        let mut until = 0;
        let result = self.tls.handshake(tcp, address, plan, &mut until).await;
        if result.is_ok() || until != 0 {
            let lap = progress.lap();
            progress.finding.phases.tls.add(lap);
        }
        if progress.finding.certificate_until == 0 {
            progress.finding.certificate_until = until;
        }
        Ok(Stream::Tls(result?))
    }
}

impl Check for HttpCheck {
    async fn check(&self, target: Arc<Target>) -> Finding {
        let started = tokio::time::Instant::now();
        self.idle.sweep(started.into_std());
        let mut progress = Progress::new(started.into_std());
        let deadline = started + target.timeout();
        let result = tokio::time::timeout_at(deadline, self.poll(&target, &mut progress)).await;
        match result {
            Ok(Ok(())) => progress.finding,
            Ok(Err(fault)) => progress.finding.with_cause(fault.cause, fault.detail),
            Err(_) => {
                let fault = progress.timeout();
                progress.finding.with_cause(fault.cause, fault.detail)
            }
        }
    }
}
