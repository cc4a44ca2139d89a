//! The figures of a real daemon at /metrics, in both formats.

#![expect(clippy::expect_used, reason = "a test ends where it fails")]
#![expect(clippy::float_cmp, reason = "figures that are told exactly are compared so")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;
#[path = "support/scrape.rs"]
mod scrape;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use fleet::{Certificate, Fleet, Options};
use home::{Attached, Home, wait_for};
use scrape::{Answer, address, ask, figures, has, promtool};

struct Watched {
    fleet: Fleet,
    home: Home,
    daemon: Attached,
    address: String,
}

fn entry(url: &str, id: &str, team: &str) -> Value {
    let labels = json!({"team": team});
    json!({"url": url, "id": id, "interval": 0.5, "timeout": 20, "retries": 0, "labels": labels, "group": "g\"1"})
}

/// A daemon that polls four targets, of which two are down and one has a certificate.
fn watched(arguments: &[&str]) -> Watched {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let home = Home::new();
    let ca = home.write("ca.pem", fleet.ca_pem());
    home.list(&[
        entry(&fleet.url(0, "/d5"), "good", "web"),
        entry(&fleet.url(1, "/s500"), "bad", "web"),
        entry(&fleet.url(2, "/reset"), "reset", "db"),
        entry(&fleet.https_address_url(3, Certificate::Good, "/"), "safe", "web"),
    ]);
    let ca = ca.to_str().expect("text").to_owned();
    let usual = ["--listen", "127.0.0.1:0", "--ca", &ca];
    let daemon = home.attach(&[&usual, arguments].concat());
    let address = address(&home);
    Watched { fleet, home, daemon, address }
}

impl Watched {
    fn scrape(&self) -> Answer {
        let answer = ask(&self.address, "/metrics", &[]);
        assert_eq!(answer.status, 200, "{answer:#?}");
        answer
    }

    /// The figures once every target was polled.
    fn scrape_when_polled(&self) -> Answer {
        wait_for("all targets to be polled", || {
            let answer = self.scrape();
            let is_all = answer.figure("poller_targets{state=\"pending\"}") == 0.0;
            (is_all && answer.figure("poller_storage_samples") > 0.0).then_some(answer)
        })
    }
}

#[test]
fn promtool_has_nothing_to_say_of_the_figures() {
    let watched = watched(&["--metrics-label", "team=web"]);
    let answer = watched.scrape_when_polled();
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(!answer.body.contains("# EOF"), "{}", answer.body);
    if has("promtool") {
        assert_eq!(promtool(&["check", "metrics"], &answer.body), "");
    }
}

#[test]
fn the_figures_agree_with_the_summary() {
    let watched = watched(&[]);
    wait_for("two targets to be down", || {
        let answer = watched.scrape();
        let summary = watched.home.summary();
        let down = summary["targets"]["down"].as_f64()?;
        (down == 2.0 && answer.figure("poller_targets{state=\"down\"}") == down).then_some(())
    });
    let answer = watched.scrape();
    assert!(answer.figure("poller_checks_total{verdict=\"down\"}") >= 2.0);
    assert!(answer.figure("poller_check_causes_total{cause=\"status\"}") >= 1.0);
    assert!(answer.figure("poller_check_latency_seconds_bucket{le=\"+Inf\"}") >= 1.0);
    assert!(answer.figure("poller_check_phase_seconds_count{phase=\"tls\"}") >= 1.0);
    assert!(answer.figure("poller_schedule_lag_seconds_count") >= 4.0);
    assert!(answer.figure("process_resident_memory_bytes") > 1e6);
    assert!(answer.figure("process_cpu_seconds_total") >= 0.0);
    assert_eq!(answer.figure("poller_config_last_reload_successful"), 1.0);
    assert!(answer.figure("poller_api_requests_total{class=\"2xx\"}") >= 1.0);
    assert!(!answer.body.contains("poller_target_up{"), "nobody asked for single targets");
    let build = format!("poller_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.figure(&build), 1.0);
}

#[test]
fn openmetrics_comes_to_who_asks_for_it() {
    let watched = watched(&["--metrics-label", "team=web"]);
    watched.scrape_when_polled();
    let accept =
        "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let answer = ask(&watched.address, "/metrics", &[accept]);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), kind);
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
    assert!(answer.body.contains("# UNIT poller_storage_bytes bytes\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE poller_checks counter\n"), "{}", answer.body);
    let told = figures(&answer.body);
    let plain = figures(&watched.scrape().body);
    let names = |figures: &BTreeMap<String, f64>| -> Vec<String> {
        let is_fixed = |name: &&String| !name.contains("cause=") && !name.contains("le=");
        figures.keys().filter(is_fixed).cloned().collect()
    };
    assert_eq!(names(&told), names(&plain), "both formats tell the same figures");
}

/// The names of all counters and parts of histograms of `text`.
fn growing(text: &str) -> BTreeMap<String, f64> {
    let mut kinds = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a kind");
        kinds.insert(name.to_owned(), kind.to_owned());
    }
    let grows = |series: &str| {
        let name = series.split('{').next().unwrap_or_default();
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.iter().find_map(|part| name.strip_suffix(part));
        kinds.get(name).is_some_and(|kind| kind == "counter")
            || base.is_some_and(|base| kinds.get(base).is_some_and(|kind| kind == "histogram"))
    };
    figures(text).into_iter().filter(|(series, _)| grows(series)).collect()
}

