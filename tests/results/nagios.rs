//! Results as the one line of a Nagios plugin, read by its guidelines and by `Monitoring::Plugin`.

use poller::view::result::CheckResult;
use poller::view::results::Nagios;
use serde_json::json;

use crate::performance::{Measure, measures};
use crate::reader::{read, skipped};
use crate::samples::{self, shown};

/// Reads performance data, and says of each measure what it is and what its thresholds make of it.
const CONSUMER: &str = r"
use strict; use warnings; use JSON::PP; use Monitoring::Plugin::Performance;
local $/; my $text = <STDIN>; my @all;
for my $one (Monitoring::Plugin::Performance->parse_perfstring($text)) {
    push @all, [map { defined $_ ? qq($_) : '' }
        $one->label, $one->value, $one->uom, $one->min, $one->max, $one->threshold->get_status($one->value)];
}
print JSON::PP->new->encode(\@all);
";

/// A line, parted: what stands before the performance data, and that.
fn parted(results: &[CheckResult]) -> (String, Vec<Measure>) {
    let text = shown(Nagios::new, results);
    assert!(text.len() <= 4_096, "{} bytes", text.len());
    let line = text.strip_suffix('\n').expect("an end of the line");
    assert!(!line.contains(char::is_control), "{line:?}");
    let (said, performance) = line.split_once(" | ").expect("performance data");
    assert!(!said.contains('|') && !performance.contains('|'), "{line}");
    (said.to_owned(), measures(performance).unwrap_or_else(|error| panic!("{error}: {line}")))
}

fn said(result: CheckResult) -> String {
    parted(&[result]).0
}

#[test]
fn one_check_is_told_by_its_service_its_state_and_its_sentence() {
    let line = shown(Nagios::new, &[samples::good()]);
    let expected = "WEBSITE OK - 200 OK in 87 ms, 1.2 KB | time=0.087s;;;0;30 size=1256B;;;0;\n";
    assert_eq!(line, expected);
    assert_eq!(said(samples::down()), "WEBSITE CRITICAL - connection refused");
    assert_eq!(said(samples::unknown()), "WEBSITE UNKNOWN - we have no network");
    assert_eq!(said(samples::certificate(20)), "SSL WARNING - the certificate runs out soon");
    assert_eq!(said(samples::echo(100.0)), "PING CRITICAL - no answer within 30 s");
}

#[test]
fn thresholds_alert_where_the_check_does() {
    for (days, state) in
        [(64, "OK"), (30, "OK"), (29, "WARNING"), (14, "WARNING"), (13, "CRITICAL")]
    {
        let (said, measures) = parted(&[samples::certificate(days)]);
        assert!(said.starts_with(&format!("SSL {state} - ")), "{said}");
        let measure = measures.iter().find(|measure| measure.label == "days").expect("days");
        assert_eq!(by_thresholds(measure), state, "{days} days");
    }
    for (percent, state) in [(0.0, "OK"), (33.333_333, "WARNING"), (100.0, "CRITICAL")] {
        let (said, measures) = parted(&[samples::echo(percent)]);
        assert!(said.starts_with(&format!("PING {state} - ")), "{said}");
        let measure = measures.iter().find(|measure| measure.label == "pl").expect("loss");
        assert_eq!(by_thresholds(measure), state, "{percent} %");
    }
}

/// The state that a consumer makes of a measure.
fn by_thresholds(measure: &Measure) -> &'static str {
    let alerts = |range: Option<crate::performance::Range>| {
        range.is_some_and(|range| range.alerts(measure.value))
    };
    match (alerts(measure.critical), alerts(measure.warning)) {
        (true, _) => "CRITICAL",
        (false, true) => "WARNING",
        (false, false) => "OK",
    }
}

