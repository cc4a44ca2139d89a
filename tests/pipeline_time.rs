//! Scheduler and worker when time is not what it was: clocks that are set, machines that sleep,
//! runtimes that stand still.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/line.rs"]
mod line;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, Step, busiest_second, fails, slots, target, up};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind, Verdict};
use poller::target::{Plan, State, Target};
use tokio::time::Instant;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Targets that are polled every ten seconds to every minute.
fn mixed(count: u32) -> Vec<Arc<Target>> {
    let intervals = [10_000, 20_000, 30_000, 60_000];
    (1..=count).map(|number| Arc::new(target(number, intervals[number as usize % 4]))).collect()
}

/// Polls a second that `targets` ask for on average.
fn mean(targets: &[Arc<Target>]) -> f64 {
    targets.iter().map(|target| 1_000.0 / f64::from(target.every_ms)).sum()
}

/// Twice the mean rate, and what chance may bring on top.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn allowed(mean: f64) -> usize {
    (2.0 * mean + 5.0 * mean.sqrt() + 32.0) as usize
}

/// Starts by target, in order.
fn by_target(starts: &[(Instant, u32)]) -> HashMap<u32, Vec<Instant>> {
    let mut grouped = HashMap::<u32, Vec<Instant>>::new();
    for &(at, number) in starts {
        grouped.entry(number).or_default().push(at);
    }
    grouped
}

