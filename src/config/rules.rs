//! `Rules`: what fills the keys that an entry does not name.
//!
//! A key is looked for in the entry, then in the matches that fit it, the last one first, then in
//! the defaults, then in what is built in.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::check::Policy;
use crate::config::checks::Usual;
use crate::config::fields::Fields;
use crate::config::keys::KEYS;
use crate::config::nearest::unknown;
use crate::config::substitute::Origin;
use crate::config::values::{line, loose_text, wrong};
use crate::target::{self, Labels, Plan, Proxy};

/// Built-in milliseconds from one poll to the next.
pub const INTERVAL_MS: u32 = 60_000;
/// Built-in bound of the timeout, which is else half the interval, in milliseconds.
pub const TIMEOUT_MS: u32 = 30_000;

/// Whether one bad entry refuses the whole list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// It is rejected alone.
    #[default]
    Lenient,
    /// It refuses the list.
    Strict,
}

/// How a list is read and what fills its entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// What `[defaults]` names.
    pub defaults: Fields,
    /// What each `[[match]]` names, in the order of the settings file.
    pub matches: Vec<Match>,
    /// Milliseconds from one poll to the next when nothing names them.
    pub interval_ms: u32,
    /// Milliseconds that a poll may take when nothing names them; none: half the interval, and
    /// [`TIMEOUT_MS`] at most.
    pub timeout_ms: Option<u32>,
    /// Milliseconds that a check may take when nothing names them, of checks that run once: there
    /// is no interval that could say so.
    pub once_timeout_ms: Option<u32>,
    /// Proxy when nothing names one.
    pub proxy: Proxy,
    /// Entries that are read at most.
    pub limit: Option<u64>,
    /// Whether one bad entry refuses the list.
    pub strictness: Strictness,
    /// What entries are that name no kind of check.
    pub usual: Usual,
    /// Where entries may lead, of those that come through the API; none: anywhere.
    pub guard: Option<Policy>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            defaults: Fields::default(),
            matches: Vec::new(),
            interval_ms: INTERVAL_MS,
            timeout_ms: None,
            once_timeout_ms: None,
            proxy: Proxy::Direct,
            limit: None,
            strictness: Strictness::Lenient,
            usual: Usual::default(),
            guard: None,
        }
    }
}

impl Rules {
    /// The same rules for entries that come through the API, which may lead where `policy` lets
    /// them: nothing that may be a secret of this machine is filled in, and no proxy stands before
    /// them, because where that leads is not ours to judge.
    #[must_use]
    pub fn for_api(&self, policy: Policy) -> Self {
        let mut rules = self.clone();
        rules.defaults.forget_secrets();
        rules.matches.iter_mut().for_each(|rule| rule.fields.forget_secrets());
        let guard = Some(policy);
        Self { proxy: Proxy::Direct, limit: None, guard, ..rules }
    }

    /// Who asks for the entries.
    #[must_use]
    pub const fn origin(&self) -> target::Origin {
        match self.guard {
            None => target::Origin::List,
            Some(_) => target::Origin::Api,
        }
    }

    /// The positions of the matches that fit an entry for `host`, the weakest first.
    #[must_use]
    pub fn fitting(&self, host: &str, entry: &Fields) -> Vec<usize> {
        let group = entry.group.as_deref().or(self.defaults.group.as_deref());
        let label = |name: &str| {
            let found = entry.labels.get(name).or_else(|| self.defaults.labels.get(name));
            found.map(AsRef::as_ref)
        };
        let fits = |rule: &Match| {
            (rule.hosts.is_empty() || rule.hosts.iter().any(|pattern| pattern.fits(host)))
                && (rule.groups.is_empty()
                    || rule.groups.iter().any(|known| Some(&**known) == group))
                && rule.labels.iter().all(|(name, text)| {
                    label(name)
                        .is_some_and(|found| text.as_deref().is_none_or(|text| text == found))
                })
        };
        let places = self.matches.iter().enumerate();
        places.filter(|(_, rule)| fits(rule)).map(|(place, _)| place).collect()
    }

    /// The fields that fill those of an entry, the strongest first.
    pub(crate) fn layers<'r>(
        &'r self,
        fitting: &'r [usize],
    ) -> impl DoubleEndedIterator<Item = &'r Fields> {
        let matches = fitting.iter().rev().filter_map(|place| self.matches.get(*place));
        matches.map(|rule| &rule.fields).chain(std::iter::once(&self.defaults))
    }

    /// The plan of `entry`, for which the matches at `fitting` count.
    #[must_use]
    pub fn plan(&self, entry: &Fields, fitting: &[usize]) -> Plan {
        let mut plan = Plan { proxy: self.proxy.clone(), ..Plan::default() };
        for layer in self.layers(fitting).rev() {
            layer.plan.apply(&mut plan);
        }
        entry.plan.apply(&mut plan);
        // Equal plans are stored once, whichever layer names a header.
        plan.headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        plan
    }

    /// Group and labels of `entry`, for which the matches at `fitting` count.
    #[must_use]
    pub fn labels(&self, entry: &Fields, fitting: &[usize]) -> Labels {
        let mut pairs = BTreeMap::new();
        for layer in self.layers(fitting).rev() {
            pairs.extend(layer.labels.clone());
        }
        pairs.extend(entry.labels.clone());
        let group = entry.group.clone().or_else(|| self.defaults.group.clone());
        Labels { group, pairs }
    }
}

/// What is filled in for the entries that it fits: those that meet each of its conditions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    hosts: Vec<HostPattern>,
    groups: Vec<Box<str>>,
    labels: Vec<LabelRule>,
    fields: Fields,
}

