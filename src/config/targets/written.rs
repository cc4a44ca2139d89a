//! Entries written out of targets, so that each says all by itself: for databases and other hosts.
//!
//! Rules, variables and files have been put in. An entry is one of a list, and may hold three keys
//! more: `written`, the address as its list wrote it, with what stands for a secret in it;
//! `defaults`, what rules filled in and its kind of check has no use for; and `origin`, which is
//! `api` where the target came through the API and so may lead only where the policy lets it.

mod expect;
mod plan;
mod probe;
mod shown;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Entry;
use super::loader::Loader;
use super::text::take_json;
use crate::address::Address;
use crate::config::checks::COMMON;
use crate::config::rules::{INTERVAL_MS, Rules, TIMEOUT_MS};
use crate::config::substitute::{Origin, Trust, Variables};
use crate::target::{self, Priority, Target, TargetId};

pub use shown::{SECRET, Secrets, as_listed, as_patchable, told_elsewhere};

/// The address as its list wrote it, where variables or files were put in.
const WRITTEN: &str = "written";
/// What rules filled in and the kind of check has no use for.
const DEFAULTS: &str = "defaults";
/// Who asked for the target, where that was nobody who writes lists.
const ORIGIN: &str = "origin";
/// That it was somebody by the API.
const API: &str = "api";

static RULES: LazyLock<Rules> = LazyLock::new(Rules::default);

/// The entry of `target`, as short as it can be: what is as usual is left out.
#[must_use]
pub fn write(target: &Target) -> String {
    let mut keys = Map::new();
    put_address(&mut keys, &target.address);
    let mut plan = Map::new();
    plan::put_into(&mut plan, &target.plan);
    if probe::put_into(&mut keys, &target.plan.probe) {
        let (own, other) = plan.into_iter().partition(|(key, _)| COMMON.contains(&&**key));
        keys.extend::<Map<String, Value>>(own);
        put(&mut keys, DEFAULTS, Some(other).filter(|other: &Map<_, _>| !other.is_empty()));
    } else {
        keys.extend(plan);
    }
    put(&mut keys, "id", target.given_id.as_deref());
    put(&mut keys, "name", target.name.as_deref());
    put(&mut keys, "group", target.labels.group.as_deref());
    let pairs = target.labels.pairs.iter();
    let labels: Map<String, Value> =
        pairs.map(|(name, text)| (name.to_string(), Value::from(&**text))).collect();
    put(&mut keys, "labels", Some(labels).filter(|labels| !labels.is_empty()));
    let Target { every_ms, timeout_ms, .. } = *target;
    put(&mut keys, "interval", Some(span(every_ms)).filter(|_| every_ms != INTERVAL_MS));
    let usual = (every_ms / 2).clamp(1, TIMEOUT_MS);
    put(&mut keys, "timeout", Some(span(timeout_ms)).filter(|_| timeout_ms != usual));
    let priority = match target.priority {
        Priority::High => Some("high"),
        Priority::Normal => None,
        Priority::Low => Some("low"),
    };
    put(&mut keys, "priority", priority);
    let asked_by = match target.origin {
        target::Origin::List => None,
        target::Origin::Api => Some(API),
    };
    put(&mut keys, ORIGIN, asked_by);
    Value::Object(keys).to_string()
}

/// The target `id` of an `entry` as [`write()`] makes them.
///
/// # Errors
/// What is wrong with it: it was made by another version, or by somebody else.
pub fn read(entry: &[u8], id: TargetId) -> Result<Target, String> {
    let mut value: Value =
        serde_json::from_slice(entry).map_err(|error| format!("is not valid JSON: {error}"))?;
    let (mut written, mut defaults, mut asked_by) = (None, None, None);
    if let Some(keys) = value.as_object_mut() {
        written = keys.remove(WRITTEN);
        defaults = keys.remove(DEFAULTS);
        asked_by = keys.remove(ORIGIN);
    }
    let asked_by = asked_by.as_ref().map_or(Ok(target::Origin::List), who)?;
    let origin = done();
    let rules = defaults.map(|defaults| with_defaults(&defaults, &origin)).transpose()?;
    let mut made = Err("is no entry".to_owned());
    let mut take = |entry: Entry| {
        made = entry.target;
        ControlFlow::Break(())
    };
    let rules = rules.as_ref().unwrap_or(&*RULES);
    let mut loader = Loader::new("the database", &origin, rules).handing_to(&mut take);
    let _ = take_json(&mut loader, 1, value);
    drop(loader);
    let mut target = made?;
    if let Some(text) = written.as_ref().and_then(Value::as_str) {
        target.address = target.address.written_as(text);
    }
    // It is not judged here, but by whoever connects: names may mean other addresses by then.
    Ok(Target { id, origin: asked_by, ..target })
}

/// Who asked for a target, where its entry says that.
///
/// # Errors
/// It is nobody known: it must not be taken for one who may have anything polled.
fn who(asked_by: &Value) -> Result<target::Origin, String> {
    match asked_by.as_str() {
        Some(API) => Ok(target::Origin::Api),
        _ => Err(format!("has an \"{ORIGIN}\" that is not \"{API}\"; it is of another version")),
    }
}

/// Where entries come from that are to be taken as they stand.
fn done() -> Origin {
    Origin { folder: PathBuf::new(), variables: Variables::default(), trust: Trust::Done }
}

fn with_defaults(defaults: &Value, origin: &Origin) -> Result<Rules, String> {
    let mut rules = Rules::default();
    for (key, value) in defaults.as_object().into_iter().flatten() {
        rules.defaults.set(key, value, origin)?;
    }
    Ok(rules)
}

fn put_address(keys: &mut Map<String, Value>, address: &Address) {
    let written = address.written();
    let may_stand_for_more = written.contains("${") || written.starts_with("file:");
    let is_all = !may_stand_for_more
        || Address::parse_any(written).is_ok_and(|as_it_stands| as_it_stands == *address);
    put(keys, "url", Some(if is_all { written } else { address.filled() }));
    put(keys, WRITTEN, Some(written).filter(|_| !is_all));
}

/// Puts `value` in, if there is one.
fn put<T: Into<Value>>(keys: &mut Map<String, Value>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        keys.insert(key.to_owned(), value.into());
    }
}

/// A duration as entries write it.
fn span(ms: u32) -> Value {
    if ms.is_multiple_of(1_000) { Value::from(ms / 1_000) } else { Value::from(format!("{ms}ms")) }
}
