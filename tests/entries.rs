//! The keys of an entry: what each takes, and how a wrong value is answered.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use poller::config::rules::Rules;
use poller::config::substitute::{Origin, Trust, Variables};
use poller::config::targets::{List, read};
use poller::expectation::HeaderRule;
use poller::target::{
    Auth, Connection, HttpVersion, IpVersion, Plan, Priority, Proxy, Target, Verify,
};

fn list_of(keys: &str, trust: Trust) -> List {
    let text = format!(r#"["http://first.example/", {{"url": "https://a.example/", {keys}}}]"#);
    let variables: Variables = [("TOKEN", "s3cret")].into_iter().collect();
    let origin = Origin { folder: "/etc/poller".into(), variables, trust };
    read(&mut text.as_bytes(), "urls.json", &origin, &Rules::default()).expect("a list")
}

fn target(keys: &str) -> Target {
    let mut list = list_of(keys, Trust::Local);
    assert_eq!(list.rejects.total, 0, "{:?}", list.rejects.first);
    list.targets.pop().expect("a target")
}

fn reason(keys: &str) -> String {
    let list = list_of(keys, Trust::Local);
    assert_eq!(list.rejects.total, 1, "{keys} was taken");
    list.rejects.first[0].reason.clone()
}

#[test]
fn every_key_has_its_place() {
    let target = target(
        r#""interval": "5m", "timeout": "2s", "id": 7, "name": "A", "group": "g",
           "labels": {"team": "web", "tier": 1}, "check": "website", "method": "post",
           "headers": {"Accept": "text/html", "X-N": 5}, "body": "b", "priority": "high",
           "connection": "reuse", "redirects": "0", "http_version": 2, "ip_version": 6,
           "resolver": "9.9.9.9", "proxy": "http://me:pw@proxy.example:3128", "retries": 0,
           "tls": {"verify": false, "ca": "ca.pem", "client_cert": "/c.pem", "client_key": "k.pem"}"#,
    );
    assert_eq!((target.every_ms, target.timeout_ms), (300_000, 2_000));
    assert_eq!((target.shown_id().as_str(), target.name.as_deref()), ("7", Some("A")));
    assert_eq!(target.labels.group.as_deref(), Some("g"));
    assert_eq!(target.labels.pairs.get("tier").map(AsRef::as_ref), Some("1"));
    assert_eq!(target.priority, Priority::High);
    let plan = &*target.plan;
    assert_eq!((&*plan.method, plan.body.as_deref()), ("POST", Some("b")));
    assert_eq!(plan.headers.len(), 2);
    assert_eq!((plan.redirects, plan.retries), (0, 0));
    assert_eq!((plan.connection, plan.http_version), (Connection::Reuse, HttpVersion::Http2));
    assert_eq!(plan.ip_version, IpVersion::V6);
    assert_eq!(plan.resolver.map(|address| address.port()), Some(53));
    assert_eq!(plan.tls.verify, Verify::Off);
    assert_eq!(plan.tls.ca, Some("/etc/poller/ca.pem".into()), "from the list's folder on");
    assert_eq!(plan.tls.client_cert, Some("/c.pem".into()));
    assert!(matches!(plan.proxy, Proxy::Through(_)));
}

#[test]
fn expectations_are_read() {
    let expect = target(
        r#""expect": {"status": [200, "301-302"], "body_contains": "a", "body_not_contains": ["b"],
           "body_regex": "c+", "json": {"/d": 1}, "headers": {"E": true}, "latency_under": 0.5,
           "certificate_days": "30"}"#,
    )
    .plan
    .expect
    .clone();
    assert_eq!(expect.status, [(200, 200), (301, 302)]);
    assert_eq!((expect.body_contains.len(), expect.body_not_contains.len()), (1, 1));
    assert!(expect.body_regex.is_some_and(|pattern| pattern.is_match(b"ccc")));
    assert_eq!(expect.json.len(), 1);
    assert_eq!(expect.headers, [(Box::from("e"), HeaderRule::Present)]);
    assert_eq!((expect.latency_under_ms, expect.certificate_days), (Some(500), Some(30)));
}

