//! The summary.

use std::process::Command;

use poller::clock::rfc3339;
use poller::target::State;
use poller::view::{Lists, Summary, recent};

use super::asked::Asked;
use super::fed::{Fed, SLOTS, TARGETS};

pub(crate) fn it_is_that_of_one_machine(fed: &Fed, asked: &Asked) {
    let told = asked.door.client.summary(Lists::Short).expect("a summary");
    let mut own = Summary::default();
    let url = |number| fed.targets[&number].url.to_string();
    recent::tell(&mut own, fed.twin.fleet().recent, url, fed.now_ms / 1_000);
    assert_eq!(told.checks.last_5m, own.checks.last_5m);
    assert_eq!(told.largest_delay_5m, own.largest_delay_5m);
    assert_eq!(told.largest_answered_5m, own.largest_answered_5m);
    assert_eq!(told.slowest_5m, own.slowest_5m);
    assert_eq!(told.latency_5m, own.latency_5m);
    assert_eq!(told.phases_5m, own.phases_5m);
    assert_eq!(told.causes_5m, own.causes_5m);
    assert_eq!(told.schedule.lag_p99, own.schedule.lag_p99);
    assert_eq!(told.top_codes, recent::top_codes(fed.twin.fleet().totals));
    let polls = (TARGETS as u64 - 1) * SLOTS.unsigned_abs();
    assert_eq!((told.checks.total, told.checks.bytes), (polls, polls * 100));
    let count = |state| fed.twin.count_in_state(state);
    let targets = &told.targets;
    assert_eq!(
        (targets.up, targets.warning, targets.down, targets.pending),
        (count(State::Up), count(State::Warning), count(State::Down), 1)
    );
    assert_eq!((targets.total, targets.unique), (TARGETS as u64, TARGETS as u64));
    let down: Vec<_> =
        fed.twin.down().map(|one| (url(one.target), rfc3339(one.health.since_ms))).collect();
    assert!(!down.is_empty(), "some are down");
    let told_down: Vec<_> =
        told.down.iter().map(|one| (one.url.clone(), one.since.clone())).collect();
    assert_eq!(told_down, down.into_iter().take(20).collect::<Vec<_>>());
    // Certificates of nearly a day, and five days more with each: three run out within 14 days.
    let days: Vec<i64> = told.certificates_expiring.iter().map(|one| one.days).collect();
    assert_eq!((days, told.certificates_expiring_total), (vec![0, 5, 10], 3));
}

pub(crate) fn it_says_who_works_where(fed: &Fed, asked: &Asked) {
    let told = asked.door.client.summary(Lists::All).expect("a summary");
    let cluster = told.cluster.expect("a cluster");
    assert_eq!(told.state, "running");
    assert_eq!(cluster.shards, 4);
    assert_eq!(cluster.schedulers.unowned, [3]);
    assert_eq!((cluster.schedulers.members, cluster.recorders.members), (1, 1));
    assert_eq!(cluster.recorders.unowned, Vec::<u32>::new());
    let members: Vec<_> = cluster
        .members
        .iter()
        .map(|one| (one.name.as_str(), one.state.as_str(), one.shards))
        .collect();
    assert_eq!(
        members,
        [("c-1", "alive", 0), ("c-2", "lost", 0), ("r-1", "alive", 4), ("s-1", "alive", 3)]
    );
    assert_eq!((cluster.outcomes_behind, cluster.delay.max), (Some(12), 3.0));
    assert_eq!((told.in_flight.count, told.in_flight.limit), (5, 100), "of those that are alive");
    assert_eq!(told.checks.missed_by.standstill, 3);
    assert_eq!(cluster.gaps.len(), 1);
    let troubles = cluster.troubles.join("; ");
    assert!(
        troubles.starts_with("no scheduler for shard 3; no checker at location us since 5 min"),
        "{troubles}"
    );
    let behind = cluster.locations.iter().find(|location| location.name == "eu").expect("there");
    assert_eq!((behind.members, behind.lag_seconds), (1, Some(0.04)));
    assert!(told.storage.path.starts_with("postgres://127.0.0.1"), "{}", told.storage.path);
    assert!(!fed.url.contains("nobody"));
}

pub(crate) fn commands_print_it(fed: &Fed) {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        command.env_clear().env("TMPDIR", std::env::temp_dir()).args(arguments);
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = run(&["--viewstats", "--postgres", &fed.url]);
    assert!(text.starts_with("CLUSTER: no scheduler for shard 3\n"), "{text}");
    for line in [
        "poller cluster of 4 shards; live figures",
        "1 scheduler, 1 shard without one",
        "DOWN: 12 targets",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let all = run(&["-i", "--all", "--postgres", &fed.url]);
    assert!(all.contains("recorder  r-1  0.1.0  4 shards"), "{all}");
    let json: Summary =
        serde_json::from_str(&run(&["-i", "--json", "--postgres", &fed.url])).expect("JSON");
    assert_eq!(json.targets.total, TARGETS as u64);
    let table = run(&["targets", "--state", "down", "--postgres", &fed.url]);
    assert_eq!(
        table.lines().filter(|line| line.contains("https://host.example/")).count(),
        12,
        "{table}"
    );
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&run(&["--postgres", &fed.url, "targets", "--json"])).expect("JSON");
    assert_eq!(rows.len(), TARGETS);
}
