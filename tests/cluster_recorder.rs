//! Recorders of a cluster over a real Kafka and a real PostgreSQL: whatever happens to them, each poll
//! is stored once, counted once and judged as if nothing had happened.

#![cfg(feature = "distributed")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/engines.rs"]
mod engines;
#[path = "cluster_recorder/held.rs"]
mod held;
#[path = "cluster_recorder/rig.rs"]
mod rig;
#[path = "cluster_recorder/stream.rs"]
mod stream;
#[path = "cluster_recorder/trouble.rs"]
mod trouble;

use std::time::Duration;

use poller::outcome::{Detail, Finding};
use poller::queue::kafka::messages::{MemberMessage, MissedMessage, Report, Told};
use rig::{Rig, engines};
use stream::{Poll, Stream, down, shuffle, up};

#[test]
fn what_comes_shuffled_and_twice_is_stored_once() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "shuffled", 4, 40);
    let stream = Stream::new(40, 90);
    let mut polls = stream.polls();
    let again: Vec<Poll> = polls.iter().step_by(3).cloned().collect();
    polls.extend(again);
    shuffle(&mut polls, 7);
    rig.send_polls(&polls);
    let recorder = rig.recorder("one");
    rig.wait("all rows", "SELECT count(*) FROM sample", "3600");
    rig.wait("all counts", "SELECT sum(checks) FROM progress", "3600");
    recorder.stop();
    assert_eq!(rig.counted(), 3_600, "each is in one hour");
    let expected = stream.states();
    assert_eq!(rig.sql("SELECT target, state FROM record ORDER BY target"), expected);
    assert_eq!(rig.sql("SELECT sum(next_offset - settled_offset) FROM progress"), "0");
}

#[test]
fn a_recorder_that_is_killed_again_and_again_tells_the_same_as_one_that_is_not() {
    let Some(engines) = engines() else { return };
    let polls = Stream::new(60, 240).polls();
    let calm = Rig::new(engines, "calm", 4, 60);
    calm.send_polls(&polls);
    let recorder = calm.recorder("calm");
    let all = polls.len().to_string();
    calm.wait("all counts", "SELECT sum(checks) FROM progress", &all);
    recorder.stop();

    let rough = Rig::new(engines, "rough", 4, 60);
    let mut recorder = rough.recorder("rough");
    // The last slot is for one that has taken in again what was not in records.
    let (most, last) = polls.split_at(polls.len() - 60);
    for part in most.chunks(most.len() / 6 + 1) {
        let before = rough.sql("SELECT sum(checks) FROM progress");
        rough.send_polls(part);
        rough.until("some more", "SELECT sum(checks) FROM progress", |now| now != before);
        recorder.kill();
        recorder = rough.recorder("rough");
    }
    rough.send_polls(last);
    rough.wait("all counts", "SELECT sum(checks) FROM progress", &all);
    recorder.stop();
    for (what, asked) in rig::ALL {
        let (rough, calm) = (rough.sql(asked), calm.sql(asked));
        let other = rough.lines().zip(calm.lines()).find(|(rough, calm)| rough != calm);
        assert_eq!((other, rough.lines().count()), (None, calm.lines().count()), "{what}");
    }
    assert!(rough.sql("SELECT count(*) FROM incident").parse::<u32>().unwrap() > 10);
}

#[test]
fn outcomes_wait_while_the_database_is_away() {
    if !engines::are_here() {
        return;
    }
    let own = rig::Engines::start();
    let rig = Rig::new(&own, "away", 4, 20);
    let polls = Stream::new(20, 60).polls();
    let recorder = rig.recorder_with("one", "6s");
    let (first, rest) = polls.split_at(300);
    rig.send_polls(first);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "300");
    own.postgres.stop();
    rig.send_polls(rest);
    recorder.says("the database is away");
    std::thread::park_timeout(Duration::from_secs(15));
    own.postgres.start_again();
    rig.wait("all", "SELECT sum(checks) FROM progress", "1200");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "1200");
    // Not only outcomes were held up; it is back once all work works again.
    recorder.says("the database is back");
    let said = recorder.stop();
    assert_eq!(said.matches("the database is away").count(), 1, "{said}");
}

#[test]
fn recorders_share_the_shards_and_another_takes_over_from_one_that_is_killed() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "shared", 6, 30);
    let polls = Stream::new(30, 60).polls();
    let (one, two) = (rig.recorder("one"), rig.recorder("two"));
    let shares = "SELECT count(*) FROM lease WHERE role = 'recorder' AND owner IS NOT NULL \
                  GROUP BY split_part(owner, '#', 1)";
    rig.wait("halves", shares, "3\n3");
    let (first, rest) = polls.split_at(900);
    rig.send_polls(first);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "900");
    one.kill();
    rig.send_polls(rest);
    rig.wait("all", "SELECT sum(checks) FROM progress", "1800");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "1800");
    two.stop();
    assert_eq!(rig.counted(), 1_800);
}

