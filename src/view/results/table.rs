//! Results for people: one a line, and what they come to.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::{Counts, Form};
use crate::view::result::{CheckResult, Status};
use crate::view::text::{Style, Tone, clean, count, duration, plural, shorten};

/// Columns of the word, the time and the gaps around them.
const BEFORE: usize = 7 + 2 + 8 + 2;
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

    /// Columns of the target: half of what is left, so that the sentence has the other.
    const fn columns(&self) -> usize {
        let half = self.style.width.saturating_sub(BEFORE) / 2;
        if half < WIDEST { half } else { WIDEST }
    }
}

/// The word for a result in a table, and its tone.
fn word(result: &CheckResult) -> (&'static str, Tone) {
    match result.status {
        Status::Success => ("ok", Tone::Good),
        Status::Warning => ("warning", Tone::Caution),
        Status::Error if result.is_unknown() => ("unknown", Tone::Bad),
        Status::Error => ("error", Tone::Bad),
    }
}

impl<W: Write + Send> Form for Table<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        if self.rows == Rows::Summary {
            return Ok(());
        }
        let (word, tone) = word(result);
        let mut line = String::new();
        tone.paint(word, self.style.colour, &mut line);
        let time = match result.response_time {
            none if none <= 0.0 => "-".to_owned(),
            seconds => duration(seconds),
        };
        let columns = self.columns();
        let target = shorten(result.shown(), columns);
        let gap = 7 - word.len();
        // Writing to a string cannot fail.
        let _ = write!(line, "{:gap$}  {time:>8}  {target:<columns$}  ", "");
        line.push_str(&clean(&result.message));
        writeln!(self.out, "{}", line.trim_end())
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
