//! A change of some keys of one target of the API, by a JSON merge patch (RFC 7396).

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Done, Editor};
use crate::api::{OnReject, Refusal};
use crate::app::amend::{BUSY, STORE_PATIENCE, patiently};
use crate::store::OwnTarget;
use crate::target::{Target, TargetId};

/// The key that says when a target is to go; it is kept beside the entry.
pub(in crate::app) const EXPIRES: &str = "expires";

impl Editor {
    /// Merges `patch` into the entry of the target `id`, whose other keys stay as they are.
    pub(super) fn merge_one(&self, id: &str, patch: &[u8]) -> Result<Done, Refusal> {
        let patch = patch_of(patch)?;
        let row = self.row(id)?;
        let text = merged(&row.entry, patch.clone())?;
        let raw = RawValue::from_string(text).map_err(|error| Refusal::Wrong(error.to_string()))?;
        let (mut sorted, mut own) = self.sort(&[&raw], OnReject::Refuse)?;
        if !patch.contains_key(EXPIRES) {
            for entry in &mut sorted.entries {
                entry.expires_ms = row.expires_ms;
            }
        }
        let ids: Vec<TargetId> = sorted.ids().collect();
        own.retain(|target| target.id == row.id || ids.contains(&target.id));
        // One whose id follows from its address becomes another with that.
        let gone = if ids.contains(&row.id) { Vec::new() } else { vec![row.id] };
        self.set(sorted, &own, gone)
    }

    /// What is kept of the target of the API that `id` means.
    fn row(&self, id: &str) -> Result<OwnTarget, Refusal> {
        let meant = Target::ids_meant(id);
        let known = self.own_of(id, meant)?;
        let now_ms = self.live.clock.now_ms();
        let rows = self
            .access
            .with_store(STORE_PATIENCE, move |store| patiently(|| store.own_targets(now_ms)));
        let rows = rows
            .ok_or_else(|| Refusal::Busy(BUSY.to_owned()))?
            .map_err(|error| Refusal::Busy(error.to_string()))?;
        let found = rows.into_iter().find(|row| row.id == known);
        found.ok_or_else(|| Refusal::Unknown(vec![id.to_owned()]))
    }
}

/// The keys that are to change, of a JSON merge patch for an entry.
pub(in crate::app) fn patch_of(patch: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let patch: Map<String, Value> = serde_json::from_slice(patch).map_err(|error| {
        Refusal::Wrong(format!("the body is no JSON object of keys to change: {error}"))
    })?;
    if patch.contains_key("id") {
        return Err(Refusal::Wrong("the id of a target stays; leave \"id\" out".to_owned()));
    }
    Ok(patch)
}

/// What `entry` is after `patch`.
pub(in crate::app) fn merged(entry: &str, patch: Map<String, Value>) -> Result<String, Refusal> {
    let entry = serde_json::from_str(entry).map_err(|error| {
        Refusal::Wrong(format!("the entry that is kept cannot be read: {error}"))
    })?;
    let mut entry = match entry {
        Value::Object(entry) => entry,
        address => Map::from_iter([("url".to_owned(), address)]),
    };
    merge(&mut entry, patch);
    Ok(Value::Object(entry).to_string())
}

/// Takes the keys of `patch` over into `into`: null takes one away, an object goes into an object.
fn merge(into: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                into.remove(&key);
            }
            Value::Object(inner) => {
                let place = into.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(place) = place {
                    merge(place, inner);
                }
            }
            other => {
                into.insert(key, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        // Of the examples of RFC 7396, appendix A, those whose documents are objects.
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({"a": "foo"}), json!({"a": {"b": null}}), json!({"a": {}})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let (Value::Object(mut into), Value::Object(patch)) = (before, patch) else { continue };
            merge(&mut into, patch);
            assert_eq!(Value::Object(into), after);
        }
    }
}
