//! What a handshake showed, as facts by the names that users and scripts rely on.

use ring::digest;
use rustls::client::verify_server_name;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use rustls::{CipherSuite, ClientConnection, ProtocolVersion};
use serde_json::{Map, Value, json};
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::name::{alternative_names, hexadecimal, shown_name};
use super::parsed;
use super::path::Path;
use super::reason::reason;
use crate::check::tls::Shown;
use crate::clock::rfc3339;
use crate::outcome::Detail;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// What `shown` tells at `now`: of the connection, of the leaf, of the chain, and whether it is
/// trusted; empty when no certificate was shown.
pub(crate) fn describe(shown: &Shown, now: UnixTime) -> Map<String, Value> {
    let mut facts = Map::new();
    let Some(der) = shown.chain.first() else { return facts };
    let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    put("protocol", shown.negotiated.0.into());
    put("cipher", shown.negotiated.1.into());
    put("fingerprint_sha256", hexadecimal(digest::digest(&digest::SHA256, der).as_ref()).into());
    put("hostname_matches", matches_name(shown).into());
    let problem = shown.verdict.and_then(Result::err);
    put("is_trusted", matches!(shown.verdict, Some(Ok(()))).into());
    put(
        "trust_problem",
        problem
            .map(|fault| match fault.detail {
                Detail::None => fault.cause.as_str(),
                detail => detail.as_str(),
            })
            .into(),
    );
    let chain = parsed(&shown.chain);
    let path = shown.trust.as_ref().and_then(|trust| Path::of(&chain, trust));
    put("trust_message", reason(shown, now).into());
    if let Some(leaf) = chain.first() {
        let information = leaf.public_key();
        put("alternative_names", alternative_names(leaf).into());
        put("signature_algorithm", algorithm(leaf.signature_algorithm.oid()).into());
        put("key", key(information));
        facts.extend(identity(leaf, now));
    }
    let links = chain.iter().map(|one| {
        let mut link = identity(one, now);
        let is_on_path = path.as_ref().is_some_and(|path| path.has(one));
        link.insert("is_on_path".to_owned(), is_on_path.into());
        Value::Object(link)
    });
    facts.insert("chain".to_owned(), links.collect());
    facts
}

/// The version of TLS and the cipher suite of a connection, by the names of their standards.
pub(crate) fn negotiated(
    connection: &ClientConnection,
) -> (Option<&'static str>, Option<&'static str>) {
    let protocol = connection.protocol_version().and_then(|version| match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        other => other.as_str(),
    });
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let cipher = suite.and_then(|suite| match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
        other => other.as_str(),
    });
    (protocol, cipher)
}

/// Whether the leaf is for the name that was asked for.
fn matches_name(shown: &Shown) -> bool {
    let leaf = shown.chain.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
    let pair = leaf.zip(shown.name.as_ref());
    pair.is_some_and(|(leaf, name)| verify_server_name(&leaf, name).is_ok())
}

/// Who and until when a certificate is.
fn identity(certificate: &X509Certificate<'_>, now: UnixTime) -> Map<String, Value> {
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    let serial = match certificate.raw_serial() {
        [0, rest @ ..] if !rest.is_empty() => rest,
        serial => serial,
    };
    let facts = json!({
        "subject": shown_name(certificate.subject()),
        "issuer": shown_name(certificate.issuer()),
        "not_before": timestamp(from),
        "not_after": timestamp(until),
        "days_until_expiration": days(until, now),
        "serial_number": hexadecimal(serial),
    });
    if let Value::Object(facts) = facts { facts } else { Map::new() }
}

/// Whole days from `now` until `until`, in Unix seconds; negative once that is over.
pub(crate) fn days(until: i64, now: UnixTime) -> i64 {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    until.saturating_sub(now).div_euclid(DAY)
}

/// A time in Unix seconds as RFC 3339 in UTC.
pub(crate) fn timestamp(seconds: i64) -> String {
    rfc3339(seconds.saturating_mul(1_000))
}

/// The name of an algorithm, else its number.
fn algorithm(number: &Oid<'_>) -> String {
    let name = oid2sn(number, oid_registry()).ok().filter(|name| !name.is_empty());
    name.map_or_else(|| number.to_id_string(), str::to_owned)
}

/// The kind of a key and its length in bits.
fn key(information: &SubjectPublicKeyInfo<'_>) -> Value {
    let kind = &information.algorithm;
    match information.parsed() {
        Ok(PublicKey::RSA(key)) => json!({ "algorithm": "RSA", "bits": rsa_bits(&key) }),
        Ok(PublicKey::EC(point)) => {
            let parameters = kind.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let curve = parameters.map(|number| curve(&number));
            let bits = match curve.as_deref() {
                // Whose points take whole bytes.
                Some("P-521") => 521,
                _ => point.key_size(),
            };
            json!({ "algorithm": "EC", "curve": curve, "bits": bits })
        }
        _ => {
            let name = algorithm(kind.oid());
            match name.as_str() {
                "ed25519" => json!({ "algorithm": "Ed25519", "bits": 256 }),
                "ed448" => json!({ "algorithm": "Ed448", "bits": 456 }),
                _ => json!({ "algorithm": name, "bits": null }),
            }
        }
    }
}

fn curve(number: &Oid<'_>) -> String {
    match algorithm(number).as_str() {
        "prime256v1" => "P-256".to_owned(),
        "secp384r1" => "P-384".to_owned(),
        "secp521r1" => "P-521".to_owned(),
        other => other.to_owned(),
    }
}

fn rsa_bits(key: &RSAPublicKey<'_>) -> usize {
    let bytes: Vec<u8> = key.modulus.iter().copied().skip_while(|&byte| byte == 0).collect();
    let unused = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
    8 * bytes.len() - unused
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_length_of_a_key_leaves_out_what_only_tells_its_sign() {
        let bits = |modulus: &[u8]| rsa_bits(&RSAPublicKey { modulus, exponent: &[1, 0, 1] });
        assert_eq!(bits(&[&[0, 0x80][..], &[0; 255]].concat()), 2_048);
        assert_eq!(bits(&[0x7f, 0]), 15);
        assert_eq!(bits(&[]), 0);
    }

    #[test]
    fn a_day_that_has_begun_does_not_count_and_one_that_is_over_does() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000));
        let left = |seconds: i64| days(1_000_000 + seconds, now);
        assert_eq!([left(DAY), left(DAY - 1), left(0)], [1, 0, 0]);
        assert_eq!([left(-1), left(-DAY), left(-DAY - 1)], [-1, -1, -2]);
    }
}
