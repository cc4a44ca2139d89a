//! Whatever joins, leaves, is replaced, stalls and waits: no slot is lost and none polled twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/line.rs"]
mod line;

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use line::{Line, NOW_MS, slots, target, up};
use poller::address::Address;
use poller::manners::Manners;
use poller::queue::Hosts;
use poller::stage::scheduler::{Change, Limits};
use poller::target::{Origin, Priority, Seat, Target};
use proptest::prelude::*;

/// What happens, and then how many milliseconds pass.
#[derive(Clone, Debug)]
enum Event {
    Join { every_ms: u32, host: u8, priority: u8 },
    Leave(u8),
    Replace { which: u8, every_ms: Option<u32>, priority: u8 },
    Stall(u64),
    Places(usize),
    Hold(bool),
    SetClock(i64),
}

fn event(with_clock: bool) -> impl Strategy<Value = Event> {
    let every = 100_u32..5_000;
    let clock = if with_clock { 2 } else { 0 };
    prop_oneof![
        6 => (every.clone(), 0_u8..4, 0_u8..3)
            .prop_map(|(every_ms, host, priority)| Event::Join { every_ms, host, priority }),
        2 => any::<u8>().prop_map(Event::Leave),
        2 => (any::<u8>(), proptest::option::of(every), 0_u8..3)
            .prop_map(|(which, every_ms, priority)| Event::Replace { which, every_ms, priority }),
        1 => (50_u64..8_000).prop_map(Event::Stall),
        1 => (1_usize..6).prop_map(Event::Places),
        1 => any::<bool>().prop_map(Event::Hold),
        clock => (-7_200_000_i64..7_200_000).prop_map(Event::SetClock),
    ]
}

/// A target of this run: what it is now, and since when it is expected to be polled.
struct Watched {
    target: Arc<Target>,
    since_ms: i64,
}

/// Slots that were to come, summed up over all targets that were there.
#[derive(Default)]
struct Expected {
    all: u64,
    /// Slots of targets that left, whose polls may have been given up while they waited.
    uncertain: u64,
}

impl Expected {
    fn end(&mut self, watched: &Watched, now_ms: i64) {
        self.all += slots(&watched.target, watched.since_ms, now_ms).len() as u64;
        // What falls due at this very moment may have been looked at, or not.
        self.uncertain += slots(&watched.target, now_ms - 1, now_ms).len() as u64;
    }
}

fn joined(number: u32, (every_ms, host, priority): (u32, u8, u8)) -> Target {
    let url = format!("http://host-{host}.example/{number}");
    Target {
        address: Address::parse(&url).expect("a good address"),
        priority: Priority::ALL[usize::from(priority)],
        ..target(number, every_ms)
    }
}

struct Play {
    line: Line,
    watched: BTreeMap<u32, Watched>,
    expected: Expected,
    next: u32,
}

impl Play {
    fn start(polls_ms: u64) -> Self {
        let manners = Manners { max_per_host: NonZeroU32::new(2), ..Manners::none() };
        let hosts = Arc::new(Hosts::new(manners));
        let limits = Limits { hosts, ..Limits::default() };
        let line = Line::start_within(limits, [], 5, move |_, _| up(polls_ms));
        Self { line, watched: BTreeMap::new(), expected: Expected::default(), next: 1 }
    }

    fn pick(&self, which: u8) -> Option<u32> {
        let numbers: Vec<u32> = self.watched.keys().copied().collect();
        numbers.get(usize::from(which) % numbers.len().max(1)).copied()
    }

