//! Scheduler and worker when polls have to wait: for places, for their host, because they are asked
//! to, because their target has been down for long.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/line.rs"]
mod line;

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, busiest_second, fails, slots, target, up};
use poller::address::Address;
use poller::manners::{Manners, Rate};
use poller::outcome::{Cause, Detail, Finding, Outcome};
use poller::queue::Hosts;
use poller::stage::scheduler::{Limits, Located, Miss};
use poller::stage::throttle::Cycle;
use poller::target::{Priority, State, Target};
use tokio::time::Instant;

/// A target on the host `host`.
fn on(host: &str, number: u32, every_ms: u32) -> Target {
    let address = Address::parse(&format!("http://{host}/{number}")).expect("a good address");
    Target { address, ..target(number, every_ms) }
}

fn rate(per_second: f64) -> Option<Rate> {
    Rate::of(per_second, Duration::from_secs(1))
}

/// Limits with these manners.
fn limits(manners: Manners) -> Limits {
    Limits { hosts: Arc::new(Hosts::new(manners)), ..Limits::default() }
}

/// The most polls among `starts`, each of which takes `takes`, that ran at once.
fn most_at_once(starts: &[(Instant, u32)], takes: Duration) -> usize {
    let running =
        |at: Instant| starts.iter().filter(move |start| start.0 <= at && at < start.0 + takes);
    starts.iter().map(|start| running(start.0).count()).max().unwrap_or(0)
}

