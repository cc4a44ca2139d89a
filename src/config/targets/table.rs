//! CSV (RFC 4180) whose header names the keys; `labels.team` is the `team` of `labels`.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use crate::config::targets::entry;
use crate::config::targets::loader::Loader;
use crate::config::targets::text::Lines;
use crate::config::values::shown;

/// Bytes that one row may have, so that a quote left open does not swallow the list.
const LONGEST_ROW: usize = 1 << 20;

/// Whether a line is a header, which has a column `url`.
pub(super) fn is_header(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    text.split(',').any(|cell| cell.trim().trim_matches('"').eq_ignore_ascii_case("url"))
}

/// Reads the rows below the header, which is the line at hand.
pub(super) fn read<R: BufRead>(mut lines: Lines<R>, loader: &mut Loader<'_>) -> io::Result<()> {
    let names: Vec<String> = match cells(&lines.line) {
        Ok(header) => header.iter().map(name).collect(),
        Err(_) => Vec::new(),
    };
    let mut row = Vec::new();
    while lines.next()?.is_some() {
        let began = lines.number;
        row.clear();
        row.extend_from_slice(&lines.line);
        if row.trim_ascii().is_empty() || row.starts_with(b"#") {
            continue;
        }
        let mut is_open = has_odd_quotes(&row);
        while is_open && row.len() <= LONGEST_ROW {
            let Some(line) = lines.next()? else { break };
            is_open ^= has_odd_quotes(line);
            row.extend_from_slice(line);
        }
        let fields = cells(&row)
            .and_then(|record| object_of(&names, &record))
            .and_then(|value| entry::of_json(value, loader.origin, loader.usual()));
        if loader.take(began, fields).is_break() {
            break;
        }
    }
    Ok(())
}

/// A column's name: its key in lower case, the name within an object as it is.
fn name(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    match text.split_once('.') {
        Some((key, name)) => format!("{}.{name}", key.to_ascii_lowercase()),
        None => text.to_ascii_lowercase(),
    }
}

fn has_odd_quotes(text: &[u8]) -> bool {
    text.iter().fold(false, |is_odd, byte| is_odd ^ (*byte == b'"'))
}

fn cells(row: &[u8]) -> Result<csv::ByteRecord, String> {
    if has_odd_quotes(row) {
        return Err("has a quote that is not closed".to_owned());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(row.len().clamp(1, 1 << 12))
        .trim(csv::Trim::All)
        .from_reader(row);
    let mut record = csv::ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(|error| format!("is no row of CSV: {error}"))?;
    Ok(record)
}

/// A row as the object that its header makes of it; empty cells name nothing.
fn object_of(names: &[String], record: &csv::ByteRecord) -> Result<Value, String> {
    if record.len() > names.len() {
        return Err(format!(
            "has {} cells and the header {}; put cells with a comma in quotes",
            record.len(),
            names.len()
        ));
    }
    let mut keys = Map::new();
    for (name, cell) in names.iter().zip(record) {
        let cell = std::str::from_utf8(cell)
            .map_err(|_| "is not UTF-8 text; save the list as UTF-8".to_owned())?;
        if cell.is_empty() {
            continue;
        }
        match name.split_once('.') {
            Some((outer, inner)) => {
                let object = keys.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(object) = object {
                    object.insert(inner.to_owned(), Value::from(cell));
                }
            }
            None => {
                keys.insert(name.clone(), cell_value(name, cell)?);
            }
        }
    }
    Ok(Value::Object(keys))
}

fn cell_value(name: &str, cell: &str) -> Result<Value, String> {
    match name {
        "url" => Ok(Value::from(entry::with_scheme(cell, "https"))),
        "labels" | "headers" | "auth" | "expect" | "tls" => {
            serde_json::from_str(cell).map_err(|_| {
                let name = shown(name);
                format!("\"{name}\" is no JSON object; write one, or use columns like {name}.x")
            })
        }
        _ => Ok(Value::from(cell)),
    }
}
