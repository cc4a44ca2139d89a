//! What a daemon tells of its past: targets, history, polls, outages, latencies, sums.

#![allow(clippy::expect_used, clippy::cast_precision_loss, reason = "a test fails loudly")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/history.rs"]
mod history;
#[path = "support/store.rs"]
mod store;

use std::collections::BTreeSet;

use daemon::Daemon;
use history::{DAY_MS, HOUR_MS, MINUTE_MS, ask, failed, now_ms, target, told, write};
use poller::clock::rfc3339;
use poller::outcome::{Cause, Detail, Outcome};
use serde_json::Value;
use store::outcome;

/// A daemon with a past, and the full hour before which that ended.
struct Past {
    daemon: Daemon,
    hour_ms: i64,
}

/// Of the last 26 hours, minute by minute: `a` was down for the third hour from the end, unknown for
/// the second, else up; `b` was up, and is not in the list any more; `c` was never polled. Then came
/// one poll of `a` just now.
fn past() -> Past {
    let directory = tempfile::tempdir().expect("a directory");
    let mut targets =
        [target("a", Some("shop"), None), target("b", None, None), target("c", None, None)];
    let now = now_ms();
    let hour_ms = now - now % HOUR_MS;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for minute in 0..26 * 60 {
        let at_ms = hour_ms - 26 * HOUR_MS + minute * MINUTE_MS + 100;
        let back = (hour_ms - at_ms) / HOUR_MS;
        outcomes.push(match back {
            2 => failed(1, at_ms, Cause::Timeout, Detail::Waiting),
            1 => failed(1, at_ms, Cause::Resolver, Detail::None),
            _ => outcome(1, at_ms, 80_000),
        });
        outcomes.push(outcome(2, at_ms + 100, 150_000));
    }
    outcomes.push(outcome(1, now - 5, 90_000));
    write(&directory.path().join("data"), &mut targets, outcomes);
    let [a, _, c] = targets;
    Past { daemon: history::daemon(directory, &[a, c]), hour_ms }
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn is_near(value: &Value, expected: f64) -> bool {
    (seconds(value) - expected).abs() < 0.002
}

#[test]
fn a_target_is_told_with_all_that_is_kept_of_it() {
    let Past { daemon, hour_ms } = past();
    let detail = told(&daemon, "/api/v1/targets/a");
    let target = &detail["target"];
    assert_eq!(
        (&target["id"], &target["name"], &target["state"]),
        (&"a".into(), &"shop".into(), &"up".into())
    );
    assert_eq!((&detail["check"], &detail["method"]), (&"http".into(), &"GET".into()));
    assert_eq!((&detail["priority"], &detail["timeout_seconds"]), (&"normal".into(), &30.0.into()));
    // The hour in which nobody knew is left out: 22 hours of 23, but for what passed of this one.
    let passed = (now_ms() - hour_ms) as f64 / HOUR_MS as f64;
    let day = seconds(&detail["uptime"]["24h"]);
    assert!(is_near(&detail["uptime"]["24h"], 22.0 / 23.0), "{day} after {passed} h");
    assert!(is_near(&detail["uptime"]["90d"], (24.0 + passed) / (25.0 + passed)), "{detail}");
    assert_eq!(detail["certificate"]["until"], rfc3339(1_799_000_000_000));

    let hours = detail["hours"].as_array().expect("hours");
    assert_eq!(hours.len(), 27, "26 that are over and the open one");
    let figures = |back: i64| {
        let at = rfc3339(hour_ms - back * HOUR_MS);
        let hour = hours.iter().find(|hour| hour["hour"] == *at).expect("this hour");
        [&hour["checks"], &hour["up"], &hour["unknown"]]
            .map(|count| count.as_u64().expect("a count"))
    };
    assert_eq!(
        [figures(4), figures(3), figures(2), figures(0)],
        [[60, 60, 0], [60, 0, 0], [60, 0, 60], [1, 1, 0]]
    );
    let days = detail["days"].as_array().expect("days");
    let checks: u64 = days.iter().map(|day| day["checks"].as_u64().expect("a count")).sum();
    assert_eq!(checks, 26 * 60 + 1, "the open hour is in its day");
    assert_eq!(hours[0]["max"], 0.08);
    assert!((seconds(&hours[0]["p50"]) - 0.08).abs() < 0.003, "{}", hours[0]);

    let incidents = detail["incidents"].as_array().expect("incidents");
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        (&incidents[0]["cause"], &incidents[0]["detail"]),
        (&"timeout".into(), &"waiting".into())
    );
    assert_eq!(incidents[0]["seconds"], 7_200.0);
    let polls = detail["polls"].as_array().expect("polls");
    assert_eq!(polls.len(), 50);
    assert_eq!(
        (&polls[0]["verdict"], &polls[0]["code"], &polls[0]["kind"]),
        (&"up".into(), &"200".into(), &"slot".into())
    );
    assert!(is_near(&polls[0]["phases"]["first_byte"], 0.03), "{}", polls[0]);
    assert!(polls.windows(2).all(|two| two[0]["at"].as_str() > two[1]["at"].as_str()));
}

