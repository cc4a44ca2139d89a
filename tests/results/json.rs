//! Results as JSON, read by `serde_json` and by jq.

use poller::view::result::CheckResult;
use poller::view::results::{Form as _, Json, Lines};
use serde_json::{Value, json};

use crate::reader::read;
use crate::samples::{self, Written, shown};

#[test]
fn the_document_holds_every_result_in_order_and_what_they_come_to() {
    let results = samples::all();
    let text = shown(Json::new, &results);
    let document: Value = serde_json::from_str(&text).expect("one document");
    let back: Vec<CheckResult> =
        serde_json::from_value(document["results"].clone()).expect("results");
    assert_eq!(back, results);
    let summary = json!({"total": 14, "success": 3, "warning": 3, "error": 8,
        "success_percentage": 21.42, "duration": 1.2});
    assert_eq!(document["summary"], summary);
    assert_eq!(text.lines().count(), results.len() + 2, "one result a line");
}

#[test]
fn a_result_has_the_names_that_programs_rely_on() {
    let text = shown(Json::new, &[samples::down()]);
    let document: Value = serde_json::from_str(&text).expect("one document");
    let result = document["results"][0].as_object().expect("an object");
    let mut names: Vec<_> = result.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["id", "message", "plugin_type", "raw_data", "response_time", "status", "timestamp"];
    assert_eq!(names, expected);
    assert_eq!(result["status"], "error");
}

#[test]
fn no_results_are_a_document_as_well() {
    let document: Value = serde_json::from_str(&shown(Json::new, &[])).expect("one document");
    assert_eq!(document["results"], json!([]));
    assert_eq!(document["summary"]["total"], 0);
}

#[test]
fn jq_takes_the_document() {
    let results = samples::all();
    let question = "[.summary.total, (.results | length), ([.results[] | select(.status == \
                    \"error\")] | length), .results[-1].message, .results[2].raw_data.error_type]";
    let Some(answer) = read("jq", &["-c", question], &shown(Json::new, &results)) else { return };
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer, json!([14, 14, 8, samples::HOSTILE, "connect"]));
}

#[test]
fn jq_takes_each_line_alone() {
    let results = samples::all();
    let text = shown(Lines, &results);
    assert_eq!(text.lines().count(), results.len());
    for (line, result) in text.lines().zip(&results) {
        assert_eq!(serde_json::from_str::<CheckResult>(line).expect("a result"), *result);
    }
    let Some(answer) = read("jq", &["-r", "-c", ".id | length"], &text) else { return };
    let lengths: Vec<String> =
        results.iter().map(|result| result.id.chars().count().to_string()).collect();
    assert_eq!(answer.lines().collect::<Vec<_>>(), lengths);
}

#[test]
fn results_are_written_as_they_come() {
    let written = Written::default();
    let mut form = Json::new(written.clone());
    form.result(&samples::good()).expect("memory takes it");
    assert!(written.text().contains("\"status\":\"success\""));
}