    async fn happen(&mut self, event: Event) {
        let now_ms = self.line.clock.now_ms();
        match event {
            Event::Join { every_ms, host, priority } => {
                let target = Arc::new(joined(self.next, (every_ms, host, priority)));
                self.watched
                    .insert(self.next, Watched { target: Arc::clone(&target), since_ms: now_ms });
                self.next += 1;
                self.line.desk.hand_in([Change::Add(target)]);
            }
            Event::Leave(which) => {
                let Some(number) = self.pick(which) else { return };
                let watched = self.watched.remove(&number).unwrap();
                self.expected.end(&watched, now_ms);
                // Its last slot may wait, and is nobody's any more.
                self.expected.uncertain += 1;
                self.line.desk.hand_in([Change::Remove(number)]);
            }
            Event::Replace { which, every_ms, priority } => {
                let Some(number) = self.pick(which) else { return };
                let watched = self.watched.get_mut(&number).unwrap();
                let old = Arc::clone(&watched.target);
                let mut target = Target {
                    address: old.address.clone(),
                    priority: Priority::ALL[usize::from(priority)],
                    origin: Origin::default(),
                    seat: Seat::default(),
                    ..line::target(number, every_ms.unwrap_or(old.every_ms))
                };
                target.replace(&old);
                let target = Arc::new(target);
                let before = std::mem::replace(
                    watched,
                    Watched { target: Arc::clone(&target), since_ms: now_ms },
                );
                self.expected.end(&before, now_ms);
                self.line.desk.hand_in([Change::Replace(target)]);
            }
            Event::Stall(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
            Event::Places(limit) => self.line.places.set_limit(limit),
            Event::Hold(is_held) => self.line.places.hold(is_held),
            Event::SetClock(by_ms) => self.line.set_wall(by_ms),
        }
    }

    /// Lets all that waits come to its end, and nothing more fall due.
    fn settle(&mut self) {
        let now_ms = self.line.clock.now_ms();
        for watched in self.watched.values() {
            self.expected.end(watched, now_ms);
        }
        self.line.places.hold(false);
        self.line.places.set_limit(5);
    }
}

fn run(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_slot_is_polled_once_or_counted_as_missed(
        events in proptest::collection::vec((event(false), 1_u64..3_000), 1..60),
        polls_ms in 1_u64..900,
    ) {
        run(async {
            let mut play = Play::start(polls_ms);
            for (event, then_ms) in events {
                play.happen(event).await;
                play.line.pass(Duration::from_millis(then_ms)).await;
            }
            play.settle();
            // What waited runs now; what falls due meanwhile is expected as well.
            let until_ms = play.line.clock.now_ms();
            play.line.end().await;
            let (waiting, parked) = (play.line.desk.waiting(), play.line.desk.parked());
            let missed = play.line.desk.missed();
            let outcomes = play.line.outcomes().to_vec();
            let mut seen = HashSet::new();
            for outcome in &outcomes {
                prop_assert!(seen.insert((outcome.target, outcome.due_ms)), "twice: {outcome:?}");
                prop_assert!(outcome.due_ms <= until_ms && outcome.due_ms > NOW_MS);
            }
            let counted = outcomes.len() as u64 + missed + waiting + parked;
            let Expected { all, uncertain } = play.expected;
            prop_assert!(
                counted <= all && counted + uncertain >= all,
                "{counted} of {all} ({uncertain} uncertain): {} polled, {missed} missed, {waiting} waiting, {parked} parked",
                outcomes.len()
            );
            prop_assert!(play.line.most_of_one() <= 1);
            Ok(())
        })?;
    }

    #[test]
    fn whatever_becomes_of_the_clock_each_target_goes_on_at_its_pace(
        events in proptest::collection::vec((event(true), 1_u64..3_000), 1..40),
        polls_ms in 1_u64..100,
    ) {
        run(async {
            let mut play = Play::start(polls_ms);
            for (event, then_ms) in events {
                let is_pressing = matches!(event, Event::Places(_) | Event::Hold(_));
                if !is_pressing {
                    play.happen(event).await;
                }
                play.line.pass(Duration::from_millis(then_ms)).await;
            }
            // After the last event each target is polled within two intervals.
            let calm = tokio::time::Instant::now();
            play.line.pass(Duration::from_secs(25)).await;
            let starts = play.line.starts();
            for (number, watched) in &play.watched {
                let of: Vec<_> = starts
                    .iter()
                    .filter(|start| start.1 == *number && start.0 >= calm)
                    .map(|start| start.0)
                    .collect();
                let every = Duration::from_millis(watched.target.every_ms.into());
                prop_assert!(!of.is_empty(), "{number} is not polled any more");
                if play.watched.len() <= 4 {
                    for pair in of.windows(2) {
                        prop_assert!(pair[1] - pair[0] <= every * 2 + Duration::from_secs(1));
                    }
                }
            }
            prop_assert!(play.line.most_of_one() <= 1);
            Ok(())
        })?;
    }
}
