//! `Probe`: what a check asks for beside its address, one form for each kind of check.

use std::fmt;
use std::num::NonZeroU8;

use crate::expectation::{JsonValue, Pattern};
use crate::named::named;

named! {
    /// The kind of a check.
    CheckKind {
        /// An HTTP request, over TLS when the address says so.
        Http = 0 "http",
        /// The certificate that a server shows.
        Ssl = 1 "ssl",
        /// A mail server, by SMTP, IMAP or POP3.
        Mail = 2 "mail",
        /// A record of the domain name system.
        Dns = 3 "dns",
        /// A TCP connection, and what is said over it.
        Tcp = 4 "tcp",
        /// Echo requests.
        Icmp = 5 "icmp",
        /// A kind from outside of this crate.
        Other = 6 "other",
    }
}

impl CheckKind {
    /// The name of the kind in files of checks and in their results.
    #[must_use]
    pub const fn plugin_type(self) -> &'static str {
        match self {
            Self::Http => "website_status",
            Self::Ssl => "ssl_certificate",
            Self::Mail => "mail_server",
            Self::Dns => "dns_record",
            Self::Tcp => "tcp",
            Self::Icmp => "icmp",
            Self::Other => "other",
        }
    }
}

/// What a check asks for beside its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Probe {
    /// What the plan's other parts say of an HTTP request.
    #[default]
    Http,
    /// A certificate.
    Ssl(SslProbe),
    /// A mail server.
    Mail(Box<MailProbe>),
    /// A DNS record.
    Dns(Box<DnsProbe>),
    /// A TCP connection.
    Tcp(TcpProbe),
    /// Echo requests.
    Icmp(IcmpProbe),
    /// A question to one name server, which the address names.
    Question(Box<QuestionProbe>),
    /// A kind from outside of this crate.
    Other(Box<OtherProbe>),
}

impl Probe {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> CheckKind {
        match self {
            Self::Http => CheckKind::Http,
            Self::Ssl(_) => CheckKind::Ssl,
            Self::Mail(_) => CheckKind::Mail,
            Self::Dns(_) | Self::Question(_) => CheckKind::Dns,
            Self::Tcp(_) => CheckKind::Tcp,
            Self::Icmp(_) => CheckKind::Icmp,
            Self::Other(_) => CheckKind::Other,
        }
    }

    /// The name of its kind in files of checks and in their results.
    #[must_use]
    pub fn plugin_type(&self) -> &str {
        match self {
            Self::Other(other) => &other.name,
            known => known.kind().plugin_type(),
        }
    }
}

/// How TLS is begun on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartTls {
    /// With the first byte.
    #[default]
    Direct,
    /// When asked for over SMTP (RFC 3207).
    Smtp,
    /// When asked for over IMAP (RFC 9051, section 6.2.1).
    Imap,
    /// When asked for over POP3 (RFC 2595, section 4).
    Pop3,
}

/// Whether something that may be left out is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Look {
    /// It is not.
    #[default]
    No,
    /// It is.
    Yes,
}

impl Look {
    /// `Yes` when `wanted`.
    #[must_use]
    pub const fn when(wanted: bool) -> Self {
        if wanted { Self::Yes } else { Self::No }
    }

    /// Whether it is looked at.
    #[must_use]
    pub const fn is_wanted(self) -> bool {
        matches!(self, Self::Yes)
    }
}

/// What is asked of a certificate; whether it is trusted is for the plan's `tls.verify` to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SslProbe {
    /// Days of validity below which it is a warning.
    pub warning_days: u32,
    /// Days of validity below which the target is down.
    pub critical_days: u32,
    /// Whether every certificate of the path counts for the days, and not the first alone.
    pub chain: Look,
    /// Whether the certificate must be for the name.
    pub name: Look,
    /// How TLS is begun.
    pub start: StartTls,
}

impl Default for SslProbe {
    fn default() -> Self {
        Self {
            warning_days: 30,
            critical_days: 14,
            chain: Look::No,
            name: Look::Yes,
            start: StartTls::Direct,
        }
    }
}

/// The protocol of a mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MailProtocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 9051 and RFC 3501.
    Imap,
    /// RFC 1939.
    Pop3,
}

impl MailProtocol {
    /// Its name in settings and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
        }
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MailTls {
    /// In clear.
    #[default]
    None,
    /// By TLS from the first byte (`use_ssl`, RFC 8314).
    Implicit,
    /// By TLS once it has been asked for (`use_tls`, STARTTLS).
    Start,
}

/// What is asked of a mail server.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct MailProbe {
    /// Its protocol.
    pub protocol: MailProtocol,
    /// Whether and how TLS is used.
    pub tls: MailTls,
    /// User name and password that are tried.
    pub login: Option<(Box<str>, Box<str>)>,
    /// Whether the address is a domain whose mail exchangers are looked up (RFC 5321, section 5.1).
    pub mx: Look,
    /// A message that is sent.
    pub message: Option<MailMessage>,
}

