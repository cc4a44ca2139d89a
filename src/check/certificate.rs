//! `Certificates`: what a chain says, whether it is trusted, and a memory of chains seen lately.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use ring::digest;
use rustls::CertificateError;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::check::fault::Fault;
use crate::check::roots::Trust;
use crate::outcome::{Cause, Detail};

/// How long a chain that was found good is taken for good without looking again.
const GOOD_FOR: Duration = Duration::from_hours(1);
/// Chains that are remembered at most, in each part of the memory.
const PER_SHARD: usize = 1 << 14;
/// Parts of the memory with a lock each.
const SHARDS: usize = 16;
/// Before this Unix time (2026-01-01) it is our clock that is wrong, not a certificate.
const EPOCH: u64 = 1_767_225_600;

/// What a chain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// When the first certificate on the path from the leaf runs out, in Unix seconds.
    pub(crate) until: i64,
    /// Whether it is trusted, and why not.
    pub(crate) result: Result<(), Fault>,
}

/// Judges chains.
#[derive(Debug)]
pub(crate) struct Certificates {
    shards: [Mutex<HashMap<Key, Good>>; SHARDS],
}

/// A SHA-256 over the chain, the name and the roots.
type Key = [u8; 32];

/// A chain that was found good.
#[derive(Clone, Copy, Debug)]
struct Good {
    /// From when to when, in Unix seconds, the finding holds.
    from: u64,
    to: u64,
    until: i64,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Judges `chain`, leaf first, as shown for `name`.
    pub(crate) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        trust: &Trust,
        now: UnixTime,
    ) -> Verdict {
        let key = key(chain, name, trust);
        let seconds = now.as_secs();
        let shard = self.shard(&key);
        if let Some(good) = shard.lock().get(&key)
            && (good.from..=good.to).contains(&seconds)
        {
            return Verdict { until: good.until, result: Ok(()) };
        }
        let facts = Facts::of(chain, trust);
        let result = verify(chain, name, trust, now).map_err(|error| {
            facts.as_ref().map_or(Fault::of_tls(&error), |facts| facts.explain(&error, seconds))
        });
        let until = facts.as_ref().map_or(0, |facts| facts.until);
        if let (Ok(()), Some(facts)) = (result, &facts) {
            let mut shard = shard.lock();
            if shard.len() >= PER_SHARD {
                shard.clear();
            }
            let to = facts.next_expiry(seconds).min(seconds + GOOD_FOR.as_secs());
            shard.insert(key, Good { from: seconds, to, until });
        }
        Verdict { until, result }
    }

    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, Good>> {
        let [first, ..] = &self.shards;
        let number = usize::from(key.first().copied().unwrap_or(0)) % SHARDS;
        self.shards.get(number).unwrap_or(first)
    }
}

fn key(chain: &[CertificateDer<'_>], name: &ServerName<'_>, trust: &Trust) -> Key {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&trust.number.to_le_bytes());
    let name = name.to_str();
    for part in std::iter::once(name.as_bytes()).chain(chain.iter().map(AsRef::as_ref)) {
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}

fn verify(
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    trust: &Trust,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let Some((leaf, rest)) = chain.split_first() else {
        return Err(rustls::Error::NoCertificatesPresented);
    };
    match trust.verifier.verify_server_cert(leaf, rest, name, &[], now) {
        Ok(_) => Ok(()),
        // Who trusts the very certificate that is shown needs no path to a root.
        Err(_) if trust.names(leaf) => {
            check_dates(leaf, now)?;
            verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
        }
        Err(error) => Err(error),
    }
}

fn check_dates(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else if now > validity.not_after.timestamp() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}

/// What the certificates of a chain say of themselves.
#[derive(Debug)]
struct Facts {
    until: i64,
    ends: Vec<i64>,
    is_self_signed: bool,
    /// Whether the path from the leaf ends in a certificate that is signed by itself or by a root.
    is_whole: bool,
}

impl Facts {
    fn of(chain: &[CertificateDer<'_>], trust: &Trust) -> Option<Self> {
        let mut parsed: Vec<X509Certificate<'_>> = chain
            .iter()
            .map_while(|der| X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed))
            .collect();
        if parsed.is_empty() {
            return None;
        }
        let ends = parsed.iter().map(|one| one.validity().not_after.timestamp()).collect();
        let mut current = parsed.remove(0);
        let is_own_issuer =
            |one: &X509Certificate<'_>| one.subject().as_raw() == one.issuer().as_raw();
        let is_self_signed = is_own_issuer(&current);
        // Servers send certificates that nobody needs any more; only those on the path count.
        let mut until = current.validity().not_after.timestamp();
        while !trust.has_subject(current.issuer().as_raw()) {
            let issuer = current.issuer().as_raw();
            let Some(next) = parsed.iter().position(|one| one.subject().as_raw() == issuer) else {
                break;
            };
            current = parsed.remove(next);
            until = until.min(current.validity().not_after.timestamp());
        }
        let is_whole = is_own_issuer(&current) || trust.has_subject(current.issuer().as_raw());
        Some(Self { until, ends, is_self_signed, is_whole })
    }

    /// The fault that the verifier's `error` is, seen with what the chain says.
    fn explain(&self, error: &rustls::Error, now: u64) -> Fault {
        let rustls::Error::InvalidCertificate(error) = error else {
            return Fault::of_tls(error);
        };
        let fault = Fault::of_certificate(error);
        match fault.detail {
            Detail::UnknownIssuer | Detail::BadCertificate if self.is_self_signed => {
                Fault::tls(Detail::SelfSigned)
            }
            Detail::UnknownIssuer if !self.is_whole => Fault::tls(Detail::MissingIntermediate),
            Detail::NotYetValid if now < EPOCH => Fault::new(Cause::Clock, Detail::None),
            _ => fault,
        }
    }

    /// The next time at which a certificate of the chain runs out, in Unix seconds.
    fn next_expiry(&self, now: u64) -> u64 {
        let times = self.ends.iter().filter_map(|&end| u64::try_from(end).ok());
        times.filter(|&end| end >= now).min().unwrap_or(now)
    }
}
