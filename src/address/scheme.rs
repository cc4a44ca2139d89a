//! `Scheme`: how a target is spoken to, as its address says.

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// TLS, of which the certificate is looked at.
    Ssl,
    /// SMTP, in clear or by STARTTLS (RFC 5321).
    Smtp,
    /// SMTP over TLS (RFC 8314).
    Smtps,
    /// IMAP, in clear or by STARTTLS (RFC 9051).
    Imap,
    /// IMAP over TLS (RFC 8314).
    Imaps,
    /// POP3, in clear or by STLS (RFC 1939).
    Pop3,
    /// POP3 over TLS (RFC 8314).
    Pop3s,
    /// A question to a name server.
    Dns,
    /// A TCP connection.
    Tcp,
    /// Echo requests (RFC 792, RFC 4443).
    Icmp,
    /// What a check from outside of this crate speaks.
    Other,
}

impl Scheme {
    const NAMED: [(&str, Self, u16); 13] = [
        ("http", Self::Http, 80),
        ("https", Self::Https, 443),
        ("ssl", Self::Ssl, 443),
        ("smtp", Self::Smtp, 25),
        ("smtps", Self::Smtps, 465),
        ("imap", Self::Imap, 143),
        ("imaps", Self::Imaps, 993),
        ("pop3", Self::Pop3, 110),
        ("pop3s", Self::Pop3s, 995),
        ("dns", Self::Dns, 53),
        ("tcp", Self::Tcp, 0),
        ("icmp", Self::Icmp, 0),
        ("check", Self::Other, 0),
    ];

    /// The scheme that `text` names.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let mut known = Self::NAMED.iter();
        known.find(|(name, ..)| text.eq_ignore_ascii_case(name)).map(|(_, scheme, _)| *scheme)
    }

    /// Whether HTTP is spoken.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// The port that the scheme stands for when the address names none; 0 where there is none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        self.entry().map_or(0, |(.., port)| *port)
    }

    /// The scheme as it is written in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().map_or("", |(name, ..)| *name)
    }

    fn entry(self) -> Option<&'static (&'static str, Self, u16)> {
        Self::NAMED.iter().find(|(_, scheme, _)| *scheme == self)
    }
}
