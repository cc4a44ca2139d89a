//! What counts as up, as the keys of an entry's `expect`.

use serde_json::{Map, Value};

use super::{put, span};
use crate::expectation::{Expectation, HeaderRule, Pattern};

/// The keys of what is expected.
pub(super) fn keys(expect: &Expectation) -> Map<String, Value> {
    let mut keys = Map::new();
    let status: Vec<String> = expect.status.iter().copied().map(range).collect();
    put(&mut keys, "status", Some(status).filter(|status| !status.is_empty()));
    for (key, texts) in
        [("body_contains", &expect.body_contains), ("body_not_contains", &expect.body_not_contains)]
    {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        put(&mut keys, key, Some(texts).filter(|texts| !texts.is_empty()));
    }
    put(&mut keys, "body_regex", expect.body_regex.as_ref().map(Pattern::as_str));
    let json = expect.json.iter();
    let json: Map<String, Value> =
        json.map(|(pointer, value)| (pointer.to_string(), value.0.clone())).collect();
    put(&mut keys, "json", Some(json).filter(|json| !json.is_empty()));
    let headers = headers(&expect.headers);
    put(&mut keys, "headers", Some(headers).filter(|headers| !headers.is_empty()));
    put(&mut keys, "latency_under", expect.latency_under_ms.map(span));
    put(&mut keys, "certificate_days", expect.certificate_days);
    keys
}

fn range((low, high): (u16, u16)) -> String {
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}

fn headers(rules: &[(Box<str>, HeaderRule)]) -> Map<String, Value> {
    let mut keys = Map::new();
    // A name that stands here twice was written in two ways; capitals come first.
    for (name, rule) in rules.iter().rev() {
        let value = match rule {
            HeaderRule::Is(text) => Value::from(&**text),
            HeaderRule::Present => Value::Bool(true),
            HeaderRule::Absent => Value::Bool(false),
        };
        let is_taken = keys.contains_key(&**name);
        let name = if is_taken { name.to_ascii_uppercase() } else { name.to_string() };
        keys.insert(name, value);
    }
    keys
}
