//! A daemon that is killed while it works: the store is whole and lacks the last second at most.

use std::time::{Duration, Instant};

use super::{assert_consistent, entry};
use crate::fleet::{Fleet, Options};
use crate::home::{Home, pause, wait_for};

const ROUNDS: u32 = 6;
const SECOND: Duration = Duration::from_secs(1);

/// The answers that the fleet had given at each moment.
struct Trail(Vec<(Instant, u64)>);

impl Trail {
    /// Watches the fleet for `length`.
    fn follow(&mut self, fleet: &Fleet, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.0.push((Instant::now(), fleet.statistics().answers));
            pause(Duration::from_millis(20));
        }
    }

    /// How long before `end` the fleet had given `count` answers.
    fn age(&self, count: u64, end: Instant) -> Duration {
        let passed = self.0.iter().find(|(_, answers)| *answers > count);
        passed.map_or(Duration::ZERO, |(at, _)| end.duration_since(*at))
    }
}

#[test]
fn a_kill_under_load_costs_the_last_second_at_most() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let paths = ["/d5-20", "/d1-50/s503", "/", "/flaky/3"];
    let entries: Vec<_> =
        (0..200).map(|n| entry(&fleet.url(n, paths[n as usize % paths.len()]), 1.0)).collect();
    home.list(&entries);
    let (mut lost, mut ages) = (0, Vec::new());
    for round in 0..ROUNDS {
        let mut daemon = home.attach(&[]);
        let before = home.summary()["checks"]["total"].as_u64().unwrap();
        let mut trail = Trail(Vec::new());
        let moment = crate::fleet::address::fraction(77, u64::from(round));
        trail.follow(&fleet, Duration::from_millis(700).mul_f64(1.0 + 3.0 * moment));
        let killed = Instant::now();
        daemon.kill();
        // Answers that were on their way belong to nobody.
        wait_for("the fleet to be quiet", || (fleet.statistics().in_flight == 0).then_some(()));
        let stored = home.stored();
        assert!(stored >= before, "{stored} after {before}");
        assert_eq!(home.summary()["checks"]["total"], stored, "the store alone agrees with itself");
        ages.push(trail.age(stored + lost, killed));
        lost = fleet.statistics().answers - stored;
    }
    ages.sort();
    println!("lacks after a kill, in order: {ages:?}");
    assert!(ages[ages.len() / 2] < SECOND, "{ages:?}");
    assert!(ages.last() < Some(&(5 * SECOND)), "{ages:?}");
    let daemon = home.attach(&[]);
    wait_for("it to poll again", || (home.summary()["targets"]["pending"] == 0).then_some(()));
    drop_in_order(&home, daemon);
    assert_eq!(
        fleet.statistics().answers - assert_consistent(&home),
        lost,
        "a start loses nothing"
    );
}

fn drop_in_order(home: &Home, mut daemon: crate::home::Attached) {
    home.stop();
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
}

#[test]
fn a_kill_leaves_neither_lock_nor_socket_in_the_way() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[entry(&fleet.url(0, "/"), 0.2)]);
    home.attach(&[]).kill();
    home.run(&["--stop"]).fails(1, &["no daemon"]);
    home.run(&["--reload"]).fails(1, &[]);
    assert_eq!(home.summary()["state"], "stopped");
    home.start(&[]);
    assert_eq!(home.summary()["state"], "running");
    home.stop();
    assert_consistent(&home);
}

#[test]
fn a_target_that_was_removed_after_a_kill_keeps_its_counts() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let both = [entry(&fleet.url(0, "/"), 0.2), entry(&fleet.url(1, "/s503"), 0.2)];
    home.list(&both);
    let mut daemon = home.attach(&[]);
    wait_for("some polls", || (fleet.target_statistics(1).requests > 5).then_some(()));
    wait_for("them to be stored", || (home.stored() > 5).then_some(()));
    daemon.kill();
    home.list(&both[..1]);
    home.start(&[]);
    home.stop();
    assert_consistent(&home);
    home.list(&both);
    home.start(&[]);
    wait_for("further polls", || (home.summary()["targets"]["pending"] == 0).then_some(()));
    home.stop();
    assert_consistent(&home);
    let outages = home.sql("SELECT ended IS NULL AS open FROM incidents ORDER BY began");
    let open: Vec<_> = outages.iter().map(|row| row["open"].as_i64().unwrap()).collect();
    assert_eq!(open, [0, 1], "the first ended when nobody watched any more");
}
