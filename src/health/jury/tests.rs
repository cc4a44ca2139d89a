//! The jury over whole fleets, in virtual time.

use super::*;
use crate::health::votes::Rest;
use crate::health::{Health, Transition};
use crate::outcome::{Cause, Detail, Finding};

const S: u64 = 1_000_000;

/// How a target answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    /// It answers, after a while.
    Slow,
    /// Nothing comes back until the time is out.
    Silent,
    /// Refused at once.
    Refused,
    /// It answers that it has a fault.
    Error,
}

/// A target with what is known of it.
struct Target {
    seat: Seat,
    health: Health,
    has_incident: bool,
    next_us: u64,
}

/// A fleet that is polled, judged and remembered as the recorder does it.
struct World {
    jury: Jury,
    targets: Vec<Target>,
    /// Outcomes in flight: when they end, of which target, when they began.
    flying: Vec<(u64, usize, u64, Way)>,
    now_us: u64,
    rulings: Vec<Ruling>,
    doubted: u64,
}

impl World {
    /// So many targets that are polled every `every_s` seconds, spread evenly.
    fn new(count: u32, every_s: u64) -> Self {
        let mut world = Self {
            jury: Jury::default(),
            targets: Vec::new(),
            flying: Vec::new(),
            now_us: 7 * S,
            rulings: Vec::new(),
            doubted: 0,
        };
        for number in 0..count {
            world.join(every_s, u64::from(number) * every_s * S / u64::from(count), Role::Watched);
        }
        world.convene();
        world
    }

    fn join(&mut self, every_s: u64, after_us: u64, role: Role) {
        let number = u32::try_from(self.targets.len()).expect("few targets");
        let interval = u32::try_from(every_s * 1_000).expect("a short interval");
        let next_us = self.now_us + after_us;
        let (seat, health) = (Seat { number, every_ms: interval, role }, Health::pending(0));
        self.targets.push(Target { seat, health, has_incident: false, next_us });
    }

    fn convene(&mut self) {
        self.jury.convene(self.targets.iter().map(|target| target.seat), self.now_us);
    }

    /// Begins with a jury that knows nothing, as after a restart.
    fn restart(&mut self) {
        self.jury = Jury::default();
        self.convene();
    }

    /// Lets so many seconds pass while each target answers in its way.
    fn pass(&mut self, seconds: u64, way: impl Fn(u32) -> Way) {
        let end_us = self.now_us + seconds * S;
        while self.now_us < end_us {
            for (index, target) in self.targets.iter_mut().enumerate() {
                while target.next_us <= self.now_us {
                    let way = way(target.seat.number);
                    // Half the interval, as is usual.
                    let limit_us = u64::from(target.seat.every_ms) * 500;
                    let took_us = match way {
                        Way::Silent => limit_us,
                        Way::Slow => 2 * S,
                        Way::Up | Way::Refused | Way::Error => 50_000,
                    };
                    self.flying.push((target.next_us + took_us, index, target.next_us, way));
                    target.next_us += u64::from(target.seat.every_ms) * 1_000;
                }
            }
            let now_us = self.now_us;
            let mut ended: Vec<_> = self.flying.extract_if(.., |poll| poll.0 <= now_us).collect();
            ended.sort_unstable_by_key(|poll| poll.0);
            let outcomes: Vec<_> = ended.iter().map(|poll| self.outcome(*poll)).collect();
            self.take_in(&outcomes);
            self.now_us += TICK_US;
        }
    }

    fn outcome(&self, (end_us, index, began_us, way): (u64, usize, u64, Way)) -> Outcome {
        let found = Finding::default();
        let finding = match way {
            Way::Up | Way::Slow => Finding { status: 200, ..found },
            Way::Silent => found.with_cause(Cause::Timeout, Detail::Waiting),
            Way::Refused => found.with_cause(Cause::Connect, Detail::Refused),
            Way::Error => Finding { status: 500, ..found }.with_cause(Cause::Status, Detail::None),
        };
        Outcome {
            target: self.targets[index].seat.number,
            due_ms: 0,
            finished_us: i64::try_from(end_us).expect("soon"),
            lag_us: 0,
            latency_us: u32::try_from(end_us - began_us).expect("soon"),
            kind: SampleKind::Slot,
            is_provisional: false,
            finding,
        }
    }

