//! One entry of a list, as JSON or as a line of text.

use serde_json::{Map, Value};

use crate::config::checks::{Asked, Usual};
use crate::config::fields::Fields;
use crate::config::substitute::Origin;
use crate::config::values::{shown, shown_value};

/// The fields of one JSON entry, a string or an object.
pub(super) fn of_json(value: Value, origin: &Origin, usual: &Usual) -> Result<Fields, String> {
    match value {
        Value::String(text) => usual.of_text(&text, origin),
        Value::Object(keys) => of_object(&keys, origin, usual),
        other => Err(format!(
            "is {}; write a URL in quotes or an object with a \"url\"",
            shown_value(&other)
        )),
    }
}

fn of_object(keys: &Map<String, Value>, origin: &Origin, usual: &Usual) -> Result<Fields, String> {
    match usual.asked(keys)? {
        Asked::Kind(kind) => usual.of_entry(kind, keys, origin),
        Asked::Other(name) => usual.of_other(&name, keys, origin),
        Asked::Target => of_target(keys, origin),
    }
}

fn of_target(keys: &Map<String, Value>, origin: &Origin) -> Result<Fields, String> {
    let mut fields = Fields::default();
    let faults: Vec<String> =
        keys.iter().filter_map(|(key, value)| fields.set(key, value, origin).err()).collect();
    if faults.is_empty() { Ok(fields) } else { Err(faults.join("; ")) }
}

/// The fields of one line of plain text; nothing when it is blank or a comment.
pub(super) fn of_line(
    line: &[u8],
    origin: &Origin,
    usual: &Usual,
) -> Option<Result<Fields, String>> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Some(Err("is not UTF-8 text; save the list as UTF-8".to_owned()));
    };
    let line = line.trim();
    let comment = line.match_indices('#').find(|(at, _)| {
        *at == 0 || line.get(..*at).is_some_and(|before| before.ends_with([' ', '\t']))
    });
    let text = line.get(..comment.map_or(line.len(), |(at, _)| at)).unwrap_or_default().trim();
    if text.is_empty() {
        return None;
    }
    if text.contains(char::is_whitespace) {
        return Some(Err(format!("is \"{}\"; write one address a line", shown(text))));
    }
    if usual.kind.is_some() || text.contains("://") {
        return Some(usual.of_text(text, origin));
    }
    Some(Fields::of_url(with_scheme(text, "https"), origin))
}

/// `text`, which may be a bare host, as a URL of `scheme` unless it names one.
pub(crate) fn with_scheme(text: &str, scheme: &str) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    let slash = if text.contains(['/', '?', '#']) { "" } else { "/" };
    format!("{scheme}://{text}{slash}")
}
