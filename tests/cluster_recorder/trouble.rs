//! What the database refuses, or has lost: it holds up nothing else.

use poller::queue::kafka::messages::{MissedMessage, Report, Told};
use poller::store::postgres::partitions::Keep;

use crate::rig::{Rig, engines};
use crate::stream::{Poll, Stream, up};

/// Latency of the poll of a slot of a target, as [`Poll::new`] makes it up.
fn latency_us(target: i64, slot: i64) -> i64 {
    20_000 + target * 100 + slot
}

#[test]
fn a_poll_that_the_database_refuses_is_set_aside_and_holds_up_nothing() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "refused", 4, 20);
    let bad = latency_us(6, 4);
    rig.sql(&format!("ALTER TABLE sample ADD CONSTRAINT odd CHECK (latency_us <> {bad})"));
    let polls = Stream::new(20, 10).polls();
    rig.send_polls(&polls);
    let recorder = rig.recorder("one");
    rig.wait("all but one", "SELECT sum(checks) FROM progress", "199");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "199");
    let dead = rig.dead(1);
    assert!(dead[0].0.contains("the database refuses to hold it at"), "{dead:?}");
    assert!(dead[0].0.contains("of 2"), "{dead:?}");
    rig.send_polls(&[Poll::new(6, 11, up()), Poll::new(7, 11, up())]);
    rig.wait("what follows", "SELECT sum(checks) FROM progress", "201");
    recorder.stop();
    assert_eq!(rig.counted(), 201);
}

#[test]
fn a_record_that_the_database_refuses_costs_its_target_alone() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "record", 2, 10);
    rig.sql("ALTER TABLE record ADD CONSTRAINT odd CHECK (target <> 3)");
    rig.send_polls(&Stream::new(10, 10).polls());
    let recorder = rig.recorder("one");
    rig.wait("all", "SELECT sum(checks) FROM progress", "100");
    recorder.stop();
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "100");
    assert_eq!(rig.sql("SELECT count(*) FROM record"), "9");
}

#[test]
fn a_shard_that_cannot_be_written_waits_and_the_others_go_on() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "stuck", 2, 10);
    rig.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE 'not this one'; END $$; \
         CREATE TRIGGER no BEFORE UPDATE OF step ON progress FOR EACH ROW WHEN (new.shard = 1) \
         EXECUTE FUNCTION no()",
    );
    rig.send_polls(&Stream::new(10, 10).polls());
    let recorder = rig.recorder("one");
    rig.wait("the other", "SELECT checks FROM progress WHERE shard = 0", "50");
    rig.wait("its word", "SELECT facts->>'stuck' FROM member WHERE name = 'one'", "1");
    assert_eq!(rig.sql("SELECT checks FROM progress WHERE shard = 1"), "0");
    rig.sql("DROP TRIGGER no ON progress");
    rig.wait("both", "SELECT sum(checks) FROM progress", "100");
    rig.wait("its word", "SELECT facts->>'stuck' FROM member WHERE name = 'one'", "0");
    let said = recorder.stop();
    assert_eq!(said.matches("a shard cannot be written").count(), 1, "{said}");
    assert!(said.contains("the shard can be written again"), "{said}");
}

#[test]
fn an_hour_of_long_ago_counts_in_its_day() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "longago", 1, 2);
    let polls = Stream::new(2, 2).polls();
    let recorder = rig.recorder("one");
    rig.send_polls(&polls[..2]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "2");
    recorder.stop();
    rig.sql("UPDATE record SET hour = hour - 24 * 300");
    let recorder = rig.recorder("two");
    rig.send_polls(&polls[2..]);
    rig.wait("all", "SELECT sum(checks) FROM progress", "4");
    recorder.stop();
    assert_eq!(rig.sql("SELECT count(*) FROM hour"), "0");
    assert_eq!(rig.sql("SELECT sum(checks) FROM day"), "2");
}

#[test]
fn a_partition_that_somebody_dropped_is_made_again() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "dropped", 1, 2);
    let polls = Stream::new(2, 2).polls();
    let recorder = rig.recorder("one");
    rig.send_polls(&polls[..2]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "2");
    rig.sql(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT child.relname FROM pg_inherits \
         JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = 'sample'::regclass LOOP \
         EXECUTE 'DROP TABLE ' || name; END LOOP; END $$",
    );
    rig.send_polls(&polls[2..]);
    rig.wait("all", "SELECT sum(checks) FROM progress", "4");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "2");
    recorder.stop();
}

#[test]
fn a_slot_that_passed_everywhere_passed_at_the_locations_that_there_are() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "everywhere", 1, 2);
    rig.sql("INSERT INTO location (name) VALUES ('a'), ('b')");
    let due_ms = Poll::new(1, 1, up()).outcome.due_ms;
    let missed = MissedMessage { target: 1, due_ms, reason: 3, locations: Vec::new() };
    rig.send(0, &Report::new("", Told::Missed(missed)));
    let recorder = rig.recorder("one");
    rig.wait("both", "SELECT string_agg(location::text, ' ' ORDER BY 1) FROM sample", "1 2");
    recorder.stop();
}

#[test]
fn what_cannot_be_read_of_a_target_or_a_shard_begins_anew() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "unreadable", 2, 4);
    let polls = Stream::new(4, 20).polls();
    let recorder = rig.recorder("one");
    rig.send_polls(&polls[..40]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "40");
    recorder.stop();
    rig.sql("UPDATE record SET tally = '\\xffffff' WHERE target = 1");
    rig.sql("UPDATE record SET state = 77 WHERE target = 2");
    rig.sql("UPDATE progress SET codes = '[1]' WHERE shard = 1");
    rig.sql("UPDATE fleet_hour SET tally = '\\xffffff' WHERE shard = 0");
    let recorder = rig.recorder("two");
    rig.send_polls(&polls[40..]);
    rig.wait("all", "SELECT sum(checks) FROM progress", "80");
    let said = recorder.stop();
    assert_eq!(said.matches("what is known of a target cannot be read").count(), 2, "{said}");
    assert_eq!(rig.sql("SELECT count(*) FROM record WHERE state IN (1, 3)"), "4");
}

