//! Why a chain is not trusted, in a sentence.

use rustls::pki_types::UnixTime;
use x509_parser::prelude::X509Certificate;

use super::description::{DAY, timestamp};
use super::name::{alternative_names, shown_name};
use super::parsed;
use super::path::{End, Path};
use crate::check::tls::Shown;
use crate::outcome::{Cause, Detail};

/// Names of a certificate that a sentence holds.
const NAMED: usize = 8;

/// Why the chain in `shown` is not trusted; none when it is.
pub(crate) fn reason(shown: &Shown, now: UnixTime) -> Option<String> {
    let fault = shown.verdict?.err()?;
    let chain = parsed(&shown.chain);
    let path = shown.trust.as_ref().and_then(|trust| Path::of(&chain, trust));
    let path = path.as_ref();
    let sentence = match fault.detail {
        Detail::Expired => expired(path, now),
        Detail::NotYetValid => not_yet_valid(path, now),
        Detail::WrongName => wrong_name(shown, path),
        Detail::SelfSigned => path.and_then(Path::leaf).map(|leaf| {
            let name = shown_name(leaf.subject());
            format!("the certificate {name} is signed by itself, and is not trusted")
        }),
        Detail::UnknownIssuer => path.and_then(unknown_issuer),
        Detail::MissingIntermediate => path.and_then(missing_intermediate),
        _ if fault.cause == Cause::Clock => {
            Some("the clock of this machine stands before any time that can be right".to_owned())
        }
        _ => None,
    };
    let plain = || "a signature or another part of the certificate is wrong".to_owned();
    Some(sentence.unwrap_or_else(plain))
}

/// How a certificate of `path` is called in a sentence.
fn called(certificate: &X509Certificate<'_>, path: &Path<'_, '_>) -> String {
    let is_leaf = path.leaf().is_some_and(|leaf| std::ptr::eq(leaf, certificate));
    let name = shown_name(certificate.subject());
    if is_leaf { "the certificate".to_owned() } else { format!("the certificate {name}") }
}

fn expired(path: Option<&Path<'_, '_>>, now: UnixTime) -> Option<String> {
    let path = path?;
    let end = |one: &X509Certificate<'_>| one.validity().not_after.timestamp();
    let over = path.iter().find(|one| end(one) < seconds(now))?;
    let ago = match seconds(now).saturating_sub(end(over)) / DAY {
        0 => "less than a day ago".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    Some(format!("{} expired on {}, {ago}", called(over, path), timestamp(end(over))))
}

fn not_yet_valid(path: Option<&Path<'_, '_>>, now: UnixTime) -> Option<String> {
    let path = path?;
    let start = |one: &X509Certificate<'_>| one.validity().not_before.timestamp();
    let early = path.iter().find(|one| start(one) > seconds(now))?;
    Some(format!("{} is not valid before {}", called(early, path), timestamp(start(early))))
}

fn wrong_name(shown: &Shown, path: Option<&Path<'_, '_>>) -> Option<String> {
    let asked = shown.name.as_ref()?.to_str();
    let names = alternative_names(path?.leaf()?);
    let more = names.len().saturating_sub(NAMED);
    let some = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(match (names.is_empty(), more) {
        (true, _) => format!("the certificate names no host, and so not {asked}"),
        (_, 0) => format!("the certificate is for {some}, and not for {asked}"),
        _ => format!("the certificate is for {some} and {more} more, and not for {asked}"),
    })
}

fn unknown_issuer(path: &Path<'_, '_>) -> Option<String> {
    let last = path.last()?;
    if path.end == End::Root {
        let (issuer, of) = (shown_name(last.issuer()), called(last, path));
        return Some(format!("no trusted root signed {of}, though one is called {issuer}"));
    }
    let name = shown_name(last.subject());
    Some(format!("the chain ends in the self-signed certificate {name}, which is not trusted"))
}

fn missing_intermediate(path: &Path<'_, '_>) -> Option<String> {
    let last = path.last()?;
    let (issuer, of) = (shown_name(last.issuer()), called(last, path));
    Some(format!("the issuer {issuer} of {of} was not sent, and no root bears its name"))
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
