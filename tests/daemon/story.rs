//! Targets that follow a script, over a crash: states, outages, uptime and percentiles are what
//! the polls say, reckoned anew from the raw samples.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::assert_consistent;
use crate::fleet::{Certificate, Fleet, Options};
use crate::home::{Home, wait_for};

/// Long enough for both rechecks between two polls.
const INTERVAL: u32 = 7;

fn scripted(id: &str, url: &str) -> Value {
    json!({"id": id, "url": url, "interval": INTERVAL, "timeout": 2})
}

fn fill(home: &Home, fleet: &Fleet) {
    fleet.script_paths("blip", &["/", "/s500", "/"]);
    fleet.script_paths("outage", &["/", "/s500", "/s500", "/s500", "/s500", "/s500", "/"]);
    fleet.script_paths("flapping", &["/", "/s404", "/d30", "/s410", "/d60", "/s404"]);
    let certificate = fleet.https_address_url(3, Certificate::Good, "/");
    let mut soon = scripted("soon", &certificate);
    soon["expect"] = json!({"certificate_days": 30_000});
    home.list(&[
        scripted("blip", &fleet.url(0, "/script/blip")),
        scripted("outage", &fleet.url(1, "/script/outage")),
        scripted("flapping", &fleet.url(2, "/script/flapping")),
        soon,
        scripted("ours", &fleet.named_url(4, "/")),
    ]);
    home.write("ca.pem", fleet.ca_pem());
}

