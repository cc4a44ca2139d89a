//! Targets that are changed and paused over the API of a real daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "what was measured is told")]
#![allow(clippy::disallowed_methods, reason = "a server of a test has threads of its own")]

#[path = "support/by_socket.rs"]
mod by_socket;
#[path = "support/home.rs"]
mod home;

#[path = "targets_api/many.rs"]
mod many;
#[path = "targets_api/own.rs"]
mod own;
#[path = "targets_api/paused.rs"]
mod paused;

use serde_json::{Value, json};

use by_socket::{Web, ask};
use home::{Attached, Home, wait_for};

/// A daemon that polls the target `listed` of `web`, and lets the API lead to loopback.
fn daemon(web: &Web) -> (Home, Attached) {
    let home = Home::new();
    home.list(&[entry("listed", &web.url("/listed"))]);
    let attached = start(&home);
    (home, attached)
}

fn start(home: &Home) -> Attached {
    home.attach(&["-s", "--listen", "off", "--allow-targets", "127.0.0.0/8"])
}

/// Polled ten times in three seconds.
fn entry(id: &str, url: &str) -> Value {
    json!({"id": id, "url": url, "interval": 0.3, "retries": 0})
}

/// The target `id` as lists of targets show it.
fn row(home: &Home, id: &str) -> Option<Value> {
    let page = ask(home, "GET /api/v1/targets?limit=10000", &Value::Null).is(200).body;
    page["targets"].as_array().unwrap().iter().find(|row| row["id"] == id).cloned()
}

fn state(home: &Home, id: &str) -> String {
    row(home, id).map_or_else(|| "gone".to_owned(), |row| row["state"].as_str().unwrap().to_owned())
}

fn until_state(home: &Home, id: &str, wanted: &str) {
    wait_for(&format!("{id} to be {wanted}"), || (state(home, id) == wanted).then_some(()));
}

/// How many polls the store holds of a target.
fn polls(home: &Home, id: &str) -> i64 {
    home.number(&format!("SELECT count(*) FROM checks WHERE target_id = '{id}'"))
}

/// Waits until the target `id` has had `more` further polls.
fn until_polled(home: &Home, id: &str, more: i64) {
    let before = polls(home, id);
    wait_for(&format!("{id} to be polled"), || (polls(home, id) >= before + more).then_some(()));
}
