//! Jobs that somebody else's schedule makes: each of them is polled once or comes back with a reason,
//! in virtual time.

#![allow(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/line.rs"]
mod line;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, fails, target, up};
use poller::manners::Manners;
use poller::outcome::{Cause, Detail};
use poller::queue::{Fed, Feed, Hosts, Offer, Return, Unpolled};
use poller::stage::scheduler::Limits;
use poller::target::{Plan, Target};

/// What a feed and the line behind it do.
struct Fedline {
    feed: Arc<Feed>,
    line: Line,
    returns: Vec<Return>,
}

impl Fedline {
    fn start(
        places: usize,
        script: impl Fn(&Target, usize) -> line::Step + Send + Sync + 'static,
    ) -> Self {
        Self::start_within(Limits::default(), places, script)
    }

    fn start_within(
        limits: Limits,
        places: usize,
        script: impl Fn(&Target, usize) -> line::Step + Send + Sync + 'static,
    ) -> Self {
        let feed = Arc::<Feed>::default();
        let line = Line::start_fed(Arc::clone(&feed), limits, ([], places), script);
        Self { feed, line, returns: Vec::new() }
    }

    fn offer(&self, target: &Arc<Target>, due_ms: i64) {
        self.offer_all([(target, due_ms)]);
    }

    fn offer_all<'a>(&self, offers: impl IntoIterator<Item = (&'a Arc<Target>, i64)>) {
        let offered_us = self.line.clock.monotonic_us();
        let offer = |(target, due_ms): (&Arc<Target>, i64)| {
            let valid_until_ms = due_ms + i64::from(target.every_ms);
            Fed::Offer(Offer { target: Arc::clone(target), due_ms, valid_until_ms, offered_us })
        };
        self.feed.hand_in(&mut offers.into_iter().map(offer).collect());
    }

    async fn pass(&mut self, ms: u64) {
        self.line.pass(Duration::from_millis(ms)).await;
    }

    /// What came back so far, each as target, due time after the start and reason.
    fn returned(&mut self) -> Vec<(u32, i64, Unpolled)> {
        let mut fresh = Vec::new();
        self.feed.exchange(&mut fresh);
        self.returns.extend(fresh);
        self.returns.iter().map(|one| (one.target, one.due_ms - NOW_MS, one.reason)).collect()
    }

    /// The polls so far, each as target and due time after the start.
    fn polled(&mut self) -> Vec<(u32, i64)> {
        self.line.outcomes().iter().map(|one| (one.target, one.due_ms - NOW_MS)).collect()
    }
}

fn of(number: u32, every_ms: u32) -> Arc<Target> {
    Arc::new(target(number, every_ms))
}

#[tokio::test(start_paused = true)]
async fn a_job_is_polled_at_once_and_once() {
    let mut fed = Fedline::start(4, |_, _| up(10));
    fed.offer_all([(&of(7, 1_000), NOW_MS), (&of(2, 1_000), NOW_MS + 3)]);
    fed.pass(2_500).await;
    assert_eq!(fed.polled(), [(7, 0), (2, 3)]);
    assert_eq!(fed.returned(), []);
}

