//! What is told of a poll over HTTP: of each hop, and of all of it.

use rustls::pki_types::UnixTime;
use serde_json::{Map, Value};

use super::Hop;
use crate::address::Address;
use crate::check::certificate::{self, describe};
use crate::check::facts::{Facts, seconds};
use crate::check::fault::Fault;
use crate::check::judge::{expected_status, sentence, weigh};
use crate::check::progress::Progress;
use crate::check::stream::Stream;
use crate::check::tls::Shown;
use crate::check::told::text;
use crate::clock::rfc3339;
use crate::outcome::{Cause, Finding, Micros, Phases};
use crate::target::Plan;

/// What is told of each hop as it is of the last.
const OF_HOP: [&str; 6] =
    ["remote_address", "addresses", "proxy", "http_version", "tls", "is_reused"];

/// Notes that a hop begins.
pub(super) fn begin(hop: Hop<'_>, progress: &mut Progress) {
    progress.tell(|facts| {
        let url = hop.address.to_string();
        if !facts.data.contains_key("url") {
            facts.put("url", hop.target.address.to_string());
            facts.put("expected_status", expected_status(&hop.target.plan));
            facts.put("redirect_history", Vec::<Value>::new());
        }
        for name in OF_HOP {
            facts.put(name, Value::Null);
        }
        facts.put("addresses", Vec::<Value>::new());
        facts.put("is_reused", false);
        facts.put("response_headers", Map::new());
        facts.data.remove("expectations");
        facts.push("hops", map([("url", url.clone().into())]));
        facts.put("final_url", url);
    });
    progress.hop_began = progress.finding.phases;
}

/// Notes that the connection of a hop stood already, and what is known of it.
pub(super) fn reuses(stream: &Stream, certificate_until: i64, progress: &mut Progress) {
    progress.tell(|facts| {
        facts.put("is_reused", true);
        facts.put("remote_address", stream.peer().map(|peer| peer.to_string()));
        if let Stream::Tls(_) = stream {
            let mut tls = negotiated(Some(stream));
            tls.insert("not_after".to_owned(), not_after(certificate_until));
            facts.put("tls", tls);
        }
    });
}

/// Notes what a server showed in a handshake, and what was agreed on if it came to its end.
pub(super) fn shows(shown: &Shown, stream: Option<&Stream>, progress: &mut Progress) {
    progress.tell(|facts| {
        if shown.chain.is_empty() && stream.is_none() {
            return;
        }
        let tls = match describe(shown, UnixTime::now()) {
            none if none.is_empty() => negotiated(stream),
            described => described,
        };
        facts.put("tls", tls);
    });
}

/// Notes that a hop at `address` leads elsewhere.
pub(super) fn redirects(address: &Address, location: &[u8], progress: &mut Progress) {
    let began = progress.hop_began;
    progress.tell_of(|facts, finding| {
        let location = text(location).into_owned();
        // A login in it is nobody's business.
        let shown = Address::parse(&location).map_or(location, |address| address.to_string());
        let pairs: [(&str, Value); 3] = [
            ("url", address.to_string().into()),
            ("status_code", finding.status.into()),
            ("location", shown.into()),
        ];
        facts.push("redirect_history", map(pairs));
        end(facts, finding, &began);
    });
}

/// Notes what the whole poll came to, however it ended.
pub(crate) fn conclude(plan: &Plan, result: Result<(), Fault>, progress: &mut Progress) {
    let began = progress.hop_began;
    progress.tell_of(|facts, finding| {
        end(facts, finding, &began);
        if !facts.data.contains_key("content_match") {
            weigh(plan, None, facts, finding);
        }
        let status = Some(finding.status).filter(|status| *status != 0);
        facts.put("status_code", status);
        let is_match = status.is_some_and(|status| plan.expect.accepts(status, plan.redirects));
        facts.put("status_match", is_match);
        facts.put("response_size", finding.bytes);
        facts.put("is_truncated", finding.is_at_least);
        facts.put_phases(&finding.phases);
        if let Err(fault) = result {
            facts.message = message(fault, facts).unwrap_or_default();
        }
    });
}

/// Ends the hop that is under way, if one is.
fn end(facts: &mut Facts, finding: &Finding, began: &Phases) {
    let told = OF_HOP.map(|name| (name, facts.data.get(name).cloned().unwrap_or_default()));
    let Some(Value::Array(hops)) = facts.data.get_mut("hops") else { return };
    let Some(Value::Object(hop)) = hops.last_mut() else { return };
    if hop.contains_key("phases") {
        return;
    }
    hop.extend(map(told));
    let status = Some(finding.status).filter(|status| *status != 0);
    hop.insert("status_code".to_owned(), status.into());
    hop.insert("phases".to_owned(), seconds(&since(&finding.phases, began)).into());
}

/// What is not as expected, in a sentence.
fn message(fault: Fault, facts: &Facts) -> Option<String> {
    let name = match fault.cause {
        Cause::Status => "status",
        Cause::Assertion => fault.detail.as_str(),
        _ => return None,
    };
    let sentence = sentence(facts.data.get("expectations")?, name)?;
    match facts.data.get("status_code") {
        Some(Value::Number(status)) if fault.cause == Cause::Assertion => {
            Some(format!("{status}: {sentence}"))
        }
        _ => Some(sentence),
    }
}

/// What was added to each phase since it was as in `began`.
fn since(phases: &Phases, began: &Phases) -> Phases {
    let of = |now: Micros, before: Micros| match (now.get(), before.get()) {
        (Some(now), Some(before)) if now == before => Micros::NONE,
        (Some(now), before) => Micros::from_us(now.saturating_sub(before.unwrap_or(0))),
        (None, _) => Micros::NONE,
    };
    Phases {
        resolve: of(phases.resolve, began.resolve),
        connect: of(phases.connect, began.connect),
        tls: of(phases.tls, began.tls),
        first_byte: of(phases.first_byte, began.first_byte),
        transfer: of(phases.transfer, began.transfer),
    }
}

/// The version of TLS and the cipher suite that were agreed on.
fn negotiated(stream: Option<&Stream>) -> Map<String, Value> {
    let connection = match stream {
        Some(Stream::Tls(tls)) => Some(tls.get_ref().1),
        _ => None,
    };
    let (protocol, cipher) = connection.map(certificate::negotiated).unwrap_or_default();
    map([("protocol", protocol.into()), ("cipher", cipher.into())])
}

/// When a certificate runs out at `until`, in Unix seconds; null when none was seen.
fn not_after(until: i64) -> Value {
    (until != 0).then(|| rfc3339(until.saturating_mul(1_000))).into()
}

fn map<const COUNT: usize>(pairs: [(&str, Value); COUNT]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
