//! `Address`: the URL of a target, kept as it was written and parsed once.

mod scheme;

use std::fmt;
use std::net::IpAddr;

use url::Url;

pub use scheme::Scheme;

/// The host part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// A name that has to be resolved, in ASCII (IDNA) form and lower case.
    Name(&'a str),
    /// An IP address literal, without the brackets of IPv6.
    Ip(IpAddr),
}

/// Why a text is not an address that can be polled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is no URL at all; the parser's own words follow.
    #[error("is not a URL ({0}); write it like https://example.com/")]
    Invalid(url::ParseError),
    /// No `//` and a host follow the scheme: other programs would read the rest in another way.
    #[error("has no host after \"//\"; write it like https://example.com/")]
    Slashes,
    /// The URL's scheme is none that can be polled.
    #[error("has the scheme \"{0}\"; only http and https can be polled")]
    Scheme(String),
    /// The URL holds a control character, which could smuggle a second request line.
    #[error("holds a control character; remove it or percent-encode it")]
    Control,
    /// The URL is longer than 65,535 bytes.
    #[error("is longer than 65535 bytes")]
    TooLong,
}

/// An http or https URL, as it was written and as it goes on the wire.
///
/// Both forms are usually the same text and then stored once; they differ for an
/// internationalised host, a space in the path, a missing final slash and the like.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    written: Box<str>,
    wire: Option<Box<str>>,
    scheme: Scheme,
    port: u16,
    host_start: u16,
    host_end: u16,
    path_start: u16,
    path_end: u16,
}

