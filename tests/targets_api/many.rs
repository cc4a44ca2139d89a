//! A hundred thousand targets in one request.

use std::time::Instant;

use serde_json::{Value, json};

use super::{daemon, state, until_polled};
use crate::by_socket::{Web, ask, ask_with};

const MANY: usize = 100_000;

fn entries(interval: &str) -> String {
    let one = |number: usize| {
        json!({"id": format!("t{number}"), "url": format!("http://127.0.0.1:1/{number}"),
               "interval": interval, "labels": {"part": (number % 10).to_string()}})
    };
    Value::from((0..MANY).map(one).collect::<Vec<_>>()).to_string()
}

#[test]
fn a_hundred_thousand_targets_come_and_go_in_one_request_and_no_slot_is_missed() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let all = entries("7d");
    let began = Instant::now();
    let said = ask_with(&home, "PUT /api/v1/targets", "", &all).is(200);
    println!("put: {:?}", began.elapsed());
    assert_eq!(said.body["added"], MANY, "{}", said.body["rejected_total"]);
    let began = Instant::now();
    let paused = ask(&home, "POST /api/v1/pause", &json!({"label": "part=3", "for": "1h"})).is(200);
    println!("paused by label: {:?}", began.elapsed());
    assert_eq!(paused.body["ids"].as_array().unwrap().len(), MANY / 10);
    assert_eq!(home.summary()["targets"]["paused"], MANY / 10);
    let began = Instant::now();
    let none = ask(&home, "PUT /api/v1/targets", &json!([])).is(200);
    println!("removed: {:?}", began.elapsed());
    assert_eq!(none.body["removed"], MANY);
    until_polled(&home, "listed", 1);
    assert_eq!(state(&home, "listed"), "up");
    assert_eq!(home.summary()["checks"]["missed"], 0);
}
