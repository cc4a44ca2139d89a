//! `Keys`: reads the keys of a check's `config` one by one, and keeps what is wrong with any.

use serde_json::{Map, Value};

use super::missing;
use crate::config::nearest::unknown;
use crate::config::substitute::Origin;
use crate::config::values::{line, loose_text, truth, whole, wrong, wrong_secret};

/// The keys of a check's `config`.
pub(super) struct Keys<'c> {
    config: &'c Map<String, Value>,
    pub(super) origin: &'c Origin,
    known: Vec<&'static str>,
    /// Which keys are read elsewhere.
    is_passed: fn(&str) -> bool,
    faults: Vec<String>,
}

impl<'c> Keys<'c> {
    pub(super) fn new(config: &'c Map<String, Value>, origin: &'c Origin) -> Self {
        Self { config, origin, known: Vec::new(), is_passed: |_| false, faults: Vec::new() }
    }

    /// The value of `key` as it is written.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'c Value> {
        self.known.push(key);
        self.config.get(key).filter(|value| !value.is_null())
    }

    /// The keys that have not been asked for so far.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'c String, &'c Value)> + use<'c> {
        let known = self.known.clone();
        self.config.iter().filter(move |(key, _)| !known.contains(&key.as_str()))
    }

    /// Leaves keys to whoever reads them elsewhere.
    pub(super) fn pass(&mut self, is_passed: fn(&str) -> bool) {
        self.is_passed = is_passed;
    }

    /// Notes what is wrong.
    pub(super) fn fault(&mut self, reason: impl Into<String>) {
        self.faults.push(reason.into());
    }

    /// Notes that `key` is missing, and what to add.
    pub(super) fn missing(&mut self, key: &str, what: &str) {
        self.faults.push(missing(key, what));
    }

    /// What `read` makes of the value of `key`, with what stands for a value put in.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.raw(key)?;
        let result = match self.origin.fill_value(key, value) {
            Ok(None) => read(value),
            // What was put in may be a secret, and the reason may show it.
            Ok(Some(filled)) => read(&filled).map_err(|_| {
                format!("\"{key}\" has a wrong value once its variables and files are put in")
            }),
            Err(fault) => Err(fault),
        };
        result.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// A line of text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Box<str>> {
        self.read(key, |value| line(key, value))
    }

    /// Text that may be a secret, and may have several lines.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Box<str>> {
        self.read(key, |value| {
            let text = loose_text(value).ok_or_else(|| wrong_secret(key, "text in quotes"))?;
            Ok(text.into())
        })
    }

    /// One text or several.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Box<str>> {
        let read = |value: &Value| match value {
            Value::Array(items) => items.iter().map(|item| line(key, item)).collect(),
            single => Ok(vec![line(key, single)?]),
        };
        self.read(key, read).unwrap_or_default()
    }

    /// A truth value.
    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, |value| truth(key, value))
    }

    /// A whole number of at most `most`.
    pub(super) fn number<T>(&mut self, key: &'static str, most: T) -> Option<T>
    where
        T: TryFrom<u64> + Copy + Into<u64>,
    {
        self.read(key, |value| whole(key, value, most))
    }

    /// A port, from 1 on.
    pub(super) fn port(&mut self) -> Option<u16> {
        self.read("port", |value| match whole("port", value, u16::MAX)? {
            0 => Err(wrong("port", value, "a port from 1 to 65535")),
            port => Ok(port),
        })
    }

    /// One of the words of `known`, in capitals or not.
    pub(super) fn choice<T: Clone>(&mut self, key: &'static str, known: &[(&str, T)]) -> Option<T> {
        self.read(key, |value| {
            let text = loose_text(value).unwrap_or_default();
            let found = known.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
            found.map(|(_, choice)| choice.clone()).ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                wrong(key, value, &format!("one of {}", names.join(", ")))
            })
        })
    }

    /// All that was wrong, with the keys that nobody asked for.
    pub(super) fn finish(mut self) -> Vec<String> {
        let known = |key: &str| {
            self.known.contains(&key) || super::COMMON.contains(&key) || (self.is_passed)(key)
        };
        let mut named = self.known.clone();
        named.push("timeout");
        named.sort_unstable();
        named.dedup();
        for key in self.config.keys().filter(|key| !known(key)) {
            self.faults.push(unknown("key", key, &named));
        }
        self.faults
    }
}
