//! A module as it may be shown: without its secrets.

use serde_json::Value;

/// Keys whose values are secrets, and those that hold maps of secrets.
const SECRETS: [&str; 9] = [
    "body",
    "bearer_token",
    "client_secret",
    "credentials",
    "headers",
    "key",
    "password",
    "proxy_url",
    "username",
];

/// The module `value` as YAML.
pub(super) fn shown(mut value: Value) -> String {
    hide(&mut value);
    serde_saphyr::to_string(&value).unwrap_or_default()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if SECRETS.contains(&name.as_str()) { blank(value) } else { hide(value) }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Leaves names alone, and hides every value.
fn blank(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(blank),
        Value::Array(list) => list.iter_mut().for_each(blank),
        other => *other = "<secret>".into(),
    }
}
