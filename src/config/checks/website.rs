//! The keys of `website_status`, and of a list entry beside them.

use serde_json::{Value, json};

use super::is_of_target;
use super::keys::Keys;
use crate::config::fields::Fields;
use crate::config::targets::with_scheme;
use crate::target::{Probe, Verify};

pub(super) fn read(keys: &mut Keys<'_>, fields: &mut Fields) {
    fields.plan.probe = Some(Probe::Http);
    match keys.raw("url") {
        Some(Value::String(url)) => {
            let url = Value::from(with_scheme(url.trim(), "https"));
            set(keys, fields, ("url", "url"), &url);
        }
        Some(other) => set(keys, fields, ("url", "url"), other),
        None => keys.missing("url", "the address to check, like \"https://example.com/\""),
    }
    for key in ["method", "headers", "body"] {
        if let Some(value) = keys.raw(key) {
            set(keys, fields, (key, key), value);
        }
    }
    expectations(keys, fields);
    login(keys, fields);
    if let Some(verify) = keys.truth("verify_ssl") {
        fields.plan.tls.verify = Some(if verify { Verify::Strict } else { Verify::Off });
    }
    if keys.truth("follow_redirects") == Some(false) {
        fields.plan.redirects = Some(0);
    }
    // What a list says of its targets may be said here as well.
    let others: Vec<_> = keys.others().filter(|(key, _)| is_of_target(key)).collect();
    keys.pass(is_of_target);
    for (key, value) in others {
        set(keys, fields, (key, key), value);
    }
}

fn expectations(keys: &mut Keys<'_>, fields: &mut Fields) {
    let is_said = fields.plan.expect.status.is_some();
    let usual = json!(200);
    match keys.raw("expected_status") {
        Some(value) => expect(keys, fields, ("expected_status", "status"), value),
        None if is_said => {}
        None => expect(keys, fields, ("expected_status", "status"), &usual),
    }
    for pair in [("expected_content", "body_contains"), ("unexpected_content", "body_not_contains")]
    {
        if let Some(value) = keys.raw(pair.0) {
            expect(keys, fields, pair, value);
        }
    }
}

fn expect(keys: &mut Keys<'_>, fields: &mut Fields, (key, name): (&str, &str), value: &Value) {
    set(keys, fields, (key, "expect"), &json!({ name: value }));
}

fn login(keys: &mut Keys<'_>, fields: &mut Fields) {
    match (keys.raw("auth_username"), keys.raw("auth_password")) {
        (None, None) => {}
        (Some(username), password) => {
            let password = password.cloned().unwrap_or_else(|| json!(""));
            let auth = json!({"basic": {"username": username, "password": password}});
            set(keys, fields, ("auth_username", "auth"), &auth);
        }
        (None, Some(_)) => keys.missing("auth_username", "the name for \"auth_password\""),
    }
}

/// Sets `key` of the list from the value of `named`, by which a fault calls it.
fn set(keys: &mut Keys<'_>, fields: &mut Fields, (named, key): (&str, &str), value: &Value) {
    if let Err(fault) = fields.set(key, value, keys.origin) {
        let fault = match key {
            "expect" => ["expect.status", "expect.body_contains", "expect.body_not_contains"]
                .iter()
                .fold(fault, |fault, inner| fault.replace(inner, named)),
            _ => fault,
        };
        keys.fault(fault);
    }
}
