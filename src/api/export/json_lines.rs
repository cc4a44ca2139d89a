//! Rows as JSON, an object a line.

use std::io;

use super::format::RowWriter;
use super::row::ExportRow;

/// Writes rows as JSON lines.
pub(super) struct JsonLinesWriter;

impl<T: ExportRow> RowWriter<T> for JsonLinesWriter {
    fn begin(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn write(&mut self, rows: Vec<T>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(rows.len() * 256);
        for row in &rows {
            serde_json::to_writer(&mut bytes, row.object())?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }

    fn end(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
