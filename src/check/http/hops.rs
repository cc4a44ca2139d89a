//! What is told of a poll over HTTP: of each hop, and of all of it.

use rustls::pki_types::UnixTime;
use serde_json::{Map, Value};

use super::Hop;
use crate::address::Address;
use crate::check::certificate::{describe, negotiated, timestamp};
use crate::check::facts::{Facts, seconds};
use crate::check::fault::Fault;
use crate::check::judge::{expected_status, sentence, weigh};
use crate::check::progress::Progress;
use crate::check::stream::Stream;
use crate::check::tls::Shown;
use crate::check::told::text;
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
        if let Stream::Tls(tls) = stream {
            let (protocol, cipher) = negotiated(tls.get_ref().1);
            let not_after = (certificate_until != 0).then(|| timestamp(certificate_until));
            let pairs: [(&str, Value); 3] = [
                ("protocol", protocol.into()),
                ("cipher", cipher.into()),
                ("not_after", not_after.into()),
            ];
            facts.put("tls", map(pairs));
        }
    });
}

/// Notes what a server showed in a handshake, and what was agreed on if it came to its end.
pub(super) fn shows(shown: &Shown, progress: &mut Progress) {
    progress.tell(|facts| {
        if !shown.chain.is_empty() {
            facts.put("tls", describe(shown, UnixTime::now()));
        }
    });
}

/// Notes that a hop at `address` leads elsewhere.
pub(super) fn redirects(address: &Address, location: &[u8], progress: &mut Progress) {
    let began = progress.hop_began;
    progress.tell_of(|facts, finding| {
        let location = text(location).into_owned();
        // A login in it is nobody's business.
        let shown = Address::parse(&location).map_or(location, |address| address.to_string());
        let shown = Value::String(shown);
        let pairs = [
            ("url", address.to_string().into()),
            ("status_code", finding.status.into()),
            ("location", shown.clone()),
        ];
        facts.push("redirect_history", map(pairs));
        if let Some(hop) = last_hop(facts) {
            hop.insert("location".to_owned(), shown);
        }
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
    let Some(hop) = last_hop(facts).filter(|hop| !hop.contains_key("phases")) else { return };
    hop.extend(map(told));
    let status = Some(finding.status).filter(|status| *status != 0);
    hop.insert("status_code".to_owned(), status.into());
    hop.insert("phases".to_owned(), seconds(&since(&finding.phases, began)).into());
}

fn last_hop(facts: &mut Facts) -> Option<&mut Map<String, Value>> {
    facts.data.get_mut("hops")?.as_array_mut()?.last_mut()?.as_object_mut()
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

fn map<const COUNT: usize>(pairs: [(&str, Value); COUNT]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
