//! `Place`: host and port of a check, from a name, a place like `example.com:25`, or a URL.

use std::net::Ipv6Addr;

use super::keys::Keys;
use crate::address::{Address, Scheme};
use crate::config::fields::Fields;
use crate::config::values::shown;
use crate::target::CheckKind;

/// The kind of check that an address of `scheme` stands for, unless that is HTTP.
pub(super) fn kind_of_scheme(scheme: &str) -> Option<CheckKind> {
    match Scheme::named(scheme)? {
        Scheme::Http | Scheme::Https | Scheme::Other => None,
        Scheme::Ssl => Some(CheckKind::Ssl),
        Scheme::Smtp
        | Scheme::Smtps
        | Scheme::Imap
        | Scheme::Imaps
        | Scheme::Pop3
        | Scheme::Pop3s => Some(CheckKind::Mail),
        Scheme::Dns => Some(CheckKind::Dns),
        Scheme::Tcp => Some(CheckKind::Tcp),
        Scheme::Icmp => Some(CheckKind::Icmp),
    }
}

/// The host of what was written, in which variables and files are not put in: without a scheme, a
/// login, a port and what follows.
fn host_of(written: &str) -> &str {
    let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let rest = rest.split_once(['/', '?', '#']).map_or(rest, |(host, _)| host);
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rest,
    }
}

/// Where a check goes.
pub(super) struct Place {
    /// The scheme of the URL, if it was one.
    pub(super) scheme: Option<Scheme>,
    /// Host and port as they go into an address.
    host: String,
    pub(super) port: Option<u16>,
    /// The host as it was written, where variables or files were put in.
    written: Option<String>,
    /// What follows the host of the URL.
    pub(super) path: String,
    /// User name and password of the URL.
    pub(super) login: Option<(String, String)>,
}

impl Place {
    /// What `url` or `named` says of where to go, and `port` if that is named on its own.
    pub(super) fn read(keys: &mut Keys<'_>, named: &'static str) -> Option<Self> {
        let key = if keys.raw(named).is_some() { named } else { "url" };
        let Some(raw) = keys.raw(key) else {
            keys.missing(named, "the host to check, like \"example.com\"");
            return None;
        };
        let raw = raw.as_str().unwrap_or_default().trim().to_owned();
        let text = keys.text(key)?;
        let is_filled = *raw != *text.trim();
        let mut place = match Self::parse(text.trim()) {
            Ok(place) => place,
            Err(_) if is_filled => {
                keys.fault(format!("\"{key}\" {} names no host once it is filled", shown(&raw)));
                return None;
            }
            Err(reason) => {
                keys.fault(format!("\"{key}\" {} {reason}", shown(&raw)));
                return None;
            }
        };
        place.port = keys.port().or(place.port);
        place.written = is_filled.then(|| host_of(&raw).to_owned());
        Some(place)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once("://") {
            Some((name, rest)) => {
                let known = Scheme::named(name).ok_or("has a scheme that no check speaks")?;
                (Some(known), rest.to_owned())
            }
            // A bare IPv6 address needs brackets in an address.
            None if text.parse::<Ipv6Addr>().is_ok() => (None, format!("[{text}]")),
            None => (None, text.to_owned()),
        };
        let address = Address::parse_any(&format!("tcp://{rest}"))
            .map_err(|_| "names no host; write it like example.com or example.com:25")?;
        if address.host_text().is_empty() {
            return Err("names no host; write it like example.com or example.com:25".to_owned());
        }
        Ok(Self {
            scheme,
            host: address.host_text().to_owned(),
            port: (address.port() != 0)
                .then(|| address.port())
                .or_else(|| scheme.map(Scheme::default_port).filter(|port| *port != 0)),
            written: None,
            path: address.path_and_query().to_owned(),
            login: address.credentials(),
        })
    }

    /// Puts a name that lies below the host before it.
    pub(super) fn put_before(&mut self, below: &str) {
        let below = below.trim_end_matches('.');
        for host in std::iter::once(&mut self.host).chain(&mut self.written) {
            *host = format!("{below}.{host}");
        }
    }

    /// Makes this the address of `fields`: of `scheme`, with its port unless it is the usual one.
    pub(super) fn address(&self, scheme: Scheme, tail: &str, fields: &mut Fields) {
        let port = match self.port {
            Some(port) if port != scheme.default_port() => format!(":{port}"),
            _ => String::new(),
        };
        let of = |host: &str| format!("{}://{host}{port}{tail}", scheme.as_str()).into();
        fields.url = Some(of(&self.host));
        fields.written = self.written.as_deref().map(of);
    }
}
