//! `Plan`: how a target is asked, and what counts as up.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;

use crate::address::Address;
use crate::expectation::Expectation;
use crate::manners::Rate;
use crate::target::probe::Probe;

/// Whether a poll opens its own connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Connection {
    /// A new connection for every poll: nothing stale can hide.
    #[default]
    Fresh,
    /// The connection of the poll before, if it is still open; its samples say so.
    Reuse,
}

/// The HTTP version that is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http11,
    /// HTTP/2 (RFC 9113): by ALPN over TLS, with prior knowledge without.
    Http2,
}

/// The families of IP addresses that are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// Both; the other family gets its chance after 250 ms (RFC 8305).
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// Credentials that go into the `Authorization` header.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Auth {
    /// User name and password (RFC 7617).
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Auth(<secret>)")
    }
}

/// How the target's certificate is judged and ours shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsPlan {
    /// Whether a certificate that is not trusted makes the target down.
    pub verify: Verify,
    /// PEM file with further roots that are trusted for this target.
    pub ca: Option<PathBuf>,
    /// PEM file with the certificate that we show.
    pub client_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub client_key: Option<PathBuf>,
    /// Whose certificate it must be, in the place of the host.
    pub server_name: Option<Box<str>>,
}

/// Whether a certificate that is not trusted makes the target down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verify {
    /// It does.
    #[default]
    Strict,
    /// It is only noted.
    Off,
}

impl Default for TlsPlan {
    fn default() -> Self {
        Self {
            verify: Verify::Strict,
            ca: None,
            client_cert: None,
            client_key: None,
            server_name: None,
        }
    }
}

/// Which proxy stands between us and the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// None.
    #[default]
    Direct,
    /// What `http_proxy`, `https_proxy` and `no_proxy` say.
    Environment,
    /// This one.
    Through(Address),
}

/// What it says of us when the target fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nothing: it is watched for its own sake.
    #[default]
    Watched,
    /// That it is probably us: it is always there as long as we have a network.
    Sentinel,
}

/// All of an entry that does not differ from poll to poll; equal plans are stored once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What is asked for, by the kind of the check.
    pub probe: Probe,
    /// Request method, in capitals.
    pub method: Box<str>,
    /// Request headers beside the usual ones; a name given here replaces the usual one.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Request body.
    pub body: Option<Box<str>>,
    /// Credentials.
    pub auth: Option<Auth>,
    /// What counts as up.
    pub expect: Expectation,
    /// Fresh or reused connections.
    pub connection: Connection,
    /// Redirects that are followed at most.
    pub redirects: u8,
    /// HTTP version that is offered.
    pub http_version: HttpVersion,
    /// Address families that are tried.
    pub ip_version: IpVersion,
    /// Name server that is asked in the place of the system's.
    pub resolver: Option<SocketAddr>,
    /// TLS settings.
    pub tls: TlsPlan,
    /// Proxy.
    pub proxy: Proxy,
    /// Rechecks at most, after a temporary failure that would change the state.
    pub retries: u8,
    /// What it says of us when it fails.
    pub role: Role,
    /// Polls of its host that may run at once, in the place of what is usual.
    pub max_per_host: Option<NonZeroU32>,
    /// Launches a second for its host, in the place of what is usual.
    pub host_rate: Option<Rate>,
    /// From how many locations of a cluster it is polled; none: from all.
    pub locations: Option<NonZeroU8>,
    /// How many locations of a cluster must agree that it is down; none: more than half of them.
    pub quorum: Option<NonZeroU8>,
}

impl fmt::Debug for Plan {
    /// Leaves out headers, body and credentials: they are secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Plan");
        shown
            .field("kind", &self.probe.kind())
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            probe: Probe::Http,
            method: "GET".into(),
            headers: Vec::new(),
            body: None,
            auth: None,
            expect: Expectation::default(),
            connection: Connection::default(),
            redirects: 5,
            http_version: HttpVersion::default(),
            ip_version: IpVersion::default(),
            resolver: None,
            tls: TlsPlan::default(),
            proxy: Proxy::default(),
            retries: 2,
            role: Role::default(),
            max_per_host: None,
            host_rate: None,
            locations: None,
            quorum: None,
        }
    }
}