impl Match {
    /// Every key of a match: its conditions `host`, `group` and `label`, and the keys it fills.
    #[must_use]
    pub fn keys() -> Vec<&'static str> {
        let filled = KEYS.iter().filter(|key| !["url", "id", "name", "group"].contains(key));
        ["host", "group", "label"].into_iter().chain(filled.copied()).collect()
    }

    /// Takes the value of one key.
    ///
    /// # Errors
    /// The key is unknown or its value wrong.
    pub fn set(&mut self, key: &str, value: &Value, origin: &Origin) -> Result<(), String> {
        match key {
            "host" => {
                for text in texts(key, value)? {
                    self.hosts.push(HostPattern::parse(&text));
                }
            }
            "group" => self.groups.extend(texts(key, value)?),
            "label" => self.labels.extend(labels(value)?),
            _ if Self::keys().contains(&key) => self.fields.set(key, value, origin)?,
            _ => return Err(unknown("key", key, &Self::keys())),
        }
        Ok(())
    }

    /// Whether it has a condition at all.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !(self.hosts.is_empty() && self.groups.is_empty() && self.labels.is_empty())
    }
}

/// A label's name, and the value that it must have if one is named.
type LabelRule = (Box<str>, Option<Box<str>>);

/// A host as written, or after `*.` the name that its name ends in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exactly(Box<str>),
    Below(Box<str>),
}

impl HostPattern {
    fn parse(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some(end) if end.starts_with('.') => Self::Below(end.into()),
            _ => Self::Exactly(text.into()),
        }
    }

    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Exactly(name) => **name == *host,
            Self::Below(end) => host.ends_with(&**end),
        }
    }
}

fn texts(key: &str, value: &Value) -> Result<Vec<Box<str>>, String> {
    match value {
        Value::Array(items) => items.iter().map(|item| line(key, item)).collect(),
        single => Ok(vec![line(key, single)?]),
    }
}

/// `{team = "web"}`, `"team=web"`, `"team"` (any value) or a list of such texts.
fn labels(value: &Value) -> Result<Vec<LabelRule>, String> {
    if let Value::Object(pairs) = value {
        let pair = |(name, text): (&String, &Value)| {
            let text = loose_text(text).ok_or_else(|| wrong("label", value, "texts"))?;
            Ok((name.as_str().into(), Some(text.into())))
        };
        return pairs.iter().map(pair).collect();
    }
    let pair = |text: Box<str>| match text.split_once('=') {
        Some((name, text)) => (name.trim().into(), Some(text.trim().into())),
        None => (text.trim().into(), None),
    };
    Ok(texts("label", value)?.into_iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::substitute::Variables;
    use serde_json::json;

    fn fields(value: &Value) -> Fields {
        let origin = Origin::of_file("x".as_ref(), Variables::default());
        let mut fields = Fields::default();
        for (key, value) in value.as_object().expect("an object") {
            fields.set(key, value, &origin).expect("a good key");
        }
        fields
    }

    fn rule(value: &Value) -> Match {
        let origin = Origin::of_file("x".as_ref(), Variables::default());
        let mut rule = Match::default();
        for (key, value) in value.as_object().expect("an object") {
            rule.set(key, value, &origin).expect("a good key");
        }
        rule
    }

    #[test]
    fn a_match_fits_by_host_group_and_label() {
        let rules = Rules {
            matches: vec![
                rule(&json!({"host": "*.shop.example"})),
                rule(&json!({"group": ["shop", "bar"]})),
                rule(&json!({"label": {"team": "web"}})),
                rule(&json!({"label": "team", "host": "a.example"})),
            ],
            ..Rules::default()
        };
        let plain = Fields::default();
        assert_eq!(rules.fitting("www.shop.example", &plain), [0]);
        assert_eq!(rules.fitting("notshop.example", &plain), [0_usize; 0]);
        assert_eq!(rules.fitting("a.example", &fields(&json!({"group": "bar"}))), [1]);
        let web = fields(&json!({"labels": {"team": "web"}}));
        assert_eq!(rules.fitting("b.example", &web), [2]);
        assert_eq!(rules.fitting("a.example", &web), [2, 3]);
    }

    #[test]
    fn a_key_is_looked_for_in_entry_last_match_first_match_and_defaults() {
        let rules = Rules {
            defaults: fields(&json!({"method": "HEAD", "redirects": 1, "retries": 1,
                "labels": {"from": "defaults", "also": "kept"}})),
            matches: vec![
                rule(&json!({"host": "a", "redirects": 2, "retries": 2, "connection": "reuse"})),
                rule(&json!({"host": "a", "redirects": 3, "labels": {"from": "match"}})),
            ],
            ..Rules::default()
        };
        let entry = fields(&json!({"redirects": 4}));
        let plan = rules.plan(&entry, &[0, 1]);
        assert_eq!((plan.redirects, plan.retries, &*plan.method), (4, 2, "HEAD"));
        assert_eq!(rules.plan(&Fields::default(), &[0, 1]).redirects, 3);
        let labels = rules.labels(&entry, &[0, 1]);
        assert_eq!(labels.pairs.get("from").map(AsRef::as_ref), Some("match"));
        assert_eq!(labels.pairs.get("also").map(AsRef::as_ref), Some("kept"));
    }

    #[test]
    fn a_match_cannot_fill_what_names_one_entry() {
        let origin = Origin::remote();
        assert!(Match::default().set("url", &json!("http://a/"), &origin).is_err());
        let reason = Match::default().set("hosts", &json!("a"), &origin).expect_err("unknown");
        assert!(reason.contains("did you mean \"host\"?"), "{reason}");
    }
}
