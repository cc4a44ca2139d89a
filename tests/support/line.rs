//! Scheduler and worker in virtual time, with a check that does what a test says.

#![allow(dead_code, reason = "each test uses its own part")]

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use poller::address::Address;
use poller::check::Check;
use poller::clock::Clock;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind};
use poller::queue::local::{LocalSink, Outbox};
use poller::queue::{Feed, Outlet, Places, Rechecks};
use poller::stage::lateness::Lateness;
use poller::stage::scheduler::{Desk, Limits, Scheduler};
use poller::stage::worker::{self, Bench};
use poller::target::{CheckKind, Origin, Plan, Priority, Seat, Target, TargetId};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A moment in 2026, in Unix milliseconds.
pub(crate) const NOW_MS: i64 = 1_795_341_600_000;

/// A target that is polled every `every_ms` milliseconds.
pub(crate) fn target(number: u32, every_ms: u32) -> Target {
    let url = format!("http://site-{number}.example/");
    Target {
        number,
        id: TargetId::of_address(CheckKind::Http, "GET", &url, 0),
        given_id: None,
        name: None,
        address: Address::parse(&url).expect("a good address"),
        every_ms,
        timeout_ms: 1_000,
        priority: Priority::Normal,
        plan: Arc::new(Plan { retries: 0, ..Plan::default() }),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

/// What a check does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Takes so long and finds this.
    Find(Duration, Finding),
    /// Takes so long and panics.
    Panic(Duration),
    /// Keeps its thread from all else for so long, by the time of the wall, and finds this.
    Stall(Duration, Finding),
}

/// A poll that finds its target up after `ms` milliseconds.
pub(crate) fn up(ms: u64) -> Step {
    Step::Find(Duration::from_millis(ms), Finding { status: 200, ..Finding::default() })
}

/// A poll that fails after `ms` milliseconds.
pub(crate) fn fails(ms: u64, cause: Cause, detail: Detail) -> Step {
    Step::Find(Duration::from_millis(ms), Finding::default().with_cause(cause, detail))
}

/// What a target does at its nth poll, counted from 0.
pub(crate) type Script = Box<dyn Fn(&Target, usize) -> Step + Send + Sync>;

/// A check that follows a script and remembers.
pub(crate) struct Scripted {
    script: Script,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    polls: HashMap<TargetId, usize>,
    in_flight: HashMap<TargetId, usize>,
    most_in_flight: usize,
    most_of_one: usize,
    starts: Vec<(Instant, u32)>,
    addresses: Vec<(u32, u32)>,
}

impl Check for Scripted {
    type Facts = ();

    async fn check(&self, target: Arc<Target>) -> (Finding, ()) {
        let nth = self.begin(&target);
        let _flying = Flying(self, target.id);
        match (self.script)(&target, nth) {
            Step::Find(takes, finding) => {
                tokio::time::sleep(takes).await;
                (finding, ())
            }
            Step::Panic(takes) => {
                tokio::time::sleep(takes).await;
                panic!("the script says so")
            }
            Step::Stall(takes, finding) => {
                let end = std::time::Instant::now() + takes;
                while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
                    std::thread::park_timeout(left);
                }
                (finding, ())
            }
        }
    }
}

impl Scripted {
    fn begin(&self, target: &Target) -> usize {
        let mut seen = self.seen.lock();
        seen.starts.push((Instant::now(), target.number));
        seen.addresses.push((target.number, target.timeout_ms));
        let nth = seen.polls.entry(target.id).or_default();
        *nth += 1;
        let nth = *nth - 1;
        let flights = seen.in_flight.entry(target.id).or_default();
        *flights += 1;
        let flights = *flights;
        seen.most_of_one = seen.most_of_one.max(flights);
        let all = seen.in_flight.values().sum();
        seen.most_in_flight = seen.most_in_flight.max(all);
        nth
    }
}

/// A poll in flight, until it is dropped.
struct Flying<'a>(&'a Scripted, TargetId);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        if let Some(flights) = self.0.seen.lock().in_flight.get_mut(&self.1) {
            *flights -= 1;
        }
    }
}

/// Scheduler and worker at work.
pub(crate) struct Line {
    pub(crate) clock: Clock,
    pub(crate) desk: Arc<Desk>,
    pub(crate) places: Arc<Places>,
    pub(crate) stop: CancellationToken,
    pub(crate) lateness: Arc<Lateness>,
    check: Arc<Scripted>,
    outbox: Arc<Outbox>,
    wall_us: Arc<AtomicI64>,
    worker: JoinSet<()>,
    _watch: JoinSet<()>,
    outcomes: Vec<Outcome>,
}

impl Line {
    /// Polls `targets` with `places` polls at once.
    pub(crate) fn start(
        targets: impl IntoIterator<Item = Arc<Target>>,
        places: usize,
        script: impl Fn(&Target, usize) -> Step + Send + Sync + 'static,
    ) -> Self {
        Self::start_within(Limits::default(), targets, places, script)
    }

