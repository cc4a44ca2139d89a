//! Pauses as a recorder of a cluster brings them about: they are told late, and end by the clock.

#![allow(clippy::expect_used, reason = "a test ends where it fails")]

use poller::health::votes::Slot;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
use poller::shards::Shards;
use poller::stage::docket::{Docket, Terms};
use poller::store::{IncidentChange, KeptRecord, RestoredShard, ShardBatch};
use poller::target::{PauseSpan, State};

const TARGET: u32 = 7;
const EVERY_MS: i64 = 10_000;

fn docket(restored: &RestoredShard, kept: Option<KeptRecord>) -> Docket {
    let shards = Shards::new(1).expect("one");
    let mut docket = Docket::restore(shards, (0, 1), restored, 0);
    let every_ms = u32::try_from(EVERY_MS).expect("small");
    docket.enrol(TARGET, Terms { every_ms, locations: 1, quorum: 1 }, kept);
    docket
}

/// Takes in the poll of the slot with this number.
fn poll(docket: &mut Docket, slot: i64, finding: Finding) {
    let due_ms = slot * EVERY_MS;
    let outcome = Outcome {
        target: TARGET,
        due_ms,
        finished_us: due_ms * 1_000,
        lag_us: 0,
        latency_us: 0,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding,
    };
    let offset = docket.next_offset();
    docket.observe(offset, Slot { due_ms, location: 1, tries: 0 }, outcome, due_ms);
}

fn up() -> Finding {
    Finding::default()
}

fn down() -> Finding {
    Finding::default().with_cause(Cause::Connect, Detail::Refused)
}

fn state(docket: &Docket) -> (State, i64) {
    let health = docket.ledger().record(TARGET).expect("it is known").health;
    (health.state, health.since_ms)
}

fn changes(batch: &ShardBatch) -> Vec<(State, State, i64)> {
    let told = batch.batch.transitions.iter();
    told.map(|change| (change.from, change.to, change.at_ms)).collect()
}

const fn pause(since_ms: i64, until_ms: Option<i64>) -> PauseSpan {
    PauseSpan { since_ms, until_ms }
}

#[test]
fn a_pause_counts_from_when_it_was_wanted_and_ends_at_its_time() {
    let mut docket = docket(&RestoredShard::default(), None);
    poll(&mut docket, 1, down());
    docket.note_pause(TARGET, Some(pause(15_000, Some(50_000))));
    docket.look_after_pauses(17_000);
    assert_eq!(state(&docket), (State::Paused, 15_000));
    poll(&mut docket, 2, up());
    docket.look_after_pauses(49_999);
    assert_eq!(state(&docket), (State::Paused, 15_000), "what still came of it changes nothing");
    docket.look_after_pauses(52_000);
    assert_eq!(state(&docket), (State::Pending, 50_000));
    poll(&mut docket, 6, up());
    docket.look_after_pauses(70_000);
    let batch = docket.close(70_000);
    let expected = [
        (State::Pending, State::Down, 10_000),
        (State::Down, State::Paused, 15_000),
        (State::Paused, State::Pending, 50_000),
        (State::Pending, State::Up, 60_000),
    ];
    assert_eq!(changes(&batch), expected);
    let ended = IncidentChange::Ended { target: TARGET, at_ms: 15_000 };
    assert_eq!(batch.batch.incidents.last(), Some(&ended));
    assert_eq!(batch.samples.len(), 3, "each is kept");
}

#[test]
fn a_pause_that_was_over_before_anybody_recorded_is_brought_about_once() {
    let mut first = docket(&RestoredShard::default(), None);
    poll(&mut first, 1, up());
    first.note_pause(TARGET, Some(pause(15_000, Some(30_000))));
    first.look_after_pauses(99_000);
    assert_eq!(state(&first), (State::Pending, 30_000));
    poll(&mut first, 9, up());
    first.close(99_000);
    // It is told again to whoever takes the shard over, and is nothing new.
    let record = first.ledger().record(TARGET).expect("it is known").clone();
    let kept = KeptRecord { record, votes: Vec::new() };
    let mut second = docket(&RestoredShard::default(), Some(kept));
    second.note_pause(TARGET, Some(pause(15_000, Some(30_000))));
    second.look_after_pauses(100_000);
    assert_eq!(state(&second), (State::Up, 90_000));
    assert_eq!(changes(&second.close(100_000)), []);
}