#[test]
fn a_target_that_was_never_polled_or_removed_or_never_was() {
    let Past { daemon, .. } = past();
    let detail = told(&daemon, "/api/v1/targets/c");
    assert_eq!(
        (&detail["target"]["state"], &detail["uptime"]["24h"]),
        (&"pending".into(), &Value::Null)
    );
    assert_eq!((&detail["polls"], &detail["certificate"]), (&Value::Array(vec![]), &Value::Null));
    for (path, id) in [("/api/v1/targets/b", "b"), ("/api/v1/targets/nobody/history", "nobody")] {
        let answer = ask(&daemon, path);
        assert_eq!(
            (answer.status, answer.json()["detail"].as_str()),
            (404, Some(&*format!("there is no target with the id {id:?}")))
        );
    }
    // What is kept of one that was removed can be read all the same.
    let page = told(&daemon, "/api/v1/checks?target=b&limit=2");
    assert_eq!(page["checks"][0]["url"], history::url("b"));
    assert_eq!(
        told(&daemon, "/api/v1/results?target=b&limit=1")["results"][0]["plugin_type"],
        Value::Null
    );
}

#[test]
fn history_holds_its_beginning_and_not_its_end() {
    let Past { daemon, hour_ms } = past();
    let ask = |from: i64, to: i64, step: &str| {
        let (from, to) = (rfc3339(from), rfc3339(to));
        told(&daemon, &format!("/api/v1/targets/a/history?from={from}&to={to}{step}"))
    };
    // One poll a minute, 100 ms behind it.
    let from = hour_ms - 5 * HOUR_MS + 100;
    let told = ask(from, from + 10 * MINUTE_MS, "&step=60");
    let counts = |told: &Value, name: &str| -> u64 {
        told["points"]
            .as_array()
            .expect("points")
            .iter()
            .map(|point| point[name].as_u64().expect("a count"))
            .sum()
    };
    assert_eq!((&told["source"], counts(&told, "checks")), (&"samples".into(), 10));
    assert_eq!(counts(&ask(from + 1, from + 10 * MINUTE_MS, ""), "checks"), 9);
    assert_eq!(counts(&ask(from, from + 10 * MINUTE_MS + 1, ""), "checks"), 11);
    assert_eq!(counts(&ask(from, from, ""), "checks"), 0);
    assert_eq!(told["points"][0]["at"], rfc3339(from - 100));
    assert_eq!(told["points"][0]["max"], 0.08);

    let told = ask(hour_ms - 4 * HOUR_MS, hour_ms, "&step=3600");
    assert_eq!(
        (&told["source"], told["points"].as_array().map(Vec::len)),
        (&"hours".into(), Some(4))
    );
    assert_eq!(
        (counts(&told, "checks"), counts(&told, "up"), counts(&told, "unknown")),
        (240, 120, 60)
    );
    let told = ask(hour_ms - 60 * DAY_MS, now_ms(), "");
    assert_eq!((&told["source"], &told["step_seconds"]), (&"days".into(), &86_400.into()));
    assert_eq!(counts(&told, "checks"), 26 * 60 + 1, "the open hour is in it");
    let whole = history::told(&daemon, "/api/v1/targets/a/history");
    let points = whole["points"].as_array().expect("points");
    assert!(points.len() <= 501 && counts(&whole, "checks") >= 23 * 60, "{}", points.len());
}