    fn take_in(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let target = &self.targets[outcome.target as usize];
            let known = Known { state: target.health.state, has_incident: target.has_incident };
            self.jury.hear(outcome, known, self.now_us);
        }
        if let Some(ruling) = self.jury.deliberate(self.now_us) {
            self.rulings.push(ruling);
            let suspects: Vec<u32> = self.jury.suspects().collect();
            for number in suspects {
                let target = &mut self.targets[number as usize];
                if let Some(Transition { from: State::Down, .. }) =
                    target.health.take_back(number, Rest::Nothing)
                {
                    target.has_incident = false;
                }
            }
        }
        for &(mut outcome) in outcomes {
            if self.jury.doubts(&outcome, self.now_us) {
                self.doubted += 1;
                outcome.finding = outcome.finding.with_cause(Cause::NoNetwork, Detail::Doubted);
            }
            let target = &mut self.targets[outcome.target as usize];
            match target.health.observe(&outcome).map(|change| change.to) {
                Some(State::Down) => target.has_incident = true,
                Some(State::Up | State::Warning) => target.has_incident = false,
                _ => {}
            }
        }
    }

    fn count(&self, state: State) -> usize {
        self.targets.iter().filter(|target| target.health.state == state).count()
    }

    fn incidents(&self) -> usize {
        self.targets.iter().filter(|target| target.has_incident).count()
    }

    fn is_held(&self) -> bool {
        self.jury.holding().is_some()
    }
}

#[test]
fn when_all_go_silent_nobody_turns_down_and_all_are_back_within_an_interval() {
    for (count, every_s) in [(20, 60), (40, 1), (100, 60), (2_000, 60), (2_000, 10)] {
        let mut world = World::new(count, every_s);
        world.pass(3 * every_s + 10, |_| Way::Up);
        world.pass(4 * every_s + 10, |_| Way::Silent);
        assert!(world.is_held(), "{count} every {every_s} s");
        assert_eq!(
            (world.count(State::Down), world.incidents()),
            (0, 0),
            "{count} every {every_s} s"
        );
        assert_eq!(world.count(State::Unknown), count as usize);
        let holding = world.jury.holding().expect("it is held");
        assert_eq!((holding.ground, holding.of), (Ground::Targets, count));
        assert!(holding.failed * 5 >= holding.of * 4);
        world.pass(every_s + 5, |_| Way::Up);
        assert!(!world.is_held(), "{count} every {every_s} s");
        assert_eq!(world.count(State::Up), count as usize, "{count} every {every_s} s");
        world.pass(2 * every_s, |_| Way::Up);
        assert_eq!((world.rulings.len(), world.jury.times_held()), (2, 1), "{:?}", world.rulings);
    }
}

#[test]
fn an_outage_is_told_from_its_first_failure_and_with_its_length() {
    let mut world = World::new(600, 60);
    world.pass(200, |_| Way::Up);
    let began_us = world.now_us;
    world.pass(300, |_| Way::Refused);
    world.pass(60, |_| Way::Up);
    let [Ruling::Held(holding), Ruling::Given(length_us)] = world.rulings[..] else {
        panic!("{:?}", world.rulings)
    };
    let early_us = began_us.saturating_sub(holding.since_us);
    assert!(early_us <= 4 * S, "not {early_us} before the first failure");
    assert!(holding.since_us <= began_us + S);
    assert!((290 * S..310 * S).contains(&length_us), "{length_us}");
}

#[test]
fn a_half_that_goes_silent_turns_down() {
    for (count, every_s) in [(40, 1), (240, 60), (2_000, 10)] {
        for way in [Way::Silent, Way::Refused] {
            let mut world = World::new(count, every_s);
            world.pass(3 * every_s, |_| Way::Up);
            world.pass(4 * every_s, |number| if number % 2 == 0 { way } else { Way::Up });
            assert_eq!(world.rulings, [], "{count} every {every_s} s, {way:?}");
            assert_eq!(world.count(State::Down) * 2, count as usize);
            world.pass(2 * every_s, |_| Way::Up);
            assert_eq!(world.count(State::Up), count as usize);
        }
    }
}

#[test]
fn a_host_whose_targets_are_polled_most_often_is_not_all_of_them() {
    let mut world = World::new(0, 1);
    for number in 0..1_000 {
        let every_s = if number < 100 { 1 } else { 60 };
        world.join(every_s, number * 60_000, Role::Watched);
    }
    world.convene();
    world.pass(150, |_| Way::Up);
    world.pass(150, |number| if number < 100 { Way::Refused } else { Way::Up });
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 100));
}

#[test]
fn those_that_are_polled_often_count_on_while_the_others_have_not_been_polled_again() {
    let mut world = World::new(20, 1);
    (0..80).for_each(|number| world.join(60, number * 750_000, Role::Watched));
    world.convene();
    world.pass(130, |_| Way::Up);
    world.pass(10, |_| Way::Refused);
    assert!(world.is_held());
    assert_eq!(world.count(State::Down), 0);
}

#[test]
fn targets_that_have_been_dead_for_long_hold_nothing() {
    let mut world = World::new(400, 10);
    let dead = |number: u32| if number.is_multiple_of(8) { Way::Up } else { Way::Silent };
    world.pass(100, dead);
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 350), "since their first poll");
    world.pass(40, |_| Way::Silent);
    assert!(world.is_held(), "the fifty others fail together");
    assert_eq!(world.incidents(), 350, "their outages go on");
    world.restart();
    world.pass(40, |_| Way::Silent);
    assert!(world.is_held());
    world.pass(60, dead);
    assert!(!world.is_held(), "{:?}", world.rulings);
    assert_eq!((world.count(State::Up), world.count(State::Down)), (50, 350));
    world.pass(60, dead);
    assert_eq!(world.rulings.len(), 3, "{:?}", world.rulings);
}

