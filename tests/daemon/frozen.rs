//! A store that takes nothing for a while: polling goes on, and nothing is lost.

use std::fs;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use super::{assert_consistent, entry};
use crate::disk::Disk;
use crate::fleet::{Fleet, Options};
use crate::home::{Attached, Home, wait_for};

/// Holds the store of a home as another program may.
struct Frost(Connection);

impl Frost {
    fn over(home: &Home) -> Self {
        let connection = Connection::open(home.data("poller.db")).unwrap();
        connection.busy_timeout(crate::home::PATIENCE).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        Self(connection)
    }

    fn thaw(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn fill(home: &Home, fleet: &Fleet) -> Attached {
    home.list(&(0..50).map(|n| entry(&fleet.url(n, "/d5"), 0.5)).collect::<Vec<_>>());
    let daemon = home.attach(&[]);
    wait_for("every target to be polled", || {
        (home.summary()["targets"]["pending"] == 0).then_some(())
    });
    daemon
}

/// Waits until the store has been degraded for some polls, and checks that nobody is blamed.
fn until_degraded(home: &Home, fleet: &Fleet) -> Value {
    let before = fleet.statistics().answers;
    let summary = wait_for("the store to be told as degraded, and polls to go on", || {
        let summary = home.summary();
        let is_degraded = summary["storage"]["state"] == "degraded";
        (is_degraded && fleet.statistics().answers > before + 100).then_some(summary)
    });
    assert!(summary["storage"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!(summary["targets"]["up"], 50, "{summary:#}");
    assert!(summary["storage"]["queued"].as_u64() > Some(0), "{summary:#}");
    assert_eq!(summary["storage"]["lost"], 0);
    summary
}

/// Waits until the store has taken all that waited.
fn until_taken(home: &Home) {
    wait_for("the store to take all that waited", || {
        let storage = home.summary()["storage"].clone();
        (storage["state"] == "ok" && storage["spilled"] == 0).then_some(())
    });
}

#[test]
fn a_store_that_another_program_holds_costs_nothing() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut daemon = fill(&home, &fleet);
    let frost = Frost::over(&home);
    until_degraded(&home, &fleet);
    wait_for("samples to be noted down beside it", || {
        (home.summary()["storage"]["spilled"].as_u64() > Some(0)).then_some(())
    });
    frost.thaw();
    until_taken(&home);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0);
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
}

#[test]
fn a_stop_while_the_store_is_held_leaves_the_rest_for_the_next_start() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut daemon = fill(&home, &fleet);
    let frost = Frost::over(&home);
    until_degraded(&home, &fleet);
    let held = home.stored();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
    assert_eq!(home.stored(), held);
    let answers = fleet.statistics().answers;
    frost.thaw();
    let mut daemon = home.attach(&[]);
    assert!(home.stored() >= answers, "the next start takes it in before it polls");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0);
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
}

#[test]
fn a_kill_while_the_store_is_held_leaves_a_spill_file_that_is_replayed() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut daemon = fill(&home, &fleet);
    let frost = Frost::over(&home);
    until_degraded(&home, &fleet);
    let spilled = wait_for("samples to be noted down", || {
        home.summary()["storage"]["spilled"].as_u64().filter(|spilled| *spilled > 50)
    });
    daemon.kill();
    let held = home.stored();
    assert!(fs::metadata(home.data("poller.spill")).unwrap().len() > 100 * spilled);
    frost.thaw();
    wait_for("the fleet to be quiet", || (fleet.statistics().in_flight == 0).then_some(()));
    let answers = fleet.statistics().answers;
    let mut daemon = home.attach(&[]);
    assert!(daemon.words().contains("spill file"), "{}", daemon.words());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0);
    let stored = assert_consistent(&home);
    assert!(stored >= held + spilled, "{held} + {spilled} of {answers}: {stored}");
    assert!(fs::metadata(home.data("poller.spill")).unwrap().len() < 100, "it is empty again");
}

#[test]
fn a_disk_that_is_full_costs_nothing_once_there_is_room() {
    let root = Home::new();
    let path = root.path("disk");
    let Some(disk) = Disk::mount(&path, 1) else {
        println!("skipped: this user may not mount a small disk");
        return;
    };
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::with_data(&path.join("data"));
    let mut daemon = fill(&home, &fleet);
    disk.fill();
    until_degraded(&home, &fleet);
    disk.empty();
    until_taken(&home);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
    assert_eq!(assert_consistent(&home), fleet.statistics().answers);
}
