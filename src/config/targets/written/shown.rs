//! Entries as lists write them, with or without their secrets.

use serde_json::{Map, Value};

use super::{DEFAULTS, ORIGIN, WRITTEN};
use crate::address::Address;

/// What stands in the place of a secret.
pub const SECRET: &str = "<secret>";
/// Keys of which every value may be a secret.
const HIDDEN: &[&str] =
    &["headers", "body", "auth", "username", "password", "message", "config", "send"];

/// Keys that say whom an entry is told to.
const LEADING: &[&str] = &["url", "proxy", "resolver"];

/// Whether secrets are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// `<secret>` stands in their place.
    Hidden,
    /// They are.
    Told,
}

/// `entry`, which [`super::write`] made, as one line of a list that asks for the same.
///
/// # Errors
/// It is no entry.
pub fn as_listed(entry: &str, secrets: Secrets) -> Result<String, String> {
    let mut keys: Map<String, Value> =
        serde_json::from_str(entry).map_err(|error| format!("is no entry: {error}"))?;
    keys.remove(DEFAULTS);
    keys.remove(ORIGIN);
    let written = keys.remove(WRITTEN);
    for (key, value) in &mut keys {
        if secrets == Secrets::Hidden {
            hide(key, value);
        }
        escape(value);
    }
    // What stands for a secret is none, and is what the target is known by.
    if let Some(written) = written {
        keys.insert("url".to_owned(), written);
    }
    Ok(Value::Object(keys).to_string())
}

/// `entry`, which [`super::write`] made of a target with this given id, as one that keys are changed
/// of.
///
/// # Errors
/// What of it no entry can say.
pub fn as_patchable(entry: &str, given_id: Option<&str>) -> Result<String, String> {
    let mut keys: Map<String, Value> =
        serde_json::from_str(entry).map_err(|error| format!("is no entry: {error}"))?;
    if keys.contains_key(WRITTEN) {
        return Err("has an address that a variable was put into".to_owned());
    }
    if keys.contains_key(DEFAULTS) {
        return Err("rests on settings of its import".to_owned());
    }
    // Whoever changes it says anew who asks for it.
    keys.remove(ORIGIN);
    keys.values_mut().for_each(escape);
    if let Some(id) = given_id {
        keys.insert("id".to_owned(), id.into());
    }
    Ok(Value::Object(keys).to_string())
}

/// The key of `entry` whose secrets would be told to somebody else after `patch`, a JSON merge patch
/// (RFC 7396) of one that leads elsewhere and does not say them itself; none where that is not so.
#[must_use]
pub fn told_elsewhere(entry: &str, patch: &Map<String, Value>) -> Option<&'static str> {
    if !LEADING.iter().any(|key| patch.contains_key(*key)) {
        return None;
    }
    let kept: Map<String, Value> = serde_json::from_str(entry).ok()?;
    let stays = |key: &str| {
        kept.get(key).is_some_and(|kept| patch.get(key).is_none_or(|patch| stays(kept, patch)))
    };
    HIDDEN.iter().copied().find(|key| stays(key))
}

/// Whether anything of `kept` is still there once `patch` is merged into it.
fn stays(kept: &Value, patch: &Value) -> bool {
    let (Value::Object(kept), Value::Object(patch)) = (kept, patch) else { return false };
    kept.iter().any(|(key, kept)| patch.get(key).is_none_or(|patch| stays(kept, patch)))
}

fn hide(key: &str, value: &mut Value) {
    match value {
        _ if HIDDEN.contains(&key) => blot(value),
        Value::String(text) if ["url", "proxy"].contains(&key) => {
            if let Ok(address) = Address::parse_any(text) {
                *text = address.to_string();
            }
        }
        _ => {}
    }
}

/// Puts `<secret>` in the place of every text in `value`.
fn blot(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(blot),
        Value::Object(keys) => keys.values_mut().for_each(blot),
        single => *single = Value::from(SECRET),
    }
}

/// Has every text in `value` stand for itself where variables are put in.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("${") => *text = text.replace("${", "$${"),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(keys) => keys.values_mut().for_each(escape),
        _ => {}
    }
}