fn most_lag_us<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> u32 {
    outcomes.map(|outcome| outcome.lag_us).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn five_thousand_targets_of_one_host_never_pass_its_caps_and_hold_up_nobody() {
    let every_ms = 10_000;
    let crowded = (1..=5_000).map(|number| Arc::new(on("crowded.example", number, every_ms)));
    let others = (5_001..=10_000).map(|number| Arc::new(target(number, every_ms)));
    let targets: Vec<_> = crowded.chain(others).collect();
    let manners = Manners { host_rate: rate(20.0), ..Manners::default() };
    let mut line = Line::start_within(limits(manners), targets.clone(), 2_000, |target, _| {
        up(if target.number <= 5_000 { 300 } else { 20 })
    });
    line.pass(Duration::from_mins(1)).await;
    line.end().await;
    let starts: Vec<_> = line.starts().into_iter().filter(|start| start.1 <= 5_000).collect();
    assert!(most_at_once(&starts, Duration::from_millis(300)) <= 8);
    assert!(busiest_second(&starts) <= 20, "{}", busiest_second(&starts));
    // 20 a second for 60 s: what the caps allow is used.
    assert!((1_190..=1_200).contains(&starts.len()), "{}", starts.len());
    let lag_us = most_lag_us(line.outcomes().iter().filter(|outcome| outcome.target > 5_000));
    assert!(lag_us < 10_000, "the others keep their schedule: {lag_us}");
    // Each slot was polled, or missed for politeness, or its poll waits still.
    let until_ms = NOW_MS + 60_000;
    let due = |until_ms| -> usize {
        targets.iter().map(|target| slots(target, NOW_MS, until_ms).len()).sum()
    };
    let polled: u64 = line.slots_polled().values().sum();
    let missed = line.desk.missed();
    // Of those that had waited some were running when their next slot came.
    let running = line.desk.missed_by(Miss::Running);
    assert_eq!(line.desk.missed_by(Miss::Politeness) + running, missed);
    assert_eq!((running < 100, line.desk.waiting()), (true, 0));
    // Nobody may have looked at the very last milliseconds yet.
    let counted = usize::try_from(polled + missed + line.desk.parked()).unwrap();
    assert!((due(until_ms - 2)..=due(until_ms)).contains(&counted), "{counted}");
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_longest_for_its_host_goes_first() {
    let targets: Vec<_> =
        (1..=40).map(|number| Arc::new(on("a.example", number, 20_000))).collect();
    let manners = Manners { max_per_host: NonZeroU32::new(1), ..Manners::none() };
    let mut line = Line::start_within(limits(manners), targets, 100, |_, _| up(900));
    line.pass(Duration::from_mins(5)).await;
    line.end().await;
    let polled = line.slots_polled();
    // 40 targets share 333 polls: each has had its turn as often as any other.
    let (least, most) = (polled.values().min().unwrap(), polled.values().max().unwrap());
    assert_eq!(polled.len(), 40);
    assert!(most - least <= 1, "{least} to {most}");
}

#[tokio::test(start_paused = true)]
async fn when_places_are_short_the_urgent_keep_their_schedule_and_nobody_starves() {
    // 50 places and polls of 5 s make 10 polls a second, and 100 are asked for.
    let priority = |number: u32| match number {
        0..100 => Priority::High,
        100..1_000 => Priority::Normal,
        _ => Priority::Low,
    };
    let targets: Vec<_> = (0..2_000)
        .map(|number| {
            let every_ms = 20_000;
            Arc::new(Target {
                priority: priority(number),
                timeout_ms: 6_000,
                ..target(number, every_ms)
            })
        })
        .collect();
    let mut line = Line::start(targets.clone(), 50, |_, _| up(5_000));
    line.pass(Duration::from_mins(10)).await;
    line.end().await;
    let outcomes = line.outcomes().to_vec();
    let of = |wanted: Priority| {
        outcomes.iter().filter(move |outcome| priority(outcome.target) == wanted)
    };
    // Some places are left to them, so that they need not wait for slow polls of others.
    let late = of(Priority::High).filter(|outcome| outcome.lag_us > 100_000).count();
    assert!(late * 20 < of(Priority::High).count(), "{late}");
    let high = line.slots_polled().range(..100).map(|(_, polls)| *polls).sum::<u64>();
    assert!(high >= 100 * 29, "{high}");
    assert!(most_lag_us(of(Priority::Low)) > 60_000_000);
    // One in sixteen launches goes to who waits longest, whatever its priority.
    let low = of(Priority::Low).count();
    assert!(low > 100, "{low}");
    // Every slot is a poll, was missed for want of a place or because the poll ran, or waits.
    let until_ms = NOW_MS + 600_000;
    let all: usize = targets.iter().map(|target| slots(target, NOW_MS, until_ms).len()).sum();
    let counted = outcomes.len() as u64 + line.desk.missed() + line.desk.waiting();
    assert_eq!(counted, all as u64);
    let by = [Miss::Saturated, Miss::Running].map(|reason| line.desk.missed_by(reason));
    assert_eq!(by.iter().sum::<u64>(), line.desk.missed());
    assert!(by[0] > by[1]);
}

fn throttled(retry_after_s: u32) -> line::Step {
    let finding = Finding::default().with_cause(Cause::Throttled, Detail::None);
    line::Step::Find(Duration::from_millis(10), Finding { status: 429, retry_after_s, ..finding })
}

/// Seconds from the first start to each start.
fn seconds(line: &Line) -> Vec<u64> {
    let starts = line.starts();
    let since = |start: &(Instant, u32)| (start.0 - starts[0].0).as_millis().div_ceil(1_000);
    starts.iter().map(|start| u64::try_from(since(start)).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_target_that_asks_for_time_gets_it_and_comes_back_to_its_schedule() {
    let mut line = Line::start([Arc::new(target(1, 10_000))], 5, |_, nth| {
        if nth == 1 { throttled(35) } else { up(10) }
    });
    line.pass(Duration::from_secs(90)).await;
    assert_eq!(seconds(&line), [0, 10, 50, 60, 70, 80]);
    assert_eq!((line.desk.missed(), line.desk.missed_by(Miss::Politeness)), (3, 3));
    assert!(line.outcomes().iter().all(|outcome| outcome.finding.cause != Some(Cause::Status)));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_say_for_how_long_is_asked_half_as_often_each_time() {
    let mut line =
        Line::start(
            [Arc::new(target(1, 10_000))],
            5,
            |_, nth| {
                if nth < 3 { throttled(0) } else { up(10) }
            },
        );
    line.pass(Duration::from_secs(220)).await;
    assert_eq!(seconds(&line)[..6], [0, 30, 80, 170, 180, 190]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left_alone_for_longer_than_an_hour_however_long_it_asks() {
    let mut line = Line::start([Arc::new(target(1, 60_000))], 5, |_, nth| {
        if nth == 0 { throttled(1_000_000) } else { up(10) }
    });
    line.pass(Duration::from_mins(63)).await;
    assert_eq!(seconds(&line)[..2], [0, 3_660]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_to_be_asked_again_soon_gets_no_recheck() {
    let watched = Target { plan: Arc::default(), ..target(1, 60_000) };
    watched.flight().learn(State::Up, 0);
    let mut line = Line::start([Arc::new(watched)], 5, |_, nth| {
        match fails(10, Cause::Status, Detail::None) {
            line::Step::Find(takes, finding) if nth == 0 => {
                line::Step::Find(takes, Finding { status: 503, retry_after_s: 90, ..finding })
            }
            _ => up(10),
        }
    });
    line.pass(Duration::from_mins(4)).await;
    assert_eq!(seconds(&line)[..2], [0, 120]);
    assert!(!line.outcomes()[0].is_provisional);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_down_for_long_is_polled_less_often_until_it_answers() {
    let manners = Manners { backoff_dead: Some(Duration::from_mins(5)), ..Manners::none() };
    let dead = target(1, 10_000);
    // Down for an hour already.
    dead.flight().learn(State::Down, NOW_MS - 3_600_000);
    let dead = Arc::new(dead);
    let watched = Arc::clone(&dead);
    let mut line = Line::start_within(limits(manners), [dead], 5, move |_, nth| {
        if nth == 3 {
            watched.flight().learn(State::Up, NOW_MS);
            return up(10);
        }
        fails(10, Cause::Connect, Detail::Refused)
    });
    line.pass(Duration::from_mins(17)).await;
    // Every five minutes at most, though an hour would have it every six; then as usual.
    assert_eq!(seconds(&line)[..6], [0, 300, 600, 900, 910, 920]);
    assert_eq!((line.desk.backed_off(), line.desk.missed()), (3 * 29, 0));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_has_not_been_down_for_long_is_polled_as_usual() {
    let manners = Manners { backoff_dead: Some(Duration::from_hours(1)), ..Manners::none() };
    let dead = target(1, 10_000);
    dead.flight().learn(State::Down, NOW_MS);
    let mut line = Line::start_within(limits(manners), [Arc::new(dead)], 5, |_, _| {
        fails(10, Cause::Connect, Detail::Refused)
    });
    line.pass(Duration::from_mins(10)).await;
    let seconds = seconds(&line);
    assert_eq!(seconds[..10], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    // Ten polls in as long again as it has been down.
    let gaps: Vec<_> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted() && *gaps.last().unwrap() == 60, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_polls_come_in_a_second_than_are_allowed_over_all() {
    let targets: Vec<_> = (1..=1_000).map(|number| Arc::new(target(number, 10_000))).collect();
    let cycle = Some(Arc::new(Cycle::new(NonZeroU32::new(60).unwrap())));
    let limits = Limits { cycle, ..Limits::default() };
    let mut line = Line::start_within(limits, targets.clone(), 1_000, |_, _| up(20));
    line.pass(Duration::from_secs(40)).await;
    line.end().await;
    let starts = line.starts();
    assert!(busiest_second(&starts) <= 60, "{}", busiest_second(&starts));
    assert!(starts.len() >= 2_350, "{}", starts.len());
    let all: usize =
        targets.iter().map(|target| slots(target, NOW_MS, NOW_MS + 40_000).len()).sum();
    let counted = starts.len() as u64 + line.desk.missed() + line.desk.waiting();
    assert_eq!(counted, all as u64);
}

#[tokio::test(start_paused = true)]
async fn an_address_bears_so_many_polls_a_second_whatever_names_lead_to_it() {
    let here: IpAddr = [192, 0, 2, 1].into();
    // Of 200 names half lead to one address, which is asked for at first.
    let located = move |target: &Target| {
        if target.number > 100 { Located::Nowhere } else { Located::At(here) }
    };
    let asked = Arc::new(parking_lot::Mutex::new(HashMap::<u32, u32>::new()));
    let locate = move |target: &Target| {
        let mut asked = asked.lock();
        let times = asked.entry(target.number).or_default();
        *times += 1;
        if *times < 3 { Located::Asking } else { located(target) }
    };
    let hosts = Hosts::new(Manners { address_rate: rate(5.0), ..Manners::default() });
    let limits =
        Limits { hosts: Arc::new(hosts), locate: Some(Arc::new(locate)), ..Limits::default() };
    let targets: Vec<_> = (1..=200).map(|number| Arc::new(target(number, 10_000))).collect();
    let mut line = Line::start_within(limits, targets, 1_000, |_, _| up(20));
    line.pass(Duration::from_mins(1)).await;
    line.end().await;
    let (spared, others): (Vec<_>, Vec<_>) =
        line.starts().into_iter().partition(|start| start.1 <= 100);
    assert!(busiest_second(&spared) <= 5, "{}", busiest_second(&spared));
    assert!((290..=300).contains(&spared.len()), "{}", spared.len());
    assert_eq!(others.len(), 600);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_address_goes_on_when_the_name_leads_elsewhere_meanwhile() {
    let (here, there): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let moved = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_moved = Arc::clone(&moved);
    let locate = move |_: &Target| {
        Located::At(if has_moved.load(std::sync::atomic::Ordering::Relaxed) { there } else { here })
    };
    let hosts = Hosts::new(Manners { address_rate: rate(0.2), ..Manners::default() });
    let limits =
        Limits { hosts: Arc::new(hosts), locate: Some(Arc::new(locate)), ..Limits::default() };
    let targets: Vec<_> = (1..=10).map(|number| Arc::new(target(number, 2_000))).collect();
    let mut line = Line::start_within(limits, targets, 1_000, |_, _| up(20));
    line.pass(Duration::from_secs(12)).await;
    moved.store(true, std::sync::atomic::Ordering::Relaxed);
    line.pass(Duration::from_mins(2)).await;
    line.end().await;
    // One in five seconds, of each in turn.
    let polled = line.slots_polled();
    assert_eq!(polled.len(), 10, "{polled:?}");
    assert!((25..=28).contains(&line.starts().len()), "{}", line.starts().len());
}

#[tokio::test(start_paused = true)]
async fn urgent_polls_that_take_all_places_leave_others_their_turn() {
    let targets: Vec<_> = (1..=80)
        .map(|number| {
            let priority = if number <= 40 { Priority::High } else { Priority::Low };
            let every_ms = 2_000;
            Arc::new(Target { priority, timeout_ms: 2_000, ..target(number, every_ms) })
        })
        .collect();
    let mut line = Line::start(targets, 32, |_, _| up(1_900));
    line.pass(Duration::from_mins(5)).await;
    line.end().await;
    let low = line.slots_polled().range(41..).map(|(_, polls)| *polls).sum::<u64>();
    assert!(low > 100, "{low}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_tells_is_polled_all_the_same_to_say_so() {
    let hosts = Hosts::new(Manners { address_rate: rate(5.0), ..Manners::default() });
    let locate = |_: &Target| Located::Asking;
    let limits =
        Limits { hosts: Arc::new(hosts), locate: Some(Arc::new(locate)), ..Limits::default() };
    let targets: Vec<_> = (1..=20).map(|number| Arc::new(target(number, 10_000))).collect();
    let mut line = Line::start_within(limits, targets, 1_000, |_, _| {
        fails(10, Cause::Resolver, Detail::Unanswered)
    });
    line.pass(Duration::from_mins(1)).await;
    assert_eq!(line.slots_polled().len(), 20);
}
