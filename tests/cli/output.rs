//! What is printed where, and how the program behaves when nobody reads it.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::fleet::list::Wishes;
use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

#[test]
fn without_arguments_the_short_help_is_printed() {
    let home = Home::new();
    let output = home.command(&[]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("--start") && text.contains("--viewstats"), "{text}");
    assert!(!home.data("").exists());
}

#[test]
fn a_check_prints_the_plan_and_starts_nothing() {
    let home = Home::new();
    let entries: Vec<Value> = (0..50)
        .map(|n| json!({"url": format!("http://127.0.0.1:9/{n}"), "interval": 10}))
        .collect();
    home.list(&entries);
    let done = home.run(&["--check", "--max-workers", "7"]).works();
    for word in ["50 entries", "50 targets", "5.0 polls a second", "7 polls in flight", "data"] {
        assert!(done.out.contains(word), "no {word:?} in {}", done.out);
    }
    assert!(!home.data("").exists());
    let done = home.run(&["--check", "-l", "3"]).works();
    assert!(done.out.contains("3 targets"), "{}", done.out);
}

#[test]
fn starting_may_show_the_summary_as_well() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[json!(fleet.url(0, "/"))]);
    let done = home.start(&["-i"]);
    assert!(done.err.contains("polling 1 target "), "{}", done.err);
    assert!(done.out.contains("1 target,") && done.out.contains("live"), "{}", done.out);
    let done = home.run(&["health"]).works();
    assert!(done.out.starts_with("OK"), "{}", done.out);
    home.stop();
}

#[test]
fn a_stopped_daemon_lists_all_that_was_down() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let entries: Vec<Value> = (0..30)
        .map(|n| json!({"url": fleet.url(n, "/s503"), "interval": 5, "timeout": 20, "retries": 0}))
        .collect();
    home.list(&entries);
    home.start(&[]);
    wait_for("all to be down", || (home.summary()["targets"]["down"] == json!(30)).then_some(()));
    home.stop();
    let listed = |arguments: &[&str]| -> usize {
        let text = home.run(arguments).works().out;
        serde_json::from_str::<Value>(&text).unwrap()["down"].as_array().unwrap().len()
    };
    assert_eq!(listed(&["-i", "--json"]), 20);
    assert_eq!(listed(&["-i", "--json", "--all"]), 30);
    let text = home.run(&["-i", "--all"]).works().out;
    assert!(text.contains("is stopped since") && !text.contains("--all"), "{text}");
    let trouble = text.split("\n\n").next().unwrap_or_default();
    assert_eq!(trouble.matches("/s503").count(), 30, "{text}");
}

#[test]
fn finished_polls_can_be_followed() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let bad = fleet.url(1, "/s503");
    home.list(&[
        json!({"url": fleet.url(0, "/b1234"), "interval": 1, "timeout": 20}),
        json!({"url": bad, "interval": 1, "timeout": 20}),
    ]);
    home.start(&[]);
    let mut child = home.command(&["--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    let (mut seen, mut line) = (Vec::new(), String::new());
    while seen.len() < 6 {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut reader, &mut line).unwrap() > 0, "{seen:?}");
        seen.push(line.clone());
    }
    home.stop();
    assert!(child.wait().unwrap().code().is_some());
    let good = format!(" - {} - 1234 Bytes\n", fleet.url(0, "/b1234"));
    assert!(seen.iter().any(|line| line.ends_with(&good)), "{seen:?}");
    let failed = format!(" - {bad} - ");
    assert!(seen.iter().any(|line| line.contains(&failed) && !line.contains("Bytes")), "{seen:?}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let wishes = Wishes { targets: 3_000, interval_seconds: 60, ..Wishes::default() };
    home.write("urls.json", &fleet.list_json(&wishes));
    home.start(&[]);
    let asked: [&[&str]; 5] = [
        &["targets"],
        &["-i", "--all"],
        &["-i", "--json"],
        &["sql", "SELECT * FROM targets"],
        &["man"],
    ];
    for arguments in asked {
        let mut command = home.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*told), (Some(0), ""), "{arguments:?}");
    }
    home.stop();
}

#[test]
fn results_are_on_standard_output_and_the_rest_is_not() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[json!({"url": fleet.url(0, "/"), "interval": 1, "timeout": 20})]);
    assert_eq!(home.start(&[]).out, "");
    wait_for("a poll", || (fleet.statistics().answers > 0).then_some(()));
    let done = home.run(&["-i", "--json"]).works();
    assert_eq!((done.out.lines().count(), &*done.err), (1, ""));
    let stopped = home.run(&["--stop"]).works();
    assert!(stopped.out.contains("has stopped") && stopped.err.is_empty(), "{stopped:?}");
    let text = home.run(&["-i"]).works().out;
    assert!(text.contains("stopped") || text.contains("does not run"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}