impl fmt::Debug for MailProbe {
    /// Leaves out login and message: they are secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("MailProbe");
        shown.field("protocol", &self.protocol).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// A message that is sent to see whether a server takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailMessage {
    /// Sender.
    pub from: Box<str>,
    /// Recipient.
    pub to: Box<str>,
    /// Subject.
    pub subject: Box<str>,
    /// Text.
    pub text: Box<str>,
}

named! {
    /// The type of a DNS record.
    RecordType {
        /// Who may issue certificates (RFC 8659).
        Caa = 0 "CAA",
        /// IPv4 address.
        A = 1 "A",
        /// Name server.
        Ns = 2 "NS",
        /// Canonical name.
        Cname = 5 "CNAME",
        /// Start of authority.
        Soa = 6 "SOA",
        /// Pointer, mostly from an address to a name.
        Ptr = 12 "PTR",
        /// Mail exchanger.
        Mx = 15 "MX",
        /// Text.
        Txt = 16 "TXT",
        /// IPv6 address (RFC 3596).
        Aaaa = 28 "AAAA",
        /// Service (RFC 2782).
        Srv = 33 "SRV",
        /// Naming authority pointer (RFC 3403).
        Naptr = 35 "NAPTR",
        /// Delegation signer (RFC 4034).
        Ds = 43 "DS",
        /// Key of a zone (RFC 4034).
        Dnskey = 48 "DNSKEY",
        /// Certificates of a service (RFC 6698).
        Tlsa = 52 "TLSA",
        /// Service binding (RFC 9460).
        Svcb = 64 "SVCB",
        /// Service binding of HTTP (RFC 9460).
        Https = 65 "HTTPS",
    }
}

impl RecordType {
    /// Its number in questions and answers (RFC 1035, section 3.2.2, and successors).
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Caa => 257,
            other => other.code() as u16,
        }
    }
}

/// What is asked of the domain name system about the host of the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsProbe {
    /// Type of the record.
    pub record: RecordType,
    /// Values that there must be, each of them; empty: any.
    pub expected: Vec<Box<str>>,
    /// Whether the answer of several name servers is compared, and of which: IP addresses, with
    /// the port unless it is 53.
    pub resolvers: Vec<std::net::SocketAddr>,
    /// Percent of them that must agree; fewer is a warning.
    pub propagation_threshold: u8,
    /// Whether the name servers of the zone are asked, each by itself.
    pub authoritative: Look,
    /// Whether it is told if the answer is signed (RFC 4035).
    pub dnssec: Look,
}

/// What is said over a TCP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpProbe {
    /// What is sent and waited for, in this order.
    pub dialog: Vec<TcpStep>,
}

/// A step of a dialog over TCP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TcpStep {
    /// A line that is sent, without its end.
    Send(Box<str>),
    /// Text that must come within the next lines.
    Expect(Box<str>),
    /// A line that is sent, and ended by LF alone.
    Say(Box<str>),
    /// A line that must come, whatever comes before it, and what is answered to it.
    Match(Box<LineRule>),
    /// TLS is begun.
    Secure,
}

/// A line that must come, and what is answered to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LineRule {
    /// What the line must match.
    pub pattern: Pattern,
    /// A line that is sent then, in which `${1}` stands for what the first group matched.
    pub answer: Option<Box<str>>,
}

/// A question to one name server; whatever it answers is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuestionProbe {
    /// The name that is asked for.
    pub name: Box<str>,
    /// The type of the record, by its number (RFC 1035, section 3.2.2).
    pub record: u16,
    /// Whether it shall ask others.
    pub recursion: Look,
    /// Whether it is asked over TCP from the first.
    pub tcp: Look,
}

/// How a host is asked for an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IcmpProbe {
    /// Echo requests that are sent.
    pub count: u16,
    /// Milliseconds from one to the next.
    pub spacing_ms: u32,
    /// Bytes of data in each.
    pub size: u16,
    /// Routers that requests may pass, in the place of what is usual.
    pub ttl: Option<NonZeroU8>,
}

impl Default for IcmpProbe {
    fn default() -> Self {
        Self { count: 3, spacing_ms: 200, size: 56, ttl: None }
    }
}

/// A check of a kind from outside of this crate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OtherProbe {
    /// The name of its kind.
    pub name: Box<str>,
    /// What its `config` says.
    pub config: JsonValue,
}

impl fmt::Debug for OtherProbe {
    /// Leaves out the settings: they may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OtherProbe").field("name", &self.name).finish_non_exhaustive()
    }
}
