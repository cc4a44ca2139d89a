//! Tables for people: targets, and the answers to queries.

use std::fmt::Write as _;

use super::TargetRow;
use super::text::{duration, shorten};

/// How much of an address is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// What fits a terminal.
    Short,
    /// All of it.
    Whole,
}

/// Columns that an address takes at most when it is short.
const SHORT: usize = 60;

/// The targets, one a line.
#[must_use]
pub fn targets(rows: &[TargetRow], address: Address) -> String {
    let width = match address {
        Address::Short => SHORT,
        Address::Whole => usize::MAX,
    };
    let columns =
        ["state", "since", "code", "latency", "up 24h", "up 7d", "up 30d", "up 90d", "name", "url"];
    let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.state.clone(),
                row.since.clone().unwrap_or_else(|| "-".into()),
                row.code.clone().unwrap_or_else(|| "-".into()),
                row.latency_seconds.map_or_else(|| "-".into(), duration),
                share(row.uptime.day),
                share(row.uptime.week),
                share(row.uptime.month),
                share(row.uptime.quarter),
                row.name.as_deref().map_or_else(|| "-".into(), |name| shorten(name, width)),
                shorten(&row.url, width),
            ]
        })
        .collect();
    plain(&columns, &rows)
}

/// A share as a percentage that never rounds up to all.
fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2} %", (share * 10_000.0).floor() / 100.0))
}

/// Rows under their columns, aligned; control characters are replaced.
#[must_use]
pub fn plain(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(columns).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let cell = cell.replace(char::is_control, "\u{fffd}");
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Uptime;

    #[test]
    fn columns_are_aligned_and_control_characters_shown() {
        let rows = [vec!["a\u{1b}".to_owned(), "1".to_owned()]];
        assert_eq!(plain(&["url".into(), "n".into()], &rows), "url  n\na\u{fffd}   1\n");
    }

    #[test]
    fn targets_have_their_name_and_as_much_of_their_address_as_is_wanted() {
        let url = format!("https://a.example/{}", "long/".repeat(20));
        let row = TargetRow { url: url.clone(), name: Some("Shop".into()), ..TargetRow::default() };
        let line = |address| targets(std::slice::from_ref(&row), address);
        assert!(line(Address::Whole).ends_with(&format!("  Shop  {url}\n")));
        assert!(!line(Address::Short).contains(&url));
    }

    #[test]
    fn uptime_is_told_over_all_its_spans() {
        let uptime = Uptime::from([Some(1.0), Some(0.99), None, Some(0.5)]);
        let row = TargetRow { uptime, ..TargetRow::default() };
        let text = targets(&[row], Address::Short);
        let words: Vec<&str> =
            text.lines().nth(1).unwrap_or_default().split("  ").map(str::trim).collect();
        let shares: Vec<_> = words.into_iter().filter(|word| word.contains('%')).collect();
        assert_eq!(shares, ["100.00 %", "99.00 %", "50.00 %"]);
        let json = serde_json::to_string(&uptime).unwrap_or_default();
        assert_eq!(json, r#"{"24h":1.0,"7d":0.99,"30d":null,"90d":0.5}"#);
    }

    #[test]
    fn a_share_below_all_is_never_told_as_all() {
        assert_eq!(share(Some(0.999_99)), "99.99 %");
        assert_eq!(share(Some(1.0)), "100.00 %");
    }
}
