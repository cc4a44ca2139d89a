//! Polls as checkers would tell them.

use poller::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind};
use poller::queue::kafka::messages::{OutcomeMessage, Report, Told};

/// Milliseconds from one slot to the next.
const EVERY_MS: i64 = 60_000;

/// A poll that answered.
pub(crate) fn up() -> Finding {
    let phases = Phases { connect: Micros::from_us(300), ..Phases::default() };
    Finding { status: 200, bytes: 1_234, phases, ..Finding::default() }
}

/// A poll that did not.
pub(crate) fn down() -> Finding {
    Finding::default().with_cause(Cause::Timeout, Detail::None)
}

/// A poll as a checker tells it.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    pub(crate) outcome: Outcome,
    pub(crate) tries: u8,
    pub(crate) location: String,
}

/// The first slot: the full hour before the last two.
fn first_ms() -> i64 {
    static FIRST: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *FIRST.get_or_init(|| {
        let hour_ms = 3_600_000;
        (poller::clock::Clock::system().now_ms() / hour_ms - 6) * hour_ms
    })
}

impl Poll {
    /// The poll of a slot of `target`.
    pub(crate) fn new(target: u32, slot: i64, finding: Finding) -> Self {
        let due_ms = first_ms() + slot * EVERY_MS + i64::from(target % 50) * 1_000;
        let latency_us = 20_000 + target * 100 + u32::try_from(slot).unwrap();
        let outcome = Outcome {
            target,
            due_ms,
            finished_us: due_ms * 1_000 + 500 + i64::from(latency_us),
            lag_us: 500,
            latency_us,
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        };
        Self { outcome, tries: 0, location: "here".to_owned() }
    }

    /// The same from another location.
    pub(crate) fn at(mut self, location: &str) -> Self {
        location.clone_into(&mut self.location);
        self
    }

    pub(crate) fn report(&self) -> Report {
        Report::new(&self.location, Told::Outcome(OutcomeMessage::of(&self.outcome, self.tries, 1)))
    }
}

/// Polls of targets that go down and come back.
pub(crate) struct Stream {
    targets: u32,
    slots: i64,
}

impl Stream {
    pub(crate) fn new(targets: u32, slots: i64) -> Self {
        Self { targets, slots }
    }

    /// Each target is down for some slots, now and then, from another slot on.
    fn finding(target: u32, slot: i64) -> Finding {
        let is_down = (slot + i64::from(target) * 7) % 40 < i64::from(target % 5) * 2;
        if is_down { down() } else { up() }
    }

    /// All polls, slot by slot.
    pub(crate) fn polls(&self) -> Vec<Poll> {
        (0..self.slots)
            .flat_map(|slot| {
                (1..=self.targets)
                    .map(move |target| Poll::new(target, slot, Self::finding(target, slot)))
            })
            .collect()
    }

    /// The states at the end, as the table has them.
    pub(crate) fn states(&self) -> String {
        let state = |target: u32| {
            let is_up = Self::finding(target, self.slots - 1).status == 200;
            format!("{target}|{}", if is_up { 1 } else { 3 })
        };
        (1..=self.targets).map(state).collect::<Vec<_>>().join("\n")
    }
}

/// Brings `items` out of their order.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = seed;
    for place in (1..items.len()).rev() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(place, usize::try_from(random >> 33).unwrap() % (place + 1));
    }
}