#[test]
fn what_counts_never_goes_down_while_the_daemon_polls_and_reloads() {
    let watched = watched(&["--metrics-label", "team=web"]);
    let mut before = growing(&watched.scrape_when_polled().body);
    let checks = "poller_checks_total{verdict=\"up\"}";
    let enough = before[checks] + 6.0;
    let mut reloads = 0;
    wait_for("more polls", || {
        if reloads < 3 {
            reloads += 1;
            watched.home.list(&[entry(&watched.fleet.url(reloads, "/d5"), "new", "web")]);
            watched.home.run(&["--reload"]).works();
        }
        let now = growing(&watched.scrape().body);
        for (series, value) in &before {
            let later = now.get(series).unwrap_or_else(|| panic!("{series} is gone"));
            assert!(later >= value, "{series} went from {value} to {later}");
        }
        let is_done = now[checks] >= enough;
        before = now;
        is_done.then_some(())
    });
}

#[test]
fn single_targets_are_told_when_their_label_is_named_and_within_the_budget() {
    let watched = watched(&["--metrics-label", "team=web", "--metrics-targets", "2"]);
    let answer = watched.scrape_when_polled();
    let url = watched.fleet.url(0, "/d5");
    let labels = format!("{{id=\"good\",url=\"{url}\",name=\"\",group=\"g\\\"1\"");
    assert_eq!(answer.figure(&format!("poller_target_up{labels}}}")), 1.0);
    assert_eq!(answer.figure(&format!("poller_target_state{labels},state=\"up\"}}")), 1.0);
    assert_eq!(answer.figure(&format!("poller_target_state{labels},state=\"down\"}}")), 0.0);
    assert!(answer.figure(&format!("poller_target_latency_seconds{labels}}}")) >= 0.005);
    assert_eq!(answer.figure(&format!("poller_target_status_code{labels}}}")), 200.0);
    assert_eq!(answer.body.matches("poller_target_interval_seconds{").count(), 2);
    assert_eq!(answer.figure("poller_metrics_targets_omitted"), 1.0);
    assert!(!answer.body.contains("id=\"reset\""), "its label is another");
}

#[test]
fn a_certificate_is_told_with_its_end() {
    let watched = watched(&["--metrics-label", "team=web"]);
    let answer = watched.scrape_when_polled();
    let line = "poller_target_certificate_expiry_timestamp_seconds{id=\"safe\"";
    let told = figures(&answer.body);
    let until = told.iter().find(|(series, _)| series.starts_with(line)).expect("a certificate").1;
    assert!(*until > answer.figure("process_start_time_seconds"));
}

#[test]
fn a_reload_that_fails_is_told() {
    let mut watched = watched(&[]);
    let good = watched.scrape().figure("poller_config_last_reload_success_timestamp_seconds");
    watched.home.write("urls.json", "[{\"url\": 7}]");
    watched.home.run(&["--reload"]).fails(1, &[]);
    let answer = watched.scrape();
    assert_eq!(answer.figure("poller_config_last_reload_successful"), 0.0);
    assert_eq!(answer.figure("poller_config_last_reload_success_timestamp_seconds"), good);
    watched.home.list(&[json!(watched.fleet.url(1, "/"))]);
    watched.home.run(&["--reload"]).works();
    let answer = watched.scrape();
    assert_eq!(answer.figure("poller_config_last_reload_successful"), 1.0);
    assert!(answer.figure("poller_config_last_reload_success_timestamp_seconds") > good);
    watched.home.stop();
    assert_eq!(watched.daemon.end(), 0);
}
