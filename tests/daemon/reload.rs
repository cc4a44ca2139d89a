//! Restarts and reloads: what stayed keeps its times, what changed changes, and a broken list
//! changes nothing.

use std::collections::BTreeMap;
use std::fs;

use poller::target::TargetId;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{assert_consistent, pairs};
use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

fn named(id: &str, url: &str, interval: u32) -> Value {
    json!({"id": id, "url": url, "interval": interval, "timeout": 30, "retries": 0})
}

/// How many polls each target has had, by its id.
fn counts(home: &Home) -> BTreeMap<String, Value> {
    pairs(home, "SELECT target_id key, count(*) value FROM checks GROUP BY 1")
}

fn count(home: &Home, id: &str) -> i64 {
    home.number(&format!("SELECT count(*) FROM checks WHERE target_id = '{id}'"))
}

/// Waits until each of `ids` has had `more` further polls.
fn until_polled(home: &Home, ids: &[&str], more: i64) {
    let before: Vec<i64> = ids.iter().map(|id| count(home, id)).collect();
    wait_for("further polls", || {
        let is_polled = |(id, before): (&&str, &i64)| count(home, id) >= before + more;
        ids.iter().zip(&before).all(is_polled).then_some(())
    });
}

/// Checks that each due time of `id` behind `after` lies on the target's own grid.
fn assert_on_grid(home: &Home, id: &str, every_ms: u32, after: i64) {
    let phase = f64::from(TargetId::of_given(id).phase_ms(every_ms));
    let rows = home.sql(&format!(
        "SELECT unixepoch(at, 'subsec') * 1000.0 - latency_ms - lag_ms AS due FROM checks
         WHERE target_id = '{id}' AND key > {after}"
    ));
    assert!(!rows.is_empty(), "{id} was polled");
    let every = f64::from(every_ms);
    for row in rows {
        let off = (row["due"].as_f64().unwrap() - phase).rem_euclid(every);
        assert!(off.min(every - off) < 2.0, "{id} is {off} ms off its grid");
    }
}

/// No target had two polls for the same due time.
fn assert_no_slot_twice(home: &Home) {
    let twice = home.sql(
        "SELECT target_id, round(unixepoch(at, 'subsec') * 10 - (latency_ms + lag_ms) / 100) due
         FROM checks GROUP BY 1, 2 HAVING count(*) > 1",
    );
    assert!(twice.is_empty(), "{twice:?}");
}

fn newest(home: &Home) -> i64 {
    home.number("SELECT max(key) FROM checks")
}

#[test]
fn a_restart_keeps_every_rhythm() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let ids: Vec<String> = (0..8).map(|n| format!("target-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let entries: Vec<_> =
        ids.iter().zip(0..).map(|(id, n)| named(id, &fleet.url(n, "/d20"), 1)).collect();
    home.list(&entries);
    for round in 0..3 {
        let mut daemon = home.attach(&[]);
        until_polled(&home, &ids, 2);
        daemon.signal(if round == 1 { Signal::KILL } else { Signal::TERM });
        daemon.end();
    }
    for id in ids {
        assert_on_grid(&home, id, 1_000, 0);
    }
    assert_no_slot_twice(&home);
    assert_consistent(&home);
}

#[test]
fn a_reload_keeps_what_stayed_and_brings_the_rest() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let kept = named("kept", &fleet.url(0, "/"), 1);
    let mut stricter = named("stricter", &fleet.url(1, "/"), 1);
    home.list(&[
        kept.clone(),
        stricter.clone(),
        named("slower", &fleet.url(2, "/"), 1),
        named("gone", &fleet.url(3, "/"), 1),
    ]);
    home.start(&[]);
    until_polled(&home, &["kept", "stricter", "slower", "gone"], 2);
    home.signal(Signal::HUP);
    wait_for("a reload in the log", || home.log().contains("reloaded: ").then_some(()));
    until_polled(&home, &["kept", "gone"], 1);

    stricter["expect"] = json!({"status": "404"});
    let slower = named("slower", &fleet.url(2, "/b77"), 2);
    home.list(&[kept, stricter, slower, named("new", &fleet.url(4, "/"), 1)]);
    let told = home.run(&["--reload"]).works().out;
    assert_eq!(told, "1 target kept, 1 added, 2 changed, 1 removed\n");
    let after = newest(&home);
    until_polled(&home, &["kept", "stricter", "slower", "new"], 2);
    let gone = count(&home, "gone");
    until_polled(&home, &["kept", "new"], 2);
    assert_eq!(count(&home, "gone"), gone, "what was removed is polled no more");
    let states = pairs(&home, "SELECT id key, state value FROM targets");
    assert_eq!(states.get("gone"), None);
    assert_eq!(states["kept"], "up");
    let live = home.run(&["targets", "--json", "--state", "down"]).works().out;
    assert!(live.contains("\"stricter\"") && !live.contains("\"kept\""), "{live}");
    home.stop();

    assert_on_grid(&home, "kept", 1_000, 0);
    assert_on_grid(&home, "stricter", 1_000, 0);
    assert_on_grid(&home, "new", 1_000, 0);
    // A poll that was under way during the reload still had the old interval.
    let first_new = home.number(&format!(
        "SELECT min(key) FROM checks WHERE target_id = 'slower' AND bytes = 77 AND key > {after}"
    ));
    assert_on_grid(&home, "slower", 2_000, first_new - 1);
    let told = "SELECT count(*) FROM checks WHERE target_id = 'slower' AND bytes <> 77 AND key > ";
    assert_eq!(home.number(&format!("{told}{first_new}")), 0);
    assert_no_slot_twice(&home);
    assert_consistent(&home);
}