impl Address {
    /// Parses `text` by the WHATWG URL standard; http and https alone are taken.
    ///
    /// # Errors
    /// Says why the text cannot be polled.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let address = Self::parse_any(text)?;
        if address.scheme.is_http() {
            return Ok(address);
        }
        Err(AddressError::Scheme(address.scheme.as_str().to_owned()))
    }

    /// Parses `text` as [`Address::parse`] does, and takes every [`Scheme`]: their hosts are read
    /// like those of http.
    ///
    /// # Errors
    /// Says why the text is no address.
    pub fn parse_any(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > usize::from(u16::MAX) {
            return Err(AddressError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        // What stands before slashes further on may be a login.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let parts = text.split_once("://").filter(|(name, _)| name.bytes().all(is_name));
        let scheme = parts.and_then(|(name, _)| Scheme::named(name));
        let address = match (scheme, parts) {
            (Some(scheme), Some((_, rest))) if !scheme.is_http() => {
                Self::like_http(text, scheme, rest)?
            }
            _ => Self::from_text(text)?,
        };
        // The URL standard repairs what is missing; a login could then not be told from a path.
        match parts {
            Some((_, rest)) if !rest.starts_with(['/', '\\']) => Ok(address),
            _ => Err(AddressError::Slashes),
        }
    }

    /// The same address, shown and known by `text`, in which variables and files stand for what was
    /// put in.
    #[must_use]
    pub fn written_as(self, text: &str) -> Self {
        let wire = self.wire.or(Some(self.written));
        Self { written: text.trim().into(), wire, ..self }
    }

    /// Resolves `location`, as a redirect names it, against this address (RFC 3986, section 5).
    ///
    /// # Errors
    /// Says why the result cannot be polled.
    pub fn join(&self, location: &str) -> Result<Self, AddressError> {
        let base = Url::parse(self.wire()).map_err(AddressError::Invalid)?;
        let url = base.join(location.trim()).map_err(AddressError::Invalid)?;
        Self::from_url(url.as_str(), &url)
    }

    fn from_text(text: &str) -> Result<Self, AddressError> {
        Self::from_url(text, &Url::parse(text).map_err(AddressError::Invalid)?)
    }

    /// An address of `scheme`, of which `rest` follows the slashes.
    fn like_http(text: &str, scheme: Scheme, rest: &str) -> Result<Self, AddressError> {
        let parse = |like: &str| Url::parse(&format!("{like}://{rest}"));
        let url = parse("http").map_err(AddressError::Invalid)?;
        // The port that is the usual one of http is left out of it.
        let port = url.port().or_else(|| parse("https").ok()?.port());
        let like = Self::from_url(url.as_str(), &url)?;
        let wire = format!("{}{}", scheme.as_str(), url.as_str().trim_start_matches("http"));
        let shift = |place: u16| {
            usize::from(place)
                .checked_add(scheme.as_str().len())
                .and_then(|place| u16::try_from(place - "http".len()).ok())
                .ok_or(AddressError::TooLong)
        };
        Ok(Self {
            scheme,
            port: port.unwrap_or(scheme.default_port()),
            host_start: shift(like.host_start)?,
            host_end: shift(like.host_end)?,
            path_start: shift(like.path_start)?,
            path_end: shift(like.path_end)?,
            wire: (wire != text).then(|| wire.into()),
            written: text.into(),
        })
    }

    fn from_url(text: &str, url: &Url) -> Result<Self, AddressError> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(AddressError::Scheme(other.to_owned())),
        };
        let wire = url.as_str();
        let place =
            |position| u16::try_from(wire[..position].len()).map_err(|_| AddressError::TooLong);
        Ok(Self {
            scheme,
            port: url.port().unwrap_or(scheme.default_port()),
            host_start: place(url[..url::Position::BeforeHost].len())?,
            host_end: place(url[..url::Position::AfterHost].len())?,
            path_start: place(url[..url::Position::BeforePath].len())?,
            path_end: place(url[..url::Position::AfterQuery].len())?,
            wire: (wire != text).then(|| wire.into()),
            written: text.into(),
        })
    }

    /// The address as it was written, credentials and all: for identity, never for output.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The address with what variables and files stand for put in, credentials and all.
    #[must_use]
    pub fn filled(&self) -> &str {
        self.wire()
    }

    fn wire(&self) -> &str {
        self.wire.as_deref().unwrap_or(&self.written)
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The port, that of the scheme unless the address names one.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host as text, with the brackets of an IPv6 literal.
    #[must_use]
    pub fn host_text(&self) -> &str {
        self.part(self.host_start, self.host_end)
    }

    /// The host, told apart into name and IP address.
    #[must_use]
    pub fn host(&self) -> Host<'_> {
        let text = self.host_text();
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bare.unwrap_or(text).parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) => Host::Name(text),
        }
    }

    /// What the request line asks for: path and query, never empty (RFC 9112, section 3.2.1).
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        match self.part(self.path_start, self.path_end) {
            "" => "/",
            path => path,
        }
    }

    /// User name and password of the address, percent-decoded, when it holds any.
    #[must_use]
    pub fn credentials(&self) -> Option<(String, String)> {
        // Most addresses have none: before the host there is the scheme alone.
        if !self.part(0, self.host_start).ends_with('@') {
            return None;
        }
        let (_, rest) = self.wire().split_once("://")?;
        let url = Url::parse(&format!("http://{rest}")).ok()?;
        let password = url.password().unwrap_or_default();
        (!url.username().is_empty() || !password.is_empty())
            .then(|| (percent_decoded(url.username()), percent_decoded(password)))
    }

    fn part(&self, start: u16, end: u16) -> &str {
        self.wire().get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }
}

