//! Proxies: which one stands before a target, and the tunnel through it.

use std::net::IpAddr;

use crate::address::{Address, Host, Scheme};
use crate::check::answer::{Answer, Need, Question};
use crate::check::fault::Fault;
use crate::check::head::Keep;
use crate::check::request::{authority, basic};
use crate::check::stream::Stream;
use crate::expectation::Expectation;
use crate::outcome::{Cause, Detail};
use crate::target::Proxy;
use tokio::io::AsyncWriteExt;

/// What the environment says of proxies.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    http: Option<Address>,
    https: Option<Address>,
    exempt: Vec<Exempt>,
}

/// Hosts that are reached without a proxy.
#[derive(Debug, PartialEq, Eq)]
enum Exempt {
    All,
    /// A name and all below it, and a port when one is given.
    Name(String, Option<u16>),
    /// The addresses that share so many bits with this one.
    Network(IpAddr, u8),
}

impl Environment {
    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` by `variable`.
    ///
    /// A name in capitals counts as well, except `HTTP_PROXY`, which a web server sets from a
    /// header of a request.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_ascii_uppercase()))
                .filter(|v| !v.is_empty())
        };
        let all = either("all_proxy");
        let address = |text: Option<String>| {
            let text = text.or_else(|| all.clone())?;
            parse(&text)
                .inspect_err(
                    |error| tracing::warn!(%error, "cannot use a proxy of the environment"),
                )
                .ok()
        };
        let exempt = either("no_proxy").unwrap_or_default();
        Self {
            http: address(variable("http_proxy").filter(|value| !value.is_empty())),
            https: address(either("https_proxy")),
            exempt: exempt.split([',', ' ']).filter_map(Exempt::parse).collect(),
        }
    }

    fn proxy_of(&self, address: &Address) -> Option<&Address> {
        let proxy = match address.scheme() {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
            _ => None,
        };
        proxy.filter(|_| !self.exempt.iter().any(|exempt| exempt.covers(address)))
    }
}

fn parse(text: &str) -> Result<Address, crate::address::AddressError> {
    if text.contains("://") {
        Address::parse(text)
    } else {
        Address::parse(&format!("http://{text}"))
    }
}

impl Exempt {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            return Some(Self::Network(address.parse().ok()?, bits.parse().ok()?));
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Network(ip, 128));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Name(name, port))
    }

    fn covers(&self, address: &Address) -> bool {
        match (self, address.host()) {
            (Self::All, _) => true,
            (Self::Name(name, port), _) => {
                let host = address.host_text().trim_end_matches('.');
                let is_below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|front| front.is_empty() || front.ends_with('.'));
                is_below && port.is_none_or(|port| port == address.port())
            }
            (Self::Network(network, bits), Host::Ip(ip)) => shares(*network, ip, *bits),
            (Self::Network(..), Host::Name(_)) => false,
        }
    }
}

/// Whether two addresses of one family share their first `bits`.
fn shares(left: IpAddr, right: IpAddr, bits: u8) -> bool {
    let differ = match (left, right) {
        (IpAddr::V4(left), IpAddr::V4(right)) => (left.to_bits() ^ right.to_bits()).leading_zeros(),
        (IpAddr::V6(left), IpAddr::V6(right)) => (left.to_bits() ^ right.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= u32::from(bits) || left == right
}

/// The proxy that stands before `address`, if one does.
///
/// # Errors
/// Its scheme is not http.
pub(crate) fn choose<'a>(
    plan: &'a Proxy,
    environment: &'a Environment,
    address: &Address,
) -> Result<Option<&'a Address>, Fault> {
    let proxy = match plan {
        Proxy::Direct => None,
        Proxy::Environment => environment.proxy_of(address),
        Proxy::Through(proxy) => Some(proxy),
    };
    match proxy {
        Some(proxy) if proxy.scheme() == Scheme::Https => {
            tracing::error!(%proxy, "a proxy over TLS cannot be used; name it with http://");
            Err(Fault::setting())
        }
        other => Ok(other),
    }
}

/// Our credentials for `proxy`, as a header's value.
pub(crate) fn credentials(proxy: &Address) -> Option<String> {
    proxy.credentials().map(|(name, password)| basic(&name, &password))
}

/// Has the proxy at the other end of `stream` open a tunnel to `address` (RFC 9110, section 9.3.6).
///
/// # Errors
/// The proxy does not, or cannot reach the target.
pub(crate) async fn tunnel(
    stream: &mut Stream,
    proxy: &Address,
    address: &Address,
    user_agent: &str,
) -> Result<(), Fault> {
    let authority = authority(address);
    let mut request = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {user_agent}\r\n"
    );
    if let Some(value) = credentials(proxy) {
        request.push_str("Proxy-Authorization: ");
        request.push_str(&value);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let broken = |error| Fault::of_stream(&error, Detail::Connecting).before_proxy();
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let expectation = Expectation::default();
    // What follows the head is the tunnel's: the answer has no body, as if to HEAD.
    let question = Question {
        method: "HEAD",
        expectation: &expectation,
        max_body: 0,
        follows: false,
        keep: Keep::Needed,
    };
    let mut answer = Answer::new();
    loop {
        let fed = stream.read_with(|bytes| answer.feed(bytes, &question)).await.map_err(broken)?;
        if fed.map_err(Fault::before_proxy)? == Need::Nothing {
            break;
        }
    }
    match answer.status() {
        200..300 => Ok(()),
        // So proxies tell that the target does not answer them (RFC 9110, section 15.6).
        502..=504 => Err(Fault::new(Cause::Connect, Detail::Unreachable)),
        _ => Err(Fault::proxy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            let pair = pairs.iter().find(|(given, _)| *given == name);
            pair.map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy(pairs: &[(&str, &str)], address: &str) -> Option<String> {
        let address = Address::parse(address).expect("a good address");
        environment(pairs).proxy_of(&address).map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_proxy_stands_in() {
        let pairs = [("http_proxy", "one:1"), ("ALL_PROXY", "http://two:2")];
        assert_eq!(proxy(&pairs, "http://a.example/"), Some("http://one:1".into()));
        assert_eq!(proxy(&pairs, "https://a.example/"), Some("http://two:2".into()));
        assert_eq!(proxy(&[("HTTP_PROXY", "one:1")], "http://a.example/"), None);
    }

    #[test]
    fn names_addresses_and_networks_are_exempt() {
        let pairs =
            [("all_proxy", "one:1"), ("no_proxy", ".a.example, b.example:81,10.0.0.0/8,::1")];
        for address in [
            "http://a.example/",
            "http://x.a.example/",
            "http://b.example:81/",
            "http://10.1.2.3/",
            "http://[::1]/",
        ] {
            assert_eq!(proxy(&pairs, address), None, "{address}");
        }
        for address in ["http://ba.example/", "http://b.example/", "http://11.1.2.3/"] {
            assert!(proxy(&pairs, address).is_some(), "{address}");
        }
    }
}