#[test]
fn a_target_that_comes_back_has_its_history() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let entry = |id, n, path| named(id, &fleet.url(n, path), 1);
    let both = [entry("stays", 0, "/"), entry("comes and goes", 1, "/s503")];
    home.list(&both);
    home.start(&[]);
    until_polled(&home, &["stays", "comes and goes"], 2);
    for _ in 0..2 {
        home.list(&both[..1]);
        home.run(&["--reload"]).works();
        until_polled(&home, &["stays"], 1);
        home.list(&both);
        home.run(&["--reload"]).works();
        until_polled(&home, &["comes and goes"], 1);
    }
    home.list(&both[..1]);
    home.run(&["--reload"]).works();
    home.stop();
    home.start(&[]);
    home.list(&both);
    home.run(&["--reload"]).works();
    until_polled(&home, &["comes and goes"], 1);
    home.stop();
    assert_on_grid(&home, "comes and goes", 1_000, 0);
    let outages = home.number("SELECT count(*) FROM incidents WHERE target_id = 'comes and goes'");
    assert_eq!(outages, 4, "each ends when nobody watches any more");
    assert_consistent(&home);
}

#[test]
fn a_broken_list_changes_nothing_and_says_so() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[named("a", &fleet.url(0, "/"), 1), named("b", &fleet.url(1, "/"), 1)]);
    home.write("own.toml", "grace = 5\n");
    home.start(&["--config", "own.toml"]);
    until_polled(&home, &["a", "b"], 1);
    for (text, word) in [("[{\"url\": ", "not valid JSON"), ("[]", "empty"), ("[7]", "entry 1")] {
        home.write("urls.json", text);
        home.run(&["--reload"]).fails(1, &["urls.json", word]);
        wait_for("the same in the log", || home.log().contains(word).then_some(()));
        until_polled(&home, &["a", "b"], 1);
    }
    fs::remove_file(home.path("urls.json")).unwrap();
    home.run(&["--reload"]).fails(1, &["urls.json"]);
    home.signal(Signal::HUP);
    wait_for("a second word in the log", || {
        (home.log().matches("No such file").count() >= 2).then_some(())
    });
    home.list(&[named("a", &fleet.url(0, "/"), 1)]);
    home.write("own.toml", "color = 1\n");
    home.run(&["--reload"]).fails(1, &["own.toml:1:", "color"]);
    until_polled(&home, &["a", "b"], 1);
    assert_eq!(counts(&home).len(), 2);
    home.write("own.toml", "");
    let told = home.run(&["--reload"]).works().out;
    let restart = "a restart puts into force: grace";
    assert_eq!(told, format!("1 target kept, 0 added, 0 changed, 1 removed; {restart}\n"));
    home.stop();
    assert_consistent(&home);
}
