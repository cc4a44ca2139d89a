//! From start to stop: nothing is missing, and nothing is left behind.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use super::{assert_consistent, entry};
use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

#[test]
fn what_was_answered_is_stored_and_shown_after_a_stop() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let paths = ["/d5-20", "/s404", "/d10/s503", "/b3000"];
    let entries: Vec<_> =
        (0..60).map(|n| entry(&fleet.url(n, paths[n as usize % paths.len()]), 1.0)).collect();
    home.list(&entries);
    home.start(&[]);
    let live = wait_for("every target to be polled", || {
        let live = home.summary();
        (live["targets"]["pending"] == 0).then_some(live)
    });
    assert_eq!((&live["state"], &live["pid"]), (&json!("running"), &json!(home.pid().unwrap())));
    assert_eq!(live["targets"]["total"], 60);
    assert!(live["checks"]["total"].as_u64() >= Some(60), "{live:#}");
    assert_eq!(live["checks"]["total"], live["checks"]["since_start"]);
    home.signal(Signal::TERM);
    home.until_gone();
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
    let targets = home.summary()["targets"].clone();
    assert_eq!((&targets["up"], &targets["down"]), (&json!(30), &json!(30)));
    for (code, paths) in
        [("200", "'%/d5-20' OR url LIKE '%/b3000'"), ("404", "'%/s404'"), ("503", "'%/s503'")]
    {
        let wrong =
            format!("SELECT count(*) FROM checks WHERE (url LIKE {paths}) <> (code = '{code}')");
        assert_eq!(home.number(&wrong), 0, "{code}");
    }
    assert_eq!(
        home.number("SELECT count(*) FROM checks WHERE url LIKE '%/b3000' AND bytes <> 3000"),
        0
    );
    assert!(home.log().contains("stopping") && home.log().contains("stopped: "), "{}", home.log());
}

#[test]
fn an_interrupt_waits_for_the_polls_in_flight() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&(0..20).map(|n| entry(&fleet.url(n, "/d1500"), 2.0)).collect::<Vec<_>>());
    let mut daemon = home.attach(&[]);
    wait_for("polls in flight", || (fleet.statistics().requests >= 10).then_some(()));
    daemon.signal(Signal::INT);
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
    let seen = fleet.statistics();
    assert_eq!(seen.answers, seen.requests, "nobody was left without an answer");
    assert_eq!(assert_consistent(&home), seen.answers);
}

#[test]
fn a_second_signal_ends_it_at_once_and_loses_nothing() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut entries: Vec<_> = (0..20).map(|n| entry(&fleet.url(n, "/"), 1.0)).collect();
    entries.push(json!({"url": fleet.url(30, "/silent"), "interval": 1, "timeout": "30m"}));
    home.list(&entries);
    let mut daemon = home.attach(&["--grace", "30m"]);
    wait_for("a poll in flight that gets no answer", || {
        (fleet.target_statistics(30).requests > 0 && fleet.statistics().answers > 30).then_some(())
    });
    daemon.signal(Signal::TERM);
    wait_for("the end to begin", || daemon.words().contains("stopping").then_some(()));
    assert_eq!(daemon.ended(), None, "it waits for the poll in flight");
    wait_for("the others to end", || (fleet.statistics().in_flight == 1).then_some(()));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
}

#[test]
fn usr1_logs_the_summary() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[entry(&fleet.url(0, "/"), 1.0)]);
    home.start(&[]);
    assert!(!home.log().contains(" pending; "), "{}", home.log());
    home.signal(Signal::USR1);
    wait_for("a line in the log", || home.log().contains(" pending; ").then_some(()));
    home.stop();
}

#[test]
fn many_starts_and_stops_leave_nothing_behind() {
    let rounds =
        std::env::var("POLLER_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&(0..10).map(|n| entry(&fleet.url(n, "/"), 0.2)).collect::<Vec<_>>());
    for round in 1..=rounds {
        home.start(&[]);
        let before = fleet.statistics().answers;
        wait_for("a poll", || (fleet.statistics().answers > before).then_some(()));
        let daemon = home.pid().unwrap();
        assert_eq!(home.processes(), [daemon], "who started it is gone, round {round}");
        assert_eq!(children(daemon), 0, "round {round}");
        home.stop();
        home.until_gone();
        assert_eq!(fs::read_to_string(home.data("poller.pid")).unwrap(), "", "round {round}");
        assert!(!home.data("poller.sock").exists(), "round {round}");
    }
    let runs = home.number("SELECT count(*) FROM run");
    assert_eq!(runs, i64::from(rounds));
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
    let mut left: Vec<_> =
        fs::read_dir(home.data("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    let expected = ["poller.db", "poller.log", "poller.pid", "poller.spill"];
    let unexpected = |name: &&std::ffi::OsString| {
        let name = name.to_str().unwrap();
        !expected.contains(&name) && !name.starts_with("poller.db-")
    };
    assert_eq!(left.iter().filter(unexpected).count(), 0, "{left:?}");
}

/// Processes whose parent is `pid`, those that ended and were not waited for among them.
fn children(pid: u32) -> usize {
    let is_child = |entry: &fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold anything; state and parent follow it.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent.is_some_and(|parent| parent == pid.to_string())
    };
    fs::read_dir("/proc").unwrap().flatten().filter(is_child).count()
}
