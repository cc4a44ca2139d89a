//! One check, step by step, for people: what was asked, where the time went, what was expected.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::result::CheckResult;
use super::text::duration;

/// The columns of a line's heading.
const HEADING: usize = 14;

/// What is told beside the result itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// How the target is asked, in a few words each.
    pub plan: Vec<String>,
    /// When it is polled, in sentences; empty where no daemon polls it.
    pub schedule: Vec<String>,
}

/// The steps of a check that came to `result`.
#[must_use]
pub fn render(result: &CheckResult, explained: &Explained) -> String {
    let mut text = format!("{}\n\n", clean(result.shown()));
    lines(&mut text, "plan", &[explained.plan.join(", ")]);
    lines(&mut text, "schedule", &explained.schedule);
    let data = &result.raw_data;
    match data.get("hops").and_then(Value::as_array) {
        Some(hops) if !hops.is_empty() => {
            for (number, hop) in (1..).zip(hops.iter().filter_map(Value::as_object)) {
                text.push('\n');
                let url = hop.get("url").and_then(Value::as_str).unwrap_or_default();
                line(&mut text, &format!("hop {number}"), url);
                steps(&mut text, hop);
                answer(&mut text, hop);
            }
        }
        _ => {
            text.push('\n');
            steps(&mut text, data);
        }
    }
    certificates(&mut text, data);
    expectations(&mut text, data);
    others(&mut text, data);
    let verdict = result.text("verdict").unwrap_or_default();
    text.push('\n');
    let took = duration(result.response_time);
    line(&mut text, "verdict", &format!("{verdict}: {} ({took} in all)", result.message));
    for (name, value) in [("cause", data.get("cause")), ("detail", data.get("detail"))] {
        if let Some(Value::String(value)) = value {
            line(&mut text, name, value);
        }
    }
    text
}

fn line(text: &mut String, heading: &str, said: &str) {
    let _ = writeln!(text, "{heading:<HEADING$}{}", clean(said));
}

fn lines(text: &mut String, heading: &str, said: &[String]) {
    for (number, one) in said.iter().filter(|one| !one.is_empty()).enumerate() {
        line(text, if number == 0 { heading } else { "" }, one);
    }
}

/// What may be shown on a terminal, of texts that others wrote.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The phases of a hop, or of the whole check, each with its time and what it found.
fn steps(text: &mut String, of: &Map<String, Value>) {
    let Some(phases) = of.get("phases").and_then(Value::as_object) else {
        addresses(text, of);
        return;
    };
    for (name, heading) in [
        ("resolve", "resolve"),
        ("connect", "connect"),
        ("tls", "tls"),
        ("first_byte", "first byte"),
        ("transfer", "transfer"),
    ] {
        let Some(seconds) = phases.get(name).and_then(Value::as_f64) else { continue };
        let found = match name {
            "resolve" => listed(of.get("addresses")),
            "connect" => said(of.get("remote_address")),
            "tls" => [said(nested(of, "tls", "protocol")), said(nested(of, "tls", "cipher"))]
                .join(" ")
                .trim()
                .to_owned(),
            _ => String::new(),
        };
        line(text, &format!("  {heading}"), format!("{:<10}{found}", duration(seconds)).trim_end());
    }
    if phases.get("connect").is_none_or(Value::is_null) {
        addresses(text, of);
    }
}

/// The addresses that were tried, where no connection came about.
fn addresses(text: &mut String, of: &Map<String, Value>) {
    let tried = listed(of.get("addresses"));
    if !tried.is_empty() {
        line(text, "  tried", &tried);
    }
}

fn answer(text: &mut String, hop: &Map<String, Value>) {
    let status = said(hop.get("status_code"));
    let version = said(hop.get("http_version"));
    let to = match said(hop.get("location")) {
        none if none.is_empty() => none,
        location => format!(" to {location}"),
    };
    if !status.is_empty() && status != "0" {
        line(text, "  answer", &format!("{status}{to} {version}"));
    }
}

fn certificates(text: &mut String, data: &Map<String, Value>) {
    let of = match data.get("tls") {
        Some(Value::Object(tls)) => tls,
        _ => data,
    };
    if of.get("not_after").is_none() {
        return;
    }
    text.push('\n');
    let trust = match of.get("is_trusted") {
        Some(Value::Bool(false)) => {
            format!("not trusted: {}", said(of.get("trust_message").or(of.get("trust_problem"))))
        }
        _ => "trusted".to_owned(),
    };
    line(text, "certificate", &trust);
    let chain = of.get("chain").and_then(Value::as_array);
    for one in chain.into_iter().flatten().filter_map(Value::as_object) {
        let subject = said(one.get("subject"));
        let (issuer, until) = (said(one.get("issuer")), said(one.get("not_after")));
        let days = said(one.get("days_until_expiration"));
        line(text, "", &format!("{subject}, issued by {issuer}, until {until} ({days} days)"));
    }
    if chain.is_none() {
        line(text, "", &format!("until {}", said(of.get("not_after"))));
    }
}

fn expectations(text: &mut String, data: &Map<String, Value>) {
    let list = data.get("expectations").and_then(Value::as_array);
    for (number, one) in list.into_iter().flatten().filter_map(Value::as_object).enumerate() {
        if number == 0 {
            text.push('\n');
        }
        let holds = match one.get("holds") {
            Some(Value::Bool(true)) => "holds",
            Some(Value::Bool(false)) => "does not hold",
            _ => "undecided",
        };
        let (name, expected) = (said(one.get("name")), said(one.get("expected")));
        let found = said(one.get("found"));
        let heading = if number == 0 { "expected" } else { "" };
        line(text, heading, &format!("{name} {expected}: {holds}, found {found}"));
    }
}

/// What a check saw beside what has a place of its own.
fn others(text: &mut String, data: &Map<String, Value>) {
    const TOLD: [&str; 27] = [
        "addresses",
        "cause",
        "certificate",
        "chain",
        "content_issues",
        "detail",
        "error",
        "error_type",
        "expectations",
        "final_url",
        "hops",
        "http_version",
        "phases",
        "redirect_history",
        "remote_address",
        "response_headers",
        "target",
        "timeout",
        "tls",
        "url",
        "verdict",
        "is_trusted",
        "trust_problem",
        "trust_message",
        "not_after",
        "status_match",
        "content_match",
    ];
    let rest: Vec<_> = data
        .iter()
        .filter(|(name, value)| !TOLD.contains(&name.as_str()) && !value.is_null())
        .collect();
    if !rest.is_empty() {
        text.push_str("\nseen\n");
    }
    for (name, value) in rest {
        line(text, "", &format!("{}: {}", name.replace('_', " "), said(Some(value))));
    }
}

fn nested<'v>(of: &'v Map<String, Value>, name: &str, inner: &str) -> Option<&'v Value> {
    of.get(name)?.get(inner).or_else(|| of.get(inner))
}

fn listed(value: Option<&Value>) -> String {
    let list = value.and_then(Value::as_array);
    let texts: Vec<String> = list.into_iter().flatten().map(|one| said(Some(one))).collect();
    texts.join(", ")
}

fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(list @ Value::Array(_)) => listed(Some(list)),
        Some(other) => other.to_string(),
    }
}