#[tokio::test(start_paused = true)]
async fn what_means_nothing_any_more_comes_back_late() {
    let mut fed = Fedline::start(4, |_, _| up(10));
    fed.offer_all([(&of(0, 1_000), NOW_MS - 1_000), (&of(1, 1_000), NOW_MS - 900)]);
    fed.pass(500).await;
    assert_eq!(fed.polled(), [(1, -900)]);
    assert_eq!(fed.returned(), [(0, -1_000, Unpolled::Late)]);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_target_still_runs_comes_back() {
    let mut fed = Fedline::start(4, |_, _| up(1_500));
    let target = of(0, 1_000);
    fed.offer(&target, NOW_MS);
    fed.pass(1_000).await;
    fed.offer(&target, NOW_MS + 1_000);
    fed.pass(1_000).await;
    fed.offer(&target, NOW_MS + 2_000);
    fed.pass(2_000).await;
    assert_eq!(fed.polled(), [(0, 0), (0, 2_000)]);
    assert_eq!(fed.returned(), [(0, 1_000, Unpolled::Running)]);
    assert_eq!(fed.line.desk.missed(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_jobs_that_wait_the_later_one_keeps_the_place_in_line() {
    let mut fed = Fedline::start(1, |_, _| up(950));
    let targets: Vec<_> = (0..3).map(|number| of(number, 1_000)).collect();
    for round in 0..6 {
        let due_ms = NOW_MS + round * 1_000;
        fed.offer_all(targets.iter().map(|target| (target, due_ms + i64::from(target.number))));
        fed.pass(1_000).await;
    }
    fed.pass(4_000).await;
    let (polled, returned) = (fed.polled(), fed.returned());
    assert_eq!(polled.len() + returned.len(), 18, "{polled:?} {returned:?}");
    // Each has its turn, though one in three can be polled.
    for number in 0..3 {
        let polls = polled.iter().filter(|(target, _)| *target == number).count();
        assert!((2..=3).contains(&polls), "{polled:?}");
    }
    let is_known = |reason| matches!(reason, Unpolled::Saturated | Unpolled::Running);
    assert!(returned.iter().all(|(.., reason)| is_known(*reason)), "{returned:?}");
}

#[tokio::test(start_paused = true)]
async fn every_job_is_polled_or_comes_back_however_few_places_there_are() {
    let mut fed = Fedline::start(5, |_, nth| up(if nth % 3 == 0 { 2_500 } else { 40 }));
    let targets: Vec<_> = (0..40).map(|number| of(number, 1_000)).collect();
    let mut offered = BTreeMap::<(u32, i64), u32>::new();
    for round in 0..20 {
        for target in &targets {
            let due_ms = round * 1_000 + i64::from(target.number) * 20;
            offered.insert((target.number, due_ms), 0);
            fed.offer(target, NOW_MS + due_ms);
        }
        fed.pass(1_000).await;
    }
    fed.pass(10_000).await;
    for job in fed.polled() {
        *offered.get_mut(&job).expect("what was offered") += 1;
    }
    for (number, due_ms, _) in fed.returned() {
        *offered.get_mut(&(number, due_ms)).expect("what was offered") += 1;
    }
    assert!(offered.values().all(|ends| *ends == 1), "{offered:?}");
    assert!(fed.returned().len() > 100);
}

#[tokio::test(start_paused = true)]
async fn a_recheck_is_of_the_job_before_it() {
    let mut fed = Fedline::start(4, |_, nth| match nth {
        0 => fails(10, Cause::Connect, Detail::Refused),
        _ => up(10),
    });
    let plan = Arc::new(Plan { retries: 2, ..Plan::default() });
    let target = Arc::new(Target { plan, ..target(0, 60_000) });
    let due_ms = target.due_at_or_after(NOW_MS) - 60_000;
    fed.offer(&target, due_ms);
    fed.pass(500).await;
    fed.line.set_wall(-1_800);
    fed.pass(5_000).await;
    let outcomes = fed.line.of(0);
    let told: Vec<_> = outcomes.iter().map(|one| (one.due_ms, one.is_provisional)).collect();
    // Whatever became of the clock: the job is known by when it fell due.
    assert_eq!(told, [(due_ms, true), (due_ms, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_its_host_until_it_means_nothing_comes_back() {
    let manners = Manners { max_per_host: NonZeroU32::new(1), ..Manners::none() };
    let limits = Limits { hosts: Arc::new(Hosts::new(manners)), ..Limits::default() };
    let mut fed = Fedline::start_within(limits, 8, |_, _| up(1_500));
    let first = of(0, 1_000);
    let second = Arc::new(Target { address: first.address.clone(), ..target(1, 1_000) });
    fed.offer_all([(&first, NOW_MS), (&second, NOW_MS + 1)]);
    fed.pass(4_000).await;
    assert_eq!(fed.polled(), [(0, 0)]);
    assert_eq!(fed.returned(), [(1, 1, Unpolled::Politeness)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_withdrawn_is_polled_only_if_it_has_begun() {
    let mut fed = Fedline::start(1, |_, _| up(500));
    let targets: Vec<_> = (0..3).map(|number| of(number, 10_000)).collect();
    fed.offer_all(targets.iter().map(|target| (target, NOW_MS + i64::from(target.number))));
    fed.pass(100).await;
    fed.feed.hand_in(&mut vec![Fed::Withdraw(0, NOW_MS), Fed::Withdraw(1, NOW_MS + 1)]);
    fed.pass(3_000).await;
    assert_eq!(fed.polled(), [(0, 0), (2, 2)]);
    assert_eq!(fed.returned(), [(1, 1, Unpolled::Withdrawn)]);
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_waits_is_not_mixed_with_the_next_slot() {
    // The first poll fails and is checked again while others have the only place.
    let mut fed = Fedline::start(1, |target, nth| match (target.number, nth) {
        (0, 0) => fails(10, Cause::Connect, Detail::Refused),
        (0, _) => up(10),
        _ => up(9_000),
    });
    let plan = Arc::new(Plan { retries: 2, ..Plan::default() });
    let (checked, other) = (Arc::new(Target { plan, ..target(0, 10_000) }), of(1, 60_000));
    fed.offer(&checked, NOW_MS);
    fed.pass(100).await;
    fed.offer(&other, NOW_MS + 100);
    fed.pass(8_000).await;
    assert_eq!(fed.returned(), []);
    fed.offer(&checked, NOW_MS + 8_100);
    fed.pass(12_000).await;
    assert_eq!(fed.returned(), [(0, 8_100, Unpolled::Running)]);
    let polls: Vec<_> = fed
        .line
        .outcomes()
        .iter()
        .map(|one| (one.target, one.due_ms - NOW_MS, one.is_provisional))
        .collect();
    assert_eq!(polls, [(0, 0, true), (1, 100, false), (0, 0, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_number_is_another_target_once_the_one_before_is_forgotten() {
    let mut fed = Fedline::start(4, |_, _| up(10));
    fed.offer(&of(3, 1_000), NOW_MS);
    fed.pass(100).await;
    let other = Arc::new(Target { timeout_ms: 77, ..target(3, 1_000) });
    fed.feed.hand_in(&mut vec![Fed::Forget(3)]);
    fed.offer(&other, NOW_MS + 50);
    fed.pass(500).await;
    assert_eq!(fed.line.polled(), [(3, 1_000), (3, 77)]);
    assert_eq!(fed.returned(), []);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_changed_is_polled_as_it_is_now_and_never_twice_at_once() {
    let mut fed = Fedline::start(1, |_, _| up(700));
    let (before, other) = (of(0, 10_000), of(1, 10_000));
    fed.offer_all([(&other, NOW_MS), (&before, NOW_MS + 1)]);
    fed.pass(100).await;
    let mut changed = Target { timeout_ms: 77, ..target(0, 10_000) };
    changed.replace(&before);
    fed.offer(&Arc::new(changed), NOW_MS + 50);
    fed.pass(3_000).await;
    assert_eq!(fed.line.polled(), [(1, 1_000), (0, 77)]);
    assert_eq!(fed.polled(), [(1, 0), (0, 50)]);
    assert_eq!(fed.returned(), [(0, 1, Unpolled::Saturated)]);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_worked_off_at_twice_its_rate_and_what_is_on_time_does_not_suffer() {
    let mut fed = Fedline::start(10_000, |_, _| up(1));
    let targets: Vec<_> = (0..6_000).map(|number| of(number, 60_000)).collect();
    // A hundred a second fell due while nobody looked.
    fed.offer_all(
        targets
            .iter()
            .take(3_000)
            .map(|target| (target, NOW_MS - 30_000 + i64::from(target.number) * 10)),
    );
    fed.pass(1_000).await;
    let launched = fed.line.starts().len();
    assert!((150..=350).contains(&launched), "{launched}");
    fed.pass(20_000).await;
    assert_eq!(fed.polled().len(), 3_000);
    // A new one begins with as many a second as it gets.
    for second in 0..10 {
        let now_ms = NOW_MS + 21_000 + second * 1_000;
        let some = targets.iter().skip(3_000 + usize::try_from(second).expect("small") * 300);
        fed.offer_all(some.take(300).map(|target| (target, now_ms)));
        fed.pass(1_000).await;
        assert_eq!(fed.polled().len(), 3_000 + 300 * usize::try_from(second + 1).expect("small"));
    }
}
