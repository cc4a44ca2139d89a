//! `Told`: the head of an answer as it is told to those who ask for it.

use std::borrow::Cow;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use crate::check::facts::Facts;
use crate::check::head::{self, HeaderRules};
use crate::expectation::HeaderRule;

/// Headers that are told at most, by their names.
const HEADERS: usize = 100;
/// Bytes of a text from outside that are told at most.
const LONGEST: usize = 8 << 10;

/// The version of HTTP that an answer came by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Told {
    version: Version,
    headers: Map<String, Value>,
    /// What came of the headers that are expected.
    rows: Vec<Value>,
}

impl Told {
    /// What `headers` say, in their order, and how they agree with `rules`.
    pub(crate) fn of(version: Version, headers: &[(&str, &[u8])], rules: &HeaderRules) -> Self {
        let row = |(name, rule): &(Box<str>, HeaderRule)| {
            let mut same = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let value = same.next().map(|&(_, value)| value);
            let found = value.map_or(Value::Null, |value| text(value.trim_ascii()).into());
            header_row(name, rule, found, Some(head::holds(rule, value)))
        };
        let rows = rules.iter().map(row).collect();
        let mut all = Map::new();
        for &(name, value) in headers {
            add(&mut all, name.to_ascii_lowercase(), &text(value.trim_ascii()));
        }
        Self { version, headers: all, rows }
    }

    /// Notes all of it among `facts`.
    pub(crate) fn note(self, facts: &mut Facts) {
        let version = match self.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        };
        facts.put("http_version", version);
        facts.put("response_headers", self.headers);
        facts.put("expectations", self.rows);
    }
}

/// Adds a header to `all`; what is repeated is joined (RFC 9110, section 5.3).
fn add(all: &mut Map<String, Value>, name: String, value: &str) {
    let is_full = all.len() >= HEADERS;
    match all.entry(name) {
        Entry::Occupied(mut entry) => {
            if let Value::String(before) = entry.get_mut()
                && before.len() + value.len() + 2 <= LONGEST
            {
                before.push_str(", ");
                before.push_str(value);
            }
        }
        Entry::Vacant(_) if is_full => {}
        Entry::Vacant(entry) => drop(entry.insert(value.into())),
    }
}

/// The row of an expectation about the header `name`.
pub(crate) fn header_row(
    name: &str,
    rule: &HeaderRule,
    found: Value,
    holds: Option<bool>,
) -> Value {
    let expected = match rule {
        HeaderRule::Is(value) => Value::from(&**value),
        HeaderRule::Present => true.into(),
        HeaderRule::Absent => false.into(),
    };
    row(format!("header {name}"), expected, found, holds)
}

/// What is expected, what was found, and whether that holds; none where nobody knows.
pub(crate) fn row(
    name: impl Into<String>,
    expected: impl Into<Value>,
    found: impl Into<Value>,
    holds: Option<bool>,
) -> Value {
    let name = Value::String(name.into());
    let pairs = [
        ("name", name),
        ("expected", expected.into()),
        ("found", found.into()),
        ("holds", holds.into()),
    ];
    Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// `bytes` as text, cut where it is too long to be told.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match bytes.get(..LONGEST) {
        None => String::from_utf8_lossy(bytes),
        Some(part) => {
            let text = String::from_utf8_lossy(part);
            // A letter that was cut is left out.
            Cow::Owned(text.trim_end_matches('\u{fffd}').to_owned())
        }
    }
}

/// `value`, or the beginning of its text where it is too long to be told.
pub(crate) fn bounded(value: &Value) -> Value {
    match value {
        Value::String(long) if long.len() > LONGEST => text(long.as_bytes()).into(),
        Value::Array(_) | Value::Object(_) => {
            let long = value.to_string();
            if long.len() > LONGEST { text(long.as_bytes()).into() } else { value.clone() }
        }
        short => short.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(headers: &[(&str, &[u8])], rules: &HeaderRules) -> Told {
        Told::of(Version::Http11, headers, rules)
    }

    #[test]
    fn headers_that_are_repeated_are_joined_under_a_name_in_lower_case() {
        let told = told(&[("Via", b"a"), ("X", b"1"), ("vIA", b" b ")], &[]);
        assert_eq!(Value::Object(told.headers), json!({"via": "a, b", "x": "1"}));
    }

    #[test]
    fn what_is_told_of_a_head_has_a_bound() {
        let names: Vec<String> = (0..300).map(|number| format!("x-{number}")).collect();
        let long = vec![b'a'; LONGEST + 1];
        let headers: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &*long)).collect();
        let many = told(&headers, &[]);
        assert_eq!(many.headers.len(), HEADERS);
        let repeated = told(&[("x", &long), ("x", b"b")], &[]);
        assert_eq!(repeated.headers["x"].as_str().map(str::len), Some(LONGEST));
    }

    #[test]
    fn a_letter_is_never_cut() {
        let long = "ü".repeat(LONGEST);
        let cut = ["", "x"].map(|before| text(format!("{before}{long}").as_bytes()).into_owned());
        assert!(cut.iter().all(|cut| cut.ends_with('ü') && cut.len() <= LONGEST));
        assert_eq!(bounded(&json!([long])).as_str().map(str::is_empty), Some(false));
        assert_eq!(bounded(&json!({"a": 1})), json!({"a": 1}));
    }

    #[test]
    fn of_a_header_that_is_repeated_the_first_is_weighed() {
        let rules = [("x".into(), HeaderRule::Is("1".into())), ("y".into(), HeaderRule::Absent)];
        let rows = told(&[("X", b"1"), ("X", b"2")], &rules).rows;
        let first = json!({"name": "header x", "expected": "1", "found": "1", "holds": true});
        let second = json!({"name": "header y", "expected": false, "found": null, "holds": true});
        assert_eq!(rows, [first, second]);
    }
}
