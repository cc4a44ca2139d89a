//! The targets of the API: they come, change, go, and stay over restarts and reloads.

use serde_json::{Value, json};

use super::{daemon, entry, row, start, state, until_polled, until_state};
use crate::by_socket::{Web, ask, ask_with};
use crate::home::{Home, wait_for};

const TARGETS: &str = "PUT /api/v1/targets";

fn counts(body: &Value) -> [u64; 4] {
    ["added", "changed", "kept", "removed"].map(|key| body[key].as_u64().unwrap())
}

#[test]
fn a_put_makes_the_targets_exactly_these_and_again_changes_nothing() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let (a, b) = (entry("a", &web.url("/a")), entry("b", &web.url("/b")));
    let first = ask(&home, TARGETS, &json!([a, b])).is(200);
    assert_eq!(counts(&first.body), [2, 0, 0, 0]);
    assert_eq!((&first.body["ids"], &first.body["total"]), (&json!(["a", "b"]), &json!(2)));
    until_state(&home, "a", "up");
    until_state(&home, "listed", "up");
    let since = row(&home, "a").unwrap()["since"].clone();

    let again = ask(&home, TARGETS, &json!([b, a])).is(200);
    assert_eq!(counts(&again.body), [0, 0, 2, 0]);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(row(&home, "a").unwrap()["since"], since, "what stays keeps its state");

    let other = ask(&home, TARGETS, &json!([entry("b", &web.url("/b?2")), "http://127.0.0.1:1/"]));
    assert_eq!(counts(&other.is(200).body), [1, 1, 0, 1]);
    assert_eq!((state(&home, "a"), state(&home, "listed")), ("gone".into(), "up".into()));
    let none = ask(&home, TARGETS, &json!([])).is(200);
    assert_eq!(counts(&none.body), [0, 0, 0, 2]);
}

#[test]
fn a_change_that_is_meant_for_another_version_changes_nothing() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let a = json!([entry("a", &web.url("/a"))]).to_string();
    let etag = ask_with(&home, TARGETS, "", &a).is(200).header("etag");
    let stale = ask_with(&home, TARGETS, "If-Match: \"own-0-other\"\r\n", "[]").is(412);
    assert_eq!(stale.header("etag"), etag, "it says which one there is");
    let condition = format!("If-Match: {etag}\r\n");
    ask_with(&home, "DELETE /api/v1/targets/a", &condition, "").is(200);
    ask_with(&home, TARGETS, &condition, &a).is(412);
}

#[test]
fn bad_entries_are_told_by_their_place_and_nothing_is_done_unless_they_are_to_be_left_out() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let all = json!([
        entry("good", &web.url("/good")),
        {"url": "ftp://a.example/", "id": "ftp"},
        {"url": "http://169.254.169.254/latest/meta-data/", "id": "metadata"},
        {"url": "https://a.example/", "headers": {"X-Key": "file:/etc/passwd"}, "id": "file"},
        {"url": "https://a.example/", "intervall": 5, "id": "slip"},
        entry("listed", &web.url("/other")),
        7,
    ]);
    let refused = ask(&home, "POST /api/v1/targets", &all).is(422);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let rejected = refused.body["rejected"].as_array().unwrap();
    assert_eq!(refused.body["rejected_total"], 6);
    for (place, (index, id, word)) in [
        (1, "ftp", "scheme"),
        (2, "metadata", "allow_targets"),
        (3, "file", "of this machine"),
        (4, "slip", "did you mean \"interval\""),
        (5, "listed", "read-only"),
    ]
    .into_iter()
    .enumerate()
    {
        let one = &rejected[place];
        assert_eq!((&one["index"], &one["id"]), (&json!(index), &json!(id)));
        assert!(one["reason"].as_str().unwrap().contains(word), "{one}");
    }
    assert_eq!(state(&home, "good"), "gone");

    let partly = ask(&home, "POST /api/v1/targets?partial=true", &all).is(201);
    assert_eq!(
        (&partly.body["ids"], &partly.body["rejected_total"]),
        (&json!(["good"]), &json!(6))
    );
    until_state(&home, "good", "up");
}