#[test]
fn at_the_start_it_is_us_until_one_answers() {
    let mut world = World::new(100, 10);
    world.pass(60, |_| Way::Refused);
    assert!(world.is_held());
    assert_eq!((world.count(State::Unknown), world.incidents()), (100, 0));
    // Most are truly dead, as it turns out.
    let dead = |number: u32| if number % 20 == 3 { Way::Up } else { Way::Refused };
    world.pass(15, dead);
    assert!(!world.is_held());
    world.pass(40, dead);
    assert_eq!((world.count(State::Up), world.count(State::Down)), (5, 95));
    assert_eq!(world.rulings.len(), 2, "{:?}", world.rulings);
}

#[test]
fn quick_failures_are_not_taken_for_all_before_the_others_had_their_time() {
    let mut world = World::new(4_000, 10);
    // A tenth is refused at once; the others take their time to answer.
    world.pass(30, |number| if number % 10 == 0 { Way::Refused } else { Way::Slow });
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 400));
}

#[test]
fn few_targets_are_judged_whatever_happens() {
    let mut world = World::new(19, 1);
    world.pass(10, |_| Way::Up);
    world.pass(10, |_| Way::Silent);
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 19));
}

#[test]
fn a_list_that_becomes_small_is_judged_again() {
    let mut world = World::new(40, 1);
    world.pass(10, |_| Way::Up);
    world.pass(10, |_| Way::Silent);
    assert!(world.is_held());
    world.targets.truncate(10);
    world.flying.clear();
    world.convene();
    world.pass(5, |_| Way::Silent);
    assert!(!world.is_held());
    assert_eq!(world.count(State::Down), 10);
}

#[test]
fn answers_that_are_not_good_are_answers() {
    let mut world = World::new(100, 1);
    world.pass(10, |_| Way::Up);
    world.pass(10, |_| Way::Error);
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 100));
    world.pass(10, |_| Way::Silent);
    assert_eq!((world.rulings.len(), world.incidents()), (0, 100), "they were down before");
}

/// Forty targets, of which the last two are sentinels.
fn guarded(every_s: u64) -> World {
    let mut world = World::new(38, every_s);
    world.join(every_s, 0, Role::Sentinel);
    world.join(every_s, every_s * S / 2, Role::Sentinel);
    world.convene();
    world.pass(3 * every_s + 10, |_| Way::Up);
    world
}

#[test]
fn a_sentinel_that_answers_says_that_it_is_not_us() {
    let mut world = guarded(10);
    world.pass(60, |number| if number == 39 { Way::Up } else { Way::Silent });
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 39));
}

#[test]
fn when_all_sentinels_fail_nothing_is_held_against_whoever_fails_too() {
    let mut world = guarded(10);
    world.pass(60, |number| if number < 30 { Way::Up } else { Way::Silent });
    assert_eq!((world.count(State::Up), world.count(State::Unknown)), (30, 10));
    let holding = world.jury.holding().expect("it is held");
    assert_eq!((holding.ground, holding.failed, holding.of), (Ground::Sentinels, 2, 2));
    assert_eq!(world.incidents(), 0);
    world.pass(30, |number| if number < 30 || number == 39 { Way::Up } else { Way::Silent });
    assert_eq!((world.count(State::Down), world.is_held()), (9, false));
    assert_eq!(world.rulings.len(), 2, "{:?}", world.rulings);
}

#[test]
fn a_poll_that_began_in_doubt_is_not_held_against_its_target_after_it() {
    let mut world = World::new(2_000, 20);
    world.pass(60, |_| Way::Up);
    world.pass(60, |number| if number % 2 == 0 { Way::Silent } else { Way::Refused });
    world.pass(6, |_| Way::Up);
    let doubted = world.doubted;
    assert!(!world.is_held());
    world.pass(15, |_| Way::Up);
    assert!(world.doubted > doubted + 150, "{}", world.doubted - doubted);
    assert_eq!(world.count(State::Up), 2_000);
}

#[test]
fn a_clock_that_stands_still_and_goes_on_changes_nothing() {
    let mut world = World::new(200, 10);
    world.pass(60, |_| Way::Up);
    let slept_us = 3_600 * S;
    world.now_us += slept_us;
    for target in &mut world.targets {
        target.next_us += slept_us;
    }
    world.pass(60, |number| if number % 2 == 0 { Way::Silent } else { Way::Up });
    assert_eq!((world.rulings.len(), world.count(State::Down)), (0, 100));
}

#[test]
fn a_share_of_a_few_must_be_more_than_chance() {
    let least = |of: u32| (0..=of).find(|&failed| is_beyond_chance(failed, of));
    assert_eq!(
        [19, 20, 25, 100, 1_000].map(least),
        [None, Some(20), Some(24), Some(88), Some(826)]
    );
}
