//! What can be told from the store alone, for when no daemon runs.

use std::collections::HashSet;
use std::path::Path;

use crate::api::client::{AskError, Client};
use crate::cli;
use crate::clock::{Clock, rfc3339};
use crate::ledger::EXPIRY_DAYS;
use crate::store::reader::{Limits, ReadError, Reader, Row, Value, Wanted};
use crate::store::sqlite::FILE_NAME;
use crate::target::State;
use crate::view::table::{self, Address};
use crate::view::text::plural;
use crate::view::{self, Lists, Summary, TargetRow};

/// Certificates that are valid for longer are never listed.
const EXPIRY_S: i64 = EXPIRY_DAYS * 86_400;
/// Targets that are asked for at once.
const PAGE: usize = 5_000;

/// The summary of a stopped daemon.
///
/// # Errors
/// There is no store, or it cannot be read.
pub fn stored_summary(data: &Path, lists: Lists) -> Result<Summary, ReadError> {
    let now_ms = Clock::system().now_ms();
    let reader = Reader::open(&data.join(FILE_NAME))?;
    let stored = reader.stored(now_ms)?;
    let mut summary = view::stored_summary(&stored, now_ms);
    if lists == Lists::All {
        let worst = reader.worst(now_ms.div_euclid(1_000) + EXPIRY_S)?;
        view::tell_worst(&mut summary, &worst, now_ms);
    }
    Ok(summary)
}

/// The targets as text with so much of each `address`, or as JSON: of the running daemon, else of
/// the store.
///
/// # Errors
/// Neither can be asked; says why.
pub fn show_targets(
    data: &Path,
    client: &Client,
    wanted: &cli::Targets,
    address: Address,
) -> Result<String, String> {
    let uptimes = Reader::open(&data.join(FILE_NAME)).and_then(|reader| {
        let wanted = Wanted { state: None, labels: wanted.labels.clone(), ..Wanted::default() };
        reader.targets(&wanted, Clock::system().now_ms())
    });
    let rows = match live_rows(client, wanted) {
        Ok(mut rows) => {
            // What the store lacks for the moment is shown without its uptime.
            let known = uptimes.unwrap_or_default();
            let uptimes: std::collections::HashMap<_, _> =
                known.iter().map(|row| (row.id.as_str(), row.uptime.into())).collect();
            for row in &mut rows {
                row.uptime = uptimes.get(row.id.as_str()).copied().unwrap_or_default();
            }
            rows
        }
        Err(AskError::NotRunning { .. } | AskError::NotListening { .. }) => {
            let known = uptimes.map_err(|error| error.to_string())?;
            let state = wanted.state.map(cli::State::as_str);
            known
                .iter()
                .filter(|row| state.is_none_or(|state| state == row.state.as_str()))
                .map(target_row)
                .collect()
        }
        Err(error) => return Err(error.to_string()),
    };
    if wanted.json {
        return serde_json::to_string(&rows)
            .map(|text| text + "\n")
            .map_err(|error| error.to_string());
    }
    Ok(table::targets(&rows, address))
}

fn live_rows(client: &Client, wanted: &cli::Targets) -> Result<Vec<TargetRow>, AskError> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &PAGE.to_string());
    if let Some(state) = wanted.state {
        query.append_pair("state", state.as_str());
    }
    for (name, value) in &wanted.labels {
        query.append_pair("label", &format!("{name}={value}"));
    }
    let query = query.finish();
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.targets(&format!("{query}{after}"))?;
        rows.extend(page.targets);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(rows),
        }
    }
}

fn target_row(row: &Row) -> TargetRow {
    TargetRow {
        id: row.id.clone(),
        url: row.url.clone(),
        name: row.name.clone(),
        state: row.state.as_str().into(),
        since: row.since_ms.filter(|_| row.state != State::Pending).map(rfc3339),
        code: row.code.map(|code| code.to_string()),
        latency_seconds: row.latency_us.map(|us| f64::from(us) / 1e6),
        interval_seconds: f64::from(row.interval_ms) / 1e3,
        labels: row.labels.clone(),
        uptime: row.uptime.into(),
        ..TargetRow::default()
    }
}

/// The answer to a query on the store, as a table or JSON, and a word on what is not shown of it.
///
/// # Errors
/// There is no store, or the query is no good; says why.
pub fn show_sql(data: &Path, asked: &cli::Sql) -> Result<(String, Option<String>), String> {
    let reader = Reader::open(&data.join(FILE_NAME)).map_err(|error| error.to_string())?;
    let answer = reader.sql(&asked.query, Limits::default()).map_err(|error| error.to_string())?;
    let cut = answer.is_cut.then(|| {
        let shown = plural(answer.rows.len() as u64, "row");
        format!("only the first {shown} of the answer; add a LIMIT or narrow the query")
    });
    if asked.json {
        let names = distinct(&answer.columns);
        let rows: Vec<serde_json::Map<_, _>> =
            answer.rows.iter().map(|row| object(&names, row)).collect();
        let text = serde_json::to_string(&rows).map_err(|error| error.to_string())?;
        return Ok((text + "\n", cut));
    }
    let rows: Vec<Vec<String>> =
        answer.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    Ok((table::plain(&answer.columns, &rows), cut))
}

/// `names`, with a number behind those that were there before: `a`, `a_2`.
fn distinct(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut seen = HashSet::new();
    let mut fresh = |name: &String| {
        if seen.insert(name.clone()) {
            return name.clone();
        }
        let mut others = (2_u32..).map(|number| format!("{name}_{number}"));
        let free = others.find(|other| taken.insert(other.clone()));
        free.unwrap_or_else(|| name.clone())
    };
    names.iter().map(&mut fresh).collect()
}

fn object(names: &[String], row: &[Value]) -> serde_json::Map<String, serde_json::Value> {
    let pairs = names.iter().zip(row);
    pairs
        .map(|(name, value)| (name.clone(), serde_json::to_value(value).unwrap_or_default()))
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("<{} bytes>", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_of_columns_are_numbered() {
        let names = ["a", "a", "b", "a_2", "a"].map(str::to_owned);
        assert_eq!(distinct(&names), ["a", "a_3", "b", "a_2", "a_4"]);
    }
}
