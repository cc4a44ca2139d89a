//! Entries that come through the API, each with when it is to go.

use std::ops::ControlFlow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::rules::Rules;
use crate::config::substitute::Origin;
use crate::config::targets::loader::Loader;
use crate::config::targets::{Entry, prometheus, text};
use crate::config::units::positive_duration;
use crate::config::values::{loose_text, shown};
use crate::target::{Target, TargetId};

/// The key that says when a target is to go.
const EXPIRES: &str = "expires";
/// Milliseconds from now within which something may be to end: ten years.
const LONGEST_MS: i64 = 10 * 366 * 86_400_000;

/// An entry that can be polled.
#[derive(Debug)]
pub struct OwnEntry {
    /// Its place in what came, from 0.
    pub index: usize,
    /// The entry as JSON in one form, without when it is to go.
    pub text: String,
    /// When it is to go, in Unix milliseconds; none: never.
    pub expires_ms: Option<i64>,
    /// What it asks for.
    pub target: Target,
}

/// An entry that cannot be polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnReject {
    /// Its place in what came, from 0.
    pub index: usize,
    /// What it calls itself, as it is shown.
    pub id: Option<String>,
    /// The target that it calls itself.
    pub named: Option<TargetId>,
    /// Why, and what to write instead.
    pub reason: String,
}

/// What an entry says beside what it asks for.
struct Written {
    called: Called,
    text: String,
    expires_ms: Option<i64>,
    value: Value,
}

/// What an entry calls itself.
#[derive(Default)]
struct Called {
    /// As it is shown.
    shown: Option<String>,
    id: Option<TargetId>,
}

impl Called {
    fn rejected(self, index: usize, reason: String) -> OwnReject {
        OwnReject { index, id: self.shown, named: self.id, reason }
    }
}

/// The targets of `entries` by `rules`, which are those for the API, at `now_ms` (Unix
/// milliseconds); and what cannot be polled.
#[must_use]
pub fn read_own(
    entries: &[&RawValue],
    rules: &Rules,
    now_ms: i64,
) -> (Vec<OwnEntry>, Vec<OwnReject>) {
    let mut written = Vec::with_capacity(entries.len());
    let mut bad = Vec::new();
    for (index, raw) in entries.iter().enumerate() {
        match Written::read(raw, now_ms) {
            Ok(one) => written.push((index, one)),
            Err((called, reason)) => bad.push(called.rejected(index, reason)),
        }
    }
    let values = written.iter_mut().map(|(_, one)| std::mem::take(&mut one.value));
    let made = targets(values.collect(), rules);
    let mut good = Vec::with_capacity(made.len());
    for ((index, one), made) in written.into_iter().zip(made) {
        let Written { called, text, expires_ms, .. } = one;
        match made.and_then(only_one) {
            Ok(target) => good.push(OwnEntry { index, text, expires_ms, target }),
            Err(reason) => bad.push(called.rejected(index, reason)),
        }
    }
    bad.sort_by_key(|reject| reject.index);
    (good, bad)
}

/// The targets of entries that were taken before, each with the id that it had then; one that
/// cannot be polled any more with the reason.
#[must_use]
pub fn read_stored(
    entries: impl IntoIterator<Item = (TargetId, String)>,
    rules: &Rules,
) -> Vec<(TargetId, Result<Target, String>)> {
    let (ids, values): (Vec<TargetId>, Vec<Value>) = entries
        .into_iter()
        .map(|(id, text)| (id, serde_json::from_str(&text).unwrap_or_default()))
        .unzip();
    let made = targets(values, rules);
    let known = |(id, made): (TargetId, Result<Target, String>)| {
        (id, made.map(|target| Target { id, ..target }))
    };
    ids.into_iter().zip(made).map(known).collect()
}

/// The target of one entry by `rules`, for a check beside all schedules.
///
/// # Errors
/// What is wrong with the entry, and what to write instead.
pub fn one(entry: Value, rules: &Rules) -> Result<Target, String> {
    if prometheus::is_group(&entry) {
        return Err(GROUP.to_owned());
    }
    let mut made = targets(vec![entry], rules);
    made.pop().unwrap_or_else(|| Err("is no entry".to_owned()))
}

const GROUP: &str = "is a group of targets; write each of them as an entry of its own";

