//! Pauses: who is paused is not polled, and that lasts over restarts and reloads until it ends.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::{daemon, entry, polls, row, start, state, until_polled, until_state};
use crate::by_socket::{Web, ask, send};
use crate::home::wait_for;

#[test]
fn a_paused_target_is_not_polled_until_it_is_resumed() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/down"))).is(201);
    until_state(&home, "a", "down");
    let paused =
        ask(&home, "POST /api/v1/targets/a/pause", &json!({"reason": "work on it"})).is(200);
    assert_eq!(paused.body, json!({"ids": ["a"], "paused_until": null, "reason": "work on it"}));
    assert_eq!(state(&home, "a"), "paused");
    until_polled(&home, "listed", 2);
    let before = polls(&home, "a");
    until_polled(&home, "listed", 5);
    assert_eq!(polls(&home, "a"), before);
    assert_eq!(home.summary()["targets"]["paused"], 1);
    assert_eq!(home.number("SELECT count(*) FROM incidents WHERE ended IS NULL"), 0);

    ask(&home, "POST /api/v1/targets/a/resume", &Value::Null).is(200);
    until_state(&home, "a", "down");
    assert_eq!(home.summary()["checks"]["missed"], 0);
}

#[test]
fn who_reads_events_hears_of_pauses() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("one", &web.url("/"))).is(201);
    until_state(&home, "one", "up");
    let stream = send(&home, "GET /api/v1/events", "", "");
    let mut events = BufReader::new(stream).lines().map(|line| line.expect("events go on"));
    events.find(|line| line.starts_with("event: summary")).expect("events have begun");
    ask(&home, "POST /api/v1/targets/one/pause", &json!({})).is(200);
    let told = events.find(|line| line.contains("\"to\":\"paused\"")).expect("a transition");
    assert!(told.contains("\"target_id\":\"one\""), "{told}");
}

#[test]
fn a_pause_lasts_over_reloads_and_restarts() {
    let web = Web::start();
    let (home, mut attached) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/a"))).is(201);
    ask(&home, "POST /api/v1/pause", &json!({"ids": ["a", "listed"], "for": "1h"})).is(200);
    home.list(&[entry("listed", &web.url("/changed")), entry("other", &web.url("/other"))]);
    home.run(&["--reload"]).works();
    until_polled(&home, "other", 2);
    assert_eq!((state(&home, "a"), state(&home, "listed")), ("paused".into(), "paused".into()));
    home.run(&["--stop"]).works();
    attached.end();

    let _daemon = start(&home);
    let before = (polls(&home, "a"), polls(&home, "listed"));
    until_polled(&home, "other", 5);
    assert_eq!((state(&home, "a"), state(&home, "listed")), ("paused".into(), "paused".into()));
    assert_eq!((polls(&home, "a"), polls(&home, "listed")), before);
    ask(&home, "POST /api/v1/resume", &json!({"ids": ["a", "listed"]})).is(200);
    until_state(&home, "a", "up");
    until_state(&home, "listed", "up");
}

#[test]
fn a_pause_ends_by_itself() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    until_state(&home, "listed", "up");
    let paused = ask(&home, "POST /api/v1/targets/listed/pause", &json!({"for": "1s"})).is(200);
    assert!(paused.text("paused_until").ends_with('Z'), "{paused:?}");
    assert_eq!(state(&home, "listed"), "paused");
    until_state(&home, "listed", "up");
}

#[test]
fn a_pause_that_ended_while_no_daemon_ran_is_over() {
    let web = Web::start();
    let (home, mut attached) = daemon(&web);
    until_state(&home, "listed", "up");
    ask(&home, "POST /api/v1/targets/listed/pause", &json!({"for": "2s"})).is(200);
    home.run(&["--stop"]).works();
    attached.end();
    wait_for("its time", || {
        home.number("SELECT unixepoch() * 1000 > max(until_ms) FROM pause").gt(&0).then_some(())
    });
    let _daemon = start(&home);
    until_state(&home, "listed", "up");
}

#[test]
fn targets_are_paused_by_their_label() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let team = |id: &str, team: &str| {
        let mut entry = entry(id, &web.url("/team"));
        entry["labels"] = json!({ "team": team });
        entry
    };
    let three = json!([team("a", "web"), team("b", "mail"), team("c", "web")]);
    ask(&home, "PUT /api/v1/targets", &three).is(200);
    let paused = ask(&home, "POST /api/v1/pause", &json!({"label": "team=web"})).is(200);
    assert_eq!(paused.body["ids"], json!(["a", "c"]));
    until_state(&home, "b", "up");
    assert_eq!((state(&home, "a"), state(&home, "c")), ("paused".into(), "paused".into()));
    ask(&home, "POST /api/v1/resume", &json!({"label": "team=web"})).is(200);
    until_state(&home, "c", "up");
}

#[test]
fn a_pause_that_makes_no_sense_says_so() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    for (request, body, status, word) in [
        ("targets/nobody/pause", json!({}), 404, "\"nobody\""),
        ("targets/listed/pause", json!({"for": "soon"}), 400, "\"for\""),
        ("targets/listed/pause", json!({"until": "2001-01-01T00:00:00Z"}), 400, "\"until\""),
        ("targets/listed/pause", json!({"for": "1h", "until": "2100-01-01"}), 400, "exclude"),
        ("targets/listed/pause", json!({"fro": "1h"}), 400, "fro"),
        ("targets/listed/pause", json!({"reason": "a\nb"}), 400, "reason"),
        ("pause", json!({"ids": ["listed", "x", "y"]}), 404, "\"x\", \"y\""),
        ("pause", json!({}), 400, "\"label\""),
        ("pause", json!({"label": "team"}), 400, "NAME=VALUE"),
    ] {
        let said = ask(&home, &format!("POST /api/v1/{request}"), &body).is(status);
        assert!(said.text("detail").contains(word), "{said:?}");
    }
    assert_ne!(state(&home, "listed"), "paused");
}

#[test]
fn what_is_removed_takes_its_pause_along() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/a"))).is(201);
    ask(&home, "POST /api/v1/targets/a/pause", &json!({})).is(200);
    assert!(row(&home, "a").is_some_and(|row| row["state"] == "paused"));
    ask(&home, "DELETE /api/v1/targets/a", &Value::Null).is(200);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/a"))).is(201);
    until_state(&home, "a", "up");
}
