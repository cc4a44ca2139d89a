//! A machine that lacks something: what is wrong with it is never blamed on a target.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]
#![allow(clippy::disallowed_methods, reason = "what takes time outside of the test is waited for")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;

use std::process::Command;

use daemon::Daemon;
use fleet::{Fleet, Options};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

/// Targets that take their time, so that many of them are polled at once.
fn slow(fleet: &Fleet, targets: u32) -> Value {
    (0..targets)
        .map(|number| json!({"url": fleet.url(number, "/d800"), "interval": 2, "timeout": 20, "retries": 0}))
        .collect()
}

/// A daemon that may open so many files.
fn limited(list: &Value, files: u32, arguments: &[&str]) -> Daemon {
    let directory = daemon::directory(list);
    let program = env!("CARGO_BIN_EXE_poller");
    let mut command = Command::new("sh");
    command.env_clear().args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\""), program]);
    daemon::foreground(&mut command, directory.path()).args(arguments);
    Daemon::spawn(&mut command, directory)
}

/// Takes descriptors away from a daemon that counts on them.
fn lower(daemon: &Daemon, files: u64) {
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(files), maximum: Some(files) };
    prlimit(pid, Resource::Nofile, limit).expect("it is our child");
}

/// What polls found: verdict, cause and detail, each kind once.
fn findings(daemon: &Daemon) -> Vec<String> {
    let query = "SELECT DISTINCT concat_ws(' ', verdict, cause, detail) AS found FROM checks \
                 ORDER BY found";
    let found = |row: &serde_json::Map<String, Value>| row["found"].as_str().map(str::to_owned);
    daemon.sql(query).iter().filter_map(found).collect()
}

#[test]
fn with_few_descriptors_fewer_polls_run_at_once_and_all_of_them_end_well() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = limited(&slow(&fleet, 100), 64, &[]);
    daemon.wait_for("SELECT count(*) FROM checks", 300);
    assert_eq!(findings(&daemon), ["up"]);
    let summary = daemon.summary();
    assert_eq!(summary["in_flight"]["limit"], 32, "{summary}");
    assert_eq!(summary["storage"]["state"], "ok", "{summary}");
    daemon.stop();
}

#[test]
fn more_places_than_descriptors_are_cut_when_it_starts() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = limited(&slow(&fleet, 1), 64, &["--max-workers", "1000"]);
    assert_eq!(daemon.summary()["in_flight"]["limit"], 32);
    daemon.stop();
}

#[test]
fn with_few_descriptors_fewer_connections_are_kept_and_all_polls_end_well() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let list: Value = (0..100)
        .map(|number| {
            let url = fleet.url(number, "/keep/b10");
            json!({"url": url, "interval": 2, "connection": "reuse", "retries": 0})
        })
        .collect();
    let daemon = limited(&list, 64, &["--max-workers", "16"]);
    daemon.wait_for("SELECT count(*) FROM checks", 400);
    assert_eq!(findings(&daemon), ["up"]);
    assert_eq!(daemon.summary()["storage"]["state"], "ok");
    daemon.stop();
}

#[test]
fn a_lack_of_descriptors_is_no_fault_of_a_target() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let daemon = limited(&slow(&fleet, 200), 1_024, &["--max-workers", "500"]);
    lower(&daemon, 64);
    daemon.wait_for("SELECT count(*) FROM checks WHERE verdict = 'unknown'", 50);
    daemon.wait_for("SELECT count(*) FROM checks WHERE verdict = 'up'", 50);
    assert_eq!(findings(&daemon), ["unknown no_resources descriptors", "up"]);
    assert!(daemon.sql("SELECT * FROM incidents").is_empty());
    daemon.stop();
}

#[test]
fn a_name_that_is_known_stays_up_while_no_name_server_answers() {
    let fleet = Fleet::start(Options { dns_ttl: 1, ..Options::default() }).expect("a fleet");
    let list: Value = (0..20)
        .map(|number| {
            let url = fleet.named_url(number, "/");
            json!({"url": url, "interval": 3, "timeout": "2900ms", "retries": 0})
        })
        .collect();
    let server = fleet.dns_address().to_string();
    let daemon = Daemon::start(&list, &["--resolver", &server]);
    daemon.wait_for("SELECT count(*) FROM targets WHERE state = 'up'", 20);
    fleet.dns_dead(true);
    let before = daemon.sql("SELECT count(*) AS n FROM checks")[0]["n"].as_i64().expect("a number");
    let waited = "SELECT count(*) FROM checks WHERE resolve_ms > 1000";
    daemon.wait_for("SELECT count(*) FROM checks", before + 80);
    daemon.wait_for(waited, 1);
    assert_eq!(findings(&daemon), ["up"]);
    daemon.stop();
}

#[test]
fn without_a_network_nothing_is_said_of_any_target() {
    let list = json!([
        {"url": "http://192.0.2.1/", "interval": 1},
        {"url": "http://[2001:db8::1]/", "interval": 1},
        {"url": "https://127.0.0.1/", "interval": 1},
        {"url": "http://a.example/", "interval": 1},
        {"url": "http://b.example/", "interval": 1, "ip_version": "4"},
        {"url": "http://c.example/", "interval": 1, "resolver": "192.0.2.2"},
    ]);
    let may = Command::new("unshare").args(["-rn", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("not checked: no network can be made here");
        return;
    }
    let directory = daemon::directory(&list);
    let mut command = Command::new("unshare");
    command.env_clear().args(["-rn", env!("CARGO_BIN_EXE_poller")]);
    daemon::foreground(&mut command, directory.path()).args(["--resolver", "192.0.2.3"]);
    let daemon = Daemon::spawn(&mut command, directory);
    let polled = "SELECT count(*) FROM (SELECT 1 FROM checks GROUP BY url HAVING count(*) > 1)";
    daemon.wait_for(polled, 6);
    assert_eq!(findings(&daemon), ["unknown no_network"]);
    let targets = &daemon.summary()["targets"];
    assert_eq!((&targets["down"], &targets["unknown"]), (&json!(0), &json!(6)), "{targets}");
    daemon.stop();
}
