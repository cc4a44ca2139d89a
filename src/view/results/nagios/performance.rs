//! Performance data: `'label'=value[UOM];[warn];[crit];[min];[max]`, parted by blanks.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::Counts;
use crate::view::result::CheckResult;

/// Phases of a check by their names in `raw_data.phases`, and the labels that `check_curl` has for
/// them.
const PHASES: [(&str, &str); 5] = [
    ("resolve", "time_resolve"),
    ("connect", "time_connect"),
    ("tls", "time_tls"),
    ("first_byte", "time_firstbyte"),
    ("transfer", "time_transfer"),
];

/// What was measured in a number.
struct Measure<'t> {
    label: &'t str,
    value: f64,
    unit: &'static str,
    warning: String,
    critical: String,
    /// Its least and its largest value.
    bounds: (Option<f64>, Option<f64>),
}

impl<'t> Measure<'t> {
    /// Something that is never below zero.
    fn new(label: &'t str, value: f64, unit: &'static str) -> Self {
        let (warning, critical) = (String::new(), String::new());
        Self { label, value, unit, warning, critical, bounds: (Some(0.0), None) }
    }

    fn bounded(self, least: Option<f64>, largest: Option<f64>) -> Self {
        Self { bounds: (least, largest), ..self }
    }

    /// The same with the ranges in which it is no warning, and not critical.
    fn with_ranges(self, warning: String, critical: String) -> Self {
        Self { warning, critical, ..self }
    }

    fn write(&self, text: &mut String) {
        if !self.value.is_finite() {
            return;
        }
        let bound = |bound: Option<f64>| bound.map_or_else(String::new, number);
        let Self { label, unit, warning, critical, .. } = self;
        let (value, least, largest) =
            (number(self.value), bound(self.bounds.0), bound(self.bounds.1));
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{gap}{label}={value}{unit};{warning};{critical};{least};{largest}");
    }
}

/// `value` in digits, without an exponent and without what does not count.
fn number(value: f64) -> String {
    let digits = format!("{value:.6}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The range of all that is not below `least`.
fn from(least: Option<f64>) -> String {
    least.map_or_else(String::new, |least| format!("{}:", number(least)))
}

/// What one result measured.
pub(super) fn of_one(result: &CheckResult) -> String {
    let at = |name: &str| result.raw_data.get(name);
    let of = |name: &str| at(name).and_then(Value::as_f64);
    let mut text = String::new();
    Measure::new("time", result.response_time, "s")
        .bounded(Some(0.0), of("timeout"))
        .write(&mut text);
    if let Some(bytes) = of("response_size") {
        Measure::new("size", bytes, "B").write(&mut text);
    }
    for (phase, label) in PHASES {
        let seconds = at("phases").and_then(|phases| phases.get(phase)).and_then(Value::as_f64);
        if let Some(seconds) = seconds {
            Measure::new(label, seconds, "s").write(&mut text);
        }
    }
    if let Some(seconds) = of("query_time") {
        Measure::new("time_query", seconds, "s").write(&mut text);
    }
    if let Some(days) = of("days_until_expiration") {
        Measure::new("days", days, "")
            .bounded(None, None)
            .with_ranges(from(of("warning_days")), from(of("critical_days")))
            .write(&mut text);
    }
    if let Some(percent) = of("loss_percent") {
        Measure::new("pl", percent, "%")
            .bounded(Some(0.0), Some(100.0))
            .with_ranges("0".to_owned(), "99".to_owned())
            .write(&mut text);
    }
    let mean = at("round_trip").and_then(|trip| trip.get("mean")).and_then(Value::as_f64);
    if let Some(mean) = mean {
        Measure::new("rta", mean, "s").write(&mut text);
    }
    text
}

/// What all results come to.
#[expect(clippy::cast_precision_loss, reason = "counts of checks are far below 2^52")]
pub(super) fn of_all(counts: &Counts, took: Duration) -> String {
    let Counts { total, success, warning, error, unknown } = *counts;
    let mut text = String::new();
    Measure::new("time", took.as_secs_f64(), "s").write(&mut text);
    Measure::new("checks", total as f64, "").write(&mut text);
    let parts =
        [("success", success), ("warning", warning), ("error", error), ("unknown", unknown)];
    for (label, part) in parts {
        Measure::new(label, part as f64, "")
            .bounded(Some(0.0), Some(total as f64))
            .write(&mut text);
    }
    text
}