#[test]
fn who_slept_longer_than_its_lease_writes_nothing_when_it_wakes() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "zombie", 2, 20);
    let polls = Stream::new(20, 60).polls();
    let one = rig.recorder("one");
    rig.send_polls(&polls[..600]);
    rig.wait("the first", "SELECT sum(checks) FROM progress", "600");
    // What it takes in and has not written is of an epoch that is over when it wakes.
    rig.send_polls(&polls[600..900]);
    one.pause();
    let two = rig.recorder("two");
    rig.send_polls(&polls[900..]);
    rig.wait("all", "SELECT sum(checks) FROM progress", "1200");
    let before = rig.sql("SELECT sum(step), sum(epoch), sum(next_offset) FROM progress");
    let woken = rig.sql("SELECT clock_timestamp()");
    one.resume();
    let seen = format!(
        "SELECT count(*) FROM member WHERE role = 'recorder' AND seen_at > '{woken}'::timestamptz"
    );
    rig.wait("one is awake, and two as well", &seen, "2");
    let epochs = rig.sql("SELECT sum(epoch) FROM progress").parse::<i64>().unwrap();
    let was: i64 = before.split('|').nth(1).unwrap().parse().unwrap();
    assert!(epochs >= was, "nobody went back to an old epoch");
    assert_eq!(rig.sql("SELECT count(*) FROM sample"), "1200");
    assert_eq!(rig.sql("SELECT sum(checks) FROM progress"), "1200");
    // Whoever is to end while it takes in again what was not in records leaves that to the next one.
    one.stop();
    two.stop();
    let three = rig.recorder("three");
    let settled = "SELECT sum(next_offset - settled_offset) FROM progress";
    let last: Vec<Poll> = (1..=20).map(|target| Poll::new(target, 60, up())).collect();
    rig.send_polls(&last);
    rig.wait("the last", "SELECT sum(checks) FROM progress", "1220");
    three.stop();
    assert_eq!(rig.sql(settled), "0");
    assert_eq!(rig.counted(), 1_220);
}

#[test]
fn what_nobody_can_read_is_set_aside_and_holds_up_nothing() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "dead", 2, 4);
    let polls = Stream::new(4, 10).polls();
    rig.send_polls(&polls[..20]);
    rig.send_bytes(0, b"{\"no\": \"message\"}");
    rig.send_bytes(1, &Report { needs: 99, ..Report::default() }.to_bytes());
    let mut stray = polls[0].clone();
    stray.location = "no/name".to_owned();
    rig.send_polls(&[stray]);
    let mut early = polls[0].clone();
    early.outcome.due_ms += 30_600_000;
    rig.send_polls(&[early]);
    let other = polls.iter().find(|poll| poll.outcome.target % 2 == 0).unwrap();
    // A newer member says more of it, in a field that this one does not know.
    let newer = [other.report().to_bytes().as_slice(), &[0x98, 0x06, 0x01]].concat();
    rig.send_bytes(1, &newer);
    // One that no scheduler sent, whose shards would be another one's to share.
    let told = MemberMessage { name: "s".into(), role: "scheduler".into(), ..Default::default() };
    rig.send(0, &Report::new("", Told::Member(told)));
    rig.send_polls(&polls[20..]);
    let recorder = rig.recorder("one");
    rig.wait("all", "SELECT sum(checks) FROM progress", "40");
    let letters = rig.dead(6);
    assert_eq!(rig.sql("SELECT count(*) FROM member WHERE role = 'scheduler'"), "0");
    for (reason, offset) in [
        ("malformed", "10"),
        ("needs version 99", "10"),
        ("location", ""),
        ("due_ms", ""),
        ("belongs to partition 0", ""),
        ("a scheduler does not give its signs of life", ""),
    ] {
        let is_so = |told: &str| told.contains(reason) && told.contains(offset);
        assert!(letters.iter().any(|(told, _)| is_so(told)), "{reason} in {letters:?}");
    }
    let stray = letters.iter().find(|(told, _)| told.contains("belongs to partition 0"));
    assert_eq!(stray.unwrap().1, newer, "it is kept as it was read");
    recorder.stop();
}

