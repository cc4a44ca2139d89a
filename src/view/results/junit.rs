//! Results as a `JUnit` report, as Jenkins and `GitLab` read it: a target that is down is a failure, one
//! of which nothing is known an error.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;

use super::{Counts, Form};
use crate::view::result::{CheckResult, Status};

/// A report; its cases wait in a temporary file until its head, which counts them, can be written.
pub struct Junit<W> {
    out: W,
    cases: io::BufWriter<File>,
    began: Option<String>,
}

impl<W: Write + Send> Junit<W> {
    /// A report that goes to `out`.
    ///
    /// # Errors
    /// No temporary file can be had.
    pub fn new(out: W) -> io::Result<Self> {
        let cases = io::BufWriter::new(tempfile::tempfile()?);
        Ok(Self { out, cases, began: None })
    }
}

impl<W: Write + Send> Form for Junit<W> {
    fn result(&mut self, result: &CheckResult) -> io::Result<()> {
        self.began.get_or_insert_with(|| result.timestamp.clone());
        let (name, class) = (escaped(result.shown()), escaped(&result.plugin_type));
        let message = escaped(&result.message);
        let kind = escaped(result.text("error_type").unwrap_or_default());
        write!(
            self.cases,
            "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{:.6}\"",
            result.response_time
        )?;
        match result.status {
            Status::Success => writeln!(self.cases, "/>"),
            Status::Warning => {
                writeln!(self.cases, "><system-out>warning: {message}</system-out></testcase>")
            }
            Status::Error => {
                let element = if result.is_unknown() { "error" } else { "failure" };
                writeln!(
                    self.cases,
                    "><{element} message=\"{message}\" type=\"{kind}\">{message}</{element}>\
                     </testcase>"
                )
            }
        }
    }

    fn end(&mut self, counts: &Counts, took: Duration) -> io::Result<()> {
        let Counts { total, error, unknown, .. } = counts;
        let counted = format!(
            "tests=\"{total}\" failures=\"{}\" errors=\"{unknown}\" time=\"{:.6}\"",
            error - unknown,
            took.as_secs_f64()
        );
        // The schema's times know no zone and no fraction.
        let began = self.began.as_deref().and_then(|time| time.get(..19)).unwrap_or_default();
        let began = if began.is_empty() { "1970-01-01T00:00:00" } else { began };
        writeln!(self.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(self.out, "<testsuites name=\"poller\" {counted}>")?;
        writeln!(
            self.out,
            "  <testsuite name=\"poller\" {counted} skipped=\"0\" timestamp=\"{began}\">"
        )?;
        self.cases.flush()?;
        let mut cases: &File = self.cases.get_ref();
        cases.seek(SeekFrom::Start(0))?;
        io::copy(&mut cases, &mut self.out)?;
        writeln!(self.out, "  </testsuite>\n</testsuites>")?;
        self.out.flush()
    }
}

/// `text` as XML takes it (XML 1.0, sections 2.2 and 2.4); what it cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}
