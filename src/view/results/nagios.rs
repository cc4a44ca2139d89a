//! Results as the one line that Nagios and its kin read from a plugin (Monitoring Plugins
//! Development Guidelines, "Plugin output" and "Performance data").

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;

use super::{Counts, Form};
use crate::view::result::{CheckResult, Status};

/// Characters of the sentence before the performance data.
const LONGEST: usize = 2_000;
/// Results that are not well and are named, of several.
const NAMED: usize = 5;

/// One line for all results.
pub struct Nagios<W> {
    out: W,
    first: Option<CheckResult>,
    trouble: Vec<String>,
}

impl<W: Write + Send> Nagios<W> {
    /// A line that goes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, first: None, trouble: Vec::new() }
    }
}

impl<W: Write + Send> Form for Nagios<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        if self.first.is_none() {
            self.first = Some(result.clone());
        }
        if result.status != Status::Success && self.trouble.len() < NAMED {
            self.trouble.push(format!("{}: {}", result.shown(), result.message));
        }
        Ok(())
    }

    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()> {
        let state = state(counts);
        let line = match &self.first {
            Some(only) if counts.total == 1 => {
                let said = clean(&format!("{} - {}", only.shown(), only.message));
                format!("{} {state} - {said} | {}", name(&only.plugin_type), performance(only))
            }
            _ => {
                let bad = counts.total - counts.success;
                let said = clean(&match bad {
                    0 => format!("{} checks, all ok", counts.total),
                    bad => {
                        format!("{bad} of {} not ok; {}", counts.total, self.trouble.join("; "))
                    }
                });
                let Counts { total, success, warning, error, .. } = counts;
                format!(
                    "CHECKS {state} - {said} | time={:.6}s;;;0; checks={total};;;0; \
                     success={success};;;0;{total} warning={warning};;;0;{total} \
                     error={error};;;0;{total}",
                    took.as_secs_f64()
                )
            }
        };
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

const fn state(counts: &Counts) -> &'static str {
    match counts.exit_code() {
        0 if counts.total > 0 => "OK",
        1 => "WARNING",
        2 => "CRITICAL",
        _ => "UNKNOWN",
    }
}

/// The name of the service that a kind of check is about.
fn name(plugin_type: &str) -> String {
    match plugin_type {
        "website_status" => "HTTP".to_owned(),
        "ssl_certificate" => "SSL".to_owned(),
        "mail_server" => "MAIL".to_owned(),
        "dns_record" => "DNS".to_owned(),
        "icmp" => "PING".to_owned(),
        "" => "CHECK".to_owned(),
        other => clean(&other.to_uppercase()),
    }
}

/// `text` without what would end it or begin the performance data.
fn clean(text: &str) -> String {
    let clean = |letter: char| match letter {
        '|' => '/',
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    text.chars().take(LONGEST).map(clean).collect()
}

/// The performance data of one result: `'label'=value[UOM];[warn];[crit];[min];[max]`.
fn performance(result: &CheckResult) -> String {
    let mut text = format!("time={:.6}s;;;0;", result.response_time);
    let number = |path: &str| result.raw_data.get(path).filter(|value| value.is_number());
    if let Some(size) = number("response_size") {
        let _ = write!(text, " size={size}B;;;0;");
    }
    if let Some(Value::Object(phases)) = result.raw_data.get("phases") {
        for (phase, label) in [
            ("resolve", "time_resolve"),
            ("connect", "time_connect"),
            ("tls", "time_tls"),
            ("first_byte", "time_firstbyte"),
            ("transfer", "time_transfer"),
        ] {
            if let Some(seconds) = phases.get(phase).and_then(Value::as_f64) {
                let _ = write!(text, " {label}={seconds:.6}s;;;0;");
            }
        }
    }
    if let Some(days) = number("days_until_expiration") {
        let below = |name: &str| number(name).map_or_else(String::new, |days| format!("{days}:"));
        let _ = write!(text, " days={days};{};{};;", below("warning_days"), below("critical_days"));
    }
    if let Some(loss) = number("loss_percent") {
        let _ = write!(text, " pl={loss}%;0;99;0;100");
    }
    let mean = result.raw_data.get("round_trip").and_then(|trip| trip.get("mean"));
    if let Some(mean) = mean.and_then(Value::as_f64) {
        let _ = write!(text, " rta={mean:.6}s;;;0;");
    }
    text
}