#[test]
fn a_topic_that_was_made_anew_is_read_from_its_beginning() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "anew", 1, 4);
    let polls = Stream::new(4, 20).polls();
    let recorder = rig.recorder("one");
    rig.send_polls(&polls[..40]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "40");
    recorder.stop();
    // As if these had been read from another topic.
    rig.sql(
        "UPDATE progress SET next_offset = 5000, settled_offset = 5000; \
         UPDATE record SET last_offset = 4999",
    );
    rig.send_polls(&polls[40..]);
    let recorder = rig.recorder("two");
    rig.wait("all", "SELECT sum(checks) FROM progress", "80");
    rig.wait("it is told", "SELECT count(*) FROM gap WHERE reason LIKE '%made anew%'", "1");
    recorder.kill();
    let recorder = rig.recorder("three");
    let last = Poll::new(1, 21, up());
    rig.send_polls(&[last]);
    rig.wait("the last", "SELECT sum(checks) FROM progress", "81");
    recorder.stop();
    assert_eq!(rig.counted(), 81);
    assert_eq!(rig.sql("SELECT next_offset FROM progress"), "81");
}

#[test]
fn what_is_old_goes_day_by_day_and_not_before_every_recorder_lets_it() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "old", 1, 1);
    let now_ms = 20_787 * 86_400_000 + 5;
    rig.database(async |database| database.partitions_ahead(now_ms, 5, 0).await.unwrap());
    rig.sql(
        "INSERT INTO member (name, role, host, pid, version, started_at, seen_at, facts) VALUES \
         ('other', 'recorder', 'h', 1, '1', now(), now(), '{\"keep_days\": 3}')",
    );
    let keep = Keep { sample_days: 1, hour_days: 30, day_days: 400 };
    let names = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits \
                 JOIN pg_class ON oid = inhrelid WHERE inhparent = 'sample'::regclass \
                 AND relkind = 'r'";
    std::thread::scope(|scope| {
        scope.spawn(|| rig.sql("SELECT count(*) FROM sample_20782; SELECT pg_sleep(8)"));
        let reading = "SELECT count(*) FROM pg_locks WHERE relation = 'sample_20782'::regclass";
        rig.until("somebody reads", reading, |count| count != "0");
        let dropped = rig.database(async |database| database.drop_partitions(now_ms, keep).await);
        assert!(dropped.is_err_and(|error| error.is_passing()));
    });
    let left = "sample_20784 sample_20785 sample_20786 sample_20787";
    assert_eq!(rig.sql(names), format!("sample_20782 {left}"));
    let again = rig.database(async |database| database.drop_partitions(now_ms, keep).await);
    assert_eq!(again.unwrap(), 1);
    assert_eq!(rig.sql(names), left);
}

#[test]
fn what_is_forgotten_is_old_and_over() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "forgotten", 1, 1);
    rig.sql(
        "INSERT INTO transition SELECT now() - days * interval '1 day', 1, 0, 1, 0, 0 \
         FROM (VALUES (500), (10)) AS age(days); \
         INSERT INTO incident VALUES (1, now() - interval '500 d', now() - interval '499 d', 1, 0), \
         (2, now() - interval '500 d', NULL, 1, 0); \
         INSERT INTO day SELECT n, 19000, 1, 1, '' FROM generate_series(1, 12000) n; \
         INSERT INTO fleet_hour VALUES (0, 19000 * 24, ''); \
         INSERT INTO gap VALUES (0, now() - interval '500 d', now() - interval '499 d', '')",
    );
    let now_ms = poller::clock::Clock::system().now_ms();
    rig.database(async |database| {
        database.forget_past(now_ms, Keep::default()).await.unwrap();
    });
    let left = "SELECT (SELECT count(*) FROM transition), (SELECT count(*) FROM incident), \
                (SELECT count(*) FROM day), (SELECT count(*) FROM fleet_hour), \
                (SELECT count(*) FROM gap)";
    assert_eq!(rig.sql(left), "1|1|0|0|0");
}

#[test]
fn a_topic_that_was_made_anew_and_grew_while_nobody_looked_is_read_from_its_beginning() {
    let Some(engines) = engines() else { return };
    let mut rig = Rig::new(engines, "grown", 1, 10);
    let polls = Stream::new(10, 30).polls();
    let (first, rest) = polls.split_at(100);
    rig.send_polls(first);
    let recorder = rig.recorder("one");
    rig.wait("the first", "SELECT sum(checks) FROM progress", "100");
    recorder.stop();
    assert_eq!(rig.sql("SELECT next_offset FROM progress"), "100");
    rig.make_topic_anew(engines);
    rig.send_polls(rest);
    let recorder = rig.recorder("two");
    rig.wait("all", "SELECT sum(checks) FROM progress", "300");
    rig.wait("its end", "SELECT next_offset FROM progress", "200");
    let gap = "SELECT count(*) FROM gap WHERE reason LIKE '%made anew%'";
    rig.wait("the gap", gap, "1");
    recorder.stop();
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "300");
    // The next one finds the same log, and reads on.
    let recorder = rig.recorder("three");
    rig.send_polls(&[Poll::new(1, 31, up())]);
    rig.wait("what follows", "SELECT sum(checks) FROM progress", "301");
    recorder.stop();
    assert_eq!(rig.sql(gap), "1");
}