fn state(home: &Home, id: &str) -> String {
    let rows = home.sql(&format!("SELECT state FROM targets WHERE id = '{id}'"));
    rows[0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn states_outages_and_uptime_are_what_the_polls_say() {
    let fleet = Fleet::start(Options { dns_ttl: 1, ..Options::default() }).unwrap();
    let home = Home::new();
    fill(&home, &fleet);
    fleet.dns_dead(true);
    let resolver = fleet.dns_address().to_string();
    let arguments = ["--resolver", &resolver, "--ca", "ca.pem"];
    let mut daemon = home.attach(&arguments);
    wait_for("the outage to be seen, and a fault of ours", || {
        (state(&home, "outage") == "down" && state(&home, "ours") == "unknown").then_some(())
    });
    assert_eq!(home.summary()["targets"]["unknown"], 1);
    fleet.dns_dead(false);
    daemon.kill();
    let mut daemon = home.attach(&arguments);
    assert_eq!((state(&home, "outage"), state(&home, "ours")), ("down".into(), "unknown".into()));
    wait_for("the scripts to end", || {
        let is_over = fleet.script_taken("flapping") >= 6 && fleet.script_taken("blip") >= 4;
        (is_over && state(&home, "outage") == "up" && state(&home, "ours") == "up").then_some(())
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), 0);

    assert_consistent(&home);
    assert_told(&home);
    let changes = changes_of_samples(&home);
    assert_eq!(changes, changes_stored(&home), "the changes follow from the samples");
    assert_outages(&home, &changes);
    assert_uptime(&home, &changes);
    assert_percentiles(&home);
}

/// What the scripts mean, in words.
fn assert_told(home: &Home) {
    for (id, states) in
        [("blip", "up"), ("soon", "warning"), ("outage", "up down up"), ("ours", "unknown up")]
    {
        let changes = changes_stored(home).remove(id).unwrap();
        let told: Vec<&str> = changes.iter().map(|(_, state)| state.as_str()).collect();
        assert_eq!(told.join(" "), states, "{id}");
    }
    let flaps = &changes_stored(home)["flapping"];
    assert!(flaps.len() >= 4 && flaps.iter().filter(|change| change.1 == "down").count() >= 2);
    let of = |id: &str, what: &str| {
        home.number(&format!("SELECT count(*) FROM checks WHERE target_id = '{id}' AND ({what})"))
    };
    assert_eq!(of("blip", "code = '500'"), 1, "the blip is stored");
    assert_eq!(of("blip", "kind = 'recheck'"), 1, "and so is the recheck that found nothing");
    assert!(of("outage", "kind = 'recheck' AND verdict = 'down'") >= 2);
    assert_eq!(of("soon", "verdict <> 'warning' OR cause <> 'assertion'"), 0);
    assert_eq!(of("ours", "verdict = 'down'"), 0, "what is our fault is not the target's");
    assert!(of("ours", "verdict = 'unknown' AND cause = 'resolver'") > 0);
}

type Changes = BTreeMap<String, Vec<(i64, String)>>;

/// The changes of state that the raw samples amount to: those of a failure that its rechecks
/// confirm count from its first poll.
fn changes_of_samples(home: &Home) -> Changes {
    let samples = home.sql(
        "SELECT c.target_id id, CAST(round(unixepoch(c.at, 'subsec') * 1000) AS INTEGER) at,
                c.verdict, s.result >> 14 & 1 AS provisional
         FROM checks c JOIN sample s ON s.key = c.key ORDER BY c.key",
    );
    let mut changes = Changes::new();
    let mut suspects = BTreeMap::new();
    for sample in samples {
        let text = |key: &str| sample[key].as_str().unwrap().to_owned();
        let (id, verdict, at) = (text("id"), text("verdict"), sample["at"].as_i64().unwrap());
        if verdict == "up" {
            suspects.remove(&id);
        } else if sample["provisional"] == 1 {
            suspects.entry(id).or_insert(at);
            continue;
        }
        let began = suspects.remove(&id).unwrap_or(at);
        let own = changes.entry(id).or_default();
        if own.last().is_none_or(|(_, state)| *state != verdict) {
            own.push((began, verdict));
        }
    }
    changes
}

fn changes_stored(home: &Home) -> Changes {
    let rows = home.sql(
        "SELECT g.given_id id, t.key >> 21 AS at, n.name state FROM transition t
         JOIN target g ON g.number = t.target JOIN state_name n ON n.code = t.to_state
         ORDER BY t.key",
    );
    let mut changes = Changes::new();
    for row in rows {
        let change = (row["at"].as_i64().unwrap(), row["state"].as_str().unwrap().to_owned());
        changes.entry(row["id"].as_str().unwrap().to_owned()).or_default().push(change);
    }
    changes
}

fn assert_outages(home: &Home, changes: &Changes) {
    for (id, changes) in changes {
        let mut expected: Vec<(i64, Option<i64>)> = Vec::new();
        for (at, state) in changes {
            match expected.last_mut() {
                Some(open) if open.1.is_none() => open.1 = Some(*at),
                _ if state == "down" => expected.push((*at, None)),
                _ => {}
            }
        }
        let rows = home.sql(&format!(
            "SELECT CAST(round(unixepoch(began, 'subsec') * 1000) AS INTEGER) began,
                    CAST(round(unixepoch(ended, 'subsec') * 1000) AS INTEGER) ended
             FROM incidents WHERE target_id = '{id}' ORDER BY 1"
        ));
        let stored: Vec<_> = rows
            .iter()
            .map(|row| (row["began"].as_i64().unwrap(), row["ended"].as_i64()))
            .collect();
        assert_eq!(stored, expected, "{id}");
    }
}

/// Uptime is the share of the watched time of known states that was not down.
fn assert_uptime(home: &Home, changes: &Changes) {
    let runs: Vec<(i64, i64)> = home
        .sql("SELECT started_ms began, watched_until_ms ended FROM run")
        .iter()
        .map(|run| (run["began"].as_i64().unwrap(), run["ended"].as_i64().unwrap()))
        .collect();
    assert_eq!(runs.len(), 2);
    let watched = |from: i64, until: i64| -> i64 {
        runs.iter().map(|run| (run.1.min(until) - run.0.max(from)).max(0)).sum()
    };
    let listed = home.run(&["targets", "--json"]).works().out;
    let rows: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(rows.len(), changes.len());
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let (mut up, mut known) = (0, 0);
        for (index, (at, state)) in changes[id].iter().enumerate() {
            let until = changes[id].get(index + 1).map_or(i64::MAX, |next| next.0);
            let length = if state == "unknown" { 0 } else { watched(*at, until) };
            known += length;
            up += if state == "down" { 0 } else { length };
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a minute")]
        let expected = up as f64 / known as f64;
        let told = row["uptime"]["24h"].as_f64().unwrap_or_else(|| panic!("{row}"));
        assert!((told - expected).abs() < 1e-6, "{id}: {told}, not {expected}");
    }
}

/// The percentiles of an hour are those of its samples, within 5 %.
fn assert_percentiles(home: &Home) {
    let latencies = home.sql(
        "SELECT target_id id, strftime('%Y-%m-%dT%H:00:00.000Z', at) hour, latency_ms ms FROM checks
         WHERE code GLOB '[0-9]*' ORDER BY latency_ms",
    );
    let mut exact: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for row in latencies {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        exact.entry((text("id"), text("hour"))).or_default().push(row["ms"].as_f64().unwrap());
    }
    let hours = home.sql("SELECT target_id id, hour, p50_ms, p99_ms, max_ms FROM hours");
    for hour in hours {
        let text = |key: &str| hour[key].as_str().unwrap().to_owned();
        let Some(exact) = exact.remove(&(text("id"), text("hour"))) else {
            assert!(hour["p50_ms"].is_null(), "{hour}");
            continue;
        };
        let last = exact.len() - 1;
        assert_eq!(hour["max_ms"].as_f64(), Some(exact[last]), "{hour}");
        for (told, exact) in [("p50_ms", exact[last / 2]), ("p99_ms", exact[last])] {
            let told = hour[told].as_f64().unwrap();
            assert!((told / exact - 1.0).abs() <= 0.05, "{hour}: {told}, not {exact}");
        }
    }
    assert!(exact.is_empty(), "{exact:?}");
}