#[test]
fn polls_are_found_by_target_verdict_and_time() {
    let Past { daemon, hour_ms } = past();
    let count = |query: &str| {
        let (mut after, mut all) = (String::new(), Vec::new());
        loop {
            let page = told(&daemon, &format!("/api/v1/checks?limit=100&{query}{after}"));
            all.extend(page["checks"].as_array().expect("polls").clone());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    };
    assert_eq!(count("").len(), 2 * 26 * 60 + 1);
    assert_eq!(count("verdict=down").len(), 60);
    assert_eq!(count("target=a&verdict=unknown").len(), 60);
    assert_eq!(count("target=b&verdict=down").len(), 0);
    let (from, to) = (rfc3339(hour_ms - 3 * HOUR_MS + 100), rfc3339(hour_ms - 2 * HOUR_MS + 100));
    for target in ["target=a&", ""] {
        let found = count(&format!("{target}from={from}&to={to}&verdict=down"));
        assert_eq!(found.len(), 60, "{target}");
        assert!(found.iter().all(|poll| poll["cause"] == "timeout" && poll["target_id"] == "a"));
        assert!(found.windows(2).all(|two| two[0]["at"].as_str() > two[1]["at"].as_str()));
    }
    let result = &told(&daemon, &format!("/api/v1/results?target=a&to={to}&limit=1"))["results"][0];
    assert_eq!((&result["id"], &result["plugin_type"]), (&"a".into(), &"website_status".into()));
    assert_eq!(result["result"]["status"], "error");
    assert_eq!(result["result"]["message"], "no answer within 30 s");
    assert_eq!(result["result"]["raw_data"]["cause"], "timeout");
}

#[test]
fn outages_are_found_by_target_state_and_time() {
    let Past { daemon, hour_ms } = past();
    let count = |query: &str| {
        let page = told(&daemon, &format!("/api/v1/incidents?{query}"));
        page["incidents"].as_array().expect("outages").len()
    };
    let began = hour_ms - 3 * HOUR_MS + 100;
    let at = |ms: i64| rfc3339(ms);
    assert_eq!([count(""), count("target=a"), count("target=b")], [1, 1, 0]);
    assert_eq!([count("open=true"), count("open=false"), count("target=a&open=true")], [0, 1, 0]);
    assert_eq!(count(&format!("from={}", at(began))), 1);
    assert_eq!(count(&format!("from={}", at(began + 1))), 0);
    assert_eq!(count(&format!("to={}", at(began))), 0);
    assert_eq!(count(&format!("target=a&to={}", at(began + 1))), 1);
    let incident = &told(&daemon, "/api/v1/incidents")["incidents"][0];
    assert_eq!((&incident["name"], &incident["url"]), (&"shop".into(), &history::url("a").into()));
}

#[test]
fn the_fleet_is_told_over_time_and_summed_up() {
    let Past { daemon, hour_ms } = past();
    let chart = told(&daemon, "/api/v1/latency?span=24h");
    let points = chart["points"].as_array().expect("points");
    assert_eq!(chart["step_seconds"], 3_600);
    let at = rfc3339(hour_ms - 5 * HOUR_MS);
    let point = points.iter().find(|point| point["at"] == *at).expect("this hour");
    assert_eq!((&point["count"], &point["max"]), (&120.into(), &0.15.into()));
    assert_eq!(point["buckets"], serde_json::json!([[0.1, 60], [0.2, 60]]));
    assert!(seconds(&point["p99"]) > seconds(&point["p50"]), "{point}");
    let five = told(&daemon, "/api/v1/latency?span=5m");
    let counted = |chart: &Value| -> u64 {
        let points = chart["points"].as_array().expect("points").iter();
        points.map(|point| point["count"].as_u64().expect("a count")).sum()
    };
    assert!(counted(&five) >= 1 && counted(&told(&daemon, "/api/v1/latency")) >= 1, "{five}");
    let month = told(&daemon, "/api/v1/latency?span=30d");
    assert_eq!((counted(&month), &month["step_seconds"]), (2 * 26 * 60 + 1 - 120, &7_200.into()));

    let sum = told(&daemon, "/api/v1/results/summary?period=month");
    assert_eq!(
        [&sum["total"], &sum["success"], &sum["error"], &sum["unknown"]],
        [3_121, 3_001, 60, 60]
    );
    assert!(
        is_near(&sum["uptime"], 3_001.0 / 3_061.0) && is_near(&sum["response_time_p50"], 0.15),
        "{sum}"
    );
    // Of what is polled now: the target that was removed is in the total alone.
    let kind = &sum["by_plugin"][0];
    assert_eq!((&kind["plugin_type"], &kind["total"]), (&"website_status".into(), &1_561.into()));
    let day = told(&daemon, "/api/v1/results/summary");
    assert_eq!((&day["period"], &day["error"]), (&"day".into(), &60.into()));
}

#[test]
fn every_poll_is_on_one_page_while_others_come() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut targets = [target("quick", None, None)];
    let now = now_ms();
    let outcomes: Vec<_> =
        (0..2_000).map(|number| outcome(1, now - 20_000 + number * 9, 1_000)).collect();
    write(&directory.path().join("data"), &mut targets, outcomes);
    targets[0].every_ms = 100;
    let list = serde_json::json!([{"url": history::url("quick"), "id": "quick", "interval": "100ms", "retries": 0}]);
    std::fs::write(directory.path().join("list.json"), list.to_string()).expect("a list");
    let mut command = daemon::program();
    daemon::foreground(&mut command, directory.path()).args(["--listen", "off"]);
    let daemon = Daemon::spawn(&mut command, directory);
    for query in ["", "target=quick&"] {
        daemon.wait_for("SELECT count(*) FROM checks WHERE verdict = 'down'", 1);
        let (mut after, mut seen, mut count) = (String::new(), BTreeSet::new(), 0);
        loop {
            let page = told(&daemon, &format!("/api/v1/checks?{query}limit=200{after}"));
            for poll in page["checks"].as_array().expect("polls") {
                count += u32::from(poll["verdict"] == "up");
                seen.insert(poll["at"].to_string());
            }
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(count, 2_000, "{query}");
        assert!(seen.len() > 2_000, "{}", seen.len());
    }
}

#[test]
fn the_samples_of_long_ago_are_found_without_passing_over_all_later_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut targets = [target("a", None, None), target("other", None, None)];
    targets[0].every_ms = 1_000;
    let begin = targets[0].due_at_or_after(now_ms() - 9_000_000);
    let mut outcomes = Vec::new();
    for number in 0..9_000 {
        let at_ms = begin + number * 1_000;
        outcomes.push(outcome(1, at_ms + 90, 80_000));
        outcomes.push(outcome(2, at_ms + 91, 80_000));
    }
    write(&directory.path().join("data"), &mut targets, outcomes);
    let list = serde_json::json!([{"url": history::url("a"), "id": "a", "interval": 1}]);
    std::fs::write(directory.path().join("list.json"), list.to_string()).expect("a list");
    let mut command = daemon::program();
    daemon::foreground(&mut command, directory.path()).args(["--listen", "off"]);
    let daemon = Daemon::spawn(&mut command, directory);
    let (from, to) = (rfc3339(begin + 60_000), rfc3339(begin + 660_000));
    let told = told(&daemon, &format!("/api/v1/targets/a/history?from={from}&to={to}&step=60"));
    let points = told["points"].as_array().expect("points");
    let checks: u64 = points.iter().map(|point| point["checks"].as_u64().expect("a count")).sum();
    assert_eq!((&told["source"], checks), (&"samples".into(), 600));
}