#[test]
fn states_follow_the_newest_and_what_most_locations_say() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "votes", 1, 3);
    rig.sql("UPDATE target SET locations = 1 WHERE number = 1; UPDATE target SET locations = 3");
    rig.sql("UPDATE target SET locations = 1 WHERE number = 1");
    let recorder = rig.recorder("one");
    let at = |target, slot, location: &str, finding: Finding| {
        Poll::new(target, slot, finding).at(location)
    };
    let told = [
        // What comes late of the first target is counted, and does not take its state back.
        at(1, 1, "a", up()),
        at(1, 2, "a", up()),
        at(1, 5, "a", up()),
        at(1, 4, "a", down()),
        at(1, 3, "a", down()),
        // One of three says that the second one is down.
        at(2, 1, "a", down()),
        at(2, 1, "b", up()),
        at(2, 1, "c", up()),
        // Two of three say that the third one is down.
        at(3, 1, "a", down()),
        at(3, 1, "b", up()),
        at(3, 1, "c", down()),
        at(3, 2, "b", up()),
    ];
    rig.send_polls(&told);
    rig.wait("all", "SELECT sum(checks) FROM progress", "12");
    recorder.stop();
    let states = "SELECT target, state FROM record ORDER BY target";
    assert_eq!(rig.sql(states), "1|1\n2|1\n3|3");
    let outages = "SELECT target FROM incident WHERE ended IS NULL";
    assert_eq!(rig.sql(outages), "3");
    assert_eq!(rig.sql("SELECT count(*) FROM transition WHERE target = 1 AND to_state = 3"), "0");
}

#[test]
fn slots_without_a_poll_are_rows_and_members_are_known() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "missed", 1, 2);
    let recorder = rig.recorder("one");
    let missed = |target, slot, reason, location: &str, locations: &[&str]| {
        let due_ms = Poll::new(target, slot, up()).outcome.due_ms;
        let locations = locations.iter().map(|&name| name.to_owned()).collect();
        Report::new(location, Told::Missed(MissedMessage { target, due_ms, reason, locations }))
    };
    rig.send_polls(&[Poll::new(1, 1, up()).at("a"), Poll::new(2, 1, up()).at("a")]);
    rig.send(0, &missed(1, 2, 3, "", &["a", "b"]));
    rig.send(0, &missed(2, 2, 4, "a", &[]));
    rig.send(0, &missed(2, 2, 4, "a", &[]));
    // It was polled after all.
    rig.send_polls(&[Poll::new(2, 2, down()).at("a")]);
    // And this one was polled before somebody said that it was not.
    rig.send(0, &missed(2, 1, 0, "a", &[]));
    let member = MemberMessage {
        name: "checker-1".to_owned(),
        role: "checker".to_owned(),
        host: "h".to_owned(),
        poller: "1".to_owned(),
        facts: "{\"in_flight\": 3}".to_owned(),
        ..MemberMessage::default()
    };
    rig.send(0, &Report::new("a", Told::Member(member)));
    rig.wait("the polls", "SELECT sum(checks) FROM progress", "3");
    rig.wait("the missed", "SELECT sum(missed) FROM progress", "2");
    let heard = "SELECT location, facts->>'in_flight' FROM member WHERE name = 'checker-1'";
    rig.wait("the member", heard, "a|3");
    // Nothing is in motion any more.
    recorder.stop();
    let rows = "SELECT target, kind, verdict, detail, name FROM sample \
                JOIN location ON id = location ORDER BY target, due, name";
    let detail = Detail::None.code();
    assert_eq!(
        rig.sql(rows),
        format!("1|0|0|0|a\n1|3|3|3|a\n1|3|3|3|b\n2|0|0|0|a\n2|0|2|{detail}|a")
    );
    assert_eq!(rig.sql("SELECT sum(missed) FROM progress"), "2");
}

#[test]
fn targets_that_come_and_go_are_followed() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "follow", 1, 2);
    let recorder = rig.recorder("one");
    rig.send_polls(&[Poll::new(1, 1, down()), Poll::new(2, 1, up())]);
    rig.wait("an outage", "SELECT count(*) FROM incident WHERE ended IS NULL", "1");
    rig.add_target(3);
    rig.send_polls(&[Poll::new(3, 1, down()), Poll::new(99, 1, down())]);
    rig.wait("another", "SELECT count(*) FROM incident WHERE ended IS NULL", "2");
    rig.wait("the unknown one", "SELECT count(*) FROM sample WHERE target = 99", "1");
    rig.sql("UPDATE cluster SET revision = revision + 1");
    rig.sql(
        "UPDATE target SET removed_at = now(), revision = (SELECT revision FROM cluster) \
         WHERE number = 1",
    );
    rig.wait("its end", "SELECT target FROM incident WHERE ended IS NULL", "3");
    recorder.stop();
    assert_eq!(rig.sql("SELECT state FROM record WHERE target = 1"), "0");
}
