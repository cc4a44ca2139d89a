//! Results for people: one a line, and what they come to.

use std::io::{self, Write};
use std::time::Duration;

use super::{Counts, Form};
use crate::view::result::{CheckResult, Status};
use crate::view::text::{Colour, Style, count, duration, plural, shorten};

/// Columns that the target gets at most.
const WIDEST: usize = 48;

/// A table of which each row is written when it comes.
pub struct Table<W> {
    out: W,
    style: Style,
    rows: Rows,
}

/// Which rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Every one.
    All,
    /// None: what they come to is enough.
    Summary,
}

impl<W: Write + Send> Table<W> {
    /// A table that goes to `out`.
    pub const fn new(out: W, style: Style, rows: Rows) -> Self {
        Self { out, style, rows }
    }

    fn coloured(&self, text: &str, status: Status) -> String {
        let code = match status {
            Status::Success => 32,
            Status::Warning => 33,
            Status::Error => 31,
        };
        match self.style.colour {
            Colour::Never => text.to_owned(),
            Colour::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// The word for a result in a table.
fn word(result: &CheckResult) -> &'static str {
    match result.status {
        Status::Success => "ok",
        Status::Warning => "warning",
        Status::Error if result.is_unknown() => "unknown",
        Status::Error => "error",
    }
}

/// `text` without control characters.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

impl<W: Write + Send> Form for Table<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        if self.rows == Rows::Summary {
            return Ok(());
        }
        let word = self.coloured(&format!("{:<7}", word(result)), result.status);
        let time = match result.response_time {
            none if none <= 0.0 => "-".to_owned(),
            seconds => duration(seconds),
        };
        let target = shorten(&clean(result.shown()), WIDEST);
        writeln!(self.out, "{word}  {time:>8}  {target:<28}  {}", clean(&result.message))
    }

    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()> {
        if self.rows == Rows::All && counts.total > 1 {
            writeln!(self.out)?;
        }
        if self.rows == Rows::Summary || counts.total != 1 {
            let Counts { total, success, warning, error, unknown } = *counts;
            let unknown = match unknown {
                0 => String::new(),
                some => format!(" ({} of them unknown)", count(some)),
            };
            let checks = plural(total, "check");
            let took = duration(took.as_secs_f64());
            writeln!(
                self.out,
                "{checks} in {took}: {} success, {} warning, {} error{unknown}",
                count(success),
                count(warning),
                count(error),
            )?;
        }
        self.out.flush()
    }
}
