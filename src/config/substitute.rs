//! `${VAR}` and `file:PATH` in the place of a value, so that secrets stay out of lists and settings.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::config::values::{on_one_line, shown};

/// Bytes that a file named by `file:PATH` may hold.
const FILE_LIMIT: u64 = 1 << 20;

/// Environment variables, as they were when they were taken.
#[derive(Clone, Default)]
pub struct Variables(Arc<HashMap<OsString, OsString>>);

impl Variables {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`, if it is set and is UTF-8.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(std::ffi::OsStr::new(name))?.to_str()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Variables({} <secret>)", self.0.len())
    }
}

/// Whether a text may name variables and files of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It lies on this machine: it may.
    Local,
    /// It came from the network: it may not, or its author could have our secrets sent to him.
    Remote,
    /// Its values have been put in already; it is taken as it stands.
    Done,
}

/// Where a text was found: what its relative paths start from, and what it may name.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Folder that relative paths start from; empty: the current one.
    pub folder: PathBuf,
    /// Environment variables.
    pub variables: Variables,
    /// Whether it may name variables and files.
    pub trust: Trust,
}

impl Origin {
    /// A file of this machine, `path`.
    #[must_use]
    pub fn of_file(path: &Path, variables: Variables) -> Self {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { folder, variables, trust: Trust::Local }
    }

    /// Something read from the network.
    #[must_use]
    pub fn remote() -> Self {
        Self { folder: PathBuf::new(), variables: Variables::default(), trust: Trust::Remote }
    }

    /// The same, its values having been put in.
    #[must_use]
    pub(crate) fn done(&self) -> Self {
        Self { trust: Trust::Done, ..self.clone() }
    }

    /// A path of a file on this machine, from this origin's folder on.
    ///
    /// # Errors
    /// The origin may not name files.
    pub fn path(&self, text: &str) -> Result<PathBuf, String> {
        match self.trust {
            Trust::Remote => Err(REMOTE.to_owned()),
            Trust::Local | Trust::Done => Ok(self.folder.join(text)),
        }
    }

    /// `value`, which is that of `key`, with what stands for a value put into each of its texts;
    /// nothing when there is nothing to put in.
    ///
    /// # Errors
    /// As [`Origin::fill`], with the name of the key.
    pub fn fill_value(&self, key: &str, value: &Value) -> Result<Option<Value>, String> {
        match value {
            Value::String(text) => match self.fill(text) {
                Ok(Cow::Borrowed(_)) => Ok(None),
                Ok(Cow::Owned(text)) => Ok(Some(Value::String(text))),
                Err(fault) => Err(format!("\"{}\" {fault}", shown(key))),
            },
            Value::Array(items) => {
                let mut filled = None;
                for (index, item) in items.iter().enumerate() {
                    if let Some(item) = self.fill_value(key, item)? {
                        let items = filled.get_or_insert_with(|| items.clone());
                        items.splice(index..=index, [item]);
                    }
                }
                Ok(filled.map(Value::Array))
            }
            Value::Object(pairs) => {
                let mut filled = None;
                for (name, value) in pairs {
                    if let Some(value) = self.fill_value(&format!("{key}.{name}"), value)? {
                        let pairs = filled.get_or_insert_with(|| pairs.clone());
                        pairs.insert(name.clone(), value);
                    }
                }
                Ok(filled.map(Value::Object))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(None),
        }
    }

    /// `text` with what its `${VAR}` stand for, or the content of the file if it is `file:PATH`,
    /// without the line break at its end; `$${` is a plain `${`.
    ///
    /// # Errors
    /// A variable is not set, a file cannot be read, or the origin may not name any.
    pub fn fill<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, String> {
        if self.trust == Trust::Done {
            return Ok(Cow::Borrowed(text));
        }
        if let Some(path) = text.strip_prefix("file:") {
            return read_value(&self.path(path)?).map(Cow::Owned);
        }
        if !text.contains("${") {
            return Ok(Cow::Borrowed(text));
        }
        if self.trust == Trust::Remote {
            return Err(REMOTE.to_owned());
        }
        self.fill_variables(text).map(Cow::Owned)
    }

    fn fill_variables(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let after = from.strip_prefix("${").unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = after;
                continue;
            }
            filled.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                return Err("has a ${ without its }; write $${ for a plain ${".to_owned());
            };
            let value = self.variables.value(name).ok_or_else(|| {
                format!("names the environment variable {name:?}, which is not set")
            })?;
            filled.push_str(value);
            rest = tail;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

const REMOTE: &str =
    "names a variable or file of this machine, which what comes over the network may not";

fn read_value(path: &Path) -> Result<String, String> {
    let shown = on_one_line(&path.display().to_string());
    let fault =
        |error: std::io::Error| format!("names the file {shown}, which cannot be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(fault)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_LIMIT) {
        return Err(format!("names the file {shown}, which is larger than 1 MiB"));
    }
    let value = text.strip_suffix('\n').unwrap_or(&text);
    Ok(value.strip_suffix('\r').unwrap_or(value).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(trust: Trust) -> Origin {
        let variables = [("TOKEN", "abc"), ("EMPTY", "")].into_iter().collect();
        Origin { folder: PathBuf::new(), variables, trust }
    }

    #[test]
    fn variables_stand_for_their_value_anywhere_in_a_text() {
        let filled = origin(Trust::Local).fill("Bearer ${TOKEN}${EMPTY}!").expect("set variables");
        assert_eq!(filled, "Bearer abc!");
        assert_eq!(origin(Trust::Local).fill("$${TOKEN}").expect("escaped"), "${TOKEN}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = origin(Trust::Local).fill("${NOPE}").expect_err("not set");
        assert!(error.contains("NOPE"), "{error}");
        assert!(origin(Trust::Local).fill("${TOKEN").is_err());
    }

    #[test]
    fn a_file_stands_for_its_content_without_the_last_line_break() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("token"), "s3cret\n").expect("written");
        let origin = Origin { folder: folder.path().to_path_buf(), ..origin(Trust::Local) };
        assert_eq!(origin.fill("file:token").expect("a file"), "s3cret");
        assert!(origin.fill("file:none").expect_err("no file").contains("none"));
        let reason = origin.fill("file:a\n\u{1b}[2J@b").expect_err("no file");
        assert!(!reason.contains(char::is_control) && reason.contains("[2J@b"), "{reason}");
    }

    #[test]
    fn every_text_of_a_value_is_filled_and_a_fault_names_its_key() {
        let value = serde_json::json!({"a": ["x", "${TOKEN}"], "b": {"c": "$${"}, "d": 5});
        let filled = origin(Trust::Local).fill_value("key", &value).expect("set variables");
        assert_eq!(filled, Some(serde_json::json!({"a": ["x", "abc"], "b": {"c": "${"}, "d": 5})));
        let plain = serde_json::json!({"a": ["x", 1, null]});
        assert_eq!(origin(Trust::Local).fill_value("key", &plain), Ok(None));
        let wrong = serde_json::json!({"a": {"b": "${NOPE}"}});
        let fault = origin(Trust::Local).fill_value("key", &wrong).expect_err("not set");
        assert!(fault.starts_with("\"key.a.b\" names"), "{fault}");
    }

    #[test]
    fn what_came_from_the_network_names_nothing_of_ours() {
        assert!(origin(Trust::Remote).fill("${TOKEN}").is_err());
        assert!(origin(Trust::Remote).fill("file:/etc/hostname").is_err());
        assert!(origin(Trust::Remote).path("ca.pem").is_err());
        assert_eq!(origin(Trust::Remote).fill("plain").expect("plain"), "plain");
    }

    #[test]
    fn the_debug_form_shows_no_value() {
        assert!(!format!("{:?}", origin(Trust::Local)).contains("abc"));
    }
}
