//! A network that goes away and comes back: no target is blamed for it, and all are back at once.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/namespace.rs"]
mod namespace;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::Daemon;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

/// Targets by address and by name, quick and slow ones, and checks of other kinds.
fn targets(fleet: &Fleet) -> Vec<Value> {
    let mut list = Vec::new();
    for number in 0..40 {
        let path = if number % 2 == 0 { "/" } else { "/d900" };
        list.push(json!({"url": fleet.url(number, path), "timeout": "2900ms"}));
        list.push(json!({"url": fleet.named_url(100 + number, path), "timeout": "2500ms"}));
        let reused = fleet.url(200 + number, "/keep/b10");
        list.push(json!({"url": reused, "connection": "reuse", "timeout": "2900ms"}));
    }
    let port = fleet.http_port();
    list.push(
        json!({"url": format!("tcp://127.1.1.1:{port}"), "check": "tcp", "timeout": "2900ms"}),
    );
    list.push(json!({"url": "icmp://127.1.1.2", "check": "icmp", "timeout": "2900ms"}));
    list
}

/// What polls that started behind a moment found, and before it: each kind once.
fn findings(daemon: &Daemon, when: &str) -> Vec<String> {
    let query = format!(
        "SELECT DISTINCT concat_ws(' ', verdict, cause, detail) AS found FROM checks \
         WHERE {when} ORDER BY found"
    );
    let found = |row: &serde_json::Map<String, Value>| row["found"].as_str().map(str::to_owned);
    daemon.sql(&query).iter().filter_map(found).collect()
}

#[test]
fn while_the_network_is_away_nothing_is_said_of_any_target_and_then_all_are_back() {
    let name = "while_the_network_is_away_nothing_is_said_of_any_target_and_then_all_are_back";
    if !namespace::is_inside(name, "ip link set lo up") {
        return;
    }
    let fleet = Fleet::start(Options { dns_ttl: 1, ..Options::default() }).expect("a fleet");
    let mut list = targets(&fleet);
    let count = i64::try_from(list.len()).expect("a few");
    for target in &mut list {
        (target["interval"], target["retries"]) = (json!(3), json!(0));
    }
    let server = fleet.dns_address().to_string();
    let daemon = Daemon::start(&Value::from(list), &["--resolver", &server]);
    daemon.wait_for("SELECT count(*) FROM targets WHERE state = 'up'", count);
    let unknown = "SELECT count(*) FROM checks WHERE verdict = 'unknown'";
    namespace::change("ip link set lo down");
    daemon.wait_for(unknown, 3 * count);
    namespace::change("ip link set lo up");
    // What is seen of interfaces holds for a moment.
    let back = SystemTime::now() + Duration::from_millis(200);
    let back_ms = back.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let began_ms = "(unixepoch(at, 'subsec') * 1000 - latency_ms)";
    let after = format!("{began_ms} > {back_ms}");
    daemon.wait_for(&format!("SELECT count(*) FROM checks WHERE {after}"), 2 * count);
    assert_eq!(findings(&daemon, "1"), ["unknown no_network", "up"]);
    assert_eq!(findings(&daemon, &after), ["up"]);
    assert!(daemon.sql("SELECT * FROM incidents").is_empty());
    daemon.stop();
}
