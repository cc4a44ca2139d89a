//! What locations say, weighed: repeats, late ones, quorums.

use super::*;
use crate::outcome::{Cause, Detail, Finding, SampleKind};

pub(super) const EVERY_MS: i64 = 60_000;

pub(super) fn poll(location: u16, slot: i64, tries: u8, verdict: Verdict) -> (Slot, Outcome) {
    let cause = match verdict {
        Verdict::Up => None,
        Verdict::Warning => Some(Cause::Throttled),
        Verdict::Down => Some(Cause::Timeout),
        Verdict::Unknown => Some(Cause::Resolver),
    };
    let finding = cause
        .map_or_else(Finding::default, |cause| Finding::default().with_cause(cause, Detail::None));
    let due_ms = slot * EVERY_MS;
    let outcome = Outcome {
        target: 1,
        due_ms,
        finished_us: due_ms * 1_000,
        lag_us: 0,
        latency_us: 0,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding,
    };
    (Slot { due_ms, location, tries }, outcome)
}

fn weigh(votes: &mut Votes, rule: Rule, (slot, outcome): (Slot, Outcome)) -> Weighed {
    votes.weigh(slot, &outcome, rule)
}

#[test]
fn what_is_repeated_counts_once_and_what_is_late_changes_no_state() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
    let mut tell = |slot, tries| weigh(&mut votes, rule, poll(1, slot, tries, Verdict::Up));
    assert_eq!(tell(100, 0), Weighed::New(Standing::Full));
    assert_eq!(tell(100, 0), Weighed::Repeated);
    assert_eq!(tell(100, 1), Weighed::New(Standing::Full));
    assert_eq!(tell(99, 0), Weighed::New(Standing::Late));
    assert_eq!(tell(99, 0), Weighed::Repeated);
    assert_eq!(tell(99, 1), Weighed::Old, "nobody kept which rechecks of it there were");
    assert_eq!(tell(30, 0), Weighed::Old, "more than 63 slots ago");
    assert_eq!(tell(300, 0), Weighed::New(Standing::Full));
    assert_eq!(tell(299, 0), Weighed::New(Standing::Late));
    assert_eq!(tell(100, 0), Weighed::Old);
}

#[test]
fn a_first_try_that_comes_after_its_recheck_is_late() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
    let mut tell = |tries| weigh(&mut votes, rule, poll(1, 7, tries, Verdict::Up));
    assert_eq!(tell(1), Weighed::New(Standing::Full));
    assert_eq!(tell(0), Weighed::New(Standing::Late));
}

#[test]
fn a_poll_takes_the_place_of_the_word_that_there_was_none() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
    let (slot, outcome) = poll(1, 7, 0, Verdict::Down);
    assert_eq!(votes.miss(slot, rule), Weighed::New(Standing::Late));
    assert_eq!(votes.miss(slot, rule), Weighed::Repeated);
    let weighed = votes.weigh(slot, &outcome, rule);
    assert_eq!(weighed, Weighed::InPlaceOfMissed(Standing::Full));
    assert_eq!(votes.miss(slot, rule), Weighed::Repeated);
    assert_eq!(votes.weigh(slot, &outcome, rule), Weighed::Repeated);
}

#[test]
fn another_interval_forgets_what_was_known_of_older_slots() {
    let mut votes = Votes::default();
    weigh(&mut votes, Rule::new(60_000, 1, 0), poll(1, 100, 0, Verdict::Up));
    let rule = Rule::new(30_000, 1, 0);
    assert_eq!(weigh(&mut votes, rule, poll(1, 99, 0, Verdict::Up)), Weighed::Old);
    assert_eq!(weigh(&mut votes, rule, poll(1, 100, 0, Verdict::Up)), Weighed::Repeated);
    let new = weigh(&mut votes, rule, poll(1, 101, 0, Verdict::Up));
    assert_eq!(new, Weighed::New(Standing::Full));
}

#[test]
fn two_of_three_locations_have_to_say_that_it_is_down_and_not_long_ago() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 3, 0));
    let mut tell =
        |location, slot, verdict| match weigh(&mut votes, rule, poll(location, slot, 0, verdict)) {
            Weighed::New(standing) => standing,
            other => panic!("{other:?}"),
        };
    assert_eq!(tell(1, 1, Verdict::Down), Standing::Provisional);
    assert_eq!(tell(2, 1, Verdict::Up), Standing::Full);
    assert_eq!(tell(3, 1, Verdict::Down), Standing::Full);
    assert_eq!(tell(2, 2, Verdict::Up), Standing::Silent, "two still say that it is down");
    assert_eq!(tell(2, 3, Verdict::Up), Standing::Silent);
    assert_eq!(tell(2, 4, Verdict::Up), Standing::Full, "the others have fallen silent");
    assert_eq!(tell(1, 4, Verdict::Down), Standing::Provisional);
}

#[test]
fn what_a_location_tells_hours_later_says_nothing_of_now() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 2, 1));
    weigh(&mut votes, rule, poll(1, 100, 0, Verdict::Up));
    let old = weigh(&mut votes, rule, poll(2, 40, 0, Verdict::Down));
    assert_eq!(old, Weighed::New(Standing::Late));
    let new = weigh(&mut votes, rule, poll(2, 100, 0, Verdict::Down));
    assert_eq!(new, Weighed::New(Standing::Full));
}

#[test]
fn a_poll_that_took_longer_than_its_interval_counts_though_later_slots_passed_meanwhile() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
    assert_eq!(weigh(&mut votes, rule, poll(1, 10, 0, Verdict::Up)), Weighed::New(Standing::Full));
    let miss = |votes: &mut Votes, slot| votes.miss(poll(1, slot, 0, Verdict::Up).0, rule);
    miss(&mut votes, 12);
    let slow = poll(1, 11, 0, Verdict::Down);
    assert_eq!(weigh(&mut votes, rule, slow), Weighed::New(Standing::Full));
    miss(&mut votes, 14);
    let next = weigh(&mut votes, rule, poll(1, 13, 0, Verdict::Up));
    assert_eq!(next, Weighed::New(Standing::Full));
    // What was told to have passed was polled after all, and something newer is known.
    let late = weigh(&mut votes, rule, poll(1, 12, 0, Verdict::Down));
    assert_eq!(late, Weighed::InPlaceOfMissed(Standing::Late));
}

#[test]
fn a_recheck_of_a_slot_that_was_told_to_have_passed_is_repeated_like_any_other() {
    let (mut votes, rule) = (Votes::default(), Rule::new(60_000, 1, 0));
    let recheck = poll(1, 7, 2, Verdict::Down);
    assert_eq!(weigh(&mut votes, rule, recheck), Weighed::New(Standing::Full));
    votes.miss(poll(1, 7, 0, Verdict::Up).0, rule);
    assert_eq!(weigh(&mut votes, rule, recheck), Weighed::Repeated);
}
