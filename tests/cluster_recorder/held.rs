//! What somebody holds in the database: it holds up nothing that does not need it, and is told.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use poller::store::postgres::DatabaseError;
use poller::store::postgres::partitions::Keep;

use crate::engines::free_port;
use crate::rig::{PATIENCE, Rig, engines};
use crate::stream::{Poll, Stream, up};

/// Whether a lock on a table is held, or waited for, of which the test is not the owner.
fn is_held(table: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND granted \
         AND mode = 'AccessExclusiveLock'"
    )
}

/// Has somebody hold `table` while `work` is done, however long that takes.
fn holding(rig: &Rig, table: &str, work: impl FnOnce()) {
    std::thread::scope(|scope| {
        scope.spawn(|| rig.try_sql(&format!("BEGIN; LOCK {table}; SELECT pg_sleep(3600)")));
        let _held = Held { rig, table };
        rig.until("somebody holds it", &is_held(table), |count| count != "0");
        work();
    });
}

/// A table that somebody holds until this is dropped, also where the work fails.
struct Held<'a> {
    rig: &'a Rig,
    table: &'a str,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_locks \
                   WHERE mode = 'AccessExclusiveLock' AND relation = ";
        // Where nobody can be asked, nobody holds anything any more.
        let _ = self.rig.try_sql(&format!("{end}'{}'::regclass", self.table));
    }
}

/// What `/readyz` answers at `port`.
fn readiness(port: u16) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let ask = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut told = String::new();
    let _ = stream.write_all(ask.as_bytes());
    let _ = stream.read_to_string(&mut told);
    told
}

fn until_ready(port: u16, is_so: impl Fn(&str) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let told = readiness(port);
        if is_so(&told) {
            return;
        }
        assert!(Instant::now() < end, "it says {told}");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

#[test]
fn what_is_old_and_cannot_be_dropped_keeps_nobody_from_recording() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "tidying", 1, 2);
    rig.send_polls(&Stream::new(2, 10).polls());
    holding(&rig, "day", || {
        let recorder = rig.recorder("one");
        rig.wait("all", "SELECT sum(checks) FROM progress", "20");
        assert_ne!(rig.sql(&is_held("day")), "0", "it is held all the time");
        recorder.stop();
    });
}

#[test]
fn what_somebody_holds_is_not_waited_for_and_the_rest_is_forgotten() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "patience", 1, 1);
    rig.sql(
        "INSERT INTO day VALUES (1, 19000, 1, 1, ''); \
         INSERT INTO gap VALUES (0, now() - interval '500 d', now() - interval '499 d', '')",
    );
    let now_ms = poller::clock::Clock::system().now_ms();
    let keep = Keep::default();
    holding(&rig, "day", || {
        let done = rig.database(async |database| database.forget_past(now_ms, keep).await);
        assert!(
            matches!(&done, Err(DatabaseError::Away(why)) if why.contains("55P03")),
            "{done:?}"
        );
        assert_ne!(rig.sql(&is_held("day")), "0", "it is held all the time");
    });
    assert_eq!(rig.sql("SELECT (SELECT count(*) FROM day), (SELECT count(*) FROM gap)"), "1|0");
}

#[test]
fn who_cannot_write_for_long_is_not_ready_and_writes_all_in_the_end() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "late", 2, 4);
    let polls = Stream::new(4, 20).polls();
    let port = free_port();
    let recorder = rig.recorder_at("one", port);
    rig.send_polls(&polls[..40]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "40");
    until_ready(port, |told| told.starts_with("HTTP/1.1 200"));
    holding(&rig, "sample", || {
        rig.send_polls(&polls[40..]);
        until_ready(port, |told| told.contains("outcomes are not written since"));
        assert!(readiness(port).starts_with("HTTP/1.1 503"));
    });
    rig.wait("all", "SELECT sum(checks) FROM progress", "80");
    until_ready(port, |told| told.starts_with("HTTP/1.1 200"));
    let said = recorder.stop();
    assert!(said.matches("the database is away").count() <= 1, "{said}");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "80");
}

#[test]
fn a_shard_in_doubt_holds_up_no_other() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "doubt", 2, 4);
    let recorder = rig.recorder("one");
    let of = |target: u32, slot: i64| Poll::new(target, slot, up());
    // Nobody knows the target 99: what is told of it may be stored already.
    let many: Vec<Poll> = (0..2_500).map(|slot| of(99, slot % 250)).collect();
    rig.send_polls(&many);
    rig.send_polls(&[of(1, 1), of(2, 1)]);
    rig.wait("each once", "SELECT count(*) FROM sample WHERE target = 99", "250");
    rig.wait("the others", "SELECT count(*) FROM sample WHERE target < 99", "2");
    rig.send_polls(&many);
    rig.send_polls(&[of(1, 2), of(2, 2)]);
    rig.wait("the next", "SELECT count(*) FROM sample WHERE target < 99", "4");
    recorder.stop();
    assert_eq!(rig.sql("SELECT count(*) FROM sample WHERE target = 99"), "250");
}

#[test]
fn who_is_not_told_what_of_late_outcomes_is_stored_asks_again_and_stores_each_once() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "asking", 2, 4);
    let recorder = rig.recorder("one");
    let of = |target: u32, slot: i64| Poll::new(target, slot, up());
    // Nobody knows the target 99: what is told of it may be stored already.
    let stored: Vec<Poll> = (0..50).map(|slot| of(99, slot)).collect();
    rig.send_polls(&stored);
    rig.wait("the first", "SELECT count(*) FROM sample WHERE target = 99", "50");
    // When somebody asked who still waits for the answer.
    let asked = "SELECT coalesce(max(query_start)::text, '') FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND query LIKE '%AS asked(due, target%'";
    holding(&rig, "sample", || {
        rig.send_polls(&stored);
        rig.send_polls(&[of(99, 50), of(99, 51)]);
        rig.until("it asks", asked, |at| at.starts_with("20"));
        let first = rig.sql(asked);
        rig.until("it asks again", asked, |at| at.starts_with("20") && at > &*first);
    });
    rig.wait("the new ones", "SELECT count(*) FROM sample WHERE target = 99", "52");
    rig.send_polls(&[of(1, 1), of(2, 1)]);
    rig.wait("the others", "SELECT count(*) FROM sample WHERE target < 99", "2");
    recorder.says("the database is back");
    recorder.stop();
    assert_eq!(rig.sql("SELECT count(*) FROM sample WHERE target = 99"), "52");
}
