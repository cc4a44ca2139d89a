//! When nearly everything fails together it is probably us: the program itself, on a fleet that
//! falls silent and comes back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;

use fleet::{Fleet, Options, Silence};
use home::{Attached, Home, wait_for};
use serde_json::{Value, json};

/// Seconds between the polls of a target.
const INTERVAL: u32 = 3;

fn entry(fleet: &Fleet, number: u32) -> Value {
    json!({"url": fleet.url(number, "/"), "interval": INTERVAL, "timeout": 2, "retries": 0})
}

fn sentinel(fleet: &Fleet, number: u32) -> Value {
    let mut entry = entry(fleet, number);
    entry["sentinel"] = json!(true);
    entry
}

/// A daemon that has found every target of `list` up.
fn polling(home: &Home, list: &[Value]) -> Attached {
    home.list(list);
    let daemon = home.attach(&[]);
    until(home, "up", list.len());
    // The windows have to be full before nearly all can be said to fail.
    wait_for("some polls of each", || (home.stored() >= 3 * list.len() as u64).then_some(()));
    daemon
}

/// Waits until so many targets are in `state`; gives back the summary that says so.
fn until(home: &Home, state: &str, count: usize) -> Value {
    wait_for(&format!("{count} targets to be {state}"), || {
        let summary = home.summary();
        (summary["targets"][state] == count).then_some(summary)
    })
}

/// Waits until the store, which comes a little later, holds so many outages.
fn until_incidents(home: &Home, count: i64) {
    wait_for(&format!("{count} outages"), || {
        (home.number("SELECT count(*) FROM incidents") == count).then_some(())
    });
}

fn changes_to(home: &Home, state: &str) -> i64 {
    home.number(&format!(
        "SELECT count(*) FROM transition t JOIN state_name n ON n.code = t.to_state
         WHERE n.name = '{state}'"
    ))
}

#[test]
fn when_all_fall_silent_nothing_is_held_against_them_and_all_come_back() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let list: Vec<Value> = (0..40).map(|number| entry(&fleet, number)).collect();
    let mut daemon = polling(&home, &list);
    assert_eq!(home.summary()["judgement"]["state"], "given");

    fleet.silence(Silence::Targets(0, 39));
    let summary = until(&home, "unknown", 40);
    let judgement = &summary["judgement"];
    assert_eq!((&judgement["state"], &judgement["held"]), (&json!("held"), &json!(1)), "{summary}");
    let reason = judgement["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("of the last 40 targets failed together by network causes"),
        "{reason}"
    );
    assert!(summary["down"].as_array().unwrap().is_empty(), "{summary}");
    let text = home.run(&["-i"]).works().out;
    assert!(text.starts_with("PROBABLY US: "), "{text}");
    assert!(text.contains("nothing is held against them"), "{text}");
    until_incidents(&home, 0);

    fleet.silence(Silence::Nobody);
    let summary = until(&home, "up", 40);
    let judgement = &summary["judgement"];
    assert_eq!(
        (&judgement["state"], &judgement["held"]),
        (&json!("given"), &json!(1)),
        "{summary}"
    );
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.end(), 0);
    assert_eq!(home.number("SELECT count(*) FROM incidents"), 0);
    assert_eq!(changes_to(&home, "unknown"), 40);
    let rows: Vec<Value> =
        serde_json::from_str(&home.run(&["targets", "--json"]).works().out).unwrap();
    assert!(rows.iter().all(|row| row["uptime"]["24h"] == 1.0), "{rows:?}");
    let words = daemon.words();
    for told in ["it is probably us", "targets are judged again"] {
        assert_eq!(words.matches(told).count(), 1, "{words}");
    }
}

#[test]
fn a_half_that_falls_silent_turns_down() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let list: Vec<Value> = (0..40).map(|number| entry(&fleet, number)).collect();
    let _daemon = polling(&home, &list);
    fleet.silence(Silence::Targets(0, 19));
    let summary = until(&home, "down", 20);
    assert_eq!(summary["judgement"], json!({"state": "given", "held": 0}), "{summary}");
    fleet.silence(Silence::Nobody);
    until(&home, "up", 40);
    until_incidents(&home, 20);
    assert_eq!(changes_to(&home, "unknown"), 0);
}

#[test]
fn while_a_sentinel_answers_all_others_may_turn_down() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut list: Vec<Value> = (0..40).map(|number| entry(&fleet, number)).collect();
    list.push(sentinel(&fleet, 40));
    let _daemon = polling(&home, &list);
    fleet.silence(Silence::Targets(0, 39));
    let summary = until(&home, "down", 40);
    assert_eq!(summary["judgement"], json!({"state": "given", "held": 0}), "{summary}");
    assert_eq!(summary["targets"]["up"], 1);
}

#[test]
fn when_the_sentinels_fall_silent_whoever_fails_is_not_blamed_even_on_a_short_list() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut list: Vec<Value> = (0..6).map(|number| entry(&fleet, number)).collect();
    list.extend([sentinel(&fleet, 6), sentinel(&fleet, 7)]);
    let _daemon = polling(&home, &list);
    fleet.silence(Silence::Targets(3, 7));
    let summary = until(&home, "unknown", 5);
    assert_eq!(summary["judgement"]["reason"], "2 of 2 sentinels fail by network causes");
    assert_eq!((&summary["targets"]["up"], &summary["targets"]["down"]), (&json!(3), &json!(0)));
    // One of them is back: now it is theirs.
    fleet.silence(Silence::Targets(3, 6));
    let summary = until(&home, "down", 4);
    assert_eq!(summary["judgement"]["state"], "given", "{summary}");
    fleet.silence(Silence::Nobody);
    until(&home, "up", 8);
    until_incidents(&home, 4);
    wait_for("all outages to end", || {
        (home.number("SELECT count(*) FROM incidents WHERE ended IS NULL") == 0).then_some(())
    });
}

#[test]
fn a_list_of_nothing_but_dead_targets_says_why_it_says_nothing() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&(0..30).map(|number| entry(&fleet, number)).collect::<Vec<_>>());
    fleet.silence(Silence::Targets(0, 29));
    let _daemon = home.attach(&[]);
    let summary = until(&home, "unknown", 30);
    assert_eq!(summary["judgement"]["state"], "held", "{summary}");
    until_incidents(&home, 0);
    // One that answers shows that we have a network, and the others are judged.
    fleet.silence(Silence::Targets(1, 29));
    let summary = until(&home, "down", 29);
    assert_eq!(summary["judgement"]["state"], "given", "{summary}");
}
