//! Checks of every kind as entries name them: by `plugin_type` and `config`, or by `check`.

pub mod catalogue;
mod dns;
mod icmp;
mod keys;
mod mail;
mod place;
mod ssl;
mod tcp;
mod website;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::config::fields::Fields;
use crate::config::keys::KEYS;
use crate::config::nearest::unknown;
use crate::config::substitute::Origin;
use crate::config::values::shown;
use crate::expectation::JsonValue;
use crate::target::{CheckKind, OtherProbe, Probe};
use keys::Keys;

/// Keys of an entry that mean the same whatever the kind of its check.
pub(super) const COMMON: &[&str] = &[
    "id",
    "name",
    "group",
    "labels",
    "interval",
    "timeout",
    "priority",
    "retries",
    "ip_version",
    "resolver",
    "tls",
    "sentinel",
    "max_per_host",
    "host_rate",
    "locations",
    "quorum",
];

/// What entries are that name no kind, and what they say where they say nothing of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    /// Kind of the check; none: HTTP, as lists of targets mean it.
    pub kind: Option<CheckKind>,
    /// Keys of `config` that an entry may leave out.
    pub config: Map<String, Value>,
    /// The names of kinds from outside of this crate.
    pub others: HashSet<String>,
}

/// The kind that `text` names, as `plugin_type` or `check`.
fn kind_named(text: &str) -> Option<CheckKind> {
    Some(match text {
        "website_status" | "website" | "http" | "https" => CheckKind::Http,
        "ssl_certificate" | "ssl" | "tls" => CheckKind::Ssl,
        "mail_server" | "mail" | "smtp" | "imap" | "pop3" => CheckKind::Mail,
        "dns_record" | "dns" => CheckKind::Dns,
        "tcp" => CheckKind::Tcp,
        "icmp" | "ping" => CheckKind::Icmp,
        _ => return None,
    })
}

/// The names of kinds that are told to those who wrote another.
const NAMES: [&str; 6] =
    ["website_status", "ssl_certificate", "mail_server", "dns_record", "tcp", "icmp"];

/// The kind of check that an entry asks for, when it is none of HTTP as lists of targets mean it.
pub(crate) enum Asked {
    /// A target of HTTP: `url` and the other keys of lists.
    Target,
    /// A check of a kind that is known.
    Kind(CheckKind),
    /// A check of a kind from outside of this crate.
    Other(String),
}

