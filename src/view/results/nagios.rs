//! Results as the one line that Nagios and its kin read from a plugin (Monitoring Plugins
//! Development Guidelines, "Plugin output for Nagios" and "Performance data").

mod performance;

use std::io::{self, Write};
use std::time::Duration;

use super::{Counts, Form};
use crate::view::result::{CheckResult, Status};

/// Bytes of the line, its end among them: what Nagios reads of a plugin.
const LONGEST: usize = 4_096;
/// Bytes of what is said of one result of several.
const LONGEST_OF_MANY: usize = 600;
/// Results that are not well and are named, of several.
const NAMED: usize = 5;

/// One line for all results.
pub struct Nagios<W> {
    out: W,
    first: Option<CheckResult>,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl<W: Write + Send> Nagios<W> {
    /// A line that goes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, first: None, errors: Vec::new(), warnings: Vec::new() }
    }

    /// What several results come to, the worst first.
    fn summary(&self, counts: &Counts) -> String {
        let Counts { total, success, .. } = *counts;
        let bad = total - success;
        if bad == 0 {
            return format!("{total} checks, all ok");
        }
        let worst: Vec<&str> =
            self.errors.iter().chain(&self.warnings).take(NAMED).map(String::as_str).collect();
        let more = match bad.saturating_sub(worst.len() as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("{bad} of {total} not ok: {}{more}", worst.join("; "))
    }
}

impl<W: Write + Send> Form for Nagios<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        if self.first.is_none() {
            self.first = Some(result.clone());
        }
        let named = match result.status {
            Status::Success => return Ok(()),
            Status::Warning => &mut self.warnings,
            Status::Error => &mut self.errors,
        };
        if named.len() < NAMED {
            let said = format!("{}: {}", result.shown(), result.message);
            named.push(cut(&clean(&said), LONGEST_OF_MANY));
        }
        Ok(())
    }

    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()> {
        let state = state(counts);
        let (service, said, performance) = match &self.first {
            Some(only) if counts.total == 1 => {
                (service(&only.plugin_type), clean(&only.message), performance::of_one(only))
            }
            _ => ("CHECKS".to_owned(), self.summary(counts), performance::of_all(counts, took)),
        };
        let (before, after) = (format!("{service} {state} - "), format!(" | {performance}\n"));
        let room = LONGEST.saturating_sub(before.len() + after.len());
        write!(self.out, "{before}{}{after}", cut(&said, room))?;
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
fn service(plugin_type: &str) -> String {
    match plugin_type {
        "website_status" => "WEBSITE".to_owned(),
        "ssl_certificate" => "SSL".to_owned(),
        "mail_server" => "MAIL".to_owned(),
        "dns_record" => "DNS".to_owned(),
        "icmp" => "PING".to_owned(),
        "" => "CHECK".to_owned(),
        other => cut(&clean(&other.to_uppercase()), 60),
    }
}

/// `text` without what would end the line or begin the performance data.
fn clean(text: &str) -> String {
    let clean = |letter: char| match letter {
        '|' => '/',
        '\u{2028}' | '\u{2029}' => ' ',
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    text.chars().map(clean).collect()
}

/// `text` in at most `longest` bytes.
fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let mut end = longest.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}
