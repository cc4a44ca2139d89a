//! Checks that are run now over the API of a real daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::disallowed_methods, reason = "a server of a test has threads of its own")]

#[path = "support/by_socket.rs"]
mod by_socket;
#[path = "support/home.rs"]
mod home;

use serde_json::{Value, json};

use by_socket::{Said, Web, ask, send};
use home::{Attached, Home, wait_for};

/// A daemon with three targets of `web` that fall due once a week.
fn daemon(web: &Web, arguments: &[&str]) -> (Home, Attached) {
    let home = Home::new();
    let entry = |id: &str, path: &str| json!({"id": id, "url": web.url(path), "interval": "7d"});
    home.list(&[entry("good", "/good"), entry("down", "/down"), entry("hang", "/hang")]);
    let attached = home.attach(&[&["-s", "--listen", "off"], arguments].concat());
    (home, attached)
}

const ALLOWED: &[&str] = &["--allow-targets", "127.0.0.0/8"];

fn website(id: &str, url: &str) -> Value {
    json!({"id": id, "plugin_type": "website_status", "config": {"url": url}})
}

/// Ids and statuses of the results, in their order.
fn told(said: &Said) -> Vec<(&str, &str)> {
    let results = said.body["results"].as_array().expect("results").iter();
    results
        .map(|one| (one["id"].as_str().unwrap(), one["result"]["status"].as_str().unwrap()))
        .collect()
}

#[test]
fn stored_targets_are_run_now_in_the_order_of_their_ids_and_unknown_ones_are_named() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, &[]);
    let asked = json!({"checks": ["down", "nobody", "good"], "max_workers": 2, "timeout": 30});
    let said = ask(&home, "POST /api/v1/batch/run", &asked).is(200);
    assert_eq!(told(&said), [("down", "error"), ("nobody", "error"), ("good", "success")]);
    let results = &said.body["results"];
    assert_eq!(results[1]["result"]["raw_data"]["error_type"], "unknown_target");
    assert_eq!(results[2]["plugin_type"], "website_status");
    assert_eq!(results[2]["result"]["raw_data"]["status_code"], 200);
    for key in ["message", "response_time", "raw_data", "timestamp"] {
        assert!(!results[2]["result"][key].is_null(), "{results}");
    }
    let again = ask(&home, "POST /api/v1/checks/run", &json!({"targets": ["good"]})).is(200);
    assert_eq!(told(&again), [("good", "success")]);
}

#[test]
fn what_somebody_asked_for_is_kept_and_moves_neither_state_nor_hours_nor_due_times() {
    let web = Web::start();
    let (home, mut attached) = daemon(&web, &[]);
    ask(&home, "POST /api/v1/checks/run", &json!({"targets": ["good", "down"]})).is(200);
    wait_for("two samples", || {
        (home.number("SELECT count(*) FROM checks WHERE kind = 'manual'") == 2).then_some(())
    });
    let summary = home.summary();
    assert_eq!(summary["checks"]["total"], 2);
    assert_eq!(summary["targets"]["pending"], 3, "{summary:#}");
    assert_eq!(summary["checks"]["missed"], 0);
    assert_eq!(home.number("SELECT count(*) FROM hours"), 0);
    assert_eq!(home.number("SELECT count(*) FROM incidents"), 0);
    home.run(&["--stop"]).works();
    attached.end();
    let _daemon = home.attach(&["-s", "--listen", "off"]);
    assert_eq!(home.summary()["targets"]["pending"], 3, "nor after a restart");
    assert_eq!(home.summary()["checks"]["total"], 2);
}

#[test]
fn a_check_that_hangs_loses_no_other_and_the_deadline_says_so() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, ALLOWED);
    let checks = json!([
        website("a", &web.url("/a")),
        website("hangs", &web.url("/hang")),
        {"id": "port", "plugin_type": "tcp", "config": {"host": "127.0.0.1", "port": web.address.port()}},
        {"id": "wrong", "plugin_type": "website_status", "config": {"ulr": "x"}},
        {"id": "kind", "plugin_type": "nonsense", "config": {}},
        7,
        {"id": "group", "targets": ["a", "b"]},
        website("b", &web.url("/down")),
    ]);
    let asked = json!({"checks": checks, "max_workers": 8, "timeout": 3});
    let said = ask(&home, "POST /api/v1/batch/run-ad-hoc", &asked).is(200);
    let ids: Vec<_> = told(&said);
    assert_eq!(
        ids,
        [
            ("a", "success"),
            ("hangs", "error"),
            ("port", "success"),
            ("wrong", "error"),
            ("kind", "error"),
            ("#6", "error"),
            ("group", "error"),
            ("b", "error"),
        ]
    );
    let kind = |place: usize| &said.body["results"][place]["result"]["raw_data"]["error_type"];
    assert_eq!(
        (kind(1), kind(3), kind(7)),
        (&json!("deadline"), &json!("invalid_check"), &json!("status"))
    );
    assert_eq!(home.stored(), 0, "nothing of it is kept");
}

