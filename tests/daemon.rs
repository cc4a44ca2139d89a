//! The life of a daemon, driven from outside: starts, stops, crashes, reloads, and a store that
//! stands still.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "what was skipped or measured is told")]

#[path = "support/disk.rs"]
mod disk;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;

#[path = "daemon/crash.rs"]
mod crash;
#[path = "daemon/frozen.rs"]
mod frozen;
#[path = "daemon/life.rs"]
mod life;
#[path = "daemon/reload.rs"]
mod reload;
#[path = "daemon/remote.rs"]
mod remote;
#[path = "daemon/resources.rs"]
mod resources;
#[path = "daemon/story.rs"]
mod story;

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};

use home::Home;

/// Polls that may take long, so that none ends before its answer on a loaded machine.
fn entry(url: &str, interval: f64) -> Value {
    json!({"url": url, "interval": interval, "timeout": 30, "retries": 0})
}

/// Two columns of an answer as a map.
fn pairs(home: &Home, query: &str) -> BTreeMap<String, Value> {
    let row = |row: &Value| (row["key"].as_str().unwrap().to_owned(), row["value"].clone());
    home.sql(query).iter().map(row).collect()
}

/// Checks that the store of a daemon that was stopped is whole, and that all that is kept beside
/// the samples follows from them; gives back how many there are.
fn assert_consistent(home: &Home) -> u64 {
    let stored = home.stored();
    let connection = Connection::open(home.data("poller.db")).unwrap();
    let word: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    drop(connection);
    let summary = home.summary();
    assert_eq!(summary["state"], "stopped");
    assert_eq!(summary["checks"]["total"], json!(stored), "{summary:#}");
    assert_eq!(summary["storage"]["samples"], json!(stored), "{summary:#}");
    let codes: u64 =
        summary["top_codes"].as_array().unwrap().iter().map(|c| c["count"].as_u64().unwrap()).sum();
    assert_eq!(codes, stored, "{summary:#}");
    for (of_samples, of_hours) in [
        ("count(*)", "sum(checks)"),
        ("sum(verdict IN ('up', 'warning'))", "sum(up)"),
        ("max(CASE WHEN code GLOB '[0-9]*' THEN latency_ms END)", "max(max_ms)"),
    ] {
        let of = |value, view| {
            pairs(home, &format!("SELECT target_id key, {value} value FROM {view} GROUP BY 1"))
        };
        assert_eq!(of(of_samples, "checks"), of(of_hours, "hours"), "{of_samples}");
    }
    let states = pairs(home, "SELECT id key, state value FROM targets WHERE state <> 'pending'");
    let changed = "SELECT key, value FROM (SELECT c.id key, n.name value, max(t.key)
                   FROM transition t JOIN state_name n ON n.code = t.to_state
                   JOIN (SELECT number, coalesce(given_id, printf('%016x', id)) id FROM target
                         WHERE removed_ms IS NULL) c ON c.number = t.target GROUP BY 1)
                   WHERE value <> 'pending'";
    assert_eq!(states, pairs(home, changed), "the last change led to the state");
    let down = pairs(home, "SELECT id key, 1 value FROM targets WHERE state = 'down'");
    let open = pairs(
        home,
        "SELECT target_id key, count(*) value FROM incidents WHERE ended IS NULL GROUP BY 1",
    );
    assert_eq!(down, open, "an outage is open while its target is down");
    stored
}
