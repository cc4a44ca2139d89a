//! A daemon that its machine keeps from its work: what it leaves undone is told, and no target is
//! blamed for it.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]
#![allow(clippy::disallowed_methods, reason = "what takes time outside of the test is waited for")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;

use std::time::{Duration, Instant};

use daemon::{Daemon, PATIENCE};
use fleet::{Fleet, Options};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

const TARGETS: u32 = 40;

/// Targets that answer in four steps of 300 ms, so that a poll of them has to be there for each.
fn stepwise(fleet: &Fleet) -> Value {
    let entry = |number| {
        let url = fleet.url(number, "/d300/r3");
        json!({"url": url, "interval": 4, "timeout": "3900ms", "retries": 0})
    };
    (0..TARGETS).map(entry).collect()
}

fn pid(daemon: &Daemon) -> Pid {
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw);
    pid.expect("the number of a process")
}

/// Waits until the summary is as `wanted`, and gives it back.
fn until(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let summary = daemon.summary();
        if wanted(&summary) {
            return summary;
        }
        assert!(Instant::now() < end, "waited in vain for {what}: {summary:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn count(daemon: &Daemon, query: &str) -> i64 {
    let rows = daemon.sql(&format!("SELECT count(*) AS n FROM {query}"));
    rows[0]["n"].as_i64().expect("a number")
}

#[test]
fn no_target_turns_down_for_a_daemon_that_was_stopped() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&stepwise(&fleet), &[]);
    daemon.wait_for("SELECT count(*) FROM targets WHERE state = 'up'", TARGETS.into());
    until(&daemon, "polls in flight", |summary| summary["in_flight"]["count"].as_u64() >= Some(5));
    kill_process(pid(&daemon), Signal::STOP).expect("it runs");
    std::thread::sleep(Duration::from_secs(9));
    kill_process(pid(&daemon), Signal::CONT).expect("it is there");
    let answered = "SELECT count(*) FROM checks WHERE detail = 'processor'";
    daemon.wait_for(answered, 1);
    let polled = count(&daemon, "checks");
    daemon.wait_for("SELECT count(*) FROM checks", polled + i64::from(2 * TARGETS));
    assert_eq!(count(&daemon, "checks WHERE verdict NOT IN ('up', 'unknown')"), 0);
    assert_eq!(count(&daemon, "checks WHERE cause <> 'no_resources'"), 0);
    assert_eq!(count(&daemon, "incidents"), 0);
    let summary = daemon.summary();
    assert!(summary["checks"]["missed"].as_u64() >= Some(TARGETS.into()), "{summary:#}");
    daemon.stop();
}

#[test]
fn with_too_little_memory_a_few_polls_go_on_and_the_summary_says_why() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&stepwise(&fleet), &["--max-memory", "1MB"]);
    let held = until(&daemon, "polls to be held", |summary| summary["places"]["state"] == "held");
    let reason = held["places"]["reason"].as_str().unwrap_or_default();
    assert!(reason.ends_with("of 1 MB of memory are in use"), "{held:#}");
    until(&daemon, "a few polls to go on", |summary| {
        summary["places"]["state"] == "shrunk" && summary["places"]["limit"] == 32
    });
    let polled = count(&daemon, "checks");
    daemon.wait_for("SELECT count(*) FROM checks", polled + i64::from(2 * TARGETS));
    let said = daemon.stop();
    assert_eq!(said.matches("memory is nearly full").count(), 1, "{said}");
    assert_eq!(said.matches("memory stays nearly full").count(), 1, "{said}");
}

#[test]
fn a_daemon_that_is_not_to_adapt_moves_nothing_and_tells_what_is_lacking() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&stepwise(&fleet), &["--max-memory", "1MB", "--adaptive", "off"]);
    let summary = until(&daemon, "a reason", |summary| summary["places"]["reason"].is_string());
    let places = &summary["places"];
    assert_eq!((&places["state"], &places["shrunk"]), (&json!("ok"), &json!(0)), "{places}");
    assert_eq!(places["limit"], places["most"]);
    daemon.stop();
}

#[test]
fn places_shrink_while_descriptors_are_lacking_and_come_back() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let list: Value = (0..200)
        .map(|number| json!({"url": fleet.url(number, "/d800"), "interval": 2, "timeout": 20}))
        .collect();
    let daemon = Daemon::start(&list, &["--max-workers", "100"]);
    let set = |files| {
        let limit = Rlimit { current: Some(files), maximum: Some(4_000) };
        prlimit(Some(pid(&daemon)), Resource::Nofile, limit).expect("it is our child");
    };
    set(48);
    let summary = until(&daemon, "places to shrink", |summary| {
        summary["places"]["state"] == "shrunk" && summary["places"]["limit"] == 32
    });
    let places = &summary["places"];
    let reason = places["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("descriptor") || reason.contains("files"), "{places}");
    assert!(places["moved_at"].is_string(), "{places}");
    set(4_000);
    let summary = until(&daemon, "all places", |summary| summary["places"]["state"] == "ok");
    let places = &summary["places"];
    assert_eq!((&places["limit"], &places["shrunk"]), (&json!(100), &json!(1)), "{places}");
    assert!(places["reason"].is_null(), "{places}");
    assert_eq!(count(&daemon, "checks WHERE verdict NOT IN ('up', 'unknown')"), 0);
    let said = daemon.stop();
    assert_eq!(said.matches("fewer polls run at once").count(), 1, "{said}");
    assert_eq!(said.matches("as many polls as usual").count(), 1, "{said}");
}