#[test]
fn an_entry_with_a_slip_is_none_that_is_not_there() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, TARGETS, &json!([entry("a", &web.url("/a")), entry("b", &web.url("/b"))])).is(200);
    until_state(&home, "a", "up");
    let mut slip = entry("a", &web.url("/a"));
    slip["intervall"] = json!(5);
    let with_slip = json!([slip, entry("c", &web.url("/c"))]);
    let partly = ask(&home, "PUT /api/v1/targets?partial=true", &with_slip).is(200);
    assert_eq!(counts(&partly.body), [1, 0, 0, 1]);
    assert_eq!(partly.body["total"], 2);
    until_polled(&home, "a", 2);
    assert_eq!(state(&home, "b"), "gone");
}

#[test]
fn one_target_is_added_replaced_and_removed() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/a"))).is(201);
    until_state(&home, "a", "up");
    let replaced = ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/down"))).is(200);
    assert_eq!(counts(&replaced.body), [0, 1, 0, 0]);
    until_state(&home, "a", "down");
    ask(&home, "DELETE /api/v1/targets/a", &Value::Null).is(200);
    assert_eq!(state(&home, "a"), "gone");
    assert_eq!(home.number("SELECT count(*) FROM incidents WHERE ended IS NULL"), 0);
    let nobody = ask(&home, "DELETE /api/v1/targets/a", &Value::Null).is(404);
    assert!(nobody.text("detail").contains("\"a\""), "{nobody:?}");
    ask(&home, "POST /api/v1/targets", &json!("nonsense")).is(422);
    ask_with(&home, "POST /api/v1/targets", "", "{").is(400);
}

#[test]
fn a_patch_changes_the_keys_that_it_names_and_keeps_the_others() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let whole = json!({"url": web.url("/a"), "id": "a", "headers": {"X-Key": "secret"},
        "labels": {"team": "web", "tier": "one"}, "expires": "1h", "interval": "1s"});
    ask(&home, "POST /api/v1/targets", &whole).is(201);
    let patch = json!({"name": "A", "labels": {"tier": null}, "interval": "1d"});
    let changed = ask(&home, "PATCH /api/v1/targets/a", &patch).is(200);
    assert_eq!(counts(&changed.body), [0, 1, 0, 0]);
    let kept = "SELECT count(*) FROM own_target WHERE expires_ms IS NOT NULL
        AND json_extract(entry, '$.headers.X-Key') = 'secret'
        AND json_extract(entry, '$.labels.team') = 'web'
        AND json_extract(entry, '$.labels.tier') IS NULL
        AND json_extract(entry, '$.name') = 'A'";
    assert_eq!(home.number(kept), 1);
    ask(&home, "PATCH /api/v1/targets/a", &json!({"interval": "never"})).is(422);
    ask(&home, "PATCH /api/v1/targets/a", &json!({"id": "b"})).is(400);
    ask(&home, "PATCH /api/v1/targets/listed", &patch).is(409);
    ask(&home, "PATCH /api/v1/targets/nobody", &patch).is(404);
}

#[test]
fn a_patch_of_a_target_without_an_id_of_its_own_makes_no_second_one() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let posted = ask(&home, "POST /api/v1/targets", &json!({"url": web.url("/a")})).is(201);
    let id = posted.body["ids"][0].as_str().expect("an id").to_owned();
    ask(&home, &format!("PATCH /api/v1/targets/{id}"), &json!({"name": "A"})).is(200);
    assert_eq!(row(&home, &id).expect("it is there")["name"], "A");
    let patch = json!({"url": web.url("/b")});
    let moved = ask(&home, &format!("PATCH /api/v1/targets/{id}"), &patch).is(200);
    assert_eq!(moved.body["removed"], 1, "the one at the old address");
    assert_eq!(home.number("SELECT count(*) FROM own_target"), 1);
}

