//! The targets of the API, replaced at once and paused.

use serde_json::{Value, json};

use super::admin::Answer;
use super::changed::Answering;
use super::engines::Postgres;
use super::fed::Fed;

/// How many were added, changed, kept and removed, and how many there are.
fn counts(answer: &Answer) -> [u64; 5] {
    let count = |key: &str| answer.body[key].as_u64().expect("a count");
    ["added", "changed", "kept", "removed", "total"].map(count)
}

fn entry(id: &str, more: &Value) -> Value {
    let mut entry = json!({"id": id, "url": format!("https://{id}.example/")});
    for (key, value) in more.as_object().into_iter().flatten() {
        entry[key] = value.clone();
    }
    entry
}

fn put(answering: &Answering, version: &str, entries: &Value) -> Answer {
    answering.admin(version, ("PUT", "/api/v1/targets"), entries)
}

/// The state of a target, and until when it is paused.
fn shown(answering: &Answering, id: &str) -> Value {
    let path = format!("/api/v1/targets/{id}");
    let told = answering.admin("*", ("GET", &path), &Value::Null).is(200).body;
    json!([told["target"]["state"], told["target"]["paused_until"]])
}

/// The revision of targets, and that of their entries.
fn revisions(answering: &Answering) -> String {
    answering.sql("SELECT revision, edition FROM cluster")
}

pub(crate) fn targets_of_the_api_become_exactly_those_that_are_sent() {
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let answering = Answering::of(&fed.url).with_admin();
    let listed = "SELECT count(*) FROM target WHERE origin = 0 AND removed_at IS NULL";
    let before = answering.sql(listed);
    let (a, b, c) = (entry("a", &json!({})), entry("b", &json!({})), entry("c", &json!({})));
    let first = put(&answering, "*", &json!([a, b])).is(200);
    assert_eq!(counts(&first), [2, 0, 0, 0, 2]);
    assert_eq!(first.body["ids"], json!(["a", "b"]));
    let again = put(&answering, "*", &json!([b, a])).is(200);
    assert_eq!((counts(&again), &again.etag), ([0, 0, 2, 0, 2], &first.etag));
    // One goes and one comes in the same transaction.
    let next = put(&answering, &first.etag, &json!([b, c])).is(200);
    assert_eq!(counts(&next), [1, 0, 1, 1, 2]);
    let once = answering.sql(
        "SELECT count(DISTINCT revision), count(*) FROM target \
         WHERE given_id IN ('a', 'c') AND revision = (SELECT revision FROM cluster)",
    );
    assert_eq!(once, "1|2");
    // What is meant for the version before changes nothing.
    let now = revisions(&answering);
    let stale = put(&answering, &first.etag, &json!([])).is(412);
    assert_eq!(stale.etag, next.etag, "it says which one there is");
    // Neither does what holds a slip, or a target of a list.
    let slips = json!([
        entry("d", &json!({})),
        entry("b", &json!({"intervall": 5})),
        entry("id-6", &json!({}))
    ]);
    let refused = put(&answering, "*", &slips).is(422);
    assert_eq!(refused.body["rejected_total"], 2, "{refused:?}");
    assert_eq!(refused.body["rejected"][1]["index"], 2, "{refused:?}");
    put(&answering, "*", &json!([entry("id-6", &json!({}))])).is(409);
    assert_eq!(revisions(&answering), now);
    // The others are taken; an entry with a slip is none that is not there.
    let partly = answering.admin("*", ("PUT", "/api/v1/targets?partial=true"), &slips).is(200);
    assert_eq!(counts(&partly), [1, 0, 0, 1, 2]);
    assert_eq!(partly.body["rejected_total"], 2, "{partly:?}");
    let own = "SELECT string_agg(given_id, ',' ORDER BY given_id) FROM target \
               WHERE origin = 1 AND removed_at IS NULL";
    assert_eq!(answering.sql(own), "b,d");
    what_is_exported_can_be_sent_again(&answering, &partly.etag);
    let none = put(&answering, "*", &json!([])).is(200);
    assert_eq!(counts(&none), [0, 0, 0, 2, 0]);
    assert_eq!(answering.run("db", &["export", "--api"]).trim(), "[\n\n]");
    assert_eq!(answering.sql(listed), before, "those of the list are as they were");
}

