//! The keys of an entry's `expect`.

use serde_json::Value;

use crate::config::fields::ExpectFields;
use crate::config::keys::object;
use crate::config::nearest::unknown;
use crate::config::values::{line, loose_text, timeout_ms, whole, wrong};
use crate::expectation::{HeaderRule, JsonValue, Pattern};

const KEYS: &[&str] = &[
    "status",
    "body_contains",
    "body_not_contains",
    "body_regex",
    "json",
    "headers",
    "latency_under",
    "certificate_days",
];

impl ExpectFields {
    /// Takes the value of one key of `expect`.
    pub(crate) fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let key = format!("expect.{name}");
        if value.is_null() && KEYS.contains(&name) {
            return Ok(());
        }
        match name {
            "status" => self.status = Some(status(&key, value)?),
            "body_contains" => self.body_contains = Some(texts(&key, value)?),
            "body_not_contains" => self.body_not_contains = Some(texts(&key, value)?),
            "body_regex" => self.body_regex = Some(pattern(&key, value)?),
            "json" => self.json = Some(pointers(&key, value)?),
            "headers" => self.headers = Some(headers(&key, value)?),
            "latency_under" => self.latency_under_ms = Some(timeout_ms(&key, value)?),
            "certificate_days" => self.certificate_days = Some(whole(&key, value, 36_500_u32)?),
            _ => return Err(unknown("key in \"expect\"", name, KEYS)),
        }
        Ok(())
    }
}

/// `200`, `[200, "300-399"]`, `"200,301-302"` or `"2xx"`.
fn status(key: &str, value: &Value) -> Result<Vec<(u16, u16)>, String> {
    let wanted =
        || wrong(key, value, "codes from 100 to 999 like 200, \"200-299\" or [200, \"301-302\"]");
    let items = match value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut ranges = Vec::new();
    for item in items {
        let text = match item {
            Value::Number(_) | Value::String(_) => loose_text(item).unwrap_or_default(),
            _ => return Err(wanted()),
        };
        for part in text.split(',') {
            ranges.push(range(part.trim()).ok_or_else(wanted)?);
        }
    }
    Ok(ranges)
}

fn range(text: &str) -> Option<(u16, u16)> {
    let code = |text: &str| {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|code| digits && (100..=999).contains(code))
    };
    let lower = text.to_ascii_lowercase();
    if let Some(class) = lower.strip_suffix("xx") {
        let low = code(&format!("{class}00"))?;
        return Some((low, low + 99));
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high)
}

fn texts(key: &str, value: &Value) -> Result<Vec<Box<str>>, String> {
    let text = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(Box::from).ok_or_else(|| wrong(key, value, "text, or a list of texts"))
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        single => Ok(vec![text(single)?]),
    }
}

fn pattern(key: &str, value: &Value) -> Result<Pattern, String> {
    let text = value.as_str().ok_or_else(|| wrong(key, value, "a regular expression"))?;
    Pattern::new(text).map_err(|fault| {
        let fault = fault.to_string();
        let last = fault.lines().last().unwrap_or_default().trim_start_matches("error: ");
        wrong(key, value, &format!("a regular expression ({last})"))
    })
}

fn pointers(key: &str, value: &Value) -> Result<Vec<(Box<str>, JsonValue)>, String> {
    let want = "an object of JSON Pointers and values like {\"/status\": \"ok\"}";
    let pair = |(pointer, expected): (&String, &Value)| {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(wrong(key, value, want));
        }
        Ok((pointer.as_str().into(), JsonValue(expected.clone())))
    };
    object(key, value, want)?.iter().map(pair).collect()
}

fn headers(key: &str, value: &Value) -> Result<Vec<(Box<str>, HeaderRule)>, String> {
    let want = "an object of names and texts, true (there) or false (not there)";
    let rule = |(name, expected): (&String, &Value)| {
        let parsed = http::HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong(key, &Value::from(name.as_str()), "a header name"))?;
        let rule = match expected {
            Value::Bool(true) => HeaderRule::Present,
            Value::Bool(false) => HeaderRule::Absent,
            Value::String(_) | Value::Number(_) => HeaderRule::Is(line(key, expected)?),
            _ => return Err(wrong(key, value, want)),
        };
        Ok((parsed.as_str().into(), rule))
    };
    let rules = object(key, value, want)?.iter().map(rule);
    let mut rules: Vec<_> = rules.collect::<Result<_, String>>()?;
    rules.sort_by(|(one, _): &(Box<str>, HeaderRule), (other, _)| one.cmp(other));
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_are_numbers_ranges_classes_and_lists_of_them() {
        for (value, expected) in [
            (json!(204), vec![(204, 204)]),
            (json!([200, "300-399"]), vec![(200, 200), (300, 399)]),
            (json!("200, 301-302"), vec![(200, 200), (301, 302)]),
            (json!("2xx"), vec![(200, 299)]),
        ] {
            assert_eq!(status("status", &value), Ok(expected), "{value}");
        }
        for value in [json!(0), json!("300-200"), json!("ok"), json!([[200]]), json!(true)] {
            assert!(status("status", &value).is_err(), "{value} was taken");
        }
    }

    #[test]
    fn headers_have_a_value_or_are_there_or_not() {
        let read = headers("headers", &json!({"Server": "a", "X-B": true, "X-C": false}));
        let expected: Vec<(Box<str>, HeaderRule)> = vec![
            ("server".into(), HeaderRule::Is("a".into())),
            ("x-b".into(), HeaderRule::Present),
            ("x-c".into(), HeaderRule::Absent),
        ];
        assert_eq!(read, Ok(expected));
        assert!(headers("headers", &json!({"not a name": true})).is_err());
    }

    #[test]
    fn a_broken_pattern_is_explained() {
        let reason = pattern("expect.body_regex", &json!("(")).expect_err("broken");
        assert!(reason.contains("unclosed group"), "{reason}");
    }

    #[test]
    fn a_json_pointer_begins_with_a_slash() {
        assert!(pointers("json", &json!({"/a/0": 1, "": {}})).is_ok());
        assert!(pointers("json", &json!({"a": 1})).is_err());
    }
}
