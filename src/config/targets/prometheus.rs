//! Groups of a Prometheus targets file, `{"targets": […], "labels": {…}}`.

use serde_json::{Map, Value};

use crate::config::fields::Fields;
use crate::config::nearest::unknown;
use crate::config::substitute::Origin;
use crate::config::targets::entry::with_scheme;
use crate::config::targets::loader::{Flow, Loader};
use crate::config::values::wrong;

/// Whether an entry is a group of targets.
pub(super) fn is_group(value: &Value) -> bool {
    value.as_object().is_some_and(|keys| keys.contains_key("targets"))
}

/// Takes each target of a group as an entry; a group that is wrong counts as one.
pub(super) fn take(loader: &mut Loader<'_>, line: u64, group: Value) -> Flow {
    let Value::Object(mut keys) = group else { return Flow::Continue(()) };
    let (targets, labels) = match parts(&mut keys, loader.origin) {
        Ok(parts) => parts,
        Err(reason) => return loader.take(line, Err(reason)),
    };
    for target in targets {
        let fields = match target {
            Value::String(text) => {
                let url = Value::String(with_scheme(text.trim(), "http"));
                let mut fields = labels.clone();
                fields.set("url", &url, loader.origin).map(|()| fields)
            }
            other => Err(wrong("targets", &other, "addresses in quotes")),
        };
        loader.take(line, fields)?;
    }
    Flow::Continue(())
}

fn parts(keys: &mut Map<String, Value>, origin: &Origin) -> Result<(Vec<Value>, Fields), String> {
    let known = ["targets", "labels"];
    if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown("key", key, &known));
    }
    let mut fields = Fields::default();
    if let Some(labels) = keys.get_mut("labels") {
        if let Value::Object(pairs) = &mut *labels {
            // Prometheus, too, drops these once it has found the target.
            pairs.retain(|name, _| !name.starts_with("__"));
        }
        fields.set("labels", labels, origin)?;
    }
    match keys.remove("targets") {
        Some(Value::Array(targets)) => Ok((targets, fields)),
        other => {
            let want = "a list of addresses like [\"example.com:80\"]";
            Err(wrong("targets", &other.unwrap_or_default(), want))
        }
    }
}
