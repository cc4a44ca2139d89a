//! Rows as comma-separated values (RFC 4180), which no spreadsheet takes for formulas.

use std::borrow::Cow;
use std::io;

use super::format::RowWriter;
use super::row::{Cell, ExportRow};

/// Writes rows as CSV, under a line of names.
pub(super) struct CsvWriter;

impl<T: ExportRow> RowWriter<T> for CsvWriter {
    fn begin(&mut self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(T::COLUMNS.iter().map(|column| column.name))?;
        written(writer)
    }

    fn write(&mut self, rows: Vec<T>) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            for column in 0..T::COLUMNS.len() {
                writer.write_field(shown(row.cell(column)).as_bytes())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        written(writer)
    }

    fn end(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

fn written(writer: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn shown(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => harmless(text.unwrap_or("")),
        Cell::Time(text, _) => Cow::Borrowed(text),
        Cell::Count(count) => Cow::Owned(count.to_string()),
        Cell::Seconds(seconds) => {
            Cow::Owned(seconds.map(|seconds| seconds.to_string()).unwrap_or_default())
        }
    }
}

/// `text`, with an apostrophe before what spreadsheets take for the beginning of a formula.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::past::{ExportedPoll, Poll};

    #[test]
    fn texts_are_quoted_and_no_formula_gets_through() {
        let poll = |id: &str, url: &str| ExportedPoll {
            at_ms: 0,
            poll: Poll { target_id: id.to_owned(), url: url.to_owned(), ..Poll::default() },
        };
        let rows = vec![poll("=HYPERLINK(1)", "http://a/?x=\"1\",2"), poll("plain", "@b\nc")];
        let bytes = CsvWriter.write(rows).expect("written");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with(",'=HYPERLINK(1),\"http://a/?x=\"\"1\"\",2\","), "{text}");
        assert!(text.contains(",plain,\"'@b\nc\","), "{text}");
        let mut read = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read: Vec<_> = read.records().map(|row| row.expect("a row")).collect();
        assert_eq!((read.len(), &read[0][2]), (2, "http://a/?x=\"1\",2"));
    }
}