/// `text` with its percent-encoded bytes decoded (RFC 3986, section 2.1).
fn percent_decoded(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let pair = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        decoded.push(pair.map_or(*byte, |(high, low)| high << 4 | low));
        rest = after.get(if pair.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

impl fmt::Display for Address {
    /// The address as it was written, with `<secret>` in the place of its credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &*self.written;
        let Some(after_scheme) = text.find("://").map(|at| at + 3) else {
            return formatter.write_str(text);
        };
        let (scheme, rest) = text.split_at(after_scheme);
        let authority = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        match rest[..authority].rfind('@') {
            None => formatter.write_str(text),
            Some(at) => write!(formatter, "{scheme}<secret>{}", &rest[at..]),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("the test's own address is right")
    }

    #[test]
    fn the_written_form_is_kept_and_the_wire_form_completed() {
        let address = address("http://cnn.com");
        assert_eq!(address.to_string(), "http://cnn.com");
        assert_eq!(address.path_and_query(), "/");
        assert_eq!(address.port(), 80);
    }

    #[test]
    fn the_fragment_never_goes_on_the_wire() {
        assert_eq!(address("https://a.example/b?c=d#e").path_and_query(), "/b?c=d");
    }

    #[test]
    fn addresses_of_other_checks_are_read_like_those_of_http() {
        let any = |text| Address::parse_any(text).expect("a good address");
        let (ssl, tcp) = (any("ssl://Bücher.example"), any("tcp://[::1]:80"));
        assert_eq!((ssl.host_text(), ssl.port()), ("xn--bcher-kva.example", 443));
        assert_eq!((tcp.host_text(), tcp.port(), tcp.scheme()), ("[::1]", 80, Scheme::Tcp));
        assert_eq!(any("smtp://a.example:443").port(), 443);
        let dns = any("dns://_sip._tcp.a.example?type=SRV");
        assert_eq!((dns.host_text(), dns.path_and_query()), ("_sip._tcp.a.example", "/?type=SRV"));
        assert_eq!(any("imap://me:p%40@h").credentials(), Some(("me".into(), "p@".into())));
        assert_eq!(Address::parse("tcp://a:1"), Err(AddressError::Scheme("tcp".into())));
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let address = address("https://me:p%40ss+1@a.example/x@y");
        assert_eq!(address.to_string(), "https://<secret>@a.example/x@y");
        assert_eq!(address.credentials(), Some(("me".into(), "p@ss+1".into())));
        assert!(!format!("{address:?}").contains("p%40ss"));
    }

    #[test]
    fn every_character_of_credentials_stands_for_itself() {
        let credentials = |text: &str| self::address(text).credentials();
        assert_eq!(credentials("http://a&b:c&d=e@h/"), Some(("a&b".into(), "c&d=e".into())));
        assert_eq!(credentials("http://m:%C3%BC%zz%2@h/"), Some(("m".into(), "ü%zz%2".into())));
        assert_eq!(credentials("http://m%FF:+%2b@h/"), Some(("m\u{fffd}".into(), "++".into())));
    }

    #[test]
    fn an_international_name_is_asked_for_in_ascii() {
        assert_eq!(address("http://bücher.example/").host(), Host::Name("xn--bcher-kva.example"));
    }

    #[test]
    fn an_ipv6_literal_loses_its_brackets() {
        let address = address("http://[::1]:8080/");
        assert_eq!(address.host(), Host::Ip("::1".parse().expect("an address")));
        assert_eq!(address.host_text(), "[::1]");
        assert_eq!(address.port(), 8080);
    }

    #[test]
    fn other_schemes_and_control_characters_are_refused() {
        assert_eq!(Address::parse("ftp://a.example/"), Err(AddressError::Scheme("ftp".into())));
        assert_eq!(Address::parse("http://a.example/\r\nX: y"), Err(AddressError::Control));
        // So some terminals are told to do something, as by an escape and a bracket.
        assert_eq!(Address::parse("http://a.example/\u{9b}2J"), Err(AddressError::Control));
        assert!(matches!(Address::parse("nonsense"), Err(AddressError::Invalid(_))));
    }

    #[test]
    fn what_hides_a_login_in_a_path_is_refused() {
        for text in ["http:/me:pw@h", "http:me:pw@h", "http:///me:pw@h", "http:\\\\me:pw@h"] {
            assert_eq!(Address::parse(text), Err(AddressError::Slashes), "{text}");
        }
        assert_eq!(Address::parse("http://\\me:pw@h"), Err(AddressError::Slashes));
        for text in ["http:/me:pw@h://x", "http:me:pw@h://x", "http:\\me:pw@h://x"] {
            assert_eq!(Address::parse(text), Err(AddressError::Slashes), "{text}");
        }
    }

    #[test]
    fn what_was_put_in_goes_on_the_wire_and_is_not_shown() {
        let address = address("https://a.example/?t=s3cret").written_as("https://${HOST}/?t=${T}");
        assert_eq!(address.to_string(), "https://${HOST}/?t=${T}");
        assert_eq!((address.host_text(), address.path_and_query()), ("a.example", "/?t=s3cret"));
    }

    #[test]
    fn a_redirect_is_resolved_against_its_origin() {
        let next = address("http://a.example/b/c").join("../d?e").expect("a good location");
        assert_eq!(next.to_string(), "http://a.example/d?e");
    }
}