#[test]
fn targets_of_the_list_are_read_only() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    let removed = ask(&home, "DELETE /api/v1/targets/listed", &Value::Null).is(409);
    assert!(removed.text("detail").contains("read-only"), "{removed:?}");
    let posted = ask(&home, "POST /api/v1/targets", &entry("listed", &web.url("/x"))).is(409);
    assert!(posted.body["rejected"][0]["reason"].as_str().unwrap().contains("read-only"));
    until_state(&home, "listed", "up");
}

#[test]
fn they_stay_over_a_restart_and_a_reload_with_all_that_is_known_of_them() {
    let web = Web::start();
    let (home, mut attached) = daemon(&web);
    ask(&home, TARGETS, &json!([entry("a", &web.url("/a")), web.url("/plain")])).is(200);
    until_state(&home, "a", "up");
    let since = row(&home, "a").unwrap()["since"].clone();
    let etag = ask(&home, "POST /api/v1/targets", &json!([])).is(200).header("etag");

    home.list(&[entry("listed", &web.url("/listed")), entry("more", &web.url("/more"))]);
    home.run(&["--reload"]).works();
    until_state(&home, "more", "up");
    assert_eq!(row(&home, "a").unwrap()["since"], since);
    home.run(&["--stop"]).works();
    attached.end();

    let _daemon = start(&home);
    until_polled(&home, "a", 2);
    assert_eq!(row(&home, "a").unwrap()["since"], since);
    let after = ask(&home, "POST /api/v1/targets", &json!([])).is(200);
    assert_eq!((after.header("etag"), &after.body["total"]), (etag, &json!(2)));
}

#[test]
fn where_the_list_takes_an_id_its_target_is_polled_until_the_list_gives_it_up() {
    let web = Web::start();
    let (home, _daemon) = daemon(&web);
    ask(&home, "POST /api/v1/targets", &entry("a", &web.url("/down"))).is(201);
    until_state(&home, "a", "down");
    home.list(&[entry("listed", &web.url("/listed")), entry("a", &web.url("/a"))]);
    home.run(&["--reload"]).works();
    until_state(&home, "a", "up");
    home.list(&[entry("listed", &web.url("/listed"))]);
    home.run(&["--reload"]).works();
    until_state(&home, "a", "down");
}

#[test]
fn a_target_that_is_to_go_goes_by_itself() {
    let web = Web::start();
    let (home, mut attached) = daemon(&web);
    let mut brief = entry("brief", &web.url("/brief"));
    brief["expires"] = json!("1s");
    let mut later = entry("later", &web.url("/later"));
    later["expires"] = json!("2s");
    ask(&home, "POST /api/v1/targets", &json!([brief, later])).is(201);
    until_state(&home, "brief", "gone");
    home.run(&["--stop"]).works();
    attached.end();
    wait_for("its time", || {
        home.number("SELECT unixepoch() * 1000 > max(expires_ms) FROM own_target")
            .gt(&0)
            .then_some(())
    });
    let _daemon = start(&home);
    assert_eq!(state(&home, "later"), "gone", "it is over while no daemon runs, too");
}

#[test]
fn whoever_may_only_read_changes_nothing() {
    let web = Web::start();
    let home = Home::new();
    home.list(&[entry("listed", &web.url("/listed"))]);
    let _daemon = home.attach(&["-s", "--listen", "127.0.0.1:0"]);
    let listen =
        home.summary()["listen"].as_str().unwrap().trim_start_matches("http://").to_owned();
    for request in [
        "PUT /api/v1/targets",
        "POST /api/v1/targets",
        "PATCH /api/v1/targets/listed",
        "DELETE /api/v1/targets/listed",
        "POST /api/v1/targets/listed/pause",
        "POST /api/v1/targets/listed/resume",
        "POST /api/v1/pause",
        "POST /api/v1/resume",
        "POST /api/v1/checks/run",
        "POST /api/v1/batch/run",
        "POST /api/v1/batch/run-ad-hoc",
    ] {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&listen).unwrap();
        let rest =
            "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]";
        write!(stream, "{request} {rest}").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 401"), "{request}: {said}");
    }
}