    /// The same, held back by `limits`.
    pub(crate) fn start_within(
        limits: Limits,
        targets: impl IntoIterator<Item = Arc<Target>>,
        places: usize,
        script: impl Fn(&Target, usize) -> Step + Send + Sync + 'static,
    ) -> Self {
        Self::start_fed(Arc::default(), limits, (targets, places), script)
    }

    /// The same, which polls what comes by `feed` as well.
    pub(crate) fn start_fed(
        feed: Arc<Feed>,
        limits: Limits,
        (targets, places): (impl IntoIterator<Item = Arc<Target>>, usize),
        script: impl Fn(&Target, usize) -> Step + Send + Sync + 'static,
    ) -> Self {
        let (began, wall_us) = (Instant::now(), Arc::new(AtomicI64::new(NOW_MS * 1_000)));
        let wall = Arc::clone(&wall_us);
        let clock = Clock::with_wall(move || {
            let elapsed = i64::try_from(began.elapsed().as_micros()).expect("small");
            wall.load(Ordering::Relaxed) + elapsed
        });
        let rechecks = Arc::<Rechecks>::default();
        let scheduler = Scheduler::new(clock.clone(), Arc::clone(&rechecks), limits, targets);
        let scheduler = scheduler.fed_by(feed);
        let check = Scripted { script: Box::new(script), seen: Mutex::default() };
        let outbox = Arc::<Outbox>::default();
        let places = NonZeroUsize::new(places).expect("some places");
        let bench = Bench {
            check: Arc::new(check),
            sink: LocalSink { outbox: Arc::clone(&outbox), rechecks },
            places: Arc::new(Places::new(places)),
            clock: clock.clone(),
            lateness: Arc::default(),
        };
        let (desk, stop) = (scheduler.desk(), CancellationToken::new());
        let (mut worker, mut watch) = (JoinSet::new(), JoinSet::new());
        watch.spawn(Arc::clone(&bench.lateness).watch());
        let lateness = Arc::clone(&bench.lateness);
        let (places, check) = (Arc::clone(&bench.places), Arc::clone(&bench.check));
        worker.spawn(worker::run(scheduler, bench, stop.clone(), Duration::from_secs(10)));
        let outcomes = Vec::new();
        Self {
            clock,
            desk,
            places,
            stop,
            lateness,
            check,
            outbox,
            wall_us,
            worker,
            _watch: watch,
            outcomes,
        }
    }

    /// Lets time pass, and the clock follow the wall once a second.
    pub(crate) async fn pass(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            tokio::time::sleep_until(end.min(Instant::now() + Duration::from_secs(1))).await;
            let _ = self.clock.follow_wall();
        }
    }

    /// Sets the wall clock forward, or back.
    pub(crate) fn set_wall(&self, by_ms: i64) {
        self.wall_us.fetch_add(by_ms * 1_000, Ordering::Relaxed);
    }

    /// All outcomes so far.
    pub(crate) fn outcomes(&mut self) -> &[Outcome] {
        let mut fresh = Vec::new();
        self.outbox.exchange(&mut fresh);
        self.outcomes.extend(fresh);
        &self.outcomes
    }

    /// The outcomes of one target.
    pub(crate) fn of(&mut self, number: u32) -> Vec<Outcome> {
        self.outcomes().iter().filter(|outcome| outcome.target == number).copied().collect()
    }

    /// When polls started, and of which target.
    pub(crate) fn starts(&self) -> Vec<(Instant, u32)> {
        self.check.seen.lock().starts.clone()
    }

    /// Of which target each poll was, and with what timeout in milliseconds.
    pub(crate) fn polled(&self) -> Vec<(u32, u32)> {
        self.check.seen.lock().addresses.clone()
    }

    /// The most polls that were in flight at once.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.check.seen.lock().most_in_flight
    }

    /// The most polls of one target that were in flight at once.
    pub(crate) fn most_of_one(&self) -> usize {
        self.check.seen.lock().most_of_one
    }

    /// Stops, and waits until the worker has ended.
    pub(crate) async fn end(&mut self) {
        self.stop.cancel();
        while self.worker.join_next().await.is_some() {}
    }

    /// Polls that came when they were due, by target.
    pub(crate) fn slots_polled(&mut self) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        let slots = self.outcomes().iter().filter(|outcome| outcome.kind == SampleKind::Slot);
        slots.for_each(|outcome| *counts.entry(outcome.target).or_default() += 1);
        counts
    }
}

/// The slots of `target` behind `after_ms`, up to `until_ms` (Unix milliseconds).
pub(crate) fn slots(target: &Target, after_ms: i64, until_ms: i64) -> Vec<i64> {
    let every = i64::from(target.every_ms);
    let first = target.due_at_or_after(after_ms + 1);
    let next = |&due: &i64| Some(due + every).filter(|&due| due <= until_ms);
    std::iter::successors(Some(first).filter(|&due| due <= until_ms), next).collect()
}

/// The most starts within one second.
pub(crate) fn busiest_second(starts: &[(Instant, u32)]) -> usize {
    let window = |index: usize| {
        let end = starts[index].0 + Duration::from_secs(1);
        starts[index..].iter().take_while(|start| start.0 < end).count()
    };
    (0..starts.len()).map(window).max().unwrap_or(0)
}
