//! The real daemon and a host with more targets than it is to bear at once.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;

use daemon::Daemon;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

/// Targets on one host, and others that have a host each.
fn list(fleet: &Fleet, crowded: u32, others: u32) -> Value {
    let path = |number: u32| format!("/d{}", 50 + number % 10);
    let crowd =
        (0..crowded).map(|number| json!({"url": fleet.url(0, &path(number)), "interval": 1}));
    let alone = (1..=others).map(|number| json!({"url": fleet.url(number, "/"), "interval": 1}));
    crowd.chain(alone).collect()
}

#[test]
fn a_host_with_many_targets_bears_eight_polls_at_once_and_no_more() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = Daemon::start(&list(&fleet, 300, 100), &[]);
    daemon.wait_for("SELECT count(*) FROM checks", 800);
    assert_eq!(fleet.target_statistics(0).most, 8);
    let summary = daemon.summary();
    // What does not fit is late or missed, and is told as such; nobody is down for it.
    let missed_by = &summary["checks"]["missed_by"];
    assert!(missed_by["politeness"].as_u64() > Some(0), "{missed_by}");
    assert_eq!(missed_by["saturated"], 0, "{missed_by}");
    assert_eq!(summary["targets"]["down"], 0, "{summary}");
    daemon.stop();
}

#[test]
fn a_host_that_may_bear_more_gets_more_and_one_that_bears_less_gets_less() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let of = |host: u32, most: u32| {
        let url = fleet.url(host, "/d200");
        (0..40).map(move |_| json!({"url": url, "interval": 1, "max_per_host": most}))
    };
    let list: Value = of(1, 20).chain(of(2, 3)).collect();
    let daemon = Daemon::start(&list, &[]);
    daemon.wait_for("SELECT count(*) FROM checks", 200);
    assert!(fleet.target_statistics(1).most <= 20 && fleet.target_statistics(1).most > 8);
    assert_eq!(fleet.target_statistics(2).most, 3);
    daemon.stop();
}

#[test]
fn the_plan_says_which_host_is_asked_for_too_much() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let directory = daemon::directory(&list(&fleet, 300, 5));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_poller"));
    command.env_clear().args(["--check", "--urls", "list.json"]).current_dir(directory.path());
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let host = format!("{}:{}", fleet::address::address(0), fleet.http_port());
    assert!(
        text.contains(&format!("{host}: its 300 targets ask for 300.0 polls a second")),
        "{text}"
    );
    assert!(text.contains("raise --max-per-host to 60"), "{text}");
}