/// What each of `values` asks for; none of them is a group.
fn targets(values: Vec<Value>, rules: &Rules) -> Vec<Result<Target, String>> {
    let origin = Origin::remote();
    let mut made = Vec::with_capacity(values.len());
    let mut take = |entry: Entry| {
        made.push(entry.target);
        ControlFlow::Continue(())
    };
    let mut loader = Loader::new("the API", &origin, rules).handing_to(&mut take);
    for value in values {
        let _ = text::take_json(&mut loader, 1, value);
    }
    drop(loader);
    made
}

/// `target`, unless an entry before it asks for the same.
fn only_one(target: Target) -> Result<Target, String> {
    let (kind, method) = (target.plan.probe.kind(), &target.plan.method);
    let first = TargetId::of_address(kind, method, target.address.written(), 0);
    if target.given_id.is_none() && target.id != first {
        return Err("asks for the same as an entry before; give one of them an \"id\"".to_owned());
    }
    Ok(target)
}

impl Written {
    /// # Errors
    /// What the entry calls itself, and what is wrong with it.
    fn read(raw: &RawValue, now_ms: i64) -> Result<Self, (Called, String)> {
        let mut value: Value = serde_json::from_str(raw.get())
            .map_err(|error| (Called::default(), format!("cannot be read: {error}")))?;
        let given = value.get("id").and_then(loose_text);
        let id = given.as_deref().map(TargetId::of_given);
        let called = Called { shown: given.as_deref().map(shown), id };
        if prometheus::is_group(&value) {
            return Err((called, GROUP.to_owned()));
        }
        let expires = value.as_object_mut().and_then(|keys| keys.remove(EXPIRES));
        let expires_ms = match expires.filter(|expires| !expires.is_null()) {
            None => None,
            Some(expires) => match moment_ms(&expires, now_ms) {
                Ok(at_ms) => Some(at_ms),
                Err(want) => return Err((called, format!("\"{EXPIRES}\" is wrong; {want}"))),
            },
        };
        // Keys of JSON objects come out in one order, whatever it was.
        Ok(Self { called, text: value.to_string(), expires_ms, value })
    }
}

