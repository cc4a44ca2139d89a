//! How a target is asked, as keys of an entry.

use serde_json::{Map, Value, json};

use super::expect;
use super::put;
use crate::target::{Auth, Connection, HttpVersion, IpVersion, Plan, Proxy, Role, TlsPlan, Verify};

/// Puts in what of `plan` is not as usual, all but its probe.
pub(super) fn put_into(keys: &mut Map<String, Value>, plan: &Plan) {
    let usual = Plan::default();
    put(keys, "method", Some(&*plan.method).filter(|method| **method != *usual.method));
    put(keys, "headers", Some(texts(&plan.headers)).filter(|headers| !headers.is_empty()));
    put(keys, "body", plan.body.as_deref());
    put(keys, "auth", plan.auth.as_ref().map(auth));
    put(keys, "expect", Some(expect::keys(&plan.expect)).filter(|expect| !expect.is_empty()));
    let connection = match plan.connection {
        Connection::Fresh => None,
        Connection::Reuse => Some("reuse"),
    };
    put(keys, "connection", connection);
    put(keys, "redirects", Some(plan.redirects).filter(|most| *most != usual.redirects));
    let http_version = match plan.http_version {
        HttpVersion::Http11 => None,
        HttpVersion::Http2 => Some("2"),
    };
    put(keys, "http_version", http_version);
    let ip_version = match plan.ip_version {
        IpVersion::Any => None,
        IpVersion::V4 => Some("4"),
        IpVersion::V6 => Some("6"),
    };
    put(keys, "ip_version", ip_version);
    put(keys, "resolver", plan.resolver.map(|server| server.to_string()));
    put(keys, "tls", Some(tls(&plan.tls)).filter(|tls| !tls.is_empty()));
    let proxy = match &plan.proxy {
        Proxy::Direct => None,
        Proxy::Environment => Some("env"),
        Proxy::Through(address) => Some(address.written()),
    };
    put(keys, "proxy", proxy);
    put(keys, "retries", Some(plan.retries).filter(|most| *most != usual.retries));
    put(keys, "sentinel", Some(true).filter(|_| plan.role == Role::Sentinel));
    put(keys, "max_per_host", plan.max_per_host.map(std::num::NonZeroU32::get));
    put(keys, "host_rate", plan.host_rate.map(|rate| rate.per_second().to_string()));
    put(keys, "locations", plan.locations.map(std::num::NonZeroU8::get));
    put(keys, "quorum", plan.quorum.map(std::num::NonZeroU8::get));
}

fn texts(pairs: &[(Box<str>, Box<str>)]) -> Map<String, Value> {
    pairs.iter().map(|(name, text)| (name.to_string(), Value::from(&**text))).collect()
}

fn auth(auth: &Auth) -> Value {
    match auth {
        Auth::Basic { username, password } => {
            json!({"basic": {"username": username, "password": password}})
        }
        Auth::Bearer(token) => json!({ "bearer": token }),
    }
}

fn tls(tls: &TlsPlan) -> Map<String, Value> {
    let mut keys = Map::new();
    put(&mut keys, "verify", Some(false).filter(|_| tls.verify == Verify::Off));
    for (key, path) in
        [("ca", &tls.ca), ("client_cert", &tls.client_cert), ("client_key", &tls.client_key)]
    {
        put(&mut keys, key, path.as_ref().map(|path| path.display().to_string()));
    }
    keys
}
