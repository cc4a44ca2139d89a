//! Scheduler and worker in virtual time: what is polled when, in which order, and what is missed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/line.rs"]
mod line;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, Step, fails, slots, target, up};
use poller::outcome::{Cause, Detail, Outcome, SampleKind, Verdict};
use poller::target::{FlightState, Plan, Priority, State, Target};

/// When a poll started, in Unix microseconds.
fn started_us(outcome: &Outcome) -> i64 {
    outcome.finished_us - i64::from(outcome.latency_us)
}

#[tokio::test(start_paused = true)]
async fn every_slot_is_polled_exactly_once() {
    let intervals = [1_000, 2_500, 10_000, 60_000];
    let targets: Vec<_> =
        (1..=200).map(|number| Arc::new(target(number, intervals[number as usize % 4]))).collect();
    let mut line = Line::start(targets.clone(), 1_000, |_, _| up(50));
    line.pass(Duration::from_mins(5)).await;
    line.end().await;
    for target in &targets {
        let due: Vec<_> = line.of(target.number).iter().map(|outcome| outcome.due_ms).collect();
        assert_eq!(due, slots(target, NOW_MS, NOW_MS + 300_000));
    }
    assert_eq!(line.desk.missed(), 0);
    assert!(line.outcomes().iter().all(|outcome| outcome.latency_us / 1_000 == 50));
    assert!(line.outcomes().iter().all(|outcome| outcome.lag_us < 3_000));
    assert_eq!(line.places.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn with_too_few_places_all_run_late_in_their_order_and_what_is_missed_is_counted() {
    let of = |number: u32| Priority::ALL[number as usize % 3];
    let targets: Vec<_> = (0..30)
        .map(|number| Arc::new(Target { priority: of(number), ..target(number, 10_000) }))
        .collect();
    // There is room for three polls in two seconds; four fall due.
    let mut line = Line::start(targets.clone(), 3, |_, _| up(2_000));
    line.pass(Duration::from_mins(20)).await;
    let waiting = line.desk.waiting();
    let (running, missed) = (line.places.taken() as u64, line.desk.missed());
    assert_eq!((line.most_in_flight(), line.most_of_one(), running), (3, 1, 3));
    let polled = line.slots_polled();
    let all = |target: &Arc<Target>| slots(target, NOW_MS, NOW_MS + 1_200_000).len() as u64;
    let slots: u64 = targets.iter().map(all).sum();
    assert_eq!(polled.values().sum::<u64>() + waiting + running + missed, slots);
    assert!(missed > 0);
    let share = |priority| -> Vec<u64> {
        polled.iter().filter(|(number, _)| of(**number) == priority).map(|(_, n)| *n).collect()
    };
    let [high, normal, low] = Priority::ALL.map(share);
    assert!(high.iter().all(|&polls| polls >= 118), "{high:?}");
    assert!(normal.iter().sum::<u64>() > low.iter().sum::<u64>(), "{normal:?} {low:?}");
    assert_eq!((normal.len(), low.len()), (10, 10), "nobody is starved");
    assert!(low.iter().all(|&polls| polls >= 5), "{low:?}");
    for priority in Priority::ALL {
        let mut own: Vec<_> =
            line.outcomes().iter().filter(|outcome| of(outcome.target) == priority).collect();
        own.sort_by_key(|outcome| started_us(outcome));
        assert!(own.is_sorted_by_key(|outcome| outcome.due_ms), "the oldest goes first");
    }
    // The wait is lag, and no part of the latency.
    assert!(line.outcomes().iter().all(|outcome| outcome.latency_us / 1_000 == 2_000));
    assert!(line.outcomes().iter().any(|outcome| outcome.lag_us > 10_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_outlasts_its_interval_misses_slots_and_never_runs_twice() {
    let slow = Arc::new(target(1, 1_000));
    let mut line = Line::start([Arc::clone(&slow)], 10, |_, _| up(2_500));
    line.pass(Duration::from_mins(1)).await;
    let polled = line.of(1).len() as u64;
    let running = line.places.taken() as u64;
    assert_eq!(line.most_of_one(), 1);
    assert_eq!(polled + running + line.desk.missed(), 60);
    assert!(polled >= 19, "{polled}");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_costs_its_own_poll_alone() {
    let targets: Vec<_> = (1..=4).map(|number| Arc::new(target(number, 1_000))).collect();
    let mut line = Line::start(targets.clone(), 2, |target, nth| match (target.number, nth % 2) {
        (1, 0) => Step::Panic(Duration::from_millis(10)),
        (2, 0) => Step::Panic(Duration::ZERO),
        _ => up(10),
    });
    line.pass(Duration::from_secs(20)).await;
    line.end().await;
    for (number, &polled) in &line.slots_polled() {
        assert_eq!(polled, 20, "target {number}");
    }
    let causes: Vec<_> = line.of(1).iter().map(|outcome| outcome.finding.cause).collect();
    assert_eq!(causes[..3], [Some(Cause::Internal), None, Some(Cause::Internal)]);
    let first = line.of(2)[0];
    assert_eq!((first.finding.verdict, first.finding.detail), (Verdict::Unknown, Detail::Panic));
    assert_eq!((line.places.taken(), line.desk.missed()), (0, 0));
    assert!(targets.iter().all(|target| target.flight().state() == FlightState::Idle));
}

/// A target that is known to be up and may be rechecked twice.
fn watched(number: u32, every_ms: u32) -> Arc<Target> {
    let target = Target { plan: Arc::new(Plan::default()), ..target(number, every_ms) };
    target.flight().learn(State::Up, 0);
    Arc::new(target)
}

/// Why, how long after the first, and how sure each poll of the first slot was.
async fn first_slot(
    target: &Arc<Target>,
    first: Step,
    later: Step,
) -> Vec<(SampleKind, i64, bool)> {
    let script = move |_: &Target, nth: usize| if nth == 0 { first } else { later };
    let mut line = Line::start([Arc::clone(target)], 5, script);
    line.pass(Duration::from_millis(2 * u64::from(target.every_ms) - 1)).await;
    let polls = line.of(target.number);
    let first = polls[0];
    let after = |poll: &Outcome| (started_us(poll) - first.finished_us) / 1_000;
    let slot = polls.iter().filter(|poll| poll.due_ms == first.due_ms);
    slot.map(|poll| (poll.kind, after(poll).max(0), poll.is_provisional)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_temporary_failure_is_checked_again_after_one_and_three_seconds() {
    let refused = fails(100, Cause::Connect, Detail::Refused);
    let polls = first_slot(&watched(1, 60_000), refused, refused).await;
    let (slot, recheck) = (SampleKind::Slot, SampleKind::Recheck);
    assert_eq!(polls, [(slot, 0, true), (recheck, 1_000, true), (recheck, 4_100, false)]);
    let polls = first_slot(&watched(1, 60_000), refused, up(5)).await;
    assert_eq!(polls, [(slot, 0, true), (recheck, 1_000, false)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_checked_again_without_need() {
    let once = [(SampleKind::Slot, 0, false)];
    let refused = fails(100, Cause::Connect, Detail::Refused);
    let permanent = fails(100, Cause::Dns, Detail::NoSuchName);
    let throttled = fails(100, Cause::Throttled, Detail::None);
    assert_eq!(first_slot(&watched(1, 60_000), up(5), up(5)).await, once);
    assert_eq!(first_slot(&watched(1, 60_000), permanent, up(5)).await, once);
    assert_eq!(first_slot(&watched(1, 60_000), throttled, up(5)).await, once);
    assert_eq!(first_slot(&Arc::new(target(1, 60_000)), refused, up(5)).await, once);
    let down = watched(1, 60_000);
    down.flight().learn(State::Down, 0);
    assert_eq!(first_slot(&down, refused, up(5)).await, once);
    // A recheck would not end before the next slot.
    assert_eq!(first_slot(&watched(1, 2_000), refused, up(5)).await, once);
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_would_not_end_in_time_is_left_out() {
    let refused = fails(100, Cause::Connect, Detail::Refused);
    // 100 + 1,000 + 1,000 ms fit, and after 1,200 ms 3,000 + 1,000 more do not.
    let polls = first_slot(&watched(1, 4_000), refused, refused).await;
    assert_eq!(polls, [(SampleKind::Slot, 0, true), (SampleKind::Recheck, 1_000, false)]);
}

#[tokio::test(start_paused = true)]
async fn rechecks_cost_no_slot() {
    let targets: Vec<_> = (1..=50).map(|number| watched(number, 7_000)).collect();
    let refused = fails(100, Cause::Connect, Detail::Refused);
    let mut line = Line::start(targets.clone(), 100, move |_, _| refused);
    line.pass(Duration::from_secs(70)).await;
    line.end().await;
    assert_eq!(line.desk.missed(), 0);
    assert_eq!(line.most_of_one(), 1);
    let mut kinds = BTreeMap::<bool, usize>::new();
    for outcome in line.outcomes() {
        *kinds.entry(outcome.kind == SampleKind::Slot).or_default() += 1;
    }
    assert_eq!(kinds[&true], 500);
    assert!(kinds[&false] > 900, "{kinds:?}");
}
