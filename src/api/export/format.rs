//! `Format`: what an export is written in.

use std::io;

use super::csv::CsvWriter;
use super::json_lines::JsonLinesWriter;
use super::parquet::ParquetWriter;
use super::row::ExportRow;

/// What an export is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// A JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// All formats by their names.
    pub(super) const ALL: [(&'static str, Self); 3] =
        [("csv", Self::Csv), ("jsonl", Self::JsonLines), ("parquet", Self::Parquet)];

    /// The ending of a file's name.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// The type of the answer.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// What writes rows in this format.
    ///
    /// # Errors
    /// The writer cannot be set up.
    pub(super) fn writer<T: ExportRow>(self) -> io::Result<Box<dyn RowWriter<T>>> {
        Ok(match self {
            Self::Csv => Box::new(CsvWriter),
            Self::JsonLines => Box::new(JsonLinesWriter),
            Self::Parquet => Box::new(ParquetWriter::new()?),
        })
    }
}

/// Turns rows into bytes.
pub(super) trait RowWriter<T>: Send {
    /// What stands before all rows.
    ///
    /// # Errors
    /// It cannot be written.
    fn begin(&mut self) -> io::Result<Vec<u8>>;

    /// `rows`, and what was kept back of those before; nothing when these are kept back.
    ///
    /// # Errors
    /// They cannot be written.
    fn write(&mut self, rows: Vec<T>) -> io::Result<Vec<u8>>;

    /// What was kept back, and what stands behind all rows.
    ///
    /// # Errors
    /// It cannot be written.
    fn end(&mut self) -> io::Result<Vec<u8>>;
}
