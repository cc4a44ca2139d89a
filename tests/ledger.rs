//! The ledger, cut at random and restored: nothing is missed, counted twice or told otherwise.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/run.rs"]
mod run;
#[path = "support/store.rs"]
mod support;

use std::collections::BTreeMap;

use poller::health::Health;
use poller::outcome::{Outcome, SampleKind};
use poller::stats::Tally;
use poller::store::SampleKey;
use poller::target::State;
use proptest::prelude::*;
use run::{Event, Kind, Notes, Run, TARGETS, event, poll, start};
use support::{HOUR_MS, NOW_MS};

/// What the ledger counts and ranks is what a look at all records gives.
fn assert_ranked(run: &Run) {
    let records = run.records();
    for &state in State::ALL {
        let count = records.iter().filter(|record| record.health.state == state).count();
        assert_eq!(run.ledger.count_in_state(state), count as u64, "{state}");
    }
    let mut down: Vec<_> = records
        .iter()
        .filter(|record| record.health.state == State::Down)
        .map(|record| (record.health.since_ms, record.target))
        .collect();
    down.sort_unstable();
    let ranked = run.ledger.down().map(|ranked| (ranked.health.since_ms, ranked.target));
    assert_eq!(ranked.collect::<Vec<_>>(), down);
    let ranked: Vec<_> =
        run.ledger.expiring().map(|ranked| (ranked.certificate_until, ranked.target)).collect();
    assert!(ranked.is_sorted());
    let newest_s = run.ledger.newest().at_ms() / 1_000;
    for record in records.iter().filter(|record| record.certificate_until != 0) {
        let until = record.certificate_until;
        let is_ranked = ranked.contains(&(until, record.target));
        let last_s = record.last.at_ms() / 1_000;
        assert!(is_ranked || until >= last_s - 3_600 + 90 * 86_400, "{record:?}");
        assert!(!is_ranked || until < newest_s + 90 * 86_400, "{record:?}");
    }
}

/// The tallies of the hours that are over and of the open one are what the samples add up to, but
/// for those that somebody asked for.
fn assert_tallied(run: &Run) {
    let mut sums = BTreeMap::<u32, Tally>::new();
    for (&(_, target), tally) in &run.store.hours {
        sums.entry(target).or_default().merge(tally);
    }
    for record in run.records() {
        sums.entry(record.target).or_default().merge(&record.tally);
    }
    let mut raw = BTreeMap::<u32, Tally>::new();
    let is_counted = |outcome: &Outcome| outcome.kind != SampleKind::Manual;
    for sample in run.store.samples.values().filter(|sample| is_counted(&sample.outcome)) {
        raw.entry(sample.outcome.target).or_default().add(&sample.outcome);
    }
    sums.retain(|_, tally| tally.checks > 0);
    assert_eq!(sums, raw);
    let mut days = BTreeMap::<(u32, u32), Tally>::new();
    for (&(hour, target), tally) in &run.store.hours {
        days.entry((hour / 24, target)).or_default().merge(tally);
    }
    assert_eq!(run.store.days, days);
    let mut fleet = Tally::default();
    run.store.fleet_hours.values().for_each(|tally| fleet.merge(tally));
    let mut all = Tally::default();
    for tally in raw.values() {
        all.merge(tally);
    }
    assert_eq!(fleet, all);
    assert_eq!(run.store.totals.checks, run.store.samples.len() as u64);
}

/// A restore of what is stored gives what the run knows.
fn assert_restorable(run: &Run) {
    let ledger = start(&mut run.store.clone(), &mut Notes::default(), run.now_ms);
    let restored: Vec<_> =
        (1..=TARGETS).map(|number| ledger.record(number).unwrap().clone()).collect();
    assert_eq!(restored, run.records());
    assert_eq!(ledger.newest(), run.ledger.newest());
    assert_eq!(ledger.fleet().totals, run.ledger.fleet().totals);
    if run.was_set_back {
        return;
    }
    assert_eq!(ledger.fleet().recent.checks(), run.ledger.fleet().recent.checks());
    assert_eq!(ledger.fleet().recent.largest(), run.ledger.fleet().recent.largest());
}

proptest! {
    #[test]
    fn a_run_that_is_cut_ends_like_one_that_is_not(
        events in proptest::collection::vec(event(), 1..250),
    ) {
        let (mut run, mut plain) = (Run::new(false), Run::new(true));
        for event in &events {
            run.meet(event);
            plain.meet(event);
        }
        run.flush();
        plain.flush();
        prop_assert_eq!(run.records(), plain.records());
        let (one, other) = (&run.store, &plain.store);
        prop_assert_eq!(&one.samples, &other.samples);
        prop_assert_eq!(&one.transitions, &other.transitions);
        prop_assert_eq!(&one.incidents, &other.incidents);
        prop_assert_eq!(&one.hours, &other.hours);
        prop_assert_eq!(&one.days, &other.days);
        prop_assert_eq!(&one.fleet_hours, &other.fleet_hours);
        prop_assert_eq!(&one.totals, &other.totals);
        let recent = |run: &Run| run.ledger.fleet().recent.checks();
        prop_assert!(run.was_set_back || recent(&run) == recent(&plain));
    }

    #[test]
    fn what_is_stored_gives_back_what_is_known_at_any_time(
        events in proptest::collection::vec(event(), 1..250),
    ) {
        let mut run = Run::new(false);
        for event in &events {
            run.meet(event);
            assert_ranked(&run);
            if matches!(event, Event::Store) {
                assert_restorable(&run);
                assert_tallied(&run);
            }
        }
        run.flush();
        assert_tallied(&run);
        let last = run.ledger.take_last_batch(run.now_ms);
        prop_assert_eq!(last.settled, run.ledger.newest());
    }
}

