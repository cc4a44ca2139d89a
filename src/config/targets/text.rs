//! Tells the forms of a list apart by their first bytes, and reads each.

use std::io::{self, BufRead, Read as _};

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::config::targets::array::{Broken, Elements, Place};
use crate::config::targets::loader::{Flow, Loader};
use crate::config::targets::{entry, prometheus, table};

/// Bytes that one line may have.
const LONGEST_LINE: u64 = 16 << 20;

/// Reads every entry of a list, or as many as are wanted.
pub(super) fn read(reader: impl BufRead, loader: &mut Loader<'_>) -> Result<(), Broken> {
    let reader = without_byte_order_mark(reader)?;
    let mut lines = Lines { reader, number: 0, line: Vec::new() };
    // Blank lines and comments before the first entry say nothing of the form.
    let first = loop {
        let blanks = lines.skip_blanks()?;
        match lines.reader.fill_buf()?.first() {
            None => return Ok(()),
            Some(b'[') => {
                let place = Place { line: lines.number + 1, column: blanks + 1 };
                return read_array(lines.reader, place, loader);
            }
            Some(b'#' | b'\n' | b'\r') => {}
            Some(first) => break *first,
        }
        lines.next()?;
    };
    lines.next()?;
    match first {
        b'{' => read_json_lines(lines, loader),
        _ if is_named_json(loader.name()) => {
            let is_utf_16 =
                lines.line.starts_with(b"\xff\xfe") || lines.line.starts_with(b"\xfe\xff");
            let reason = if is_utf_16 {
                "it is UTF-16 text; save it as UTF-8"
            } else {
                "expected a list: begin it with ["
            };
            Err(Broken::Syntax { line: lines.number, column: 1, reason: reason.to_owned() })
        }
        _ if table::is_header(&lines.line) => Ok(table::read(lines, loader)?),
        _ => read_plain(lines, loader),
    }
}

/// The text behind the byte order mark, if it begins with one; no more is waited for than tells.
fn without_byte_order_mark(mut reader: impl BufRead) -> io::Result<impl BufRead> {
    let mark = b"\xef\xbb\xbf";
    let mut first = Vec::with_capacity(mark.len());
    while let Some(&next) = mark.get(first.len()) {
        if reader.fill_buf()?.first() != Some(&next) {
            break;
        }
        reader.consume(1);
        first.push(next);
    }
    first.truncate(if first == mark { 0 } else { first.len() });
    Ok(io::Cursor::new(first).chain(reader))
}

/// A plain word in a file that calls itself JSON is no host name.
fn is_named_json(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn read_array(reader: impl BufRead, place: Place, loader: &mut Loader<'_>) -> Result<(), Broken> {
    let mut elements = Elements::new(reader, place);
    while let Some((place, bytes)) = elements.next()? {
        let flow = match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => take_json(loader, place.line, value),
            // What is JSON, and only more than can be read, is the entry's own fault.
            Err(error) => match unfit(bytes) {
                Some(reason) => loader.take(place.line, Err(reason)),
                None => return Err(place.syntax(&error)),
            },
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// Why an entry cannot be read although its brackets and commas are right; nothing if they are not.
fn unfit(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<IgnoredAny>(bytes).ok()?;
    if std::str::from_utf8(bytes).is_err() {
        return Some("is not UTF-8 text; save the list as UTF-8".to_owned());
    }
    let error = serde_json::from_slice::<Value>(bytes).err()?.to_string();
    let reason = error.rsplit_once(" at line ").map_or(&*error, |(reason, _)| reason);
    Some(format!("cannot be read: {reason}; write it shorter and flatter"))
}

/// Takes a JSON value as an entry, or as a group of them.
pub(super) fn take_json(loader: &mut Loader<'_>, line: u64, value: Value) -> Flow {
    if prometheus::is_group(&value) {
        return prometheus::take(loader, line, value);
    }
    loader.note(&value);
    let fields = entry::of_json(value, loader.origin, loader.usual());
    loader.take(line, fields)
}

/// Reads one JSON value a line, beginning with the line at hand.
fn read_json_lines<R: BufRead>(mut lines: Lines<R>, loader: &mut Loader<'_>) -> Result<(), Broken> {
    loop {
        let (number, line) = (lines.number, lines.line.trim_ascii());
        if !line.is_empty() && !line.starts_with(b"#") {
            let flow = match serde_json::from_slice::<Value>(line) {
                Ok(value) => take_json(loader, number, value),
                // An object that goes on in the next line: the file is no list of lines at all.
                Err(error) if error.is_eof() && loader.is_untouched() => {
                    let began = Place { line: number, column: 1 };
                    return Err(not_lines(began, &error));
                }
                Err(error) => loader.take(number, Err(format!("is not valid JSON: {error}"))),
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        if lines.next()?.is_none() {
            return Ok(());
        }
    }
}

fn not_lines(began: Place, error: &serde_json::Error) -> Broken {
    match began.syntax(error) {
        Broken::Syntax { line, column, .. } => {
            let reason = "the object does not end on its line; write the list as [ … ], or one \
                          whole object a line";
            Broken::Syntax { line, column, reason: reason.to_owned() }
        }
        unreadable @ Broken::Unreadable(_) => unreadable,
    }
}

fn read_plain<R: BufRead>(mut lines: Lines<R>, loader: &mut Loader<'_>) -> Result<(), Broken> {
    loop {
        if let Some(fields) = entry::of_line(&lines.line, loader.origin, loader.usual())
            && loader.take(lines.number, fields).is_break()
        {
            return Ok(());
        }
        if lines.next()?.is_none() {
            return Ok(());
        }
    }
}

/// Lines of bounded length.
pub(super) struct Lines<R> {
    reader: R,
    /// Number of the line at hand, from 1.
    pub(super) number: u64,
    /// The line at hand, with its end.
    pub(super) line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Passes over spaces and tabs, and says how many there were.
    fn skip_blanks(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        while let Some(b' ' | b'\t') = self.reader.fill_buf()?.first() {
            self.reader.consume(1);
            skipped += 1;
        }
        Ok(skipped)
    }

    /// The next line with its end; none at the end of the text.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let length = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() != Some(&b'\n')
            && u64::try_from(length).is_ok_and(|l| l == LONGEST_LINE)
        {
            let reason = format!("line {} is longer than 16 MiB", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(Some(&self.line))
    }
}
