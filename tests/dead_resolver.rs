//! Name servers that die and come back under a daemon: what is known serves on, what is not is told
//! as our own fault, and they get fewer questions than there are names.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;

use std::time::Instant;

use daemon::Daemon;
use fleet::{Fleet, Options};
use serde_json::{Value, json};

const NAMES: u32 = 300;
/// How long an address holds, and how often each name is polled, in seconds.
const TTL: u32 = 2;

fn count(daemon: &Daemon, what: &str) -> i64 {
    let rows = daemon.sql(&format!("SELECT count(*) AS n FROM {what}"));
    rows[0]["n"].as_i64().expect("a number")
}

/// What polls found: verdict, cause and detail, each kind once.
fn findings(daemon: &Daemon) -> Vec<String> {
    let query = "SELECT DISTINCT concat_ws(' ', verdict, cause, detail) AS found FROM checks \
                 ORDER BY found";
    let found = |row: &serde_json::Map<String, Value>| row["found"].as_str().map(str::to_owned);
    daemon.sql(query).iter().filter_map(found).collect()
}

/// Waits until each name has been polled so often on average.
fn pass(daemon: &Daemon, rounds: u32) {
    let before = count(daemon, "checks");
    daemon.wait_for("SELECT count(*) FROM checks", before + i64::from(NAMES * rounds));
}

#[test]
fn known_names_stay_up_while_name_servers_are_dead_and_those_get_few_questions() {
    let fleet = Fleet::start(Options { dns_ttl: TTL, ..Options::default() }).expect("a fleet");
    let list: Value = (0..NAMES)
        .map(|number| {
            let url = fleet.named_url(number, "/");
            json!({"url": url, "interval": TTL, "timeout": "1900ms", "retries": 0})
        })
        .collect();
    let names = u64::from(NAMES);

    // Nobody knows anything yet, and nobody is blamed for it.
    fleet.dns_dead(true);
    let (server, began) = (fleet.dns_address().to_string(), Instant::now());
    let daemon = Daemon::start(&list, &["--resolver", &server]);
    pass(&daemon, 3);
    assert_eq!(findings(&daemon), ["unknown resolver unanswered"]);
    let asked = fleet.statistics().queries;
    assert!(asked <= names + began.elapsed().as_secs(), "{asked} in {:?}", began.elapsed());

    fleet.dns_dead(false);
    daemon.wait_for("SELECT count(*) FROM targets WHERE state = 'up'", names.cast_signed());

    // While all is well, each name is asked for once while its address holds.
    fleet.reset();
    let began = Instant::now();
    pass(&daemon, 3);
    let (asked, spans) = (fleet.statistics().queries, began.elapsed().as_secs() / u64::from(TTL));
    assert!(asked >= names && asked <= names * (spans + 1), "{asked} in {:?}", began.elapsed());

    // What is known serves on, and the questions do not grow.
    fleet.dns_dead(true);
    fleet.reset();
    let unknown = count(&daemon, "checks WHERE verdict = 'unknown'");
    let began = Instant::now();
    pass(&daemon, 5);
    let asked = fleet.statistics().queries;
    assert!(asked <= names + began.elapsed().as_secs(), "{asked} in {:?}", began.elapsed());
    assert_eq!(count(&daemon, "checks WHERE verdict = 'unknown'"), unknown);

    fleet.dns_dead(false);
    fleet.reset();
    pass(&daemon, 2);
    while fleet.statistics().queries < names {
        pass(&daemon, 1);
    }
    assert_eq!(findings(&daemon), ["unknown resolver unanswered", "up"]);
    assert!(daemon.sql("SELECT * FROM incidents").is_empty());
    daemon.stop();
}
