//! A result says what was found, in words and in data.

use std::time::Duration;

use poller::check::Facts;
use poller::outcome::{Cause, Detail, Finding};
use poller::target::Probe;
use poller::view::result::{CheckResult, Identity, NotRun, Status};
use serde_json::{Value, json};

use crate::samples::{self, checked, counted, outcome, target, website};

#[test]
fn the_status_is_that_of_the_verdict() {
    let of = |result: CheckResult| (result.status, result.raw_data["verdict"].clone());
    assert_eq!(of(samples::good()), (Status::Success, json!("up")));
    assert_eq!(of(samples::warning()), (Status::Warning, json!("warning")));
    assert_eq!(of(samples::down()), (Status::Error, json!("down")));
    assert_eq!(of(samples::unknown()), (Status::Error, json!("unknown")));
}

#[test]
fn a_result_says_who_it_is_of_when_it_finished_and_how_long_it_took() {
    let good = samples::good();
    assert_eq!(samples::warning().raw_data.get("error_type"), None, "a warning is no error");
    assert_eq!(good.id, "id of http://a.example/");
    assert_eq!(good.plugin_type, "website_status");
    assert_eq!(good.timestamp, "2026-11-22T10:33:20.999Z");
    assert_eq!(json!(good.response_time), json!(0.087));
    assert_eq!(good.raw_data["timeout"], json!(30.0));
    assert_eq!(good.raw_data["target"], "http://a.example/");
    for absent in ["error", "error_type"] {
        assert_eq!(good.raw_data.get(absent), None, "{absent} of a success");
    }
    assert_eq!((&good.raw_data["cause"], &good.raw_data["detail"]), (&Value::Null, &Value::Null));
}

#[test]
fn an_error_says_what_it_is_in_a_sentence_and_in_a_name() {
    let down = samples::down().raw_data;
    assert_eq!(
        (&down["error"], &down["error_type"]),
        (&json!("connection refused"), &json!("connect"))
    );
    assert_eq!((&down["cause"], &down["detail"]), (&json!("connect"), &json!("refused")));
}

#[test]
fn what_the_check_says_goes_before_what_its_finding_says() {
    let identity = Identity { id: "a".into(), plugin_type: "tcp".into() };
    let facts = Facts { message: "the banner is another one".into(), ..Facts::default() };
    let down = Finding::default().with_cause(Cause::Protocol, Detail::Line);
    let target = target("tcp://a.example:7", Probe::Http);
    let result = CheckResult::of(&identity, &target, &outcome(down), facts);
    assert_eq!(result.message, "the banner is another one");
    assert_eq!(result.raw_data["error"], "the banner is another one");
}

#[test]
fn facts_are_kept_and_cannot_pass_for_the_verdict() {
    let data = json!({"verdict": "up", "greeting": "hello"});
    let down = Finding::default().with_cause(Cause::Connect, Detail::Refused);
    let result = checked("http://a.example/", Probe::Http, down, data);
    assert_eq!(result.raw_data["greeting"], "hello");
    assert_eq!(result.raw_data["verdict"], "down");
}

#[test]
fn a_finding_is_told_in_words() {
    let answered = |status, bytes| Finding { status, bytes, ..Finding::default() };
    let failed = |cause, detail| Finding::default().with_cause(cause, detail);
    let told = [
        (answered(200, 5_100), "200 OK in 87 ms, 5.1 KB"),
        (answered(299, 5), "299 in 87 ms, 5 B"),
        (
            Finding { is_at_least: true, ..answered(200, 16_000_000) },
            "200 OK in 87 ms, at least 16.0 MB",
        ),
        (
            answered(503, 9).with_cause(Cause::Status, Detail::None),
            "status 503 Service Unavailable",
        ),
        (
            answered(200, 9).with_cause(Cause::Assertion, Detail::BodyContains),
            "200 OK: an expected text is not in the body",
        ),
        (failed(Cause::Connect, Detail::Refused), "connection refused"),
        (failed(Cause::Timeout, Detail::Waiting), "no answer within 30 s"),
        (failed(Cause::Tls, Detail::Expired), "the certificate has expired"),
        (failed(Cause::Dns, Detail::NoSuchName), "there is no such name"),
    ];
    for (finding, words) in told {
        assert_eq!(website(finding).message, words);
    }
}

#[test]
fn every_cause_and_detail_has_words() {
    for &cause in Cause::ALL {
        for &detail in Detail::ALL {
            let message = website(Finding::default().with_cause(cause, detail)).message;
            assert!(message.contains(' '), "{cause} ({detail}) is told as {message:?}");
        }
    }
}

#[test]
fn a_login_in_the_address_is_never_told() {
    let result = checked("http://me:s3cret@a.example/", Probe::Http, Finding::default(), json!({}));
    let told = serde_json::to_string(&result.raw_data).expect("JSON");
    assert!(!told.contains("s3cret"), "{told}");
}

#[test]
fn a_check_that_did_not_run_says_why() {
    let told = |reason| {
        let result = samples::not_run(&reason);
        assert_eq!(result.status, Status::Error);
        assert_eq!(result.raw_data["verdict"], "unknown");
        assert_eq!(result.raw_data["error"], json!(result.message));
        assert_eq!(result.raw_data["target"], "tcp://a.example:7");
        assert_eq!(result.timestamp, "2026-11-22T10:33:20.999Z");
        (result.raw_data["error_type"].as_str().map(str::to_owned), result.message)
    };
    let kind = |name: &str| Some(name.to_owned());
    let late = told(NotRun::Deadline(Duration::from_secs(5)));
    assert_eq!(late, (kind("deadline"), "not finished within the run's deadline of 5 s".into()));
    let late = told(NotRun::Deadline(Duration::from_millis(1_500)));
    assert_eq!(late.1, "not finished within the run's deadline of 1.5 s");
    let invalid = told(NotRun::Invalid("no host".into()));
    assert_eq!(invalid, (kind("invalid_check"), "no host".into()));
    assert_eq!(told(NotRun::Stopped).0, kind("stopped"));
}

#[test]
fn what_all_come_to_is_the_worst_of_it() {
    let (good, warning, down) = (samples::good(), samples::warning(), samples::down());
    let (unknown, late) = (samples::unknown(), samples::not_run(&NotRun::Stopped));
    let code = |results: &[&CheckResult]| {
        counted(&results.iter().copied().cloned().collect::<Vec<_>>()).exit_code()
    };
    assert_eq!(code(&[&good, &good]), 0);
    assert_eq!(code(&[&good, &warning]), 1);
    assert_eq!(code(&[&warning, &unknown]), 3);
    assert_eq!(code(&[&warning, &late]), 3);
    assert_eq!(code(&[&late, &down, &warning]), 2);
}

#[test]
fn the_share_of_successes_is_never_told_as_all_when_one_failed() {
    let mut counts = counted(&[samples::down()]);
    (0..99_999).for_each(|_| counts.add(&samples::good()));
    assert_eq!(json!(counts.success_percentage()), json!(99.99));
    assert_eq!(json!(counted(&[]).success_percentage()), json!(0.0));
    assert_eq!(json!(counted(&[samples::good()]).success_percentage()), json!(100.0));
}
