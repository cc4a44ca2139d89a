//! Targets that are paused, replaced and expire over the API of a whole cluster: two schedulers, a
//! checker and a recorder over a real Kafka and a real PostgreSQL.

#![cfg(feature = "distributed")]
#![expect(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/admin.rs"]
mod admin;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "cluster_edit/edited.rs"]
mod edited;
#[path = "support/engines.rs"]
mod engines;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/topic_reader.rs"]
mod topic_reader;

use edited::{EVERY_MS, Edited, SEEN_MS};
use serde_json::{Value, json};

/// No slot.
const NONE: [i64; 0] = [];

/// A pause is obeyed by whoever schedules: no job is made and nothing is told as missed, also by who
/// takes the shards over; and it is recorded.
#[test]
fn who_is_paused_is_polled_by_no_scheduler_and_told_by_the_recorder() {
    let Some(mut edited) = Edited::start() else { return };
    let wish = json!({"ids": ["t-1", "down"], "reason": "work"});
    edited.post("/api/v1/pause", &wish).is(200);
    let paused_ms = edited.now_ms();
    for id in ["t-1", "down"] {
        assert_eq!(edited.get(id)["state"], "paused", "shown at once");
        edited.wait(id, "(SELECT state FROM record WHERE target = number) = 5");
    }
    let open = "SELECT count(*) FROM incident, target WHERE target = number \
                AND given_id = 'down' AND ended IS NULL";
    assert_eq!(edited.count(open), 0, "an outage ends when nobody watches it");
    let told = "SELECT count(*) FROM transition, target WHERE target = number AND to_state = 5 \
                AND at = date_trunc('milliseconds', paused_at)";
    assert_eq!(edited.count(told), 2, "it is told from when it was wanted on");
    edited.work_on(SEEN_MS + 5 * EVERY_MS);
    edited.kill_scheduler();
    edited.work_on(10 * EVERY_MS);
    for id in ["t-1", "down"] {
        let span = (paused_ms + SEEN_MS, edited.now_ms());
        assert_eq!(edited.jobs(id, span), NONE, "{id}");
        assert_eq!(edited.missed(id, span), NONE, "{id}");
    }
    // Of the others no slot is left out, whoever dies.
    assert!(edited.slots("t-2", (paused_ms, edited.now_ms())).len() > 10);
    edited.post("/api/v1/resume", &json!({"ids": ["t-1", "down"]})).is(200);
    edited.wait("t-1", "(SELECT state FROM record WHERE target = number) = 1");
    edited.wait("down", "(SELECT state FROM record WHERE target = number) = 3");
    edited.work_on(SEEN_MS);
    let resumed_ms = edited.paused_until_ms("t-1");
    let first_ms = edited.slots("t-1", (paused_ms + SEEN_MS, edited.now_ms()))[0];
    let is_next = (resumed_ms..resumed_ms + SEEN_MS + EVERY_MS).contains(&first_ms);
    assert!(is_next, "{first_ms} after {resumed_ms}");
    assert_eq!(edited.missed("t-1", (paused_ms + SEEN_MS, resumed_ms)), NONE);
    assert_eq!(edited.get("t-1")["uptime"]["24h"], 1.0, "the time of a pause does not count");
}

/// A pause for a time ends by the database's clock, at its time and by nobody's word.
#[test]
fn a_pause_and_a_target_end_by_themselves() {
    let Some(edited) = Edited::start() else { return };
    let length_ms = SEEN_MS + 4 * EVERY_MS;
    let wish = json!({"label": "team=web", "for": length_ms / 1_000});
    let paused = edited.post("/api/v1/pause", &wish).is(200);
    assert_eq!(paused.body["ids"], json!(["t-3"]));
    let paused_ms = edited.now_ms();
    let own = json!({"id": "own", "url": edited.url("/"), "interval": "2s", "expires": "15s"});
    edited.post("/api/v1/targets", &own).is(201);
    edited.wait("own", "EXISTS (SELECT FROM sample WHERE target = number)");
    edited.wait("own", "removed_at IS NOT NULL AND expires_at IS NULL");
    let gone_ms = edited.now_ms();
    edited.wait("t-3", "paused_until < now() - interval '4 seconds'");
    edited.work_on(SEEN_MS + 3 * EVERY_MS);
    let until_ms = edited.paused_until_ms("t-3");
    assert_eq!(edited.jobs("t-3", (paused_ms + SEEN_MS, until_ms)), NONE);
    // It is known from which whole second on, and a slot comes each interval.
    let first_ms = edited.slots("t-3", (until_ms, edited.now_ms()))[0];
    assert!(first_ms < until_ms + 1_000 + EVERY_MS, "{first_ms} after {until_ms}");
    assert_eq!(edited.missed("t-3", (paused_ms + SEEN_MS, until_ms)), NONE);
    let told = "SELECT count(*) FROM transition, target WHERE target = number \
                AND given_id = 't-3' AND (from_state, to_state) = (5, 0) \
                AND at = date_trunc('milliseconds', paused_until)";
    assert_eq!(edited.count(told), 1, "it ended at its time");
    edited.wait("t-3", "(SELECT state FROM record WHERE target = number) = 1");
    assert_eq!(edited.jobs("own", (gone_ms + SEEN_MS, edited.now_ms())), NONE, "it has gone");
    let (status, _) = edited.try_get("own");
    assert_eq!(status, 404);
}

/// What is replaced in one step is seen so by schedulers.
#[test]
fn targets_that_are_replaced_are_polled_from_then_on_and_the_others_no_more() {
    let Some(edited) = Edited::start() else { return };
    let entry = |id: &str| json!({"id": id, "url": edited.url("/"), "interval": "2s"});
    let put = |entries: &Value| edited.ask(("PUT", "/api/v1/targets"), entries).is(200);
    put(&json!([entry("a"), entry("b")]));
    edited.wait("a", "(SELECT state FROM record WHERE target = number) = 1");
    put(&json!([entry("b"), entry("c")]));
    let put_ms = edited.now_ms();
    edited.wait("c", "(SELECT state FROM record WHERE target = number) = 1");
    edited.wait("a", "(SELECT state FROM record WHERE target = number) = 0");
    edited.work_on(SEEN_MS + 4 * EVERY_MS);
    let span = (put_ms + SEEN_MS, edited.now_ms());
    assert_eq!(edited.jobs("a", span), NONE);
    // Who stays is polled without a break.
    assert!(edited.slots("b", (put_ms - EVERY_MS, span.1)).len() > 5);
}
