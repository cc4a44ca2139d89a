//! What is told of a look at a record: its facts, and a sentence for people.

use hickory_resolver::proto::op::ResponseCode;
use serde_json::{Value, json};

use super::Seen;
use super::answer::{self, End, Found};
use super::authority::{Authority, Lost, Server, Status};
use super::client::{Answer, Trouble};
use super::name::shown;
use super::security::Security;
use super::servers::{self, Unanswered};
use crate::address::Address;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};
use crate::target::DnsProbe;

/// Values that a sentence holds at most, and characters of each.
const VALUES: usize = 3;
const LONGEST: usize = 80;

/// Notes what is asked, and that nothing is known yet.
pub(super) fn question(facts: &mut Facts, address: &Address, probe: &DnsProbe) {
    facts.put("domain", address.host_text().trim_matches(['[', ']']));
    facts.put("record_type", probe.record.as_str());
    facts.put("values", Value::Array(Vec::new()));
    let expected: Vec<&str> = probe.expected.iter().map(|value| &**value).collect();
    facts.put("expected", expected);
    for name in ["nameserver", "ttl", "rcode", "matched", "transport", "query_time"] {
        facts.put(name, Value::Null);
    }
}

/// Notes that no such record can be asked for.
pub(super) fn bad_name(facts: &mut Facts, address: &Address, probe: &DnsProbe) {
    let host = address.host_text();
    facts.message = format!(
        "there is no {} record of {host} to ask for; name a domain, or the type PTR for an address",
        probe.record.as_str()
    );
}

/// Notes all that was seen, and what it came to.
pub(super) fn seen(facts: &mut Facts, seen: &Seen<'_>, result: Result<(), Fault>) {
    match (&seen.answer, &seen.found) {
        (Ok(answer), Some(found)) => {
            of_answer(facts, answer, found);
            let missing = seen.missing();
            let is_asked = !seen.probe.expected.is_empty();
            facts.put("matched", is_asked.then_some(missing.is_empty()));
            facts.put("missing", missing);
        }
        (Err(none), _) => facts.put("nameserver", none.server.map(servers::shown)),
        (Ok(_), None) => {}
    }
    if let Some(propagation) = &seen.propagation {
        facts.put("propagation", propagation.shown());
    }
    if let Some(authority) = &seen.authority {
        facts.put("authoritative", of_authority(authority, seen.probe));
    }
    if let Some(security) = seen.security {
        facts.put("dnssec", security.shown());
    }
    facts.message = message(seen, result);
}

fn of_answer(facts: &mut Facts, answer: &Answer, found: &Found) {
    facts.put("nameserver", servers::shown(answer.server));
    facts.put("values", found.values.clone());
    facts.put("canonical_names", found.canonical_names.clone());
    facts.put("ttl", found.ttl);
    facts.put("rcode", answer::code_name(found.code));
    facts.put("flags", answer::flags(&answer.message));
    facts.put("transport", answer.transport.as_str());
    facts.put("query_time", answer.took.as_secs_f64());
}

fn of_authority(authority: &Result<Authority, Lost>, probe: &DnsProbe) -> Value {
    match authority {
        Ok(authority) => json!({
            "zone": shown(&authority.zone),
            "servers": authority.servers.iter().map(of_server).collect::<Vec<_>>(),
            "consistent": authority.is_consistent(probe.record),
        }),
        Err(_) => json!({ "zone": null, "servers": [], "consistent": false }),
    }
}

fn of_server(server: &Server) -> Value {
    let status = match server.status {
        Status::Fine => "ok",
        Status::NotAuthoritative => "not_authoritative",
        Status::Failed(detail) => detail.as_str(),
    };
    json!({
        "name": shown(&server.name),
        "address": server.address.map(|address| address.to_string()),
        "status": status,
        "is_authoritative": server.is_authoritative,
        "values": server.found.as_ref().map_or(&[][..], |found| &found.values),
        "serial": server.serial,
    })
}

