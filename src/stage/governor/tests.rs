//! What the governor decides, second by second.

use std::time::Duration;

use super::*;
use crate::stage::shortage::Share;

const MOST: usize = 16_384;

/// A second in which nothing was lacking, with so many polls in flight.
fn calm(in_flight: usize) -> Signals {
    Signals { in_flight, ..Signals::default() }
}

/// A second in which a runtime was late.
fn late(in_flight: usize) -> Signals {
    Signals { runtime_late: Duration::from_millis(300), ..calm(in_flight) }
}

/// Memory of which so many percent are in use.
fn memory(percent: u64, in_flight: usize) -> Signals {
    Signals { memory: Share { used: percent, of: 100 }, ..calm(in_flight) }
}

/// A governor whose start is over.
fn settled(most: usize) -> Governor {
    let mut governor = Governor::new(most);
    for _ in 0..SETTLING {
        assert_eq!(governor.decide(&calm(0)), None);
    }
    governor
}

/// Decides so often, and tells what was worth telling.
fn run(governor: &mut Governor, signals: Signals, seconds: usize) -> Vec<Turn> {
    (0..seconds).filter_map(|_| governor.decide(&signals)?.turn).collect()
}

#[test]
fn places_shrink_by_a_quarter_of_what_runs_under_each_shortage() {
    let shares = |used, of| Share { used, of };
    for short in [
        late(1_000),
        Signals { schedule_late: Duration::from_millis(400), ..calm(1_000) },
        Signals { outbox: shares(300_000, 1 << 20), ..calm(1_000) },
        Signals { files: shares(19_990, 20_000), ..calm(1_000) },
        Signals { without_file: 1, ..calm(1_000) },
        memory(90, 1_000),
    ] {
        let mut governor = settled(MOST);
        let first = governor.decide(&short).or_else(|| governor.decide(&short));
        let shortage = short.shortage().expect("a shortage");
        let turn = Some(Turn::Begins(shortage));
        assert_eq!(first, Some(Move { from: MOST, to: 750, turn }));
        assert_eq!(governor.decide(&short), Some(Move { from: 750, to: 563, turn: None }));
        assert_eq!((governor.limit(), governor.shortage()), (563, Some(shortage)));
    }
}

#[test]
fn targets_that_turn_slow_shrink_nothing_however_many_wait_for_them() {
    let mut governor = settled(MOST);
    for in_flight in (0..=MOST).step_by(64) {
        assert_eq!(governor.decide(&calm(in_flight)), None);
    }
    assert_eq!((governor.limit(), governor.episodes()), (MOST, 0));
}

#[test]
fn places_shrink_to_the_floor_and_are_all_back_within_a_minute() {
    for most in [33, 34, 63, 64, 100, 1_000, 5_000, MOST, 1_000_000] {
        let mut governor = settled(most);
        let told = run(&mut governor, late(most), 60);
        assert_eq!(governor.limit(), FLOOR, "{most}");
        let is_told = |turn: &&Turn| matches!(turn, Turn::AtFloor(_));
        assert!(matches!(told.first(), Some(Turn::Begins(_))), "{told:?}");
        assert_eq!(told.iter().filter(is_told).count(), told.len() - 1);
        assert!(told.len() <= 2, "{told:?}");
        assert_eq!(run(&mut governor, calm(32), 60), [Turn::Ends], "{most}");
        assert_eq!((governor.limit(), governor.episodes()), (most, 1));
        assert_eq!(governor.shortage(), None);
    }
}

#[test]
fn places_come_back_after_three_calm_seconds_and_in_steps() {
    let mut governor = settled(MOST);
    run(&mut governor, late(0), 2);
    assert_eq!(governor.limit(), FLOOR);
    assert_eq!(governor.decide(&calm(32)), None);
    assert_eq!(governor.decide(&calm(32)), None);
    let grown = governor.decide(&calm(32)).expect("a move");
    assert_eq!((grown.to - grown.from, grown.turn), (MOST / STEPS, None));
    assert!(governor.shortage().is_some(), "what took the places that are not back yet");
    assert!(governor.decide(&calm(400)).is_some());
    run(&mut governor, late(544), 2);
    assert_eq!(governor.decide(&calm(400)), None);
    assert_eq!(governor.limit(), 544 - 544 / 4);
    assert_eq!(governor.episodes(), 1, "it is the same trouble");
}

#[test]
fn a_moment_in_which_all_stood_still_shrinks_nothing() {
    let mut governor = settled(MOST);
    for _ in 0..10 {
        assert_eq!(governor.decide(&late(100)), None);
        assert_eq!(governor.decide(&calm(100)), None);
    }
}

#[test]
fn nothing_moves_while_the_daemon_starts() {
    let mut governor = Governor::new(MOST);
    assert_eq!(run(&mut governor, late(100), SETTLING as usize), []);
    assert_eq!(governor.limit(), MOST);
    assert_eq!(run(&mut governor, late(100), 1).len(), 1);
}

#[test]
fn with_few_places_none_is_taken_away() {
    for most in [1, 8, 32] {
        let mut governor = settled(most);
        assert_eq!(run(&mut governor, late(most), 100), []);
        assert_eq!((governor.limit(), governor.floor()), (most, most));
    }
}

#[test]
fn who_only_looks_moves_nothing_and_still_tells() {
    let mut governor = settled(MOST);
    for _ in 0..10 {
        governor.look(&late(1_000));
    }
    assert_eq!((governor.limit(), governor.episodes()), (MOST, 0));
    assert_eq!(governor.shortage(), late(0).shortage());
    governor.look(&calm(1_000));
    assert_eq!(governor.shortage(), None);
}

#[test]
fn memory_that_fewer_polls_do_not_free_takes_their_places_for_a_while_only() {
    let mut governor = settled(MOST);
    run(&mut governor, memory(88, 4_000), 40);
    assert!(governor.limit() > FLOOR, "it is of no use");
    run(&mut governor, memory(88, 4_000), 40);
    assert_eq!(governor.limit(), MOST);
    run(&mut governor, memory(79, 4_000), 1);
    run(&mut governor, memory(88, 4_000), 1);
    assert_eq!(governor.limit(), 3_000, "it may be of use again");
}

#[test]
fn memory_that_helps_nobody_hides_no_other_shortage() {
    let mut governor = settled(MOST);
    run(&mut governor, memory(88, 4_000), 80);
    let both = Signals { without_file: 3, ..memory(88, 4_000) };
    assert!(governor.decide(&both).is_some());
    assert_eq!(governor.shortage(), Some(Shortage::NoFile(3)));
}