/// The targets of the API are `b` and `d`, and their version is `etag`.
fn what_is_exported_can_be_sent_again(answering: &Answering, etag: &str) {
    // When they go is told to nobody else, and is what was said last.
    let ending = entry("b", &json!({"expires": "2035-01-01T00:00:00Z"}));
    let ends = put(answering, "*", &json!([ending, entry("d", &json!({}))])).is(200);
    assert_eq!((counts(&ends), ends.etag.as_str()), ([0, 0, 2, 0, 2], etag));
    answering.admin("*", ("PATCH", "/api/v1/targets/b"), &json!({"name": "B"})).is(200);
    let export = answering.run("db", &["export", "--api"]);
    assert!(export.contains("2035-01-01T00:00:00"), "{export}");
    let back: Value = serde_json::from_str(&export).expect("an array");
    assert_eq!(counts(&put(answering, "*", &back).is(200)), [0, 0, 2, 0, 2]);
    assert!(!answering.run("db", &["export"]).contains("b.example"));
    // What an export hid is not taken for what it stands for.
    let hidden = entry("d", &json!({"headers": {"X-Key": "<secret>"}}));
    let refused = put(answering, "*", &json!([hidden])).is(400);
    assert!(refused.body.to_string().contains("--secrets"), "{refused:?}");
}

pub(crate) fn a_pause_is_shown_at_once_and_lasts_over_imports() {
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let answering = Answering::of(&fed.url).with_admin();
    let post = |path: &str, body: &Value| answering.admin("*", ("POST", path), body);
    put(&answering, "*", &json!([entry("own", &json!({}))])).is(200);
    let etag = post("/api/v1/targets", &json!([])).is(200).etag;
    let wish = json!({"ids": ["id-6", "own"], "until": "2035-01-01T00:00:00Z", "reason": "work"});
    let paused = post("/api/v1/pause", &wish).is(200);
    let until = "2035-01-01T00:00:00.000Z";
    let told = json!({"ids": ["id-6", "own"], "paused_until": until, "reason": "work"});
    assert_eq!(paused.body, told);
    for id in ["id-6", "own"] {
        assert_eq!(shown(&answering, id), json!(["paused", until]));
    }
    assert_eq!(post("/api/v1/targets", &json!([])).is(200).etag, etag, "entries are as they were");
    // One of which an id is of nobody is made of none.
    post("/api/v1/pause", &json!({"ids": ["id-12", "nobody"]})).is(404);
    assert_ne!(shown(&answering, "id-12")[0], "paused");
    // A second one takes the place of the first, which it goes on with.
    let began = "SELECT paused_at FROM target WHERE given_id = 'id-6'";
    let first = answering.sql(began);
    post("/api/v1/targets/id-6/pause", &Value::Null).is(200);
    assert_eq!(shown(&answering, "id-6"), json!(["paused", null]));
    assert_eq!(answering.sql(began), first);
    // By their label, in the order of their numbers.
    let by_label = post("/api/v1/pause", &json!({"label": "team=mail"})).is(200);
    let ids = by_label.body["ids"].as_array().expect("ids").len();
    let labelled = "SELECT count(*) FROM target WHERE labels @> '{\"team\": \"mail\"}' \
                    AND paused_at IS NOT NULL";
    assert!(ids > 0 && answering.sql(labelled) == ids.to_string(), "{by_label:?}");
    post("/api/v1/resume", &json!({"label": "team=mail"})).is(200);
    // Who is not paused is not touched.
    let now = revisions(&answering);
    post("/api/v1/resume", &json!({"label": "team=mail"})).is(200);
    assert_eq!(revisions(&answering), now);
    // A list that leaves a target out and names it again leaves its pause.
    let room = tempfile::tempdir().expect("a folder");
    let list = room.path().join("list.json");
    for text in [r#"["https://x.example/"]"#, r#"[{"id": "id-6", "url": "https://x.example/"}]"#] {
        std::fs::write(&list, text).expect("written");
        answering.run("db", &["import", list.to_str().expect("text")]);
    }
    assert_eq!(shown(&answering, "id-6"), json!(["paused", null]));
    assert_eq!(shown(&answering, "own"), json!(["paused", until]));
    // It goes with a target that is removed.
    answering.admin("*", ("DELETE", "/api/v1/targets/own"), &Value::Null).is(200);
    post("/api/v1/targets", &entry("own", &json!({}))).is(201);
    assert_eq!(shown(&answering, "own"), json!(["pending", null]));
    post("/api/v1/targets/id-6/resume", &Value::Null).is(200);
    assert_ne!(shown(&answering, "id-6")[0], "paused");
}
