//! The forms in which results are shown.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{batch_of, document, fleet, results, website};
use crate::fleet::Fleet;
use crate::home::{Done, Home};

/// One of each: up, warning, down, unknown.
fn mixed(fleet: &Fleet) -> [Value; 4] {
    [
        website("up & \"about\"", &fleet.url(0, "/")),
        json!({"id": "warning", "plugin_type": "website_status",
            "config": {"url": fleet.url(1, "/text/here"), "expected_content": "<there>"}}),
        website("down", &fleet.url(2, "/s500/")),
        json!({"id": "wrong", "plugin_type": "website_status", "config": {"url": "a|b\u{1}"}}),
    ]
}

fn run(arguments: &[&str]) -> Done {
    let (fleet, home) = (fleet(), Home::new());
    batch_of(&home, &mixed(&fleet), arguments)
}

#[test]
fn json_has_a_summary_and_every_result_with_all_its_keys() {
    let done = run(&["--json"]);
    let document = document(&done);
    let summary = &document["summary"];
    assert_eq!(summary["total"], 4);
    assert_eq!([&summary["success"], &summary["warning"], &summary["error"]], [1, 1, 2]);
    assert_eq!(summary["success_percentage"], 25.0);
    for result in results(&document) {
        for key in
            ["id", "plugin_type", "status", "message", "response_time", "raw_data", "timestamp"]
        {
            assert!(!result[key].is_null(), "{key} of {result}");
        }
        assert!(result["raw_data"]["verdict"].is_string());
    }
}

#[test]
fn json_lines_come_as_the_checks_finish() {
    let (fleet, home) = (fleet(), Home::new());
    let checks = [website("slow", &fleet.url(0, "/d700/")), website("quick", &fleet.url(1, "/"))];
    let done = batch_of(&home, &checks, &["--jsonl"]).works();
    let ids: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].clone())
        .collect();
    assert_eq!(ids, ["quick", "slow"]);
}

#[test]
fn the_table_names_each_target_and_sums_up() {
    let done = run(&[]);
    assert_eq!(done.out.lines().count(), 6, "{}", done.out);
    for (line, word) in done.out.lines().zip(["ok ", "warning ", "error ", "unknown "]) {
        assert!(line.starts_with(word), "{line}");
    }
    let last = done.out.lines().last().unwrap();
    assert!(last.starts_with("4 checks in "), "{last}");
    assert!(last.contains("1 success, 1 warning, 2 error (1 of them unknown)"), "{last}");
    assert!(!done.out.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn an_output_file_is_there_when_it_is_whole_and_the_summary_is_shown() {
    let (fleet, home) = (fleet(), Home::new());
    let done = batch_of(&home, &mixed(&fleet), &["--output", "out.json"]);
    assert_eq!(done.out.lines().count(), 1, "{}", done.out);
    let text = std::fs::read_to_string(home.path("out.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(results(&document).len(), 4);
    assert!(!home.path("out.json.part").exists());
}

/// The status word and the performance data of a line of a plugin, held to the guidelines:
/// `SERVICE STATUS - text | 'label'=value[UOM];[warn];[crit];[min];[max] …`.
fn plugin_line(text: &str) -> (String, Vec<(String, f64, String)>) {
    assert_eq!(text.matches('\n').count(), 1, "one line: {text:?}");
    assert_eq!(text.matches('|').count(), 1, "one bar: {text:?}");
    let (said, data) = text.trim_end().split_once('|').unwrap();
    let status = said.split_whitespace().nth(1).unwrap().to_owned();
    assert!(["OK", "WARNING", "CRITICAL", "UNKNOWN"].contains(&&*status), "{said}");
    let values = data.split_whitespace().map(|one| {
        let (label, rest) = one.split_once('=').expect("a label and its value");
        assert!(!label.contains(['\'', '=']) && !label.is_empty(), "{one}");
        let fields: Vec<&str> = rest.split(';').collect();
        assert!(fields.len() <= 5, "{one}");
        let digits = fields[0].find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
        let (value, unit) = fields[0].split_at(digits.unwrap_or(fields[0].len()));
        assert!(["", "s", "ms", "us", "%", "B", "KB", "MB", "c"].contains(&unit), "{one}");
        for range in &fields[1..3.min(fields.len())] {
            let range = range.trim_start_matches('@');
            let is_bound =
                |text: &str| text.is_empty() || text == "~" || text.parse::<f64>().is_ok();
            assert!(range.split(':').all(is_bound) && range.split(':').count() <= 2, "{one}");
        }
        for bound in fields.iter().skip(3) {
            assert!(bound.is_empty() || bound.parse::<f64>().is_ok(), "{one}");
        }
        (label.to_owned(), value.parse().expect("a number"), unit.to_owned())
    });
    (status, values.collect())
}

#[test]
fn nagios_gets_one_line_with_performance_data() {
    let (fleet, home) = (fleet(), Home::new());
    let done = home.run(&["website", &fleet.url(0, "/"), "--nagios"]).works();
    let (status, data) = plugin_line(&done.out);
    assert_eq!(status, "OK");
    assert!(
        data.iter().any(|(label, seconds, unit)| label == "time" && *seconds > 0.0 && unit == "s")
    );
    let done = run(&["--nagios"]);
    assert_eq!(done.code, Some(2));
    let (status, data) = plugin_line(&done.out);
    assert_eq!(status, "CRITICAL");
    let value = |name: &str| data.iter().find(|(label, ..)| label == name).map(|found| found.1);
    assert_eq!(
        [value("checks"), value("success"), value("error")],
        [Some(4.0), Some(1.0), Some(2.0)]
    );
}

/// Runs a program that reads `input`; none where it is not installed.
fn ask(program: &str, arguments: &[&str], input: &str) -> Option<(bool, String)> {
    use std::io::Write as _;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: {program} is not installed");
        return None;
    };
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("our child");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn jq_takes_the_document() {
    let done = run(&["--json"]);
    let Some((works, said)) =
        ask("jq", &["-c", "[.summary.total, (.results | length)]"], &done.out)
    else {
        return;
    };
    assert!(works && said.trim() == "[4,4]", "{said}");
}

#[test]
fn the_junit_report_keeps_to_its_schema_and_counts_right() {
    let (fleet, home) = (fleet(), Home::new());
    batch_of(&home, &mixed(&fleet), &["--junit", "report.xml"]);
    let report = std::fs::read_to_string(home.path("report.xml")).unwrap();
    assert!(report.contains("tests=\"4\" failures=\"1\" errors=\"1\""), "{report}");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit.xsd");
    let arguments = ["--noout", "--schema", schema, "-"];
    if let Some((works, said)) = ask("xmllint", &arguments, &report) {
        assert!(works, "{said}\n{report}");
    }
}

#[test]
fn a_reader_of_the_summary_that_left_does_not_cost_the_file() {
    let (fleet, home) = (fleet(), Home::new());
    home.write("checks.json", &Value::from(&mixed(&fleet)[..]).to_string());
    let mut command = home.command(&["batch", "checks.json", "--output", "out.json"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("our child").code(), Some(2));
    let text = std::fs::read_to_string(home.path("out.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(results(&document).len(), 4);
}
