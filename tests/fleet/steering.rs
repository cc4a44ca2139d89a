//! What is changed while the fleet runs: scripts, silence, the figures, also by HTTP.

use std::io::{ErrorKind, Write as _};
use std::sync::Arc;

use serde_json::Value;

use super::{MOMENT, ask, connect, get, split, start, whole};
use crate::fleet::list::Wishes;
use crate::fleet::{Fleet, Silence, address::address};

/// Sends a control request; the answer's body as JSON.
fn put(fleet: &Fleet, path: &str, body: &str) -> Value {
    let mut stream = connect(address(9), fleet.http_port());
    let request = format!("PUT {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    let answer = String::from_utf8(whole(stream).0).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(split(&answer).1).unwrap()
}

fn is_silent(fleet: &Fleet, target: u32) -> bool {
    let stream = ask(fleet, target, "/");
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    let (answer, end) = whole(stream);
    answer.is_empty() && end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn speaks(fleet: &Fleet, target: u32) -> bool {
    whole(ask(fleet, target, "/")).0.starts_with(b"HTTP/1.1 200")
}

fn statuses(fleet: &Fleet, path: &str) -> Vec<String> {
    (0..4).map(|_| get(fleet, path)[9..12].to_owned()).collect()
}

#[test]
fn a_script_takes_a_step_a_request_and_repeats_the_last() {
    let fleet = start();
    fleet.script_paths("up", &["/s500", "/s200", "/d10/s404"]);
    assert_eq!(statuses(&fleet, "/script/up"), ["500", "200", "404", "404"]);
    assert_eq!(fleet.script_taken("up"), 4);
}

#[test]
fn a_script_is_set_by_http() {
    let fleet = start();
    put(&fleet, "/_script/way", r#"["/s503", "/s204"]"#);
    assert_eq!(statuses(&fleet, "/script/way"), ["503", "204", "204", "204"]);
}

#[test]
fn a_part_of_the_fleet_goes_silent_and_comes_back() {
    let fleet = start();
    fleet.silence(Silence::Targets(10, 19));
    assert!(is_silent(&fleet, 10) && is_silent(&fleet, 19));
    assert!(speaks(&fleet, 9) && speaks(&fleet, 20));
    let there = address(30);
    fleet.silence(Silence::Where(Arc::new(move |address| address == there)));
    assert!(is_silent(&fleet, 30) && speaks(&fleet, 10));
    fleet.silence(Silence::Nobody);
    assert!(speaks(&fleet, 30));
}

#[test]
fn silence_is_set_by_http_to_a_share_and_ended_by_a_silent_address() {
    let fleet = start();
    put(&fleet, "/_silence?share=1", "");
    assert!(is_silent(&fleet, 9));
    put(&fleet, "/_silence?targets=5-6", "");
    assert!(is_silent(&fleet, 5) && speaks(&fleet, 7));
    put(&fleet, "/_silence?nobody", "");
    assert!(speaks(&fleet, 5));
}

#[test]
fn the_figures_are_told_and_forgotten_by_http() {
    let fleet = start();
    get(&fleet, "/d5");
    let figures = put(&fleet, "/_stats", "");
    assert_eq!(figures["requests"], 1);
    assert!(figures["delay_us"]["max"].as_u64().unwrap() >= 5000);
    put(&fleet, "/_reset", "");
    assert_eq!(put(&fleet, "/_stats", "")["requests"], 0);
}

#[test]
fn a_list_is_the_same_each_time_and_mixed_as_wished() {
    let fleet = start();
    let wishes = Wishes {
        targets: 2000,
        interval_seconds: 10,
        names: 0.5,
        latency_ms: (5, 50),
        statuses: vec![(200, 95.0), (404, 5.0)],
        tls: 0.1,
        faults: 0.05,
    };
    let list = fleet.list(&wishes);
    assert_eq!(list, fleet.list(&wishes));
    let count = |sign: &str| list.iter().filter(|url| url.contains(sign)).count();
    assert!((140..260).contains(&count("https://")), "{}", count("https://"));
    assert!((70..130).contains(&count("/s404")), "{}", count("/s404"));
    assert!((850..1250).contains(&count("fleet.test")), "{}", count("fleet.test"));
    assert!((1840..1960).contains(&count("/d5-50")), "{}", count("/d5-50"));
    let json: Vec<Value> = serde_json::from_str(&fleet.list_json(&wishes)).unwrap();
    assert_eq!((json.len(), &json[7]["interval"]), (2000, &Value::from(10)));
    assert_eq!(json[7]["url"], *list[7]);
}