/// The moment that `value` names, a duration from `now_ms` on or a time; both in Unix milliseconds.
///
/// # Errors
/// What to write.
pub fn moment_ms(value: &Value, now_ms: i64) -> Result<i64, String> {
    let want = "write a duration like \"12h\" or a time to come like \"2030-01-31T12:00:00Z\", ten \
                years ahead at most";
    let text = loose_text(value).ok_or(want)?;
    let at_ms = match positive_duration(&text) {
        Ok(after) => i64::try_from(after.as_millis()).ok().map(|ms| now_ms.saturating_add(ms)),
        Err(_) => chrono::DateTime::parse_from_rfc3339(&text).ok().map(|at| at.timestamp_millis()),
    };
    at_ms.filter(|at_ms| (now_ms + 1..=now_ms + LONGEST_MS).contains(at_ms)).ok_or(want.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Policy;
    use crate::target::Origin as From;
    use serde_json::json;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn read(entries: &Value) -> (Vec<OwnEntry>, Vec<OwnReject>) {
        read_with(entries, &Rules::default())
    }

    fn read_with(entries: &Value, rules: &Rules) -> (Vec<OwnEntry>, Vec<OwnReject>) {
        let text = entries.to_string();
        let raws: Vec<&RawValue> = serde_json::from_str(&text).expect("a list");
        read_own(&raws, &rules.for_api(Policy::default()), NOW_MS)
    }

    fn refused(entry: &Value) -> String {
        let (_, mut bad) = read(&json!([entry]));
        bad.pop().unwrap_or_else(|| panic!("{entry} was taken")).reason
    }

    #[test]
    fn an_entry_is_one_of_a_list_and_says_when_it_is_to_go() {
        let (good, bad) = read(&json!([
            "https://a.example/",
            {"url": "https://b.example/", "interval": "5m", "labels": {"team": "web"}, "id": "b",
             "expires": "12h"},
            {"plugin_type": "tcp", "config": {"host": "c.example", "port": 22},
             "expires": "2027-02-01T00:00:00Z"},
            {"url": "ftp://d.example/", "id": "d"},
        ]));
        assert_eq!((good.len(), bad.len()), (3, 1), "{bad:?}");
        assert_eq!(good[1].expires_ms, Some(NOW_MS + 12 * 3_600_000));
        assert!(!good[1].text.contains("expires"), "{}", good[1].text);
        assert_eq!(good[1].target.every_ms, 300_000);
        assert_eq!(good[2].expires_ms, Some(1_801_440_000_000));
        assert!(good.iter().all(|one| one.target.origin == From::Api));
        assert_eq!((bad[0].index, bad[0].id.as_deref()), (3, Some("d")));
    }

    #[test]
    fn nothing_of_this_machine_is_read_for_an_entry() {
        for entry in [
            json!({"url": "https://a.example/${HOME}"}),
            json!({"url": "https://a.example/", "headers": {"X": "file:/etc/hostname"}}),
            json!({"url": "https://a.example/", "auth": {"bearer": "${TOKEN}"}}),
            json!({"url": "https://a.example/", "tls": {"ca": "ca.pem"}}),
            json!({"url": "https://a.example/", "tls": {"client_cert": "a", "client_key": "b"}}),
            json!({"plugin_type": "tcp", "config": {"host": "${HOME}", "port": 1}}),
        ] {
            assert!(refused(&entry).contains("of this machine"), "{entry}: {}", refused(&entry));
        }
        assert!(refused(&json!({"url": "https://a.example/", "proxy": "env"})).contains("proxy"));
    }

    #[test]
    fn an_address_that_is_written_out_is_judged_at_once_however_it_is_spelt() {
        for host in [
            "169.254.169.254",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "10.1.2.3",
            "%31%32%37.0.0.1",
            "127。0。0。1",
        ] {
            for scheme in ["http", "https", "tcp", "ssl", "smtp", "icmp"] {
                let url = format!("{scheme}://{host}{}", if scheme == "tcp" { ":80" } else { "" });
                let reason = refused(&json!({ "url": url }));
                assert!(reason.contains("allow_targets"), "{url}: {reason}");
            }
        }
        let dns = json!({"plugin_type": "dns_record",
            "config": {"domain": "a.example", "nameserver": "169.254.169.254"}});
        assert!(refused(&dns).contains("allow_targets"));
        let spread = json!({"plugin_type": "dns_record", "config": {"domain": "a.example",
            "check_propagation": true, "resolvers": ["1.1.1.1", "10.0.0.1"]}});
        assert!(refused(&spread).contains("allow_targets"));
        let resolver = json!({"url": "https://a.example/", "resolver": "127.0.0.53"});
        assert!(refused(&resolver).contains("allow_targets"));
    }

    #[test]
    fn what_is_asked_for_twice_needs_an_id() {
        let (good, bad) = read(&json!(["https://a.example/", "https://a.example/",
            {"url": "https://a.example/", "id": "x"}, {"url": "https://b.example/", "id": "x"}]));
        assert_eq!((good.len(), bad.len()), (2, 2));
        assert!(bad[0].reason.contains("\"id\""), "{bad:?}");
        assert!(refused(&json!({"targets": ["a:80"]})).contains("group"));
    }

    #[test]
    fn secrets_of_the_settings_are_not_filled_in() {
        let origin = Origin::of_file("x".as_ref(), crate::config::substitute::Variables::default());
        let mut rules = Rules::default();
        for (key, value) in [
            ("headers", json!({"X-Token": "s3cret"})),
            ("auth", json!({"bearer": "s3cret"})),
            ("interval", json!(7)),
            ("proxy", json!("http://proxy.example:1")),
        ] {
            rules.defaults.set(key, &value, &origin).expect("a good default");
        }
        let (good, bad) = read_with(&json!(["https://a.example/"]), &rules);
        let target = &good.first().unwrap_or_else(|| panic!("{bad:?}")).target;
        assert_eq!(target.every_ms, 7_000);
        assert!(target.plan.headers.is_empty() && target.plan.auth.is_none());
        assert_eq!(target.plan.proxy, crate::target::Proxy::Direct);
    }

    #[test]
    fn a_moment_is_a_duration_or_a_time_to_come() {
        for wrong in [json!("yesterday"), json!(0), json!("2001-01-01T00:00:00Z"), json!("9000d")] {
            assert!(moment_ms(&wrong, NOW_MS).is_err(), "{wrong}");
        }
        assert_eq!(moment_ms(&json!(90), NOW_MS), Ok(NOW_MS + 90_000));
    }

    #[test]
    fn the_same_entry_is_the_same_text_whatever_the_order_of_its_keys() {
        let text = |entry: &str| {
            let raw: &RawValue = serde_json::from_str(entry).expect("JSON");
            let (good, _) = read_own(&[raw], &Rules::default(), NOW_MS);
            good.into_iter().next().expect("good").text
        };
        let one = text(r#"{"url": "http://a.example/", "id": "a"}"#);
        assert_eq!(one, text(r#"{"id":"a","url":"http://a.example/","expires":"1h"}"#));
    }
}