#[test]
fn a_certificate_is_ranked_when_its_last_ninety_days_begin() {
    let mut run = Run::new(true);
    for day in 0..5 {
        let at_ms = NOW_MS + day * 86_400_000;
        run.ledger.observe(&poll(1, at_ms, Kind::Certified(93)));
        let is_ranked = run.ledger.expiring().any(|ranked| ranked.target == 1);
        assert_eq!(is_ranked, day > 3, "after {day} days");
    }
}

#[test]
fn a_target_that_comes_back_keeps_its_counts_and_has_yet_to_be_polled() {
    let mut run = Run::new(true);
    for (index, kind) in (0..).zip([Kind::Up, Kind::Down, Kind::Down]) {
        run.ledger.observe(&poll(1, NOW_MS + index, kind));
        run.ledger.observe(&poll(2, NOW_MS + index, Kind::Up));
    }
    let before = run.records();
    run.ledger.retire(1, NOW_MS + 10);
    run.ledger.retire(2, NOW_MS + 10);
    assert_eq!(run.ledger.down().count(), 0);
    run.flush();
    run.ledger.enrol(1, None, NOW_MS + 20);
    run.ledger.enrol(2, None, NOW_MS + 20);
    for (record, before) in run.records().iter().zip(&before).take(2) {
        assert_eq!(record.health, Health::pending(NOW_MS + 10), "nobody has watched it since");
        assert_eq!((record.last, record.tally.checks), (before.last, 0));
        assert_eq!(run.store.hours[&(record.hour, record.target)], before.tally);
    }
    run.ledger.observe(&poll(1, NOW_MS + 30, Kind::Down));
    run.flush();
    assert_tallied(&run);
    run.ledger.observe(&poll(1, NOW_MS + HOUR_MS, Kind::Down));
    run.flush();
    let times: Vec<_> =
        run.store.incidents.iter().map(|incident| (incident.began_ms, incident.ended_ms)).collect();
    assert_eq!(times, [(NOW_MS + 1, Some(NOW_MS + 10)), (NOW_MS + 30, None)]);
    assert_tallied(&run);
}

#[test]
fn a_clock_that_is_set_back_leaves_no_windows_ahead_and_keys_ascend() {
    let mut run = Run::new(true);
    run.ledger.observe(&poll(1, NOW_MS, Kind::Up));
    run.flush();
    run.now_ms = NOW_MS - 5 * HOUR_MS;
    run.ledger.observe(&poll(1, run.now_ms, Kind::Down));
    run.flush();
    assert_eq!(run.ledger.fleet().recent.checks(), 1);
    assert!(run.store.samples.values().is_sorted_by_key(|sample| sample.key));
    assert_eq!(run.ledger.record(1).unwrap().health.state, State::Down);
    assert_tallied(&run);
    assert_restorable(&run);
}

#[test]
fn after_a_clock_was_far_ahead_hours_go_on_from_the_true_one() {
    let mut run = Run::new(true);
    let ahead_ms = NOW_MS + 1_000 * 24 * HOUR_MS;
    run.ledger.observe(&poll(1, ahead_ms, Kind::Up));
    run.ledger.observe(&poll(1, NOW_MS + HOUR_MS, Kind::Up));
    run.ledger.observe(&poll(1, NOW_MS + 2 * HOUR_MS, Kind::Up));
    run.flush();
    let hour = |at_ms: i64| u32::try_from(at_ms / HOUR_MS).unwrap();
    let closed: Vec<_> = run.store.hours.keys().map(|&(hour, _)| hour).collect();
    assert_eq!(closed, [hour(NOW_MS), hour(NOW_MS + HOUR_MS), hour(ahead_ms)]);
    assert_eq!(run.ledger.record(1).unwrap().hour, hour(NOW_MS + 2 * HOUR_MS));
    assert_tallied(&run);
}

#[test]
fn records_settle_within_minutes_even_after_the_clock_was_set_back() {
    let mut run = Run::new(true);
    run.ledger.observe(&poll(1, NOW_MS, Kind::Up));
    run.ledger.observe(&poll(1, NOW_MS + 1, Kind::Up));
    for second in 0..1_000 {
        run.now_ms = NOW_MS - 50 * HOUR_MS + second * 1_000;
        run.ledger.observe(&poll(2, run.now_ms, Kind::Up));
        run.flush();
    }
    let behind = run.store.samples.range(SampleKey(run.store.settled.0 + 1)..).count();
    assert!((1..400).contains(&behind), "{behind} samples are not settled");
}

#[test]
fn records_settle_soon_when_few_wait_and_within_half_of_what_samples_are_kept() {
    let mut run = Run::new(true);
    run.ledger.observe(&poll(1, NOW_MS, Kind::Up));
    assert!(run.ledger.take_batch(NOW_MS + 29_000).records.is_empty());
    assert_eq!(run.ledger.take_batch(NOW_MS + 31_000).records.len(), 1);
    run.ledger.settle_for(std::time::Duration::from_secs(10));
    run.ledger.observe(&poll(1, NOW_MS + 40_000, Kind::Up));
    assert!(run.ledger.take_batch(NOW_MS + 44_000).records.is_empty());
    let batch = run.ledger.take_batch(NOW_MS + 46_000);
    assert_eq!((batch.records.len(), batch.settled), (1, run.ledger.newest()));
}
