//! `Certificates`: what a chain says, whether it is trusted, and a memory of chains seen lately.

mod description;
mod name;
mod path;
mod reason;

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
use crate::check::tls::Shown;
use crate::outcome::{Cause, Detail};
use path::{End, Path};

pub(crate) use description::{DAY, days, describe, negotiated, timestamp};
pub(crate) use reason::reason;

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
    end: End,
}

impl Facts {
    fn of(chain: &[CertificateDer<'_>], trust: &Trust) -> Option<Self> {
        let chain = parsed(chain);
        let path = Path::of(&chain, trust)?;
        let ends = chain.iter().map(|one| one.validity().not_after.timestamp()).collect();
        // Servers send certificates that nobody needs any more; only those on the path count.
        let until = path.first_to_end()?.validity().not_after.timestamp();
        Some(Self { until, ends, is_self_signed: path::is_own_issuer(path.leaf()?), end: path.end })
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
            Detail::UnknownIssuer if self.end == End::Missing => {
                Fault::tls(Detail::MissingIntermediate)
            }
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

/// The certificates of a chain that can be read, leaf first; none when the leaf cannot.
pub(crate) fn parsed<'a>(chain: &'a [CertificateDer<'_>]) -> Vec<X509Certificate<'a>> {
    let parse = |der: &'a CertificateDer<'_>| X509Certificate::from_der(der).ok();
    let Some((leaf, rest)) = chain.split_first() else { return Vec::new() };
    let Some((_, leaf)) = parse(leaf) else { return Vec::new() };
    let rest = rest.iter().filter_map(parse).map(|(_, certificate)| certificate);
    std::iter::once(leaf).chain(rest).take(path::LONGEST).collect()
}

/// What a check of certificates looks at: when one runs out, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// In Unix seconds.
    pub(crate) until: i64,
    /// Its subject, unless it is the leaf.
    pub(crate) of: Option<String>,
}

impl Expiry {
    /// When the leaf of what was shown runs out; none when the leaf cannot be read.
    pub(crate) fn of_leaf(shown: &Shown) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(shown.chain.first()?).ok()?;
        Some(Self { until: leaf.validity().not_after.timestamp(), of: None })
    }

    /// When the first certificate on the path from the leaf runs out.
    pub(crate) fn of_path(shown: &Shown) -> Option<Self> {
        let chain = parsed(&shown.chain);
        let path = Path::of(&chain, shown.trust.as_ref()?)?;
        let first = path.first_to_end()?;
        let is_leaf = path.leaf().is_some_and(|leaf| std::ptr::eq(leaf, first));
        let of = (!is_leaf).then(|| name::shown_name(first.subject()));
        Some(Self { until: first.validity().not_after.timestamp(), of })
    }
}
