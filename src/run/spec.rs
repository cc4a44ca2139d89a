//! `CheckSpec`: a check as a program names it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A check as a program or a file of checks names it.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
pub struct CheckSpec {
    /// What its result is called; none: a hash of what it checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its kind: `website_status`, `ssl_certificate`, `mail_server`, `dns_record`, `tcp`, `icmp`, or
    /// that of a plugin.
    pub plugin_type: String,
    /// Its keys, as the kind has them.
    #[serde(default)]
    pub config: Map<String, Value>,
}

impl CheckSpec {
    /// A check of a kind, with no keys yet.
    #[must_use]
    pub fn new(plugin_type: impl Into<String>) -> Self {
        Self { plugin_type: plugin_type.into(), ..Self::default() }
    }

    /// The same check, called `id`.
    #[must_use]
    pub fn called(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// The same check with one key more.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// The same as an entry of a file of checks.
    pub(super) fn into_entry(self) -> Value {
        let mut entry = Map::new();
        if let Some(id) = self.id {
            entry.insert("id".to_owned(), id.into());
        }
        entry.insert("plugin_type".to_owned(), self.plugin_type.into());
        entry.insert("config".to_owned(), self.config.into());
        Value::Object(entry)
    }
}

impl std::fmt::Debug for CheckSpec {
    /// Leaves out the keys: they may hold secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("CheckSpec");
        shown.field("id", &self.id).field("plugin_type", &self.plugin_type).finish_non_exhaustive()
    }
}
