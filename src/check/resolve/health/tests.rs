//! What name servers are taken for, in virtual time.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const FAILURE: Fault = Fault::new(Cause::Dns, Detail::ServerFailure);

/// Servers that have been silent for long enough.
fn closed(now: Instant) -> Health {
    let mut health = Health::new();
    assert_eq!(health.weigh_silence(FEW, now), Change::Closed(Fault::unanswered()));
    health
}

#[test]
fn few_names_without_an_answer_say_nothing_of_a_server() {
    let (mut health, now) = (Health::new(), Instant::now());
    assert_eq!(health.weigh_silence(FEW - 1, now), Change::None);
    health.note(Sign::Silent, Standing::Good, now);
    assert_eq!(health.weigh_silence(FEW - 2, now), Change::None);
    assert_eq!(health.turn(Standing::Good, now), Turn::Ask);
    assert_eq!(health.weigh_silence(FEW - 1, now), Change::Closed(Fault::unanswered()));
}

#[test]
fn names_that_failed_before_say_nothing_of_a_server() {
    let (mut health, start) = (Health::new(), Instant::now());
    for second in 0..100 {
        let now = start + SECOND * second;
        for sign in [Sign::Silent, Sign::Absent, Sign::Failed(FAILURE), Sign::Nothing] {
            assert_eq!(health.note(sign, Standing::Suspect, now), Change::None);
        }
        assert_eq!(health.weigh_silence(FEW - 1, now), Change::None);
    }
}

#[test]
fn where_nobody_is_there_it_shows_at_once() {
    let (mut health, now) = (Health::new(), Instant::now());
    assert_eq!(health.note(Sign::Absent, Standing::Good, now), Change::None);
    assert_eq!(health.note(Sign::Absent, Standing::Good, now), Change::None);
    assert_eq!(health.note(Sign::Absent, Standing::Good, now), Change::Closed(Fault::unanswered()));
    assert_eq!(health.note(Sign::Absent, Standing::Good, now), Change::None);
}

#[test]
fn a_server_that_is_silent_is_asked_once_a_second_and_more_seldom_for_names_that_failed() {
    let start = Instant::now();
    let mut health = closed(start);
    let mut asked = [0, 0];
    for tenth in 0..=300 {
        let now = start + SECOND / 10 * tenth;
        for (asked, standing) in asked.iter_mut().zip([Standing::Good, Standing::Suspect]) {
            for _ in 0..100 {
                match health.turn(standing, now) {
                    Turn::Ask => *asked += 1,
                    Turn::Refuse(fault) => assert_eq!(fault, Fault::unanswered()),
                }
            }
        }
    }
    assert_eq!(asked, [30, 6]);
}

#[test]
fn who_answers_again_is_asked_for_few_names_first_and_for_more_with_each_answer() {
    let start = Instant::now();
    let mut health = closed(start);
    assert_eq!(health.note(Sign::Served, Standing::Suspect, start), Change::Opened);
    assert_eq!((health.allowed(), health.turn(Standing::Good, start)), (AGAIN, Turn::Ask));
    for more in 1..100 {
        assert_eq!(health.note(Sign::Served, Standing::Good, start), Change::None);
        assert_eq!(health.allowed(), AGAIN + more);
    }
    assert_eq!(Health::new().allowed(), usize::MAX);
}

#[test]
fn a_failure_for_every_name_is_the_servers_own_and_for_some_it_is_theirs() {
    let (mut health, start) = (Health::new(), Instant::now());
    for second in 0..10 {
        let now = start + SECOND * second;
        for _ in 1..FAILING.0 {
            assert_eq!(health.note(Sign::Failed(FAILURE), Standing::Good, now), Change::None);
        }
        assert!(!health.is_failing());
        health.note(Sign::Served, Standing::Good, now);
    }
    for _ in 0..100 {
        assert_eq!(health.note(Sign::Failed(FAILURE), Standing::Good, start), Change::None);
    }
    let now = start + FAILING.1;
    let ours = Fault::new(Cause::Resolver, Detail::ServerFailure);
    // That it goes on shows also by a name that failed before.
    assert_eq!(health.note(Sign::Failed(FAILURE), Standing::Suspect, now), Change::Closed(ours));
    assert!(health.is_failing());
    assert_eq!(health.turn(Standing::Good, now), Turn::Refuse(ours));
    assert_eq!(health.note(Sign::Served, Standing::Good, now), Change::Opened);
    assert!(!health.is_failing());
}

#[test]
fn the_signs_are_told_from_the_fault_and_from_how_long_it_took() {
    let of = |cause, detail, took| Sign::of(Fault::new(cause, detail), took, SECOND);
    assert_eq!(of(Cause::Dns, Detail::NoSuchName, SECOND), Sign::Served);
    assert_eq!(of(Cause::Dns, Detail::ServerFailure, SECOND), Sign::Failed(FAILURE));
    assert!(matches!(of(Cause::Resolver, Detail::QueryRefused, SECOND), Sign::Failed(_)));
    assert_eq!(of(Cause::Resolver, Detail::Unanswered, SECOND), Sign::Silent);
    assert_eq!(of(Cause::Resolver, Detail::Unanswered, SECOND / 10), Sign::Absent);
    assert_eq!(of(Cause::NoNetwork, Detail::None, SECOND), Sign::Nothing);
    assert_eq!(of(Cause::NoResources, Detail::Descriptors, SECOND), Sign::Nothing);
}
