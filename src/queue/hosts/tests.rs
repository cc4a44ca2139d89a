//! What hosts have to bear, and no more.

use super::*;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::address::Address;
use crate::target::{CheckKind, Origin, Plan, Priority, Seat, TargetId};

fn target(number: u32, url: &str, plan: Plan) -> Target {
    Target {
        number,
        id: TargetId::of_address(CheckKind::Http, "GET", url, number),
        given_id: None,
        name: None,
        address: Address::parse(url).expect("a good address"),
        every_ms: 1_000,
        timeout_ms: 1_000,
        priority: Priority::Normal,
        plan: Arc::new(plan),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

fn hosts(most: u32, rate: Option<f64>) -> Hosts {
    let rate = rate.and_then(|rate| Rate::of(rate, Duration::from_secs(1)));
    let max_per_host = NonZeroU32::new(most);
    Hosts::new(Manners { max_per_host, host_rate: rate, ..Manners::none() })
}

fn join_all(hosts: &Hosts, targets: &[Target]) {
    for target in targets {
        hosts.join(target);
    }
}

fn enter(gate: &Arc<Gate>, now_us: u64) -> Pass {
    match gate.enter(now_us) {
        Entrance::Entered(pass) => pass,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_with_a_single_target_needs_no_gate_and_one_with_two_does() {
    let hosts = hosts(8, None);
    let one = target(1, "http://a.example/1", Plan::default());
    hosts.join(&one);
    assert!(hosts.gate(&one).is_none());
    let two = target(2, "http://A.example/2", Plan::default());
    hosts.join(&two);
    assert!(hosts.gate(&one).is_some());
    let elsewhere = target(3, "http://a.example:8080/", Plan::default());
    hosts.join(&elsewhere);
    assert!(hosts.gate(&elsewhere).is_none(), "another port is another host");
    for target in [&one, &two, &elsewhere] {
        hosts.leave(target);
    }
    assert!(hosts.gates.read().is_empty());
}

#[test]
fn no_more_polls_of_a_host_run_than_may_and_who_waits_hears_of_the_end_of_one() {
    let hosts = hosts(2, None);
    let targets = [1, 2, 3].map(|number| target(number, "http://a.example/", Plan::default()));
    join_all(&hosts, &targets);
    let inbox = hosts.inbox();
    let gate = hosts.gate(&targets[0]).expect("it is shared");
    let (first, _second) = (enter(&gate, 0), enter(&gate, 0));
    assert!(matches!(gate.enter(0), Entrance::Full));
    assert!(inbox.take().is_empty());
    drop(first);
    assert_eq!(inbox.take(), [gate.key()]);
    let _third = enter(&gate, 0);
    assert!(matches!(gate.enter(0), Entrance::Full));
}

#[test]
fn launches_for_a_host_are_spread_evenly_over_the_second() {
    let hosts = hosts(1_000, Some(4.0));
    let target = target(1, "http://a.example/", Plan::default());
    hosts.join(&target);
    let gate = hosts.gate(&target).expect("it has a rate");
    let began = |now_us: u64| matches!(gate.enter(now_us), Entrance::Entered(_));
    let times: Vec<u64> = (0..2_000_u64).filter(|ms| began(ms * 1_000)).collect();
    assert_eq!(times, [0, 250, 500, 750, 1_000, 1_250, 1_500, 1_750]);
}

#[test]
fn an_entry_says_for_its_host_what_that_bears() {
    let hosts = hosts(8, None);
    let plan = || Plan { max_per_host: NonZeroU32::new(1), ..Plan::default() };
    let targets = [1, 2].map(|number| target(number, "http://a.example/", plan()));
    join_all(&hosts, &targets);
    let gate = hosts.gate(&targets[1]).expect("it is shared");
    let _pass = enter(&gate, 0);
    assert!(matches!(gate.enter(0), Entrance::Full));
}

#[test]
fn an_address_has_a_pace_of_its_own_whatever_names_lead_to_it() {
    let rate = Rate::of(10.0, Duration::from_secs(1));
    let hosts = Hosts::new(Manners { address_rate: rate, ..Manners::none() });
    let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    assert_eq!(hosts.pass_address(one, 5), Ok(()));
    assert_eq!(hosts.pass_address(one, 6), Err(100_005));
    assert_eq!(hosts.pass_address(other, 6), Ok(()));
    assert_eq!(hosts.pass_address(one, 100_005), Ok(()));
}

#[test]
fn gates_are_passed_by_no_more_than_may_whoever_passes_them() {
    let hosts = hosts(3, None);
    let targets = [1, 2].map(|number| target(number, "http://a.example/", Plan::default()));
    join_all(&hosts, &targets);
    let gate = hosts.gate(&targets[0]).expect("it is shared");
    let most = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if let Entrance::Entered(_pass) = gate.enter(0) {
                        most.fetch_max(gate.in_flight.load(Ordering::SeqCst), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(gate.in_flight.load(Ordering::SeqCst), 0);
    assert!(most.load(Ordering::Relaxed) <= 3);
}
