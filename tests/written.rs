//! Entries that say all by themselves: what is read from them is what they were written from.

#![expect(clippy::expect_used, reason = "a test ends where it fails")]

use poller::check::Policy;
use poller::config::fields::Fields;
use poller::config::rules::{Match, Rules};
use poller::config::substitute::{Origin, Variables};
use poller::config::targets::own::read_own;
use poller::config::targets::written::{
    Secrets, as_listed, as_patchable, read, told_elsewhere, write,
};
use poller::config::targets::{self, List};
use poller::target::{Origin as AskedBy, Target, TargetId};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn origin() -> Origin {
    let variables: Variables =
        [("TOKEN", "s3cret"), ("NAME", "host.example")].into_iter().collect();
    Origin::of_file("/etc/poller/urls.json".as_ref(), variables)
}

fn list(entries: &[Value], rules: &Rules) -> List {
    let text = Value::from(entries.to_vec()).to_string();
    targets::read(&mut text.as_bytes(), "urls.json", &origin(), rules)
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn rules(defaults: &Value, fitting: &Value) -> Rules {
    let mut fields = Fields::default();
    for (key, value) in defaults.as_object().into_iter().flatten() {
        fields.set(key, value, &origin()).expect("a good default");
    }
    let mut rule = Match::default();
    for (key, value) in fitting.as_object().into_iter().flatten() {
        rule.set(key, value, &origin()).expect("a good match");
    }
    let matches = if rule.is_conditional() { vec![rule] } else { Vec::new() };
    Rules { defaults: fields, matches, ..Rules::default() }
}

/// What is read from the entry of `target` is polled like it, and its entry is the same.
fn survives(target: &Target) -> String {
    let entry = write(target);
    let again =
        read(entry.as_bytes(), target.id).unwrap_or_else(|fault| panic!("{entry}: {fault}"));
    assert!(again.is_polled_like(target), "{entry}\n{again:?}\n{target:?}");
    assert_eq!(again.given_id, target.given_id, "{entry}");
    assert_eq!(again.certificate_days(), target.certificate_days(), "{entry}");
    assert_eq!(write(&again), entry);
    entry
}

/// A list of the entry asks for the same target, unless others of the list polled the same, or rules
/// filled in what its kind of check has no use for.
fn lists(target: &Target, entry: &str) {
    let (kind, method) = (target.plan.probe.kind(), &target.plan.method);
    let first = TargetId::of_address(kind, method, target.address.written(), 0);
    if (target.given_id.is_none() && target.id != first) || entry.contains("\"defaults\"") {
        return;
    }
    let listed = as_listed(entry, Secrets::Told).expect("an entry");
    let value: Value = serde_json::from_str(&listed).expect("JSON");
    let again = list(&[value], &Rules::default()).targets.pop().expect("a target");
    assert_eq!(again.id, target.id, "{listed}");
    assert_eq!(as_listed(&write(&again), Secrets::Told).as_deref(), Ok(&*listed));
}

/// A key, and the values that it may have.
type Choice = (&'static str, fn() -> Value);

/// Some of `keys`, each with one of its values.
fn some_of(keys: &'static [Choice]) -> BoxedStrategy<Map<String, Value>> {
    let one = |(key, values): &'static Choice| {
        let values = values().as_array().cloned().unwrap_or_default();
        prop::option::weighted(0.3, prop::sample::select(values))
            .prop_map(move |value| value.map(|value| ((*key).to_owned(), value)))
    };
    let all: Vec<_> = keys.iter().map(one).collect();
    all.prop_map(|keys| keys.into_iter().flatten().collect()).boxed()
}

/// What every kind of check takes.
const COMMON: &[Choice] = &[
    ("name", || json!(["Front page", "ünïcode \"quoted\""])),
    ("group", || json!(["web"])),
    ("labels", || json!([{"team": "web", "tier": ""}, {"a": 5}])),
    ("interval", || json!([5, 0.25, "5m", 60, "7d"])),
    ("timeout", || json!([3, "250ms", 30])),
    ("priority", || json!(["high", "normal", "low"])),
    ("retries", || json!([0, 2, 10])),
    ("ip_version", || json!([4, "6", "any"])),
    ("resolver", || json!(["9.9.9.9", "[::1]:5353"])),
    ("tls", || {
        json!([{"verify": false}, {"ca": "ca.pem"},
        {"client_cert": "a.pem", "client_key": "/b.pem", "verify": true}])
    }),
    ("sentinel", || json!([true, false])),
    ("max_per_host", || json!([1, 50])),
    ("host_rate", || json!([10, 0.3, "30/m", "7/h", "999983"])),
    ("locations", || json!([1, 3, "all"])),
    ("quorum", || json!([1, 2])),
];

const WEB: &[Choice] = &[
    ("method", || json!(["HEAD", "post", "GET"])),
    ("headers", || json!([{"X-B": "${TOKEN}", "Accept": "a"}, {"x-a": " $${ "}])),
    ("body", || json!(["", "a\nb", "${TOKEN}"])),
    ("auth", || {
        json!([{"bearer": "${TOKEN}"}, {"username": "me", "password": ""},
        {"basic": {"username": "me", "password": "$${x}"}}])
    }),
    ("expect", || {
        json!([
            {"status": "2xx,301"}, {"status": [404, "500-599"], "latency_under": "1500ms"},
            {"body_contains": ["a", "${TOKEN}"], "body_not_contains": "b", "body_regex": "^a.*\\d$"},
            {"json": {"/a/0": null, "": {"b": [1.5, "x"]}}, "certificate_days": 0},
            {"headers": {"Server": "a", "X-B": true, "x-b": false, "A": 5}, "certificate_days": 30},
        ])
    }),
    ("connection", || json!(["reuse", "fresh"])),
    ("redirects", || json!([0, 5, 50])),
    ("http_version", || json!([2, "1.1"])),
    ("proxy", || json!(["env", "none", "http://me:pw@proxy.example:3128"])),
];

fn web() -> BoxedStrategy<Value> {
    let urls = [
        "https://a.example/",
        "http://me:p%40w@a.example:8080/x?y=${TOKEN}#f",
        "https://bücher.example/a b/$${x}@y",
        "https://a.example",
        "HTTP://A.example/%7Ex",
    ];
    (prop::sample::select(urls.to_vec()), some_of(COMMON), some_of(WEB))
        .prop_map(|(url, common, web)| {
            let mut keys: Map<String, Value> = common.into_iter().chain(web).collect();
            keys.insert("url".to_owned(), url.into());
            Value::Object(keys)
        })
        .boxed()
}

/// A check of every kind but the plain one, with all keys that it has.
const CHECKS: fn() -> Value = || {
    json!([
        {"plugin_type": "website_status", "config": {"url": "a.example/x",
            "expected_content": "a", "follow_redirects": false, "verify_ssl": false}},
        {"plugin_type": "website_status", "config": {"url": "http://a.example/",
            "expected_status": [200, 204], "auth_username": "me", "headers": {"X": "${TOKEN}"}}},
        {"plugin_type": "ssl_certificate", "config": {"hostname": "a.example"}},
        {"plugin_type": "ssl_certificate", "config": {"hostname": "${NAME}", "port": 8443,
            "warning_days": 7, "check_chain": true, "verify_hostname": false}},
        {"plugin_type": "ssl_certificate", "config": {"hostname": "a.example", "starttls": "imap",
            "warning_days": 40, "critical_days": 20, "verify_ssl": false}},
        {"plugin_type": "ssl_certificate", "config": {"hostname": "::1", "starttls": "smtp",
            "port": 443}},
        {"plugin_type": "mail_server", "config": {"hostname": "a.example"}},
        {"plugin_type": "mail_server", "config": {"hostname": "a.example", "protocol": "imap",
            "use_ssl": true, "username": "me", "password": "${TOKEN}"}},
        {"plugin_type": "mail_server", "config": {"hostname": "a.example", "use_tls": true,
            "resolve_mx": true, "test_send": true, "from_email": "a@b", "to_email": "c@d",
            "message": "x\ny $${z}"}},
        {"url": "pop3s://me:pw@a.example:1995"},
        {"url": "smtp://${NAME}:2525"},
        {"plugin_type": "dns_record", "config": {"domain": "a.example"}},
        {"plugin_type": "dns_record", "config": {"domain": "a.example", "subdomain": "www",
            "record_type": "mx", "expected_value": ["10 b", "c"], "nameserver": "1.1.1.1",
            "check_propagation": true, "propagation_threshold": 50, "check_authoritative": true,
            "check_dnssec": true}},
        {"url": "dns://a.example?type=TXT", "resolvers": "9.9.9.9,[::1]:5", "check_propagation": true},
        {"plugin_type": "tcp", "config": {"host": "a.example", "port": 22}},
        {"plugin_type": "tcp", "config": {"host": "${NAME}:25", "send": ["EHLO ${NAME}", ""],
            "expect": ["220", "250", "x"]}},
        {"url": "tcp://[::1]:80", "send": "a", "expect": []},
        {"plugin_type": "icmp", "config": {"host": "a.example"}},
        {"check": "ping", "host": "10.0.0.1", "count": 5, "spacing": "1s", "size": 0},
    ])
};

fn check() -> BoxedStrategy<Value> {
    let checks = CHECKS().as_array().cloned().unwrap_or_default();
    (prop::sample::select(checks), some_of(COMMON))
        .prop_map(|(mut check, common)| {
            if let Some(keys) = check.as_object_mut() {
                keys.extend(common);
            }
            check
        })
        .boxed()
}

fn layer() -> BoxedStrategy<Value> {
    let without = |keys: Map<String, Value>| -> Map<String, Value> {
        keys.into_iter().filter(|(key, _)| !["name", "group"].contains(&&**key)).collect()
    };
    (some_of(COMMON), some_of(WEB))
        .prop_map(move |(common, web)| {
            Value::Object(without(common).into_iter().chain(web).collect())
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_that_is_written_asks_for_the_same(
        mut entry in prop_oneof![web(), check()],
        id in prop::option::of("[a-z\"]{1,9}"),
        defaults in prop_oneof![Just(json!({})), layer()],
        matched in prop_oneof![Just(json!({})), layer()],
    ) {
        if let (Some(keys), Some(id)) = (entry.as_object_mut(), id) {
            keys.insert("id".to_owned(), id.into());
        }
        let mut matched = matched;
        if let Some(keys) = matched.as_object_mut().filter(|keys| !keys.is_empty()) {
            keys.insert("host".to_owned(), json!(["a.example", "host.example"]));
        }
        let read = list(&[entry, json!("https://other.example/")], &rules(&defaults, &matched));
        prop_assert_eq!(read.rejects.total, 0, "{:?}", read.rejects.first);
        for target in &read.targets {
            let written = survives(target);
            lists(target, &written);
        }
    }
}

#[test]
fn every_kind_of_check_survives_alone() {
    let checks = CHECKS().as_array().cloned().unwrap_or_default();
    let read = list(&checks, &Rules::default());
    assert_eq!((read.targets.len(), read.rejects.total), (checks.len(), 0), "{:?}", read.rejects);
    for target in &read.targets {
        let written = survives(target);
        lists(target, &written);
    }
}

#[test]
fn what_is_as_usual_is_left_out_and_what_a_flag_says_is_put_in() {
    let entry = json!({"url": "https://a.example/", "retries": 2, "redirects": 5, "timeout": 30});
    let read = list(&[entry], &Rules::default());
    assert_eq!(write(&read.targets[0]), r#"{"url":"https://a.example/"}"#);
    let flags = Rules { interval_ms: 5_000, timeout_ms: Some(1_500), ..Rules::default() };
    let read = list(&[json!("https://a.example/")], &flags);
    let written = write(&read.targets[0]);
    assert_eq!(written, r#"{"interval":5,"timeout":"1500ms","url":"https://a.example/"}"#);
}

#[test]
fn secrets_are_in_the_entry_and_not_in_what_is_shown() {
    let entries = [
        json!({"url": "https://me:s3cret@a.example/x@y", "headers": {"X": "${TOKEN}"},
            "body": "s3cret", "auth": {"bearer": "s3cret"}, "proxy": "http://me:s3cret@p.example:1"}),
        json!({"url": "https://a.example/?key=${TOKEN}"}),
        json!({"plugin_type": "mail_server", "config": {"hostname": "a.example",
            "username": "me", "password": "${TOKEN}"}}),
        json!({"plugin_type": "tcp", "config": {"host": "a.example", "port": 6379,
            "send": "AUTH ${TOKEN}", "expect": "OK"}}),
    ];
    let read = list(&entries, &Rules::default());
    assert_eq!(read.targets.len(), 4);
    for target in &read.targets {
        let entry = write(target);
        assert!(entry.contains("s3cret"), "{entry}");
        let shown = as_listed(&entry, Secrets::Hidden).expect("an entry");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    let shown = as_listed(&write(&read.targets[1]), Secrets::Hidden);
    assert_eq!(shown.as_deref(), Ok(r#"{"url":"https://a.example/?key=${TOKEN}"}"#));
}

#[test]
fn an_entry_of_somebody_else_is_refused_with_a_reason() {
    let target = list(&[json!("https://a.example/")], &Rules::default()).targets.remove(0);
    for (entry, word) in [
        ("", "JSON"),
        ("5", "is 5"),
        (r#"{"url":"https://a.example/","colour":1}"#, "colour"),
        (r#"{"url":"ssl://a.example","defaults":{"colour":1}}"#, "colour"),
    ] {
        let reason = read(entry.as_bytes(), target.id).expect_err("refused");
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn what_leads_elsewhere_takes_no_secrets_along() {
    let entry = r#"{"url":"https://a.example/","headers":{"A":"1","B":"2"},"auth":{"bearer":"x"}}"#;
    let told = |patch: Value| told_elsewhere(entry, patch.as_object().expect("an object"));
    assert_eq!(told(json!({"interval": 5})), None);
    assert_eq!(told(json!({"headers": {"A": "3"}})), None, "it stays where it is");
    for leading in ["url", "proxy", "resolver"] {
        assert_eq!(told(json!({leading: "x"})), Some("headers"));
        let half = json!({leading: "x", "headers": {"A": "3"}, "auth": null});
        assert_eq!(told(half), Some("headers"), "B goes along");
        assert_eq!(told(json!({leading: "x", "headers": null})), Some("auth"));
        let whole = json!({leading: "x", "headers": {"A": "3", "B": null}, "auth": null});
        assert_eq!(told(whole), None);
    }
}

/// What came of `entry` over the API.
fn own(entry: &str) -> Result<Target, String> {
    let raw = serde_json::value::RawValue::from_string(entry.to_owned()).expect("JSON");
    let (mut good, mut bad) = read_own(&[&raw], &Rules::default().for_api(Policy::default()), 0);
    good.pop().map(|one| one.target).ok_or_else(|| bad.remove(0).reason)
}

#[test]
fn who_asked_for_a_target_is_in_its_entry_and_nowhere_else() {
    let url = r#"{"url":"https://a.example/"}"#;
    let target = own(url).expect("a target");
    assert_eq!(target.origin, AskedBy::Api);
    let entry = survives(&target);
    assert_eq!(entry, r#"{"origin":"api","url":"https://a.example/"}"#);
    assert_eq!(read(entry.as_bytes(), target.id).expect("a target").origin, AskedBy::Api);
    // Neither lists nor the API know of that key.
    assert_eq!(as_listed(&entry, Secrets::Told).as_deref(), Ok(url));
    assert_eq!(as_patchable(&entry, None).as_deref(), Ok(url));
    let reason = own(&entry).expect_err("refused");
    assert!(reason.contains("\"origin\""), "{reason}");
    let text = format!("[{entry}]");
    let read = targets::read(&mut text.as_bytes(), "urls.json", &origin(), &Rules::default());
    let reason = read.expect_err("refused").to_string();
    assert!(reason.contains("\"origin\""), "{reason}");
}

#[test]
fn who_asked_for_a_target_is_not_guessed() {
    for other in ["\"list\"", "\"API\"", "null", "1"] {
        let entry = format!(r#"{{"url":"https://a.example/","origin":{other}}}"#);
        let reason = read(entry.as_bytes(), TargetId(1)).expect_err("refused");
        assert!(reason.contains("origin"), "{reason}");
    }
}