#[test]
fn several_checks_are_one_line_that_names_the_worst_first() {
    let mut results = vec![samples::warning(), samples::down()];
    results.extend((0..8).map(|_| samples::good()));
    let (said, measures) = parted(&results);
    let expected = "CHECKS CRITICAL - 2 of 10 not ok: http://a.example/: connection refused; \
                    http://a.example/: 200 OK: an expected text is not in the body";
    assert_eq!(said, expected);
    let values: Vec<_> = measures.iter().map(|measure| (&*measure.label, measure.value)).collect();
    let expected = [
        ("time", 1.2),
        ("checks", 10.0),
        ("success", 8.0),
        ("warning", 1.0),
        ("error", 1.0),
        ("unknown", 0.0),
    ];
    assert_eq!(values, expected);
    let well: Vec<_> = (0..3).map(|_| samples::good()).collect();
    assert_eq!(parted(&well).0, "CHECKS OK - 3 checks, all ok");
    assert_eq!(parted(&[]).0.split(" - ").next(), Some("CHECKS UNKNOWN"));
}

#[test]
fn many_bad_checks_are_counted_past_the_first() {
    let results: Vec<_> = (0..1_000).map(|_| samples::down()).collect();
    let (said, _) = parted(&results);
    assert!(said.starts_with("CHECKS CRITICAL - 1000 of 1000 not ok: "), "{said}");
    assert!(said.ends_with("; and 995 more"), "{said}");
}

#[test]
fn nothing_that_others_say_ends_the_line_or_makes_it_too_long() {
    let mut long = samples::hostile();
    long.message = samples::HOSTILE.repeat(300);
    long.raw_data.insert("target".into(), samples::HOSTILE.repeat(300).into());
    long.plugin_type = "website_status".into();
    let alone = parted(std::slice::from_ref(&long)).0;
    assert!(alone.starts_with("WEBSITE CRITICAL - a/b <c"), "{alone}");
    assert!(alone.ends_with('…') && alone.len() > 3_000, "{alone}");
    let several: Vec<_> = (0..9).map(|_| long.clone()).collect();
    assert!(parted(&several).0.ends_with("; and 4 more"));
    long.plugin_type = samples::HOSTILE.repeat(300);
    parted(&[long]);
}

#[test]
fn figures_that_a_check_makes_up_do_not_break_the_grammar() {
    let mut result = samples::good();
    let data = json!({"response_size": 1e-9, "loss_percent": 1e3, "days_until_expiration": -3,
        "warning_days": "30", "critical_days": 1e15, "phases": {"connect": 1e-7, "tls": "0.1"},
        "round_trip": 7});
    for (name, value) in data.as_object().expect("an object") {
        result.raw_data.insert(name.clone(), value.clone());
    }
    let (_, measures) = parted(&[result]);
    let labels: Vec<_> = measures.iter().map(|measure| &*measure.label).collect();
    assert_eq!(labels, ["time", "size", "time_connect", "days", "pl"]);
}

#[test]
fn a_consumer_of_plugins_reads_the_same() {
    let is_there = std::path::Path::new("/usr/share/perl5/Monitoring/Plugin/Performance.pm");
    if !is_there.exists() {
        return skipped("libmonitoring-plugin-perl is not installed");
    }
    let all = samples::all();
    let lines = all.iter().map(std::slice::from_ref).chain([&all[..], &all[..2]]);
    for results in lines {
        let text = shown(Nagios::new, results);
        let (_, performance) = text.trim_end().split_once(" | ").expect("performance data");
        let Some(answer) = read("perl", &["-e", CONSUMER], performance) else { return };
        let answer: Vec<[String; 6]> = serde_json::from_str(&answer).expect("JSON");
        let read = measures(performance).expect("performance data");
        assert_eq!(answer.len(), read.len(), "{performance}");
        for (theirs, ours) in answer.iter().zip(&read) {
            let [label, value, unit, least, largest, state] = theirs;
            assert_eq!((label, unit), (&ours.label, &ours.unit), "{performance}");
            let limit =
                |limit: Option<f64>| limit.map_or_else(String::new, |limit| limit.to_string());
            assert_eq!(value.parse(), Ok(ours.value), "{performance}");
            assert_eq!(
                (least, largest),
                (&limit(ours.least), &limit(ours.largest)),
                "{performance}"
            );
            let code =
                ["OK", "WARNING", "CRITICAL"].iter().position(|name| *name == by_thresholds(ours));
            assert_eq!(state.parse().ok(), code, "{performance}");
        }
    }
}