impl Usual {
    /// What the entry of `keys` asks for.
    ///
    /// # Errors
    /// It names a kind that nobody knows.
    pub(crate) fn asked(&self, keys: &Map<String, Value>) -> Result<Asked, String> {
        let text = |key: &str| match keys.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(format!("\"{key}\" is no text; write one of {}", NAMES.join(", "))),
        };
        if let Some(name) = text("plugin_type")? {
            return match kind_named(name) {
                Some(kind) => Ok(Asked::Kind(kind)),
                None if self.others.contains(name) => Ok(Asked::Other(name.to_owned())),
                None => Err(unknown("\"plugin_type\"", name, &NAMES)),
            };
        }
        if let Some(name) = text("check")? {
            return match kind_named(name) {
                Some(CheckKind::Http) if self.kind != Some(CheckKind::Http) => Ok(Asked::Target),
                Some(kind) => Ok(Asked::Kind(kind)),
                None if self.others.contains(name) => Ok(Asked::Other(name.to_owned())),
                None => {
                    Err(unknown("\"check\"", name, &["http", "ssl", "mail", "dns", "tcp", "icmp"]))
                }
            };
        }
        let scheme = text("url").ok().flatten().and_then(|url| url.split_once("://"));
        let of_scheme = scheme.and_then(|(scheme, _)| place::kind_of_scheme(scheme));
        Ok(match (self.kind, of_scheme) {
            (Some(kind), _) | (None, Some(kind)) => Asked::Kind(kind),
            (None, None) => Asked::Target,
        })
    }

    /// The fields of an entry that is `text` alone: a name, a place or a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of_text(&self, text: &str, origin: &Origin) -> Result<Fields, String> {
        let entry = Map::from_iter([("url".to_owned(), Value::from(text))]);
        match self.asked(&entry)? {
            Asked::Kind(kind) => self.of_entry(kind, &entry, origin),
            Asked::Target | Asked::Other(_) => Fields::of_url(text.to_owned(), origin),
        }
    }

    /// The fields of an entry that asks for a check of `kind`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn of_entry(
        &self,
        kind: CheckKind,
        entry: &Map<String, Value>,
        origin: &Origin,
    ) -> Result<Fields, String> {
        let mut faults = Vec::new();
        let mut fields = Fields::default();
        let config = self.config_of(entry, &mut fields, origin, &mut faults);
        let mut keys = Keys::new(&config, origin);
        match kind {
            CheckKind::Http => website::read(&mut keys, &mut fields),
            CheckKind::Ssl => ssl::read(&mut keys, &mut fields),
            CheckKind::Mail => mail::read(&mut keys, &mut fields),
            CheckKind::Dns => dns::read(&mut keys, &mut fields),
            CheckKind::Tcp => tcp::read(&mut keys, &mut fields),
            CheckKind::Icmp | CheckKind::Other => icmp::read(&mut keys, &mut fields),
        }
        faults.extend(keys.finish());
        if faults.is_empty() { Ok(fields) } else { Err(faults.join("; ")) }
    }

    /// The fields of an entry that asks for a check of the kind `name`, from outside of this crate.
    ///
    /// # Errors
    /// All that is wrong with it, as far as it can be known here.
    pub(crate) fn of_other(
        &self,
        name: &str,
        entry: &Map<String, Value>,
        origin: &Origin,
    ) -> Result<Fields, String> {
        let mut faults = Vec::new();
        let mut fields = Fields::default();
        let config = self.config_of(entry, &mut fields, origin, &mut faults);
        let config = Value::Object(config);
        match origin.fill_value("config", &config) {
            Ok(filled) => {
                let config = JsonValue(filled.unwrap_or(config));
                let probe = OtherProbe { name: name.into(), config };
                fields.plan.probe = Some(Probe::Other(Box::new(probe)));
            }
            Err(fault) => faults.push(fault),
        }
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let host: String =
            name.bytes().map(|b| if safe(b) { char::from(b) } else { '-' }).collect();
        fields.url = Some(format!("check://{host}/").into());
        if faults.is_empty() { Ok(fields) } else { Err(faults.join("; ")) }
    }

    /// The `config` of an entry: what it holds under that name, what else stands in it and is no
    /// key of every entry, and what is usual.
    fn config_of(
        &self,
        entry: &Map<String, Value>,
        fields: &mut Fields,
        origin: &Origin,
        faults: &mut Vec<String>,
    ) -> Map<String, Value> {
        let mut config = self.config.clone();
        let is_check = entry.contains_key("plugin_type");
        for (key, value) in entry {
            match key.as_str() {
                "plugin_type" | "check" => {}
                "config" => match value {
                    Value::Object(pairs) => config.extend(pairs.clone()),
                    Value::Null => {}
                    other => faults.push(crate::config::values::wrong(key, other, "an object")),
                },
                key if COMMON.contains(&key) => faults.extend(fields.set(key, value, origin).err()),
                key if is_check => {
                    let mut known = vec!["id", "plugin_type", "config"];
                    known.extend(COMMON.iter().filter(|common| **common != "id"));
                    let word = unknown("key", key, &known);
                    let hint = "the keys of the check itself stand in its \"config\"";
                    faults.push(format!("{word} ({hint})"));
                }
                _ => {
                    config.insert(key.clone(), value.clone());
                }
            }
        }
        // What every entry may say may stand among the keys of the check as well.
        for key in COMMON.iter().filter(|key| **key != "id") {
            if let Some(value) = config.remove(*key) {
                faults.extend(fields.set(key, &value, origin).err());
            }
        }
        config
    }
}

/// Whether `key` is one of lists of targets, which a website's check takes as well.
fn is_of_target(key: &str) -> bool {
    KEYS.contains(&key) && !["url", "check", "headers", "method", "body"].contains(&key)
}

/// The reason why an entry lacks a key that it needs.
fn missing(key: &str, what: &str) -> String {
    format!("\"{}\" is missing; add {what}", shown(key))
}
