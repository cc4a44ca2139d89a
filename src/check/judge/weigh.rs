//! What came of every expectation, for those who ask: not of the first alone that does not hold.

use std::time::Duration;

use serde_json::Value;

use super::{DAY, certificate_days, left};
use crate::check::answer::Received;
use crate::check::content;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::told::{header_row, row};
use crate::expectation::Expectation;
use crate::outcome::{Detail, Finding};
use crate::target::Plan;

/// Letters of a value that are shown in a sentence.
const SHOWN: usize = 80;

/// What is judged.
#[derive(Debug)]
pub(crate) struct Came<'a> {
    pub(crate) received: &'a mut Received,
    pub(crate) elapsed: Duration,
}

/// Notes what came of every expectation of `plan`; without an answer nobody knows of most.
pub(crate) fn weigh(plan: &Plan, came: Option<Came<'_>>, facts: &mut Facts, finding: &Finding) {
    let expect = &plan.expect;
    let status = Some(finding.status).filter(|status| *status != 0);
    let holds = status.map(|status| expect.accepts(status, plan.redirects));
    let mut rows = vec![row("status", expected_status(plan), status, holds)];
    rows.extend(match facts.data.remove("expectations") {
        Some(Value::Array(headers)) => headers,
        _ => unknown_headers(expect),
    });
    let elapsed = came.as_ref().map(|came| came.elapsed);
    let (body, issues) = match came {
        Some(Came { received, .. }) => {
            let (body, fault) = received.content.weigh(expect, received.is_cut);
            if let Some(size) = received.content.size() {
                facts.put("unpacked_size", size);
            }
            let issues = body.iter().filter_map(|row| issue(row, fault));
            let issues: Vec<Value> = issues.chain(fault.map(unreadable)).map(Value::from).collect();
            (body, issues)
        }
        None => (content::unseen(expect), Vec::new()),
    };
    let is_match = body.iter().all(|row| row.get("holds") == Some(&Value::Bool(true)));
    facts.put("content_match", expect.needs_body().then_some(is_match));
    facts.put("content_issues", issues);
    rows.extend(body);
    rows.extend(latency(expect, elapsed));
    rows.extend(certificate(plan, finding.certificate_until));
    facts.put("expectations", rows);
}

/// The status codes that count as up, like `200-299, 301`.
pub(crate) fn expected_status(plan: &Plan) -> String {
    let ranges = match (&*plan.expect.status, plan.redirects) {
        ([], 0) => &[(200, 399)],
        ([], _) => &[(200, 299)],
        (ranges, _) => ranges,
    };
    let range = |&(low, high): &(u16, u16)| {
        if low == high { low.to_string() } else { format!("{low}-{high}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}

fn unknown_headers(expect: &Expectation) -> Vec<Value> {
    let row = |(name, rule): &(Box<str>, _)| header_row(name, rule, Value::Null, None);
    expect.headers.iter().map(row).collect()
}

fn latency(expect: &Expectation, elapsed: Option<Duration>) -> Option<Value> {
    let limit = Duration::from_millis(expect.latency_under_ms?.into());
    let holds = elapsed.map(|elapsed| elapsed < limit);
    let found = elapsed.map(|elapsed| elapsed.as_secs_f64());
    Some(row("latency_under", limit.as_secs_f64(), found, holds))
}

fn certificate(plan: &Plan, until: i64) -> Option<Value> {
    let days = certificate_days(plan)?;
    let left = (until != 0).then(|| left(until));
    if left.is_none() && plan.expect.certificate_days.is_none() {
        return None;
    }
    let holds = left.map(|left| left >= i64::from(days) * DAY);
    Some(row("certificate_days", days, left.map(|left| left.div_euclid(DAY)), holds))
}

/// What is wrong with the body, where it is not as the row expects; `fault` kept it from being read.
fn issue(row: &Value, fault: Option<Fault>) -> Option<String> {
    match row["holds"] {
        Value::Bool(true) => None,
        Value::Bool(false) => Some(told(row)),
        _ if fault.is_some() => None,
        _ => Some(format!("the body is too large to tell of {}", named(row))),
    }
}

fn unreadable(fault: Fault) -> String {
    let what = match fault.detail {
        Detail::Decompressed => "the decompressed body is too large",
        _ => "the body cannot be decompressed",
    };
    what.to_owned()
}

/// The sentence about the first of `rows` that does not hold and is named like `name`.
pub(crate) fn sentence(rows: &Value, name: &str) -> Option<String> {
    let is_it = |row: &&Value| {
        let is_named = row["name"].as_str().is_some_and(|other| other.starts_with(name));
        is_named && row["holds"] == Value::Bool(false)
    };
    rows.as_array()?.iter().find(is_it).map(told)
}

/// What a row is about.
fn named(row: &Value) -> String {
    let (name, expected) = (row["name"].as_str().unwrap_or_default(), shown(&row["expected"]));
    match name.split_once(' ') {
        None if name == "body_regex" => format!("the pattern {expected}"),
        None => format!("the text {expected}"),
        Some((_, place)) => format!("the JSON value at \"{place}\""),
    }
}

/// What a row that does not hold says.
fn told(row: &Value) -> String {
    let name = row["name"].as_str().unwrap_or_default();
    let (expected, found) = (shown(&row["expected"]), shown(&row["found"]));
    let (kind, of) = name.split_once(' ').unwrap_or((name, ""));
    match (kind, &row["expected"], &row["found"]) {
        ("status", Value::String(expected), _) => format!("the status is {found}, not {expected}"),
        ("header", Value::Bool(false), _) => format!("the header {of} is there: {found}"),
        ("header", _, Value::Null) => format!("the header {of} is missing"),
        ("header", ..) => format!("the header {of} is {found}, not {expected}"),
        ("body_contains", ..) => format!("the text {expected} is missing"),
        ("body_not_contains", ..) => format!("the text {expected} is there"),
        ("body_regex", ..) => format!("the body does not match the pattern {expected}"),
        ("json", _, Value::Null) => format!("there is no JSON value at \"{of}\""),
        ("json", ..) => format!("the JSON value at \"{of}\" is {found}, not {expected}"),
        ("latency_under", ..) => format!("it took {found} s, not less than {expected} s"),
        ("certificate_days", ..) => format!("the certificate runs out in {found} days"),
        _ => format!("{name} is {found}, not {expected}"),
    }
}

/// A value as it stands in a sentence.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
