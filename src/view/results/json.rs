//! Results as one JSON document, or as one a line.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

use super::{Counts, Form};
use crate::view::result::CheckResult;

/// One document: `results` in their order, one a line, and then the `summary`.
pub struct Json<W> {
    out: W,
    is_begun: bool,
}

impl<W: Write + Send> Json<W> {
    /// A document that goes to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, is_begun: false }
    }
}

impl<W: Write + Send> Form for Json<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        self.out.write_all(if self.is_begun { b",\n" } else { b"{\"results\":[\n" })?;
        self.is_begun = true;
        Ok(serde_json::to_writer(&mut self.out, result)?)
    }

    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()> {
        let begun: &[u8] = if self.is_begun { b"\n" } else { b"{\"results\":[" };
        self.out.write_all(begun)?;
        let summary = json!({
            "total": counts.total,
            "success": counts.success,
            "warning": counts.warning,
            "error": counts.error,
            "success_percentage": counts.success_percentage(),
            "duration": took.as_secs_f64(),
        });
        writeln!(self.out, "],\"summary\":{summary}}}")?;
        self.out.flush()
    }
}

/// One document a line, which is written at once.
pub struct Lines<W>(pub W);

impl<W: Write + Send> Form for Lines<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        let mut line = serde_json::to_vec(result)?;
        line.push(b'\n');
        self.0.write_all(&line)?;
        self.0.flush()
    }

    fn end(&mut self, _counts: &Counts, _took: Duration) -> io::Result<()> {
        self.0.flush()
    }
}