/// What was found, in a sentence.
fn message(seen: &Seen<'_>, result: Result<(), Fault>) -> String {
    let (name, record) = (shown(&seen.question.name), seen.probe.record.as_str());
    let found = match (&seen.answer, &seen.found) {
        (Err(none), _) => return of_silence(none, result),
        (Ok(_), None) => return String::new(),
        (Ok(answer), Some(found)) => match found.result() {
            Ok(()) => found,
            Err(detail) => return of_nothing(seen, (answer, found), detail),
        },
    };
    let missing = seen.missing();
    let values = list(found.values.iter().map(String::as_str));
    if !missing.is_empty() {
        return format!("{record} of {name} is {values}, without {}", list(missing));
    }
    let mut text = format!("{record} of {name} is {values}");
    let others = [
        seen.propagation.as_ref().map(super::Propagation::words),
        seen.authority.as_ref().map(|authority| match authority {
            Ok(authority) => authority.words(seen.probe.record),
            Err(lost) => of_lost(*lost),
        }),
        seen.security.map(|security| security.words().to_owned()),
    ];
    for more in others.into_iter().flatten() {
        text.push_str("; ");
        text.push_str(&more);
    }
    text
}

/// Why there is no answer.
fn of_silence(none: &Unanswered, result: Result<(), Fault>) -> String {
    let Some(server) = none.server else {
        return "no name server is set; name one in /etc/resolv.conf or in the settings".to_owned();
    };
    let server = servers::shown(server);
    match (none.trouble, result) {
        (_, Err(Fault { cause: Cause::NoNetwork, .. })) => {
            format!("we have no way to the name server {server}")
        }
        (Trouble::Silent, _) => format!("the name server {server} does not answer"),
        (Trouble::Rejected(reject), _) => {
            format!("the name server {server} answers {} alone", reject.words())
        }
        (Trouble::Closed(fault), _) => match fault.detail {
            Detail::Refused => format!("there is no name server at {server}"),
            Detail::Unreachable => format!("there is no way to the name server {server}"),
            Detail::NoAnswer => format!("the name server {server} hangs up"),
            _ if fault.cause == Cause::NoResources => {
                "this machine has no resources left to ask a name server".to_owned()
            }
            _ => format!("the name server {server} cannot be asked"),
        },
    }
}

/// Why an answer has no values.
fn of_nothing(seen: &Seen<'_>, (answer, found): (&Answer, &Found), detail: Detail) -> String {
    let (name, record) = (shown(&seen.question.name), seen.probe.record.as_str());
    let server = servers::shown(answer.server);
    let alias = found.canonical_names.last();
    match (detail, alias) {
        _ if seen.security.and_then(Security::detail) == Some(Detail::Bogus) => {
            format!("the signatures of {name} are wrong, says {server}")
        }
        (Detail::NoRecord, Some(alias)) if found.end == End::Loop => {
            format!("{name} is an alias that leads in a circle, back to {alias}")
        }
        (Detail::NoRecord, Some(alias)) => {
            format!("{name} is an alias of {alias}, which has no {record} record")
        }
        (Detail::NoRecord, None) => format!("{name} has no {record} record"),
        (Detail::NoSuchName, Some(alias)) => {
            format!("{name} is an alias of {alias}, and there is no such name")
        }
        (Detail::NoSuchName, None) => format!("there is no name {name}"),
        (Detail::QueryRefused, _) => format!("{server} refuses to answer for {name}"),
        _ => format!("{server} answers {} for {name}", answer::code_name(found.code)),
    }
}

/// Why the name servers of a zone are not known.
fn of_lost(lost: Lost) -> String {
    let why = match lost {
        Lost::Unanswered(none) => of_silence(&none, Ok(())),
        Lost::Code(ResponseCode::ServFail) => "our name server fails to look for them".to_owned(),
        Lost::Code(code) => format!("our name server answers {}", answer::code_name(code)),
        Lost::NoServers => "there are none".to_owned(),
    };
    format!("the name servers of its zone are not known: {why}")
}

/// The first of `values`, and how many more there are.
fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<&str> = values.into_iter().collect();
    let short = |value: &&str| match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => (*value).to_owned(),
    };
    let shown: Vec<String> = values.iter().take(VALUES).map(short).collect();
    match values.len().saturating_sub(VALUES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
