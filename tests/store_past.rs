//! How readers find the past of one target and of all: by chains, slices and pages.

#![allow(clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod store;

use poller::health::{Health, Transition};
use poller::outcome::{Cause, Detail, Outcome, Verdict};
use poller::stats::Tally;
use poller::store::reader::{Outages, Period, Reader, Scan};
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, ClosedHour, IncidentChange, Sample, SampleKey, Store};
use poller::target::State;
use store::{HOUR_MS, NOW_MS, failed, outcome, samples, targets};
use tempfile::TempDir;

/// A day, and ninety of them.
const SPANS_MS: [i64; 2] = [24 * HOUR_MS, 90 * 24 * HOUR_MS];
const ALL: Scan =
    Scan { from: SampleKey(0), before: SampleKey(i64::MAX), verdict: None, most: 1_000 };

/// A store with three targets that holds `batch`.
fn written(batch: &Batch) -> (TempDir, SqliteStore, Reader) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("poller.db");
    let mut store = SqliteStore::open(&path, SqliteOptions::default()).expect("a store");
    store.enrol(&mut targets(3)).expect("enrolled");
    store.append(batch).expect("written");
    let reader = Reader::open(&path).expect("a reader");
    (directory, store, reader)
}

/// Polls of the targets 1 and 2 by turns, ten seconds apart; every fifth of target 1 failed.
fn polls() -> Vec<Sample> {
    let poll = |number: i64| -> Outcome {
        let at_ms = NOW_MS + number * 10_000;
        match number % 10 {
            0 => failed(1, at_ms),
            even if even % 2 == 0 => outcome(1, at_ms, 80_000),
            _ => outcome(2, at_ms, 80_000),
        }
    };
    samples(&(0..100).map(poll).collect::<Vec<_>>())
}

#[test]
fn the_chain_of_a_target_is_followed_part_by_part() {
    let samples = polls();
    let (_directory, _store, reader) =
        written(&Batch { samples: samples.clone(), ..Batch::default() });
    let own: Vec<_> = samples.iter().filter(|sample| sample.outcome.target == 1).rev().collect();
    let (mut next, mut found) = (Some(own[0].key), Vec::new());
    while let Some(key) = next {
        let walk = reader.walk(1, key, 0, 7).expect("read");
        assert!(!walk.is_torn && walk.samples.len() <= 7);
        found.extend(walk.samples);
        next = walk.next;
    }
    assert!(found.iter().eq(own.iter().copied()), "{} of {}", found.len(), own.len());
    let since_ms = own[9].key.at_ms();
    let walk = reader.walk(1, own[0].key, since_ms, 1_000).expect("read");
    assert_eq!((walk.samples.len(), walk.next), (10, None));
}

#[test]
fn a_chain_that_leads_to_what_is_kept_no_more_is_torn() {
    let samples = polls();
    let kept = samples[50..].to_vec();
    let last = kept.iter().rfind(|sample| sample.outcome.target == 2).expect("one").key;
    let (_directory, _store, reader) = written(&Batch { samples: kept, ..Batch::default() });
    let walk = reader.walk(2, last, 0, 1_000).expect("read");
    assert_eq!((walk.samples.len(), walk.is_torn, walk.next), (25, true, None));
}

#[test]
fn the_newest_sample_is_found_though_the_one_that_is_known_is_not_stored() {
    let samples = polls();
    let (_directory, _store, reader) =
        written(&Batch { samples: samples.clone(), ..Batch::default() });
    let newest = samples[98].key;
    let (unstored, none) = (SampleKey(newest.0 + (1 << 40)), SampleKey(0));
    assert_eq!(reader.head(1, [newest, none]).expect("read"), newest);
    assert_eq!(reader.head(1, [unstored, newest]).expect("read"), newest);
    assert_eq!(reader.head(1, [unstored, none]).expect("read"), newest, "it is near the end");
    assert_eq!(reader.head(1, [samples[99].key, none]).expect("read"), newest, "another's");
    assert_eq!(reader.head(3, [none, none]).expect("read"), none);
    let entered = reader.enter(1, samples[30].key.at_ms() + 1).expect("read");
    assert_eq!(entered, Some(samples[32].key));
    assert_eq!(reader.enter(1, newest.at_ms() + 1).expect("read"), None);
}

#[test]
fn samples_are_found_by_verdict_and_key_from_both_ends() {
    let samples = polls();
    let (_directory, _store, reader) =
        written(&Batch { samples: samples.clone(), ..Batch::default() });
    let down = Scan { verdict: Some(Verdict::Down), ..ALL };
    let part = reader.newest(&down).expect("read");
    assert_eq!((part.samples.len(), part.next), (10, None));
    let part = reader.newest(&Scan { most: 3, ..down }).expect("read");
    assert_eq!((part.samples.len(), part.next), (3, Some(samples[70].key)));
    let some = Scan { from: samples[10].key, before: samples[20].key, ..ALL };
    let newest = reader.newest(&some).expect("read").samples;
    assert!(newest.iter().eq(samples[10..20].iter().rev()));
    let oldest = reader.oldest(samples[10].key, samples[20].key, 1_000).expect("read");
    assert_eq!(oldest, samples[10..20]);
    assert_eq!(reader.oldest(samples[10].key, samples[20].key, 4).expect("read").len(), 4);
}

