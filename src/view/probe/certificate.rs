//! What is told of TLS: the certificates, the version and the cipher suite.

use std::net::IpAddr;

use chrono::DateTime;
use serde_json::{Map, Value};

use crate::view::series::Family;

/// The figures of what a handshake showed, `tls`.
pub(super) fn families(tls: &Map<String, Value>) -> Vec<Family> {
    let mut families = Vec::new();
    let chain: Vec<&Map<String, Value>> = match tls.get("chain") {
        Some(Value::Array(chain)) => chain.iter().filter_map(Value::as_object).collect(),
        _ => Vec::new(),
    };
    if let Some(earliest) = chain.iter().filter_map(|one| end(one)).min() {
        families.push(
            Family::gauge(
                "probe_ssl_earliest_cert_expiry",
                "When the first certificate that was shown runs out, in Unix time",
            )
            .of(number(earliest)),
        );
    }
    let is_trusted = tls.get("is_trusted") == Some(&Value::Bool(true));
    let on_path = chain.iter().filter(|one| one.get("is_on_path") == Some(&Value::Bool(true)));
    if let Some(earliest) = on_path.filter_map(|one| end(one)).min().filter(|_| is_trusted) {
        families.push(
            Family::gauge(
                "probe_ssl_last_chain_expiry_timestamp_seconds",
                "When the chain that is trusted runs out, in Unix time",
            )
            .of(number(earliest)),
        );
    }
    families.extend(leaf(tls, chain.first().copied()));
    families.extend(agreed(tls));
    families
}

fn leaf(tls: &Map<String, Value>, leaf: Option<&Map<String, Value>>) -> Option<Family> {
    let leaf = leaf?;
    let text = |of: &Map<String, Value>, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let names: Vec<&str> = match tls.get("alternative_names") {
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).filter(|name| is_domain(name)).collect()
        }
        _ => Vec::new(),
    };
    let serial = text(leaf, "serial_number").replace(':', "");
    let labels = vec![
        ("fingerprint_sha256", text(tls, "fingerprint_sha256").replace(':', "")),
        ("subject", joined(&text(leaf, "subject"))),
        ("issuer", joined(&text(leaf, "issuer"))),
        ("subjectalternative", names.join(",")),
        ("serialnumber", serial.trim_start_matches('0').to_owned()),
    ];
    Some(
        Family::gauge("probe_ssl_last_chain_info", "The certificate of the server")
            .with(labels, true),
    )
}

/// What was agreed on, where the handshake came to its end.
fn agreed(tls: &Map<String, Value>) -> Vec<Family> {
    let protocol = tls.get("protocol").and_then(Value::as_str).map(|version| {
        let version = match version.strip_prefix("TLSv") {
            Some(number) => format!("TLS {number}"),
            None => version.to_owned(),
        };
        Family::gauge("probe_tls_version_info", "The version of TLS")
            .with(vec![("version", version)], true)
    });
    let cipher = tls.get("cipher").and_then(Value::as_str).map(|cipher| {
        Family::gauge("probe_tls_cipher_info", "The cipher suite")
            .with(vec![("cipher", cipher.to_owned())], true)
    });
    protocol.into_iter().chain(cipher).collect()
}

/// Whether an alternative name is one of a domain, and not an address of any kind.
fn is_domain(name: &str) -> bool {
    name.parse::<IpAddr>().is_err() && !name.contains(['@', ':', '/'])
}

/// A name as RFC 2253 has it, which sets its parts apart by commas alone.
fn joined(name: &str) -> String {
    name.replace(", ", ",")
}

/// When a certificate runs out, in Unix seconds.
fn end(certificate: &Map<String, Value>) -> Option<i64> {
    let text = certificate.get("not_after")?.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
}

#[expect(clippy::cast_precision_loss, reason = "seconds of millions of years are exact")]
pub(super) const fn number(seconds: i64) -> f64 {
    seconds as f64
}
