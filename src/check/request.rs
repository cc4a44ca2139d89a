//! The bytes of an HTTP/1.1 request, and its headers in general.

use std::borrow::Cow;

use base64::Engine;

use crate::address::{Address, Scheme};
use crate::check::fault::Fault;
use crate::target::{Auth, Connection, Plan};

/// What is asked of one hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) address: &'a Address,
    /// What the entry names.
    pub(crate) home: &'a Address,
    pub(crate) method: &'a str,
    pub(crate) user_agent: &'a str,
    /// Whether the hop goes to the host that the entry names, which alone gets its secrets.
    pub(crate) is_home: bool,
    /// Whether the body is sent, which a redirect may drop.
    pub(crate) has_body: bool,
    pub(crate) form: Form<'a>,
}

/// How the request line names what is asked for (RFC 9112, section 3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<'a> {
    /// By its path.
    Origin,
    /// By its whole address, as a proxy needs it, with our credentials for the proxy.
    Absolute(Option<&'a str>),
}

/// Headers of an entry that may go to other hosts than its own: any other may hold a secret.
const HARMLESS: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "pragma",
    "user-agent",
];

impl Request<'_> {
    /// The request as it goes over the wire.
    ///
    /// # Errors
    /// A method or header of the entry cannot be sent.
    pub(crate) fn to_bytes(self) -> Result<Vec<u8>, Fault> {
        if self.method.is_empty() || !self.method.bytes().all(is_token) {
            return Err(Fault::setting());
        }
        let mut bytes = Vec::with_capacity(320 + self.body().map_or(0, str::len));
        let mut put = |text: &str| bytes.extend_from_slice(text.as_bytes());
        put(self.method);
        put(" ");
        if let Form::Absolute(_) = self.form {
            put("http://");
            put(&host(self.address));
        }
        put(self.address.path_and_query());
        put(" HTTP/1.1\r\n");
        self.each_header(&mut |name, value| {
            put(name);
            put(": ");
            put(value);
            put("\r\n");
        })?;
        put("\r\n");
        put(self.body().unwrap_or_default());
        Ok(bytes)
    }

    /// The body that is sent with it.
    pub(crate) fn body(&self) -> Option<&str> {
        self.plan.body.as_deref().filter(|_| self.has_body)
    }

    /// Hands every header to `put`: the usual ones that the entry does not name, then its own.
    ///
    /// # Errors
    /// A header of the entry cannot be sent.
    pub(crate) fn each_header(&self, put: &mut impl FnMut(&str, &str)) -> Result<(), Fault> {
        let is_given =
            |name: &str| self.headers().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut usual = |name: &str, value: &str| {
            if !is_given(name) {
                put(name, value);
            }
        };
        usual("Host", &host(self.address));
        usual("User-Agent", self.user_agent);
        usual("Accept", "*/*");
        usual(
            "Connection",
            match self.plan.connection {
                Connection::Fresh => "close",
                Connection::Reuse => "keep-alive",
            },
        );
        if let Some(value) = self.authorization() {
            usual("Authorization", &value);
        }
        if let Form::Absolute(Some(value)) = self.form {
            usual("Proxy-Authorization", value);
        }
        match self.body() {
            Some(body) => usual("Content-Length", &body.len().to_string()),
            // Servers wait for a body of these, or refuse them (RFC 9110, section 8.6).
            None if matches!(self.method, "POST" | "PUT" | "PATCH") => usual("Content-Length", "0"),
            None => {}
        }
        for (name, value) in self.headers() {
            let is_clean = value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control());
            if name.is_empty() || !name.bytes().all(is_token) || !is_clean {
                return Err(Fault::setting());
            }
            put(name, value);
        }
        Ok(())
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_sent = |name: &str| {
            self.is_home || HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless))
        };
        self.plan
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .filter(move |(name, _)| is_sent(name))
    }

    fn authorization(&self) -> Option<String> {
        match &self.plan.auth {
            Some(Auth::Basic { username, password }) if self.is_home => {
                Some(basic(username, password))
            }
            Some(Auth::Bearer(token)) if self.is_home => Some(format!("Bearer {token}")),
            _ => {
                let home = Some(self.home).filter(|_| self.is_home);
                let (name, password) =
                    self.address.credentials().or_else(|| home.and_then(Address::credentials))?;
                Some(basic(&name, &password))
            }
        }
    }
}

/// Host and port of an address, without the usual port of its scheme.
pub(crate) fn host(address: &Address) -> Cow<'_, str> {
    if address.port() == address.scheme().default_port() {
        Cow::Borrowed(address.host_text())
    } else {
        Cow::Owned(authority(address))
    }
}

/// Host and port of an address, the port also when it is the usual one of its scheme.
pub(crate) fn authority(address: &Address) -> String {
    format!("{}:{}", address.host_text(), address.port())
}

/// The value of a header with credentials of the `Basic` scheme (RFC 7617).
pub(crate) fn basic(username: &str, password: &str) -> String {
    let text = format!("{username}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

/// Whether a redirect from one to the other stays with the same host.
pub(crate) fn is_same_host(left: &Address, right: &Address) -> bool {
    let is_upgrade = left.scheme() == Scheme::Http && right.scheme() == Scheme::Https;
    left.host_text() == right.host_text()
        && (left.port() == right.port() && left.scheme() == right.scheme()
            || is_upgrade && left.port() == 80 && right.port() == 443)
}

/// Whether `byte` may stand in a method or a header's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