#[test]
fn whoever_goes_away_ends_the_run() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, ALLOWED);
    let checks: Vec<Value> = (0..5).map(|n| website(&n.to_string(), &web.url("/hang"))).collect();
    let asked = json!({"checks": checks, "max_workers": 5, "timeout": 300}).to_string();
    let visitor = send(&home, "POST /api/v1/batch/run-ad-hoc", "", &asked);
    wait_for("all to hang", || (web.hanging() == 5).then_some(()));
    drop(visitor);
    wait_for("all to be given up", || (web.hanging() == 0).then_some(()));
}

#[test]
fn runs_are_bounded_and_say_when_to_come_back() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, &[ALLOWED, &["--max-workers", "64"]].concat());
    let hanging: Vec<Value> = (0..16).map(|n| website(&n.to_string(), &web.url("/hang"))).collect();
    let asked = json!({"checks": hanging, "max_workers": 16, "timeout": 300}).to_string();
    let visitor = send(&home, "POST /api/v1/batch/run-ad-hoc", "", &asked);
    wait_for("all to hang", || (web.hanging() == 16).then_some(()));
    let busy = ask(&home, "POST /api/v1/checks/run", &json!({"targets": ["good"]})).is(503);
    assert_eq!(busy.header("retry-after"), "5");
    drop(visitor);
    wait_for("room", || {
        let said = ask(&home, "POST /api/v1/checks/run", &json!({"targets": ["good"]}));
        (said.status == 200).then_some(())
    });
    let many = vec!["good"; 10_001];
    for wrong in [
        json!({ "targets": many }),
        json!({"targets": ["good"], "max_workers": 257}),
        json!({"targets": ["good"], "timeout": 301}),
        json!({"targets": "good"}),
        json!({"target": ["good"]}),
    ] {
        ask(&home, "POST /api/v1/checks/run", &wrong).is(400);
    }
}

#[test]
fn what_is_run_for_a_visitor_leads_to_no_address_that_is_not_public() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, &["--allow-targets", "127.0.0.1/32"]);
    let port = web.address.port();
    let leading = |place: &str| web.url(&format!("/to?{place}"));
    let checks = json!([
        website("literal", &format!("http://127.0.0.2:{port}/")),
        website("metadata", "http://169.254.169.254/latest/meta-data/"),
        website("spelt", "http://2852039166/"),
        website("redirect", &leading("http://169.254.169.254/latest/")),
        website("mapped", &leading(&format!("http://[::ffff:127.0.0.2]:{port}/"))),
        website("fine", &leading(&web.url("/there"))),
    ]);
    let said = ask(&home, "POST /api/v1/batch/run-ad-hoc", &json!({ "checks": checks })).is(200);
    for (place, one) in said.body["results"].as_array().unwrap().iter().enumerate() {
        let result = &one["result"];
        if one["id"] == "fine" {
            assert_eq!(result["status"], "success", "{one}");
            continue;
        }
        assert_eq!(result["status"], "error", "{one}");
        assert!(result["message"].as_str().unwrap().contains("allow_targets"), "{one}");
        if place > 2 {
            assert_eq!(result["raw_data"]["detail"], "forbidden_address", "{one}");
            assert_eq!(result["raw_data"]["verdict"], "unknown", "{one}");
        }
    }
}

#[test]
fn the_list_of_this_machine_may_lead_where_the_api_may_not() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, &[]);
    let said = ask(&home, "POST /api/v1/checks/run", &json!({"targets": ["good"]})).is(200);
    assert_eq!(told(&said), [("good", "success")]);
    let posted = json!({"id": "own", "url": web.url("/own")});
    ask(&home, "POST /api/v1/targets", &posted).is(422);
}

#[test]
fn kinds_of_checks_are_told_with_their_keys() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web, &[]);
    let all = ask(&home, "GET /api/v1/plugins", &Value::Null).is(200);
    assert_eq!(all.body["plugins"].as_array().unwrap().len(), 6);
    let one = ask(&home, "GET /api/v1/plugins/tcp", &Value::Null).is(200);
    assert_eq!(one.body["keys"][0]["name"], "host");
    assert_eq!(one.body["keys"][0]["required"], true);
    ask(&home, "GET /api/v1/plugins/ftp", &Value::Null).is(404);
    let document = ask(&home, "GET /api/v1/openapi.json", &Value::Null).is(200);
    for (path, method) in [
        ("/api/v1/targets", "get"),
        ("/api/v1/targets", "put"),
        ("/api/v1/targets", "post"),
        ("/api/v1/targets/{id}", "delete"),
        ("/api/v1/targets/{id}/pause", "post"),
        ("/api/v1/batch/run-ad-hoc", "post"),
        ("/api/v1/plugins/{name}", "get"),
    ] {
        assert!(document.body["paths"][path][method].is_object(), "{method} {path}");
    }
}
