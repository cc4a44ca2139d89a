//! Rows as Apache Parquet: a group of columns for every so many rows, compressed with Snappy.

use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::format::RowWriter;
use super::row::{Cell, Column, ExportRow, Kind};

/// Rows of a group; so many are held in memory.
const GROUP: usize = 20_000;

/// Writes rows as Parquet.
pub(super) struct ParquetWriter<T> {
    file: SerializedFileWriter<Vec<u8>>,
    waiting: Vec<T>,
}

impl<T: ExportRow> ParquetWriter<T> {
    /// A file without rows.
    ///
    /// # Errors
    /// Its columns cannot be described.
    pub(super) fn new() -> io::Result<Self> {
        let fields: Result<_, _> =
            T::COLUMNS.iter().map(|column| described(column).map(Arc::new)).collect();
        let schema = Type::group_type_builder("poller").with_fields(fields.map_err(told)?).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("poller ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = Arc::new(schema.map_err(told)?);
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        Ok(Self { file: file.map_err(told)?, waiting: Vec::new() })
    }

    /// Writes the rows that wait as a group.
    fn write_group(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(told)?;
        for (index, column) in T::COLUMNS.iter().enumerate() {
            let Some(mut writer) = group.next_column().map_err(told)? else { break };
            let cells = rows.iter().map(|row| row.cell(index));
            match column.kind {
                Kind::Text => write::<ByteArrayType>(&mut writer, column, cells.map(text)),
                Kind::Time | Kind::Count => {
                    write::<Int64Type>(&mut writer, column, cells.map(whole))
                }
                Kind::Seconds => write::<DoubleType>(&mut writer, column, cells.map(seconds)),
            }
            .map_err(told)?;
            writer.close().map_err(told)?;
        }
        group.close().map_err(told)?;
        Ok(())
    }

    /// The bytes that were written and not taken yet. The writer counts them itself, and so knows
    /// where it is in the file.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.file.inner_mut())
    }
}

impl<T: ExportRow> RowWriter<T> for ParquetWriter<T> {
    fn begin(&mut self) -> io::Result<Vec<u8>> {
        self.file.flush()?;
        Ok(self.take())
    }

    fn write(&mut self, rows: Vec<T>) -> io::Result<Vec<u8>> {
        self.waiting.extend(rows);
        if self.waiting.len() >= GROUP {
            self.write_group()?;
        }
        self.file.flush()?;
        Ok(self.take())
    }

    fn end(&mut self) -> io::Result<Vec<u8>> {
        self.write_group()?;
        self.file.finish().map_err(told)?;
        self.file.flush()?;
        Ok(self.take())
    }
}

fn described(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Count => (Physical::INT64, Some(LogicalType::integer(64, true))),
        Kind::Seconds => (Physical::DOUBLE, None),
    };
    let repetition = if column.may_be_empty { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    Type::primitive_type_builder(column.name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()
}

/// Writes `cells` as values of a column; one that may be empty has levels that say where it is.
fn write<D: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    cells: impl Iterator<Item = Option<D::T>>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(cell.is_some()));
        match cell {
            None if !column.may_be_empty => values.push(D::T::default()),
            cell => values.extend(cell),
        }
    }
    let levels = column.may_be_empty.then_some(levels.as_slice());
    writer.typed::<D>().write_batch(&values, levels, None).map(drop)
}

fn text(cell: Cell<'_>) -> Option<ByteArray> {
    match cell {
        Cell::Text(text) => text.map(ByteArray::from),
        Cell::Time(..) | Cell::Count(_) | Cell::Seconds(_) => None,
    }
}

fn whole(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Time(_, at_ms) => Some(at_ms),
        Cell::Count(count) => Some(i64::try_from(count).unwrap_or(i64::MAX)),
        Cell::Text(_) | Cell::Seconds(_) => None,
    }
}

const fn seconds(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Seconds(seconds) => seconds,
        Cell::Text(_) | Cell::Time(..) | Cell::Count(_) => None,
    }
}

fn told(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