#[test]
fn all_tallies_are_read_once_slice_by_slice() {
    let tally = Tally { checks: 1, ..Tally::default() };
    let hours: Vec<_> = (0..50)
        .flat_map(|hour| (1..=3).map(move |target| (hour, target)))
        .map(|(hour, target)| ClosedHour { target, hour, tally: tally.clone() })
        .collect();
    let (_directory, _store, reader) = written(&Batch { hours, ..Batch::default() });
    let (mut after, mut found) = ((10, 0), Vec::new());
    loop {
        let part = reader.all_tallies(Period::Hour, after, 40, 7).expect("read");
        let Some(&(hour, target, _)) = part.last() else { break };
        after = (hour, target);
        found.extend(part.into_iter().map(|(hour, target, _)| (hour, target)));
    }
    let expected: Vec<_> =
        (10..=40).flat_map(|hour| (1..=3).map(move |target| (hour, target))).collect();
    assert_eq!(found, expected);
    assert_eq!(reader.all_tallies(Period::Day, (0, 0), 9, 100).expect("read").len(), 9);
}

#[test]
fn outages_are_paged_by_their_beginning() {
    let began = |target, at_ms| IncidentChange::Began {
        target,
        at_ms,
        cause: Cause::Reset,
        detail: Detail::None,
    };
    let mut incidents = Vec::new();
    for number in 0..20 {
        let at_ms = NOW_MS + number * 1_000;
        incidents.push(began(1, at_ms));
        incidents.push(IncidentChange::Ended { target: 1, at_ms: at_ms + 500 });
    }
    incidents.push(began(2, NOW_MS + 3_000));
    let (_directory, _store, reader) = written(&Batch { incidents, ..Batch::default() });
    let all = Outages {
        target: None,
        lasting: None,
        from: SampleKey(0),
        before: SampleKey(i64::MAX),
        most: 4,
    };
    let count = |wanted: Outages| {
        let (mut wanted, mut found) = (wanted, Vec::new());
        loop {
            let (part, next) = reader.outages(&wanted).expect("read");
            found.extend(part);
            let Some(next) = next else { break };
            wanted.before = next;
        }
        assert!(found.is_sorted_by(|one, next| one.key > next.key));
        found.len()
    };
    assert_eq!(count(all), 21);
    assert_eq!(count(Outages { target: Some(1), ..all }), 20);
    assert_eq!(count(Outages { target: Some(2), lasting: Some(false), ..all }), 0);
    assert_eq!([Some(true), Some(false)].map(|lasting| count(Outages { lasting, ..all })), [1, 20]);
    assert_eq!(count(Outages { from: SampleKey::first_of(NOW_MS + 15_000), ..all }), 5);
}

#[test]
fn uptime_of_one_target_is_told_from_its_own_changes_and_its_state() {
    let change = |target, from, to, at_ms| Transition {
        target,
        from,
        to,
        at_ms,
        cause: None,
        detail: Detail::None,
    };
    let transitions = vec![
        change(1, State::Pending, State::Up, NOW_MS - 20 * HOUR_MS),
        change(2, State::Pending, State::Down, NOW_MS - 20 * HOUR_MS),
        change(1, State::Up, State::Unknown, NOW_MS - 10 * HOUR_MS),
        change(1, State::Unknown, State::Down, NOW_MS - 8 * HOUR_MS),
    ];
    let watched = Batch {
        transitions,
        watched_since_ms: NOW_MS - 20 * HOUR_MS,
        watched_until_ms: NOW_MS,
        ..Batch::default()
    };
    let (_directory, _store, reader) = written(&watched);
    let health = |state, since_ms| Health { state, since_ms, ..Health::pending(0) };
    // Ten hours up, two unknown, eight down.
    let down = health(State::Down, NOW_MS - 8 * HOUR_MS);
    let [day, quarter] = reader.uptime_of(1, &down, NOW_MS, SPANS_MS).expect("read");
    assert_eq!((day, quarter), (Some(10.0 / 18.0), Some(10.0 / 18.0)));
    // It came back two hours ago, which is not stored yet.
    let up = health(State::Up, NOW_MS - 2 * HOUR_MS);
    let [day, ..] = reader.uptime_of(1, &up, NOW_MS, SPANS_MS).expect("read");
    assert_eq!(day, Some(12.0 / 18.0));
    // What changed long ago is kept no more.
    let [day, ..] = reader.uptime_of(3, &health(State::Up, 0), NOW_MS, SPANS_MS).expect("read");
    assert_eq!(day, Some(1.0));
    assert_eq!(
        reader.uptime_of(3, &Health::pending(0), NOW_MS, SPANS_MS).expect("read"),
        [None; 2]
    );
}