#[tokio::test(start_paused = true)]
async fn a_wall_that_is_set_makes_no_flood_and_no_stop() {
    // A machine that sleeps looks the same: the wall has moved and monotonic time has not.
    for by_ms in [
        -3 * HOUR_MS,
        3 * HOUR_MS,
        8 * HOUR_MS + 12_345,
        -47_001,
        17_000,
        30_030,
        -365 * 24 * HOUR_MS,
    ] {
        let targets = mixed(300);
        let mut line = Line::start(targets.clone(), 1_000, |_, _| up(200));
        line.pass(Duration::from_millis(125_300)).await;
        line.set_wall(by_ms);
        let set_at = Instant::now();
        line.pass(Duration::from_mins(4)).await;
        let starts = line.starts();
        let chance = allowed(mean(&targets)) - 32;
        assert!(busiest_second(&starts) <= chance, "{by_ms}: {}", busiest_second(&starts));
        for (number, starts) in by_target(&starts) {
            let every = Duration::from_millis(targets[number as usize - 1].every_ms.into());
            for pair in starts.windows(2) {
                let gap = pair[1] - pair[0] + Duration::from_millis(1);
                assert!((every / 2..=2 * every).contains(&gap), "{by_ms}: {number} after {gap:?}");
            }
            assert!(starts.last().unwrap().elapsed() <= every, "{by_ms}: {number} goes on");
            assert!(starts.iter().any(|&start| start > set_at));
        }
        assert_eq!((line.desk.missed(), line.most_of_one()), (0, 1), "{by_ms}");
        let latest = |outcome: &&poller::outcome::Outcome| outcome.lag_us > 5_000;
        assert_eq!(line.outcomes().iter().find(latest), None, "{by_ms}: no lag by the gap");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_while_the_wall_is_set_goes_on_waiting() {
    for by_ms in [-3 * HOUR_MS, 3 * HOUR_MS] {
        let targets: Vec<_> = (1..=20).map(|number| Arc::new(target(number, 20_000))).collect();
        let mut line = Line::start(targets, 2, |_, _| up(2_500));
        line.pass(Duration::from_mins(3)).await;
        line.set_wall(by_ms);
        line.pass(Duration::from_mins(3)).await;
        let polled = line.slots_polled();
        assert!(polled.values().all(|&polls| polls > 10), "{polled:?}");
        assert_eq!((polled.len(), line.most_of_one(), line.most_in_flight()), (20, 1, 2));
        let lag_us = line.outcomes().iter().map(|outcome| outcome.lag_us).max().unwrap();
        assert!((1_000_000..60_000_000).contains(&lag_us), "{lag_us}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recheck_comes_in_its_time_whatever_becomes_of_the_wall() {
    for by_ms in [-3 * HOUR_MS, 3 * HOUR_MS] {
        let watched = Target { plan: Arc::new(Plan::default()), ..target(1, 60_000) };
        watched.flight().learn(State::Up, 0);
        let due_ms = watched.due_at_or_after(NOW_MS + 1);
        let mut line = Line::start([Arc::new(watched)], 5, |_, nth| {
            if nth == 0 { fails(100, Cause::Connect, Detail::Refused) } else { up(10) }
        });
        let until = Duration::from_millis(u64::try_from(due_ms - NOW_MS + 50).unwrap());
        tokio::time::sleep(until).await;
        line.set_wall(by_ms);
        line.pass(Duration::from_secs(3)).await;
        let gap = line.starts()[1].0 - line.starts()[0].0;
        assert!((1_100..1_110).contains(&gap.as_millis()), "{by_ms}: {gap:?}");
        line.pass(Duration::from_mins(2)).await;
        assert!(line.starts().len() >= 3, "{by_ms}: slots go on");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_overdue_targets_catch_up_at_twice_the_mean_rate() {
    let targets: Vec<_> = (1..=5_000).map(|number| Arc::new(target(number, 10_000))).collect();
    let mut line = Line::start(targets.clone(), 4_000, |_, _| up(20));
    line.pass(Duration::from_secs(20)).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    let woken = Instant::now();
    line.pass(Duration::from_secs(30)).await;
    line.end().await;
    let late: Vec<_> = line.starts().into_iter().filter(|start| start.0 >= woken).collect();
    let busiest = busiest_second(&late);
    assert!(busiest <= allowed(500.0), "{busiest}");
    assert!(busiest >= 900, "{busiest}: they do catch up");
    let polled = line.slots_polled();
    let end_ms = NOW_MS + MINUTE_MS;
    let all: usize = targets.iter().map(|target| slots(target, NOW_MS, end_ms).len()).sum();
    assert_eq!(polled.values().sum::<u64>() + line.desk.missed(), all as u64);
    assert_eq!(polled.len(), 5_000);
    // Five seconds of lag are gone for each second that passes: 10 s of backlog take 10 s more.
    let is_late = |outcome: &&poller::outcome::Outcome| {
        outcome.due_ms > NOW_MS + 45_000 && outcome.lag_us > 100_000
    };
    assert_eq!(line.outcomes().iter().find(is_late), None);
}

#[tokio::test(start_paused = true)]
async fn a_standstill_of_many_intervals_is_missed_slots_and_one_late_poll() {
    let targets: Vec<_> = (1..=20).map(|number| Arc::new(target(number, 1_000))).collect();
    let mut line = Line::start(targets.clone(), 100, |_, _| up(20));
    line.pass(Duration::from_millis(10_500)).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    line.pass(Duration::from_millis(9_500)).await;
    line.end().await;
    let polled = line.slots_polled().values().sum::<u64>();
    assert_eq!(polled + line.desk.missed(), 20 * 50);
    let missed = line.desk.missed();
    assert!((20 * 28..=20 * 30).contains(&missed), "{missed}");
    assert!(line.outcomes().iter().all(|outcome| outcome.latency_us / 1_000 == 20));
}

/// What becomes of a poll that ends by `cause` after so many milliseconds, when the runtime stood
/// still for some of them.
async fn found(
    target: Target,
    (takes_ms, cause, detail): (u64, Cause, Detail),
    still_ms: u64,
) -> Outcome {
    let target = Arc::new(target);
    let due_ms = target.due_at_or_after(NOW_MS + 1);
    let mut line = Line::start([target], 5, move |_, _| fails(takes_ms, cause, detail));
    let until = Duration::from_millis(u64::try_from(due_ms - NOW_MS + 100).unwrap());
    tokio::time::sleep(until).await;
    assert_eq!(line.places.taken(), 1, "the poll runs");
    if still_ms > 0 {
        tokio::time::advance(Duration::from_millis(still_ms)).await;
    }
    line.pass(Duration::from_millis(takes_ms)).await;
    line.of(1)[0]
}

const TIMEOUT: (u64, Cause, Detail) = (1_000, Cause::Timeout, Detail::Waiting);

#[tokio::test(start_paused = true)]
async fn a_poll_whose_time_ran_out_while_we_stood_still_says_nothing_of_its_target() {
    let of = |timeout_ms| Target { timeout_ms, ..target(1, 60_000) };
    let verdict = async |timeout_ms, still_ms| {
        let outcome = found(of(timeout_ms), TIMEOUT, still_ms).await;
        let Finding { verdict, cause, detail, .. } = outcome.finding;
        (verdict, cause.expect("a cause"), detail)
    };
    let ours = (Verdict::Unknown, Cause::NoResources, Detail::Processor);
    let its_own = (Verdict::Down, Cause::Timeout, Detail::Waiting);
    assert_eq!(verdict(1_000, 0).await, its_own);
    assert_eq!(verdict(1_000, 150).await, its_own, "less than a moment");
    assert_eq!(verdict(1_000, 320).await, ours);
    assert_eq!(verdict(1_000, 3_000).await, ours, "it hears of its end late");
    assert_eq!(verdict(10_000, 900).await, its_own, "a small part of its time");
    assert_eq!(verdict(10_000, 2_100).await, ours);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_whose_thread_alone_stood_still_says_nothing_of_its_target() {
    let timeout = Finding::default().with_cause(Cause::Timeout, Detail::Connecting);
    let stalled = move |_: &Target, _| Step::Stall(Duration::from_millis(600), timeout);
    let mut line = Line::start([Arc::new(target(1, 1_000))], 5, stalled);
    while line.outcomes().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Finding { verdict, cause, detail, .. } = line.of(1)[0].finding;
    let ours = (Verdict::Unknown, Some(Cause::NoResources), Detail::Processor);
    assert_eq!((verdict, cause, detail), ours);
}

#[tokio::test(start_paused = true)]
async fn what_others_end_in_a_long_standstill_is_not_theirs_and_a_refusal_is() {
    let cause = async |cause, detail, still_ms| {
        let outcome = found(target(1, 60_000), (500, cause, detail), still_ms).await;
        outcome.finding.cause.expect("a cause")
    };
    for (of, detail) in [
        (Cause::Reset, Detail::None),
        (Cause::Body, Detail::Incomplete),
        (Cause::Protocol, Detail::NoAnswer),
        (Cause::Connect, Detail::Unreachable),
    ] {
        assert_eq!(cause(of, detail, 700).await, of);
        assert_eq!(cause(of, detail, 1_200).await, Cause::NoResources, "{of} {detail}");
    }
    assert_eq!(cause(Cause::Connect, Detail::Refused, 3_000).await, Cause::Connect);
    assert_eq!(cause(Cause::Protocol, Detail::NotHttp, 3_000).await, Cause::Protocol);
    assert_eq!(cause(Cause::Status, Detail::None, 3_000).await, Cause::Status);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_late_because_of_us_breaks_no_expectation_of_time() {
    let expecting = |latency_under_ms| {
        let expect = Expectation { latency_under_ms, ..Expectation::default() };
        let plan = Plan { retries: 0, expect, ..Plan::default() };
        Target { timeout_ms: 30_000, plan: Arc::new(plan), ..target(1, 60_000) }
    };
    let late = (800, Cause::Assertion, Detail::Latency);
    let outcome = found(expecting(Some(500)), late, 0).await;
    assert_eq!(outcome.finding.verdict, Verdict::Warning);
    let outcome = found(expecting(Some(500)), late, 400).await;
    assert_eq!(outcome.finding.detail, Detail::Processor);
    let lost = (800, Cause::Assertion, Detail::Loss);
    let outcome = found(expecting(None), lost, 400).await;
    assert_eq!(outcome.finding.detail, Detail::Loss, "echoes have time enough");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_began_after_a_standstill_is_not_excused_by_it() {
    let slow = Arc::new(target(1, 10_000));
    let due_ms = slow.due_at_or_after(NOW_MS + 5_000);
    let mut line = Line::start([slow], 5, |_, _| fails(1_000, Cause::Timeout, Detail::Waiting));
    line.pass(Duration::from_millis(u64::try_from(due_ms - 4_000 - NOW_MS).unwrap())).await;
    let before = line.outcomes().len();
    for _ in 0..20 {
        // Its slot comes in the standstill, so that all wake at the same moment.
        tokio::time::advance(Duration::from_millis(7_013)).await;
        line.pass(Duration::from_millis(2_987)).await;
    }
    let outcomes = line.outcomes();
    assert_eq!(outcomes.len(), before + 20);
    let is_own = |outcome: &Outcome| outcome.finding.cause == Some(Cause::Timeout);
    assert!(outcomes.iter().all(is_own), "{outcomes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_we_had_no_processor_for_is_made_again() {
    let watched = Target { plan: Arc::new(Plan::default()), ..target(1, 60_000) };
    watched.flight().learn(State::Up, 0);
    let due_ms = watched.due_at_or_after(NOW_MS + 1);
    let mut line = Line::start([Arc::new(watched)], 5, |_, nth| {
        if nth == 0 { fails(1_000, Cause::Timeout, Detail::Waiting) } else { up(10) }
    });
    let until = Duration::from_millis(u64::try_from(due_ms - NOW_MS + 100).unwrap());
    tokio::time::sleep(until).await;
    tokio::time::advance(Duration::from_millis(400)).await;
    line.pass(Duration::from_secs(4)).await;
    let found: Vec<_> = line.of(1).iter().map(|one| (one.kind, one.finding.verdict)).collect();
    assert_eq!(found, [(SampleKind::Slot, Verdict::Unknown), (SampleKind::Recheck, Verdict::Up)]);
    assert!(line.of(1)[0].is_provisional);
}
