//! The keys of `dns_record`.

use std::net::SocketAddr;

use serde_json::Value;

use super::keys::Keys;
use super::place::Place;
use crate::address::Scheme;
use crate::config::fields::Fields;
use crate::config::keys::name_server;
use crate::config::values::{loose_text, wrong};
use crate::target::{DnsProbe, Look, Probe, RecordType};

/// Percent of the name servers that must agree where an entry does not say.
const THRESHOLD: u8 = 80;
/// Name servers whose answers are compared at most.
const MOST_RESOLVERS: usize = 256;
/// Those that are compared where an entry names none: public ones that anybody may ask.
const PUBLIC: [&str; 8] = [
    "1.1.1.1",
    "8.8.8.8",
    "9.9.9.9",
    "208.67.222.222",
    "76.76.2.0",
    "94.140.14.140",
    "185.228.168.9",
    "64.6.64.6",
];

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    let place = Place::read(keys, "domain");
    let of_url = place.as_ref().and_then(|place| type_of(&place.path));
    let types: Vec<(&str, RecordType)> =
        RecordType::ALL.iter().map(|record| (record.as_str(), *record)).collect();
    let record = keys.choice("record_type", &types).or(of_url).unwrap_or(RecordType::A);
    let expected = keys.texts("expected_value");
    if let Some(server) = keys.read("nameserver", |value| server("nameserver", value)) {
        fields.plan.resolver = Some(server);
    }
    let is_spread = keys.truth("check_propagation").unwrap_or(false);
    let resolvers = keys.read("resolvers", servers);
    let propagation_threshold = keys.number("propagation_threshold", 100_u8).unwrap_or(THRESHOLD);
    let usual = || PUBLIC.iter().filter_map(|text| name_server(text).ok()).collect();
    let probe = DnsProbe {
        record,
        expected,
        resolvers: if is_spread { resolvers.unwrap_or_else(usual) } else { Vec::new() },
        propagation_threshold,
        authoritative: Look::when(keys.truth("check_authoritative").unwrap_or(false)),
        dnssec: Look::when(keys.truth("check_dnssec").unwrap_or(false)),
    };
    fields.plan.probe = Some(Probe::Dns(Box::new(probe)));
    let below = keys.text("subdomain").filter(|below| !matches!(&**below, "@" | ""));
    if let Some(mut place) = place {
        if let Some(below) = below {
            place.put_before(&below);
        }
        place.port = None;
        place.address(Scheme::Dns, &format!("?type={record}"), fields);
    }
}

/// The type that the query of a URL names, as in `dns://example.com?type=MX`.
fn type_of(path: &str) -> Option<RecordType> {
    let (_, query) = path.split_once('?')?;
    let text = query.split('&').find_map(|part| part.strip_prefix("type="))?;
    RecordType::ALL.iter().find(|record| record.as_str().eq_ignore_ascii_case(text)).copied()
}

fn server(key: &str, value: &Value) -> Result<SocketAddr, String> {
    let text = loose_text(value).unwrap_or_default();
    name_server(&text)
        .map_err(|_| wrong(key, value, "an IP address like \"9.9.9.9\" or \"[::1]:5353\""))
}

fn servers(value: &Value) -> Result<Vec<SocketAddr>, String> {
    let read = |item: &Value| server("resolvers", item);
    match value {
        Value::Array(items) if items.is_empty() || items.len() > MOST_RESOLVERS => {
            Err(format!("\"resolvers\" names {} servers; name 1 to {MOST_RESOLVERS}", items.len()))
        }
        Value::Array(items) => items.iter().map(read).collect(),
        Value::String(text) => text.split(',').map(|one| read(&Value::from(one.trim()))).collect(),
        single => Ok(vec![read(single)?]),
    }
}