#[test]
fn a_later_word_of_a_pause_counts() {
    let mut docket = docket(&RestoredShard::default(), None);
    docket.note_pause(TARGET, Some(pause(10_000, Some(20_000))));
    docket.look_after_pauses(11_000);
    docket.note_pause(TARGET, Some(pause(10_000, None)));
    docket.look_after_pauses(30_000);
    assert_eq!(state(&docket), (State::Paused, 10_000), "it was made longer");
    docket.note_pause(TARGET, Some(pause(10_000, Some(31_000))));
    docket.look_after_pauses(32_000);
    assert_eq!(state(&docket), (State::Pending, 31_000), "somebody ended it");
    docket.note_pause(TARGET, Some(pause(40_000, None)));
    docket.look_after_pauses(41_000);
    docket.note_pause(TARGET, None);
    docket.look_after_pauses(42_000);
    assert_eq!(state(&docket), (State::Pending, 42_000), "it went with the target, which is back");
}

#[test]
fn nothing_is_paused_before_all_is_taken_in_again() {
    let restored = RestoredShard { next_offset: 2, settled_offset: 0, ..RestoredShard::default() };
    let mut docket = docket(&restored, None);
    docket.note_pause(TARGET, Some(pause(25_000, None)));
    docket.look_after_pauses(99_000);
    poll(&mut docket, 1, down());
    docket.look_after_pauses(99_000);
    assert_eq!(state(&docket), (State::Down, 10_000));
    poll(&mut docket, 2, down());
    docket.look_after_pauses(99_000);
    assert_eq!(state(&docket), (State::Paused, 25_000));
}

#[test]
fn polls_that_are_read_long_after_a_pause_are_judged_before_and_behind_it() {
    let mut docket = docket(&RestoredShard::default(), None);
    docket.note_pause(TARGET, Some(pause(35_000, Some(55_000))));
    // Nothing was read yet, whatever time it is.
    docket.look_after_pauses(0);
    let finding = |slot| if slot < 6 { down() } else { up() };
    for slot in [1, 2, 3, 6] {
        poll(&mut docket, slot, finding(slot));
    }
    docket.look_after_pauses(99_000);
    let batch = docket.close(99_000);
    let expected = [
        (State::Pending, State::Down, 10_000),
        (State::Down, State::Paused, 35_000),
        (State::Paused, State::Pending, 55_000),
        (State::Pending, State::Up, 60_000),
    ];
    assert_eq!(changes(&batch), expected);
}

#[test]
fn an_outage_that_was_told_while_nobody_knew_of_the_pause_is_none() {
    let mut docket = docket(&RestoredShard::default(), None);
    poll(&mut docket, 1, up());
    poll(&mut docket, 2, down());
    docket.note_pause(TARGET, Some(pause(15_000, None)));
    docket.look_after_pauses(25_000);
    assert_eq!(state(&docket), (State::Paused, 20_001), "of two changes one is the later");
    let incidents = docket.close(25_000).batch.incidents;
    let withdrawn = IncidentChange::Withdrawn { target: TARGET, began_ms: 20_000 };
    assert_eq!(incidents.last(), Some(&withdrawn), "{incidents:?}");
}

#[test]
fn who_came_back_without_a_pause_while_nobody_recorded_is_polled_again() {
    let mut first = docket(&RestoredShard::default(), None);
    first.note_pause(TARGET, Some(pause(15_000, None)));
    first.look_after_pauses(20_000);
    let record = first.ledger().record(TARGET).expect("it is known").clone();
    assert_eq!(record.health.state, State::Paused);
    let kept = KeptRecord { record, votes: Vec::new() };
    let mut second = docket(&RestoredShard::default(), Some(kept));
    second.note_pause(TARGET, None);
    second.look_after_pauses(30_000);
    poll(&mut second, 4, down());
    assert_eq!(state(&second), (State::Down, 40_000));
}
