//! The judgement of a probe: what its module wants beside what the check itself looks at.

use serde_json::{Map, Value};

use crate::config::modules::{AnswerRules, HeaderRule, Module, Prober, RecordRules, WebRules};
use crate::outcome::{Detail, Finding, Verdict};
use crate::target::Target;
use crate::view::probe::Spoken;

/// What is thought of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// Whether all is as the module wants it.
    pub(super) is_success: bool,
    /// Whether it is not because a pattern did not hold.
    pub(super) is_by_pattern: bool,
    /// What is not, in sentences.
    pub(super) said: Vec<String>,
}

/// What a probe by `module` speaks.
pub(super) const fn spoken(module: &Module) -> Spoken {
    match &module.prober {
        Prober::Http(_) => Spoken::Http,
        Prober::Tcp => Spoken::Tcp,
        Prober::Icmp => Spoken::Icmp,
        Prober::Dns(rules) => Spoken::Dns { tells_serial: rules.tells_serial },
    }
}

/// Judges a probe of `target` by what it found and saw.
pub(super) fn judge(
    module: &Module,
    target: &Target,
    finding: &Finding,
    data: &Map<String, Value>,
) -> Judged {
    let is_up = finding.verdict == Verdict::Up;
    let by_check = matches!(finding.detail, Detail::BodyRegex | Detail::Line);
    let (mut said, mut is_by_pattern) = (Vec::new(), by_check);
    match &module.prober {
        Prober::Http(rules) => {
            if is_up {
                is_by_pattern |= headers(rules, data, &mut said);
            }
            if finding.status != 0 {
                web(rules, target, data, &mut said);
            }
        }
        Prober::Dns(rules) if is_up => answer(rules, data, &mut said),
        Prober::Dns(_) | Prober::Tcp | Prober::Icmp => {}
    }
    Judged { is_success: is_up && said.is_empty(), is_by_pattern, said }
}

/// Whether a header is not as it must be.
fn headers(rules: &WebRules, data: &Map<String, Value>, said: &mut Vec<String>) -> bool {
    let before = said.len();
    for (rule, wish) in rules
        .unwanted
        .iter()
        .map(|rule| (rule, false))
        .chain(rules.wanted.iter().map(|rule| (rule, true)))
    {
        let HeaderRule { header, pattern, may_be_missing } = rule;
        let value = data.get("response_headers").and_then(|all| all.get(header)?.as_str());
        let Some(value) = value else {
            if !may_be_missing {
                said.push(format!("the header {header} is missing"));
            }
            continue;
        };
        // Headers that are repeated are told in one, set apart by commas.
        let mut values = std::iter::once(value).chain(value.split(", "));
        if values.any(|value| pattern.is_match(value.as_bytes())) != wish {
            let does = if wish { "does not match" } else { "matches" };
            said.push(format!("the header {header} {does} {:?}", pattern.as_str()));
        }
    }
    said.len() > before
}

/// Version and TLS of the last answer.
fn web(rules: &WebRules, target: &Target, data: &Map<String, Value>, said: &mut Vec<String>) {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let version = match text("http_version") {
        Some("HTTP/2") => "HTTP/2.0",
        Some(other) => other,
        None => "",
    };
    if !rules.versions.is_empty() && !rules.versions.iter().any(|known| known == version) {
        said.push(format!("{version} is none of {}", rules.versions.join(", ")));
    }
    let last = text("final_url").map_or_else(|| target.address.to_string(), str::to_owned);
    match (rules.tls, last.starts_with("https:")) {
        (Some(true), false) => said.push("the last answer did not come over TLS".to_owned()),
        (Some(false), true) => said.push("the last answer came over TLS".to_owned()),
        _ => {}
    }
}

fn answer(rules: &AnswerRules, data: &Map<String, Value>, said: &mut Vec<String>) {
    let code = data.get("rcode").and_then(Value::as_str).unwrap_or_default();
    if !rules.codes.iter().any(|known| known == code) {
        return said.push(format!("the answer {code} is none of {}", rules.codes.join(", ")));
    }
    for (part, rules) in &rules.parts {
        let records: Vec<&str> = match data.get(*part) {
            Some(Value::Array(records)) => records.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(fault) = fault(rules, &records) {
            said.push(format!("{part}: {fault}"));
        }
    }
}

/// What is wrong with `records`; a pattern that must match wants one to match.
fn fault(rules: &RecordRules, records: &[&str]) -> Option<String> {
    let matches =
        |record: &&str, pattern: &crate::expectation::Pattern| pattern.is_match(record.as_bytes());
    if records.is_empty() && !(rules.all.is_empty() && rules.any.is_empty()) {
        return Some("there is no record".to_owned());
    }
    let every = |pattern| records.iter().all(|record| matches(record, pattern));
    let some = |pattern| records.iter().any(|record| matches(record, pattern));
    let shown = |pattern: &crate::expectation::Pattern| format!("{:?}", pattern.as_str());
    if let Some(pattern) = rules.none.iter().find(|pattern| some(pattern)) {
        return Some(format!("a record matches {}", shown(pattern)));
    }
    if let Some(pattern) = rules.all.iter().find(|pattern| !every(pattern)) {
        return Some(format!("a record does not match {}", shown(pattern)));
    }
    // That is what blackbox_exporter makes of `fail_if_all_match_regexp`, whatever its name says.
    if rules.each.iter().any(|pattern| !every(pattern)) {
        return Some("not all records match what all of them must".to_owned());
    }
    let is_none = !rules.any.is_empty() && !rules.any.iter().any(some);
    is_none.then(|| "no record matches".to_owned())
}
