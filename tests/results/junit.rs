//! Results as a `JUnit` report, held to a schema by xmllint.

use poller::view::result::CheckResult;
use poller::view::results::{Form as _, Junit};

use crate::reader::{read, skipped};
use crate::samples::{self, Written, shown};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit.xsd");

fn report(results: &[CheckResult]) -> String {
    shown(|out| Junit::new(out).expect("a temporary file"), results)
}

/// What an `XPath` expression says of `report`.
fn asked(report: &str, question: &str) -> Option<String> {
    read("xmllint", &["--xpath", question, "-"], report).map(|answer| answer.trim_end().to_owned())
}

#[test]
fn a_report_is_what_its_readers_take() {
    for results in [samples::all(), Vec::new(), vec![samples::good()]] {
        let report = report(&results);
        if read("xmllint", &["--noout", "--schema", SCHEMA, "-"], &report).is_none() {
            return;
        }
    }
}

#[test]
fn the_schema_refuses_what_readers_do_not_take() {
    let good = report(&[samples::down()]);
    let broken = [
        ("no zone", good.replace("T10:33:20\"", "T10:33:20Z\"")),
        ("no case without a name", good.replace("testcase name=", "testcase other=")),
        ("no reason without a type", good.replace("type=\"connect\"", "")),
        ("no exponents", good.replace("0.087000", "8.7e-2")),
    ];
    for (rule, report) in broken {
        assert_ne!(report, good, "{rule} shows nothing");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("report.xml");
        std::fs::write(&file, report).expect("a file");
        let mut command = std::process::Command::new("xmllint");
        let Ok(output) = command.args(["--noout", "--schema", SCHEMA]).arg(&file).output() else {
            return skipped("xmllint is not installed");
        };
        assert!(!output.status.success(), "{rule}");
    }
}

#[test]
fn what_is_down_failed_and_what_nobody_knows_is_an_error() {
    let report = report(&samples::all());
    let counts = [
        ("count(//testcase)", "14"),
        ("count(//failure)", "4"),
        ("count(//error)", "4"),
        ("count(//system-out)", "3"),
        ("number(//testsuite/@tests)", "14"),
        ("number(//testsuite/@failures)", "4"),
        ("number(//testsuite/@errors)", "4"),
        ("number(/testsuites/@failures)", "4"),
        ("string(//testsuite/@timestamp)", "2026-11-22T10:33:20"),
        ("string(//testsuite/@time)", "1.200000"),
        ("string((//failure)[1]/@type)", "connect"),
        ("string((//failure)[1]/@message)", "connection refused"),
        ("string((//testcase)[1]/@name)", "http://a.example/"),
        ("string((//testcase)[1]/@classname)", "website_status"),
        ("string((//testcase)[1]/@time)", "0.087000"),
        ("string((//error)[2]/@type)", "deadline"),
        ("count((//testcase)[2]/failure | (//testcase)[2]/error)", "0"),
    ];
    for (question, expected) in counts {
        let Some(answer) = asked(&report, question) else { return };
        assert_eq!(answer, expected, "{question}");
    }
}

#[test]
fn nothing_that_others_say_breaks_the_report() {
    let report = report(&[samples::hostile()]);
    let allowed = |letter: char| {
        matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || letter > '\u{ffff}'
    };
    assert_eq!(report.chars().find(|&letter| !allowed(letter)), None, "{report}");
    let message = "string(//failure/@message)";
    let Some(answer) = asked(&report, message) else { return };
    assert!(answer.starts_with("a|b <c d=\"e\">&'f' ]]> \u{fffd}[31mg\u{fffd}"), "{answer:?}");
    assert!(answer.contains("{\"h\":1}"), "{answer:?}");
    assert_eq!(asked(&report, "string(//failure)"), Some(answer), "the text says the same");
}

#[test]
fn results_wait_for_the_head_of_the_report_in_a_file() {
    let written = Written::default();
    let mut form = Junit::new(written.clone()).expect("a temporary file");
    let large = CheckResult { message: "m".repeat(1 << 20), ..samples::down() };
    for _ in 0..8 {
        form.result(&large).expect("a disk takes it");
    }
    assert_eq!(written.text(), "", "the head, which counts them, comes first");
    assert!(open_files().any(|bytes| bytes >= 16 << 20), "no file holds 8 results of 2 MB");
}

/// The lengths of all files that are open in this process.
fn open_files() -> impl Iterator<Item = u64> {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux");
    descriptors.filter_map(|entry| Some(std::fs::metadata(entry.ok()?.path()).ok()?.len()))
}
