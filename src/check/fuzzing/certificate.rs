//! Certificates that servers show.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;

use super::assert_plain_value;
use crate::check::certificate::{Certificates, Expiry, describe, reason};
use crate::check::roots::Trust;
use crate::check::tls::Shown;
use crate::fuzzing::assert_plain;

/// A time at which the certificates of the corpus are valid: 2026-11-25.
const NOW: u64 = 1_795_000_000;

/// Chains of certificates, one behind the other.
///
/// # Panics
/// A property does not hold.
pub fn certificate(data: &[u8]) {
    static TRUST: OnceLock<Arc<Trust>> = OnceLock::new();
    let trust = TRUST.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Arc::new(Trust::load(0, &[], &provider).expect("built-in roots"))
    });
    let Some((way, bytes)) = data.split_first() else { return };
    let chain: Vec<_> = split(bytes).into_iter().map(CertificateDer::from).collect();
    let names = ["a.example", "127.0.0.1", "www.example.com", "::1"];
    let name = ServerName::try_from(names[usize::from(way & 3)]).expect("a good name");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    let verdict = Certificates::new().judge(&chain, &name, trust, now);
    let shown = Shown {
        until: verdict.until,
        verdict: Some(verdict.result),
        chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
        name: Some(name),
        trust: Some(Arc::clone(trust)),
        negotiated: (Some("TLSv1.3"), None),
    };
    let facts = describe(&shown, now);
    assert_eq!(facts.is_empty(), chain.is_empty());
    assert!(facts.values().all(|value| value.to_string().len() <= (1 << 20) | (data.len() * 100)));
    assert_plain_value(&Value::Object(facts));
    assert_plain(&reason(&shown, now).unwrap_or_default());
    for expiry in [Expiry::of_leaf(&shown), Expiry::of_path(&shown)].into_iter().flatten() {
        assert_plain(expiry.of.as_deref().unwrap_or_default());
        assert!(verdict.until <= expiry.until || expiry.of.is_some());
    }
}

/// The DER values in `bytes`; what is none stands last.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = bytes.split_at(length(bytes).unwrap_or(bytes.len()).min(bytes.len()));
        values.push(value);
        bytes = rest;
    }
    values
}

/// The length of the DER value that `bytes` begin with, its header included.
fn length(bytes: &[u8]) -> Option<usize> {
    let [_, first, rest @ ..] = bytes else { return None };
    if first & 0x80 == 0 {
        return Some(2 + usize::from(*first));
    }
    let digits = rest.get(..usize::from(first & 0x7f)).filter(|digits| digits.len() <= 3)?;
    let inner = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    Some(2 + digits.len() + inner)
}