#[test]
fn a_rare_verdict_is_looked_for_page_by_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut targets = [target("a", None, None)];
    let now = now_ms();
    let mut outcomes: Vec<_> =
        (0..30_000).map(|number| outcome(1, now - 400_000 + number * 10, 1_000)).collect();
    outcomes[5] = failed(1, now - 400_000 + 50, Cause::Reset, Detail::None);
    write(&directory.path().join("data"), &mut targets, outcomes);
    let daemon = history::daemon(directory, &targets);
    let first = told(&daemon, "/api/v1/checks?verdict=down");
    assert_eq!(first["checks"], Value::Array(vec![]), "it stops before it has seen all");
    let next = first["next"].as_str().expect("there is more");
    let second = told(&daemon, &format!("/api/v1/checks?verdict=down&after={next}"));
    assert_eq!((&second["checks"][0]["cause"], &second["next"]), (&"reset".into(), &Value::Null));
}

#[test]
fn mistakes_are_told_in_a_sentence() {
    let Past { daemon, .. } = past();
    for (path, words) in [
        ("targets/a?all=true", "no parameter"),
        ("targets/a/history?from=soon", "from is a time like 2026-11-22T10:00:00Z"),
        ("targets/a/history?from=20&to=10", "from lies after to"),
        ("targets/a/history?step=0", "step is a number of seconds"),
        ("targets/a/history?from=0&step=1", "ask for a step of"),
        ("checks?verdict=bad", "verdict is one of up, warning, down, unknown"),
        ("checks?after=x", "after is what `next`"),
        ("checks?limit=5000", "limit is a number from 1 to 1000"),
        ("incidents?open=maybe", "open is one of true, false"),
        ("latency?span=2h", "span is one of 5m, 1h, 24h, 7d, 30d"),
        ("results/summary?period=year", "period is one of day, week, month"),
        ("export/samples?format=xml", "format is one of csv, jsonl, parquet"),
        ("export/tallies", "period is missing"),
    ] {
        let answer = ask(&daemon, &format!("/api/v1/{path}"));
        let detail = answer.json()["detail"].as_str().expect("a sentence").to_owned();
        assert!(answer.status == 400 && detail.contains(words), "{path}: {detail}");
        assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
    }
    assert_eq!(ask(&daemon, "/api/v1/checks?target=nobody").status, 404);
}
