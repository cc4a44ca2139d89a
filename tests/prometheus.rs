//! A real Prometheus that finds the targets of a real daemon, scrapes it and probes through it, and
//! gets data for every query of dashboards and rules.

#![expect(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;
#[path = "support/scrape.rs"]
mod scrape;

#[path = "prometheus/queries.rs"]
mod queries;
#[path = "prometheus/server.rs"]
mod server;

use std::fs;

use serde_json::{Value, json};

use fleet::{Certificate, Fleet, Options};
use home::{Attached, Home, wait_for};
use scrape::{address, has};
use server::Prometheus;

/// A daemon with targets that are up, down and certified, and a Prometheus beside it.
struct Watched {
    prometheus: Prometheus,
    _daemon: Attached,
    _home: Home,
    _fleet: Fleet,
}

fn watched() -> Watched {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let home = Home::new();
    let ca = home.write("ca.pem", fleet.ca_pem());
    let entry = |url: String, id: &str| {
        json!({"url": url, "id": id, "interval": 1, "timeout": 20, "retries": 0, "group": "g",
            "labels": {"team": "web"}})
    };
    home.list(&[
        entry(fleet.named_url(0, "/h/Last-Modified/Sun,%2006%20Nov%201994%2008:49:37%20GMT"), "good"),
        entry(fleet.url(1, "/s500"), "bad"),
        entry(fleet.https_url(2, Certificate::Good, "/"), "safe"),
        json!({"url": format!("tcp://127.1.0.1:{}", fleet.http_port()), "id": "port", "interval": 1}),
        json!({"url": "icmp://127.0.0.1", "id": "echo", "interval": 1}),
        json!({"url": "ssl://127.1.0.1:1", "id": "tls", "interval": 1, "retries": 0}),
    ]);
    let dns = fleet.dns_address().to_string();
    let daemon = home.attach(&[
        "--listen",
        "127.0.0.1:0",
        "--resolver",
        &dns,
        "--ca",
        ca.to_str().expect("text"),
        "--metrics-label",
        "team=web",
    ]);
    let prometheus = Prometheus::start(&address(&home));
    Watched { prometheus, _daemon: daemon, _home: home, _fleet: fleet }
}

#[test]
fn every_query_of_dashboards_and_rules_gets_data_from_a_real_prometheus() {
    if !has("prometheus") || !has("promtool") {
        return;
    }
    let watched = watched();
    let prometheus = &watched.prometheus;
    wait_for("all targets to be scraped", || {
        // The daemon itself, and each of its targets.
        (prometheus.number("count(up == 1)") >= Some(7.0)).then_some(())
    });
    wait_for("a second scrape of each", || {
        (prometheus.number("min(count_over_time(up[5m]))") >= Some(3.0)).then_some(())
    });
    let mut left: Vec<String> = queries::of_blackbox().chain(queries::of_our_dashboard()).collect();
    wait_for("data for every query", || {
        left.retain(|query| !prometheus.has_data(query));
        if !left.is_empty() {
            eprintln_once(&left);
        }
        left.is_empty().then_some(())
    });
    assert_eq!(prometheus.number("probe_success{id=\"good\"}"), Some(1.0));
    assert_eq!(prometheus.number("probe_success{id=\"bad\"}"), Some(0.0));
    assert_eq!(prometheus.number("probe_http_status_code{id=\"bad\"}"), Some(500.0));
    assert_eq!(
        prometheus.number("poller_target_up{exported_id=\"bad\"} or poller_target_up{id=\"bad\"}"),
        Some(0.0)
    );
}

/// What still has no data, so that a run in vain says what it waited for.
#[allow(clippy::print_stderr, reason = "a test that waits in vain says for what")]
fn eprintln_once(left: &[String]) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static LAST: AtomicUsize = AtomicUsize::new(0);
    if LAST.swap(left.len(), Ordering::Relaxed) != left.len() {
        eprintln!("without data: {left:#?}");
    }
}

#[test]
fn every_alert_of_ours_is_a_question_that_prometheus_can_answer() {
    if !has("prometheus") || !has("promtool") {
        return;
    }
    let watched = watched();
    let prometheus = &watched.prometheus;
    wait_for("the rules to be looked at", || {
        let rules = prometheus.ask("/api/v1/rules", &[]);
        let groups = rules["data"]["groups"].as_array()?;
        let rules: Vec<&Value> =
            groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
        let is_good = rules.iter().all(|rule| rule["health"] == "ok");
        (rules.len() == 10 && is_good).then_some(())
    });
    // What each rule looks at is there, whatever it thinks of it.
    let mut left: Vec<&str> = queries::OF_ALERTS.to_vec();
    wait_for("data for what the rules look at", || {
        left.retain(|query| !prometheus.has_data(query));
        left.is_empty().then_some(())
    });
    wait_for("the alert of a target that is down", || {
        let alerts = prometheus.ask("/api/v1/alerts", &[]);
        let alerts = alerts["data"]["alerts"].as_array()?;
        let is_known = |name: &str| alerts.iter().any(|alert| alert["labels"]["alertname"] == name);
        (is_known("PollerTargetDown")
            && is_known("PollerProbeFailed")
            && is_known("PollerFleetDown"))
        .then_some(())
    });
}

#[test]
fn the_files_for_prometheus_and_grafana_are_sound() {
    let dashboard = fs::read_to_string("contrib/grafana/poller.json").expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 20));
    if !has("promtool") {
        return;
    }
    let folder = "contrib/prometheus";
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
        ["check", "config", "prometheus.yml"],
    ] {
        let mut command = std::process::Command::new("promtool");
        let output = command.args(arguments).current_dir(folder).output().expect("it runs");
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}
