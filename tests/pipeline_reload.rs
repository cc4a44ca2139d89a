//! Scheduler and worker when the list changes while they run, and when they are stopped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/line.rs"]
mod line;

use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, fails, slots, target, up};
use poller::outcome::{Cause, Detail};
use poller::stage::scheduler::Change;
use poller::target::{FlightState, Plan, State, Target};
use tokio::time::Instant;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The same target with another interval and timeout, in the place of `old`.
fn changed(old: &Arc<Target>, every_ms: u32, timeout_ms: u32) -> Arc<Target> {
    let mut new = Target { timeout_ms, ..target(old.number, every_ms) };
    new.replace(old);
    Arc::new(new)
}

/// Lets a line run until the target `number` is polled for the first time.
async fn until_polled(line: &mut Line, number: u32) {
    while !line.starts().iter().any(|start| start.1 == number) {
        line.pass(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_added_is_polled_from_its_next_slot_on() {
    let first = Arc::new(target(1, 1_000));
    let mut line = Line::start([Arc::clone(&first)], 10, |_, _| up(10));
    line.pass(Duration::from_millis(20_400)).await;
    let added = Arc::new(target(2, 5_000));
    line.desk.hand_in([Change::Add(Arc::clone(&added))]);
    line.pass(seconds(60)).await;
    line.end().await;
    let due: Vec<_> = line.of(2).iter().map(|outcome| outcome.due_ms).collect();
    assert_eq!(due, slots(&added, NOW_MS + 20_400, NOW_MS + 80_400));
    let undisturbed = slots(&first, NOW_MS, NOW_MS + 80_400).len();
    assert_eq!((line.of(1).len(), line.desk.missed()), (undisturbed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_removed_is_polled_no_more() {
    let targets: Vec<_> = (1..=2).map(|number| Arc::new(target(number, 5_000))).collect();
    let mut line = Line::start(targets.clone(), 1, |_, _| up(4_000));
    until_polled(&mut line, 1).await;
    // It runs, or the other one does and it waits.
    let before = line.starts().len();
    line.desk.hand_in([Change::Remove(1)]);
    line.pass(seconds(60)).await;
    let later = line.starts().split_off(before);
    assert!(later.len() >= 11 && later.iter().all(|start| start.1 == 2), "{later:?}");
    assert_eq!(targets[0].flight().state(), FlightState::Idle);
    line.end().await;
    assert_eq!((line.places.taken(), line.desk.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_removed_while_it_waits_for_a_place_or_a_recheck_waits_no_more() {
    let hog = Arc::new(target(1, 1_000));
    let waiting = Arc::new(target(2, 60_000));
    let watched = Arc::new(Target { plan: Arc::new(Plan::default()), ..target(3, 60_000) });
    watched.flight().learn(State::Up, 0);
    let script = |target: &Target, _| match target.number {
        1 => up(200_000),
        _ => fails(10, Cause::Connect, Detail::Refused),
    };
    let mut line = Line::start([Arc::clone(&hog)], 1, script);
    until_polled(&mut line, 1).await;
    line.desk.hand_in([Change::Add(Arc::clone(&waiting))]);
    line.pass(seconds(61)).await;
    assert_eq!((waiting.flight().state(), line.desk.waiting()), (FlightState::Waiting, 1));
    line.desk.hand_in([Change::Remove(2), Change::Remove(1)]);
    line.pass(seconds(200)).await;
    assert_eq!((waiting.flight().state(), line.of(2).len()), (FlightState::Idle, 0));
    line.desk.hand_in([Change::Add(Arc::clone(&watched))]);
    until_polled(&mut line, 3).await;
    line.pass(Duration::from_millis(500)).await;
    assert_eq!(watched.flight().state(), FlightState::Waiting);
    line.desk.hand_in([Change::Remove(3)]);
    line.pass(seconds(100)).await;
    assert_eq!((watched.flight().state(), line.of(3).len()), (FlightState::Idle, 1));
    assert_eq!(line.places.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_replaced_while_it_runs_is_never_polled_twice_at_once() {
    for every_ms in [10_000, 2_000] {
        let old = Arc::new(target(1, 10_000));
        let mut line = Line::start([Arc::clone(&old)], 10, |_, _| up(7_000));
        until_polled(&mut line, 1).await;
        let new = changed(&old, every_ms, 77);
        let newest = changed(&new, every_ms, 78);
        line.desk.hand_in([Change::Replace(Arc::clone(&new))]);
        line.pass(seconds(1)).await;
        line.desk.hand_in([Change::Replace(Arc::clone(&newest))]);
        assert_eq!(newest.flight().state(), old.flight().state());
        let began = Instant::now();
        line.pass(seconds(100)).await;
        assert_eq!(line.most_of_one(), 1);
        let later = line.starts().iter().filter(|start| start.0 > began).count();
        assert!(later >= 9, "{later}");
        assert!(line.polled().split_off(1).iter().all(|poll| *poll == (1, 78)));
        line.end().await;
        assert_eq!(old.flight().state(), FlightState::Idle);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_replaced_while_it_waits_is_polled_as_it_is_now() {
    for every_ms in [60_000, 100_000] {
        let old = Arc::new(target(2, 60_000));
        let hog = Arc::new(target(1, 1_000));
        let mut line = Line::start([Arc::clone(&hog)], 1, |target, _| match target.number {
            1 => up(70_000),
            _ => up(10),
        });
        until_polled(&mut line, 1).await;
        line.desk.hand_in([Change::Add(Arc::clone(&old)), Change::Remove(1)]);
        line.pass(seconds(61)).await;
        assert_eq!(old.flight().state(), FlightState::Waiting);
        line.desk.hand_in([Change::Replace(changed(&old, every_ms, 77))]);
        line.pass(seconds(10)).await;
        assert_eq!(line.polled()[1..], [(2, 77)], "it has kept its place in the queue");
        assert!(line.of(2)[0].lag_us > 5_000_000);
        line.pass(seconds(300)).await;
        assert_eq!(line.most_of_one(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recheck_is_of_the_target_as_it_is_now() {
    let plan = Arc::new(Plan::default());
    let old = Arc::new(Target { plan: Arc::clone(&plan), ..target(1, 60_000) });
    old.flight().learn(State::Up, 0);
    let refused = fails(10, Cause::Connect, Detail::Refused);
    let mut line = Line::start([Arc::clone(&old)], 10, move |_, _| refused);
    until_polled(&mut line, 1).await;
    line.pass(Duration::from_millis(500)).await;
    let mut new = Target { plan, timeout_ms: 77, ..target(1, 60_000) };
    new.replace(&old);
    line.desk.hand_in([Change::Replace(Arc::new(new))]);
    line.pass(seconds(10)).await;
    assert_eq!(line.polled(), [(1, 1_000), (1, 77), (1, 77)]);
}

#[tokio::test(start_paused = true)]
async fn polls_in_flight_finish_within_the_grace_period() {
    let targets: Vec<_> = (1..=20).map(|number| Arc::new(target(number, 10_000))).collect();
    let mut line = Line::start(targets.clone(), 100, |_, _| up(9_500));
    line.pass(seconds(15)).await;
    let running = line.places.taken();
    assert!(running > 0);
    let before = line.outcomes().len();
    let began = Instant::now();
    line.end().await;
    assert!(began.elapsed() <= Duration::from_millis(9_510));
    assert_eq!((line.outcomes().len() - before, line.places.taken()), (running, 0));
    assert!(targets.iter().all(|target| target.flight().state() == FlightState::Idle));
}

#[test]
fn what_outlives_the_grace_period_is_given_up_with_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let targets: Vec<_> = (1..=20).map(|number| Arc::new(target(number, 10_000))).collect();
    let mut line = runtime.block_on(async {
        let mut line = Line::start(targets.clone(), 100, |_, _| up(90_000));
        line.pass(seconds(11)).await;
        let began = Instant::now();
        line.end().await;
        assert_eq!(began.elapsed().as_secs(), 10);
        line
    });
    assert_eq!(line.places.taken(), 20);
    runtime.shutdown_background();
    assert_eq!((line.outcomes().len(), line.places.taken()), (0, 0));
    assert!(targets.iter().all(|target| target.flight().state() == FlightState::Idle));
}