#[test]
fn credentials_are_basic_or_bearer() {
    let basic = Some(Auth::Basic { username: "me".into(), password: "s3cret".into() });
    let auth = |keys: &str| target(keys).plan.auth.clone();
    let pair = r#"{"username": "me", "password": "${TOKEN}"}"#;
    assert_eq!(auth(&format!(r#""auth": {pair}"#)), basic);
    assert_eq!(auth(&format!(r#""auth": {{"basic": {pair}}}"#)), basic);
    assert_eq!(auth(r#""auth": {"bearer": "${TOKEN}"}"#), Some(Auth::Bearer("s3cret".into())));
    for wrong in
        [r#""me:s3cret""#, r#"{"bearer": "two words"}"#, r#"{"username": "me"}"#, r#"{"basic": 5}"#]
    {
        let reason = reason(&format!(r#""auth": {wrong}"#));
        assert!(reason.contains("\"auth\" has a wrong value; write {\"basic\""), "{reason}");
        assert!(!reason.contains("s3cret"), "{reason}");
    }
}

#[test]
fn variables_stand_for_a_value_anywhere_and_leave_the_id_as_it_was() {
    let read_with = |host: &str| {
        let text = r#"["https://${HOST}/x", "https://x/?$${HOST}",
            {"url": "https://${HOST}/", "name": "at ${HOST}", "interval": "${EVERY}",
             "expect": {"body_contains": ["${HOST}"]}, "labels": {"host": "${HOST}"}}]"#;
        let variables: Variables = [("HOST", host), ("EVERY", "7s")].into_iter().collect();
        let origin = Origin { folder: "/etc".into(), variables, trust: Trust::Local };
        let list = read(&mut text.as_bytes(), "urls.json", &origin, &Rules::default());
        list.expect("a list").targets
    };
    let (one, other) = (read_with("a.example"), read_with("b.example"));
    assert_eq!(one[0].address.host_text(), "a.example");
    assert_eq!(one[0].address.to_string(), "https://${HOST}/x", "a secret may be put in");
    assert_eq!(one[1].address.path_and_query(), "/?${HOST}");
    assert_eq!(one[2].name.as_deref(), Some("at a.example"));
    assert_eq!(one[2].every_ms, 7_000);
    assert_eq!(&*one[2].plan.expect.body_contains[0], "a.example");
    assert_eq!(one[2].labels.pairs.get("host").map(AsRef::as_ref), Some("a.example"));
    let ids = |targets: &[Target]| targets.iter().map(|target| target.id).collect::<Vec<_>>();
    assert_eq!(ids(&one), ids(&other));
}

#[test]
fn a_value_that_was_put_in_is_not_shown() {
    let text = r#"["http://a.example/", "https://a:${TOKEN}/", "${TOKEN}/x"]"#;
    let variables: Variables = [("TOKEN", "s3cret")].into_iter().collect();
    let origin = Origin { folder: "/etc".into(), variables, trust: Trust::Local };
    let list = read(&mut text.as_bytes(), "urls.json", &origin, &Rules::default());
    let rejects = list.expect("a list").rejects;
    assert_eq!(rejects.total, 2);
    assert!(!format!("{rejects:?}").contains("s3cret"), "{rejects:?}");
    let reason = reason(r#""interval": "${TOKEN}""#);
    assert!(reason.starts_with("\"interval\" has a wrong value"), "{reason}");
    assert!(!reason.contains("s3cret"), "{reason}");
}

#[test]
fn null_is_the_same_as_a_key_that_is_not_there() {
    let target = target(r#""interval": null, "method": null, "expect": null, "labels": null"#);
    assert_eq!(*target.plan, Plan::default());
    assert_eq!(target.every_ms, 60_000);
}

#[test]
fn wrong_values_name_the_key_and_what_to_write() {
    for (keys, words) in [
        (r#""method": "GE T""#, r#""method" is "GE T"; write one of GET, HEAD"#),
        (r#""method": 5"#, r#""method" is 5; write one of GET, HEAD"#),
        (r#""interval": "soon""#, r#""interval" is "soon"; write seconds from 0.1"#),
        (r#""interval": true"#, r#""interval" is true; write seconds from 0.1"#),
        (r#""timeout": 0"#, r#""timeout" is 0; write seconds from 0.001 to 3600"#),
        (r#""redirects": -1"#, r#""redirects" is -1; write a whole number from 0 to 50"#),
        (r#""retries": 1.5"#, r#""retries" is 1.5; write a whole number from 0 to 10"#),
        (r#""priority": "urgent""#, r#""priority" is "urgent"; write "high" or "normal" or"#),
        (r#""http_version": 3"#, r#""http_version" is 3; write "1.1" or "2""#),
        (r#""resolver": "dns.example""#, r#""resolver" is "dns.example"; write the IP address"#),
        (
            r#""proxy": "https://me:pw@a""#,
            r#""proxy" has a wrong value; no proxy can be asked over"#,
        ),
        (r#""proxy": "socks5://me:pw@a""#, r#""proxy" has a wrong value; write env, none or"#),
        (r#""labels": ["a"]"#, r#""labels" is a list; write an object of names and texts"#),
        (r#""name": """#, r#""name" is ""; write text of 1 to 1000 bytes"#),
        (r#""check": "htp""#, r#"unknown "check" "htp"; did you mean "http"?"#),
        (r#""tls": {"verfy": true}"#, r#"unknown key in "tls" "verfy"; did you mean "verify"?"#),
        (r#""tls": {"client_cert": "c"}"#, r#""tls" has one of "client_cert" and "client_key""#),
        (r#""headers": {"a b": "c"}"#, r#""headers.a b" is no header name"#),
        (r#""headers": {"Content-Length": 5}"#, r#""headers.Content-Length" follows from"#),
        (
            r#""headers": {"X": "a\r\nY: b"}"#,
            r#""headers.X" has a wrong value; write text without"#,
        ),
        (r#""body": {"a": 1}"#, r#""body" has a wrong value; write text in quotes"#),
        (r#""headers": {"X": "${NOPE}"}"#, r#""headers.X" names the environment variable "NOPE""#),
    ] {
        let reason = reason(keys);
        assert!(reason.starts_with(words), "{keys}: {reason}");
    }
}

#[test]
fn all_mistakes_of_an_entry_are_told_together() {
    let reason = reason(r#""interval": 0, "colour": "red", "retries": "many""#);
    for word in ["interval", "colour", "retries"] {
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_list_from_the_network_may_name_nothing_of_this_machine() {
    for keys in [
        r#""headers": {"X": "${TOKEN}"}"#,
        r#""body": "file:/etc/hostname""#,
        r#""auth": {"bearer": "${TOKEN}"}"#,
        r#""tls": {"ca": "/etc/ssl/x.pem"}"#,
    ] {
        let list = list_of(keys, Trust::Remote);
        assert_eq!(list.rejects.total, 1, "{keys} was taken");
    }
}

#[test]
fn equal_plans_and_labels_are_stored_once() {
    let text = r#"[{"url": "http://a.example/", "method": "HEAD", "group": "g"},
        {"url": "http://b.example/", "method": "HEAD", "group": "g"}, "http://c.example/",
        "http://d.example/"]"#;
    let origin = Origin::remote();
    let list = read(&mut text.as_bytes(), "x", &origin, &Rules::default()).expect("a list").targets;
    assert!(std::sync::Arc::ptr_eq(&list[0].plan, &list[1].plan));
    assert!(std::sync::Arc::ptr_eq(&list[0].labels, &list[1].labels));
    assert!(std::sync::Arc::ptr_eq(&list[2].plan, &list[3].plan));
    assert!(!std::sync::Arc::ptr_eq(&list[0].plan, &list[2].plan));
}
