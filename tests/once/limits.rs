//! Deadlines, interruption and going on from there.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{batch_of, document, fleet, ids, results, website};
use crate::fleet::Fleet;
use crate::home::{Home, signal, wait_for};

/// Twenty checks of which the first hangs.
fn one_hangs(fleet: &Fleet) -> Vec<Value> {
    let hangs = website("hangs", &fleet.url(0, "/d600000/"));
    let others = (1..20).map(|number| website(&format!("c{number}"), &fleet.url(number, "/")));
    std::iter::once(hangs).chain(others).collect()
}

#[test]
fn the_deadline_ends_a_run_and_loses_nothing_that_has_finished() {
    let (fleet, home) = (fleet(), Home::new());
    let done = batch_of(&home, &one_hangs(&fleet), &["--timeout", "2", "--json"]);
    assert_eq!(done.code, Some(3), "{done:#?}");
    let document = document(&done);
    assert_eq!(results(&document).len(), 20);
    assert_eq!(document["summary"]["success"], 19);
    let first = &results(&document)[0];
    assert_eq!((&first["id"], &first["status"]), (&json!("hangs"), &json!("error")));
    assert_eq!(first["raw_data"]["error_type"], "deadline");
    assert!(first["message"].as_str().unwrap().contains("deadline of 2"), "{first}");
}

#[test]
fn checks_that_had_no_turn_before_the_deadline_say_so() {
    let (fleet, home) = (fleet(), Home::new());
    let checks: Vec<Value> = (0..30_u32)
        .map(|number| website(&format!("c{number}"), &fleet.url(number, "/d600000/")))
        .collect();
    let arguments = ["--deadline", "1", "--json", "--max-workers", "2", "--batch-size", "1"];
    let done = batch_of(&home, &checks, &arguments);
    let document = document(&done);
    assert_eq!(results(&document).len(), 30);
    assert!(results(&document).iter().all(|one| one["raw_data"]["error_type"] == "deadline"));
    assert_eq!(ids(&document)[29], "c29");
}

#[test]
fn the_variable_for_the_timeout_of_polls_says_nothing_of_a_batch() {
    let (fleet, home) = (fleet(), Home::new());
    let checks = [website("slow", &fleet.url(0, "/d400/"))];
    home.write("checks.json", &Value::from(&checks[..]).to_string());
    let code = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.env("POLLER_TIMEOUT", "100ms").output().expect("the program").status.code()
    };
    assert_eq!(code(&["batch", "checks.json"]), Some(0));
    assert_eq!(code(&["website", &fleet.url(0, "/d600000/")]), Some(2));
}

#[test]
fn an_interrupted_run_shows_what_has_finished_and_can_go_on() {
    let (fleet, home) = (fleet(), Home::new());
    fleet.script_paths("first", &["/d600000/", "/"]);
    let mut checks = one_hangs(&fleet);
    checks[0] = website("hangs", &fleet.url(0, "/script/first"));
    home.write("checks.json", &Value::from(checks).to_string());
    let mut command = home.command(&["batch", "checks.json", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program");
    wait_for("the others", || (fleet.statistics().answers >= 19).then_some(()));
    signal(child.id(), Signal::INT);
    let output = child.wait_with_output().expect("our child");
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    let first: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let kept = results(&first).len();
    assert!((1..20).contains(&kept), "{kept}");
    home.write("part.json", &text);
    fleet.reset();
    let done = home.run(&["batch", "checks.json", "--json", "--resume", "part.json"]).works();
    let whole = document(&done);
    assert_eq!(results(&whole).len(), 20);
    assert_eq!(ids(&whole)[0], "hangs");
    assert_eq!(fleet.statistics().answers + kept as u64, 20, "only what was missing");
    for result in results(&first) {
        assert!(results(&whole).contains(result), "kept as it was: {result}");
    }
}

#[test]
fn a_run_that_stops_on_an_error_gives_up_the_rest() {
    let (fleet, home) = (fleet(), Home::new());
    let mut checks = vec![website("bad", &fleet.url(0, "/s500/"))];
    checks.extend(
        (1..20).map(|number| website(&format!("c{number}"), &fleet.url(number, "/d600000/"))),
    );
    let done = batch_of(&home, &checks, &["--stop-on-error", "--json"]);
    assert_eq!(done.code, Some(2), "{done:#?}");
    assert_eq!(ids(&document(&done)), ["bad"]);
}

#[test]
fn what_an_earlier_run_has_found_outlives_a_deadline_of_the_one_that_goes_on() {
    let (fleet, home) = (fleet(), Home::new());
    let mut checks: Vec<Value> = (0..3_u32)
        .map(|number| website(&format!("hangs{number}"), &fleet.url(number, "/d600000/")))
        .collect();
    checks.extend((3..20_u32).map(|n| website(&format!("c{n}"), &fleet.url(n, "/"))));
    batch_of(&home, &checks, &["--timeout", "2", "--output", "out.json"]);
    let again =
        ["--timeout", "1", "--max-workers", "2", "--resume", "out.json", "--output", "out.json"];
    batch_of(&home, &checks, &again);
    let text = std::fs::read_to_string(home.path("out.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["summary"]["success"], 17, "{}", document["summary"]);
    assert_eq!(results(&document).len(), 20);
}

#[test]
fn a_list_without_end_does_not_outlive_the_deadline() {
    let home = Home::new();
    let mut endless = std::process::Command::new("yes");
    let mut endless = endless.arg("tcp://127.0.0.1:1").stdout(Stdio::piped()).spawn().unwrap();
    let mut command = home.command(&["batch", "-", "--timeout", "1", "--output", "out.json"]);
    command.stdin(Stdio::from(endless.stdout.take().unwrap())).stdout(Stdio::null());
    let mut child = command.spawn().expect("the program");
    let code = wait_for("the run to end", || child.try_wait().expect("our child"));
    let _ = endless.kill();
    let _ = endless.wait();
    assert_eq!(code.code(), Some(2));
}

#[test]
fn a_question_to_a_name_server_takes_no_longer_than_it_was_given() {
    let home = Home::new();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap().to_string();
    let done = home.run(&["dns", "a.test", "--nameserver", &server, "--timeout", "1", "--json"]);
    let document = document(&done);
    assert_eq!(results(&document)[0]["raw_data"]["timeout"], 1.0);
    let done = home.run(&["dns", "a.test", "--nameserver", "127.0.0.1:1", "--json"]);
    assert_eq!(results(&super::document(&done))[0]["raw_data"]["timeout"], 10.0);
}
