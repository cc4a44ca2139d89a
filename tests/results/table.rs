//! Results as people read them.

use poller::view::results::{Rows, Table};
use poller::view::text::{Colour, Style};

use crate::samples::{self, Written, counted, shown};

fn table(style: Style, results: &[poller::view::result::CheckResult]) -> String {
    shown(|out| Table::new(out, style, Rows::All), results)
}

#[test]
fn a_row_for_each_result_and_what_they_come_to() {
    let results = [samples::good(), samples::warning(), samples::down(), samples::unknown()];
    let table = table(Style::PLAIN, &results);
    let expected = "\
ok          87 ms  http://a.example/                         200 OK in 87 ms, 1.2 KB
warning     87 ms  http://a.example/                         200 OK: an expected text is not in the body
error       87 ms  http://a.example/                         connection refused
unknown     87 ms  http://a.example/                         we have no network

4 checks in 1.20 s: 1 success, 1 warning, 2 error (1 of them unknown)
";
    assert_eq!(table, expected);
}

#[test]
fn columns_stand_under_each_other_however_long_a_target_is() {
    let mut long = samples::good();
    let address = format!("http://a.example/{}page?q=1", "long/".repeat(40));
    long.raw_data.insert("target".into(), address.into());
    for columns in [80, 100, 300] {
        let style = Style::new(Colour::Never, Some(columns));
        let table = table(style, &[long.clone(), samples::good()]);
        let column = |line: &str| {
            let at = line.find("200 OK").expect("the sentence");
            line[..at].chars().count()
        };
        let at: Vec<usize> = table.lines().take(2).map(column).collect();
        assert_eq!(at[0], at[1], "{columns} columns:\n{table}");
        assert!(at[0] + "200 OK in 87 ms, 1.2 KB".len() <= usize::from(columns), "{table}");
        let line = table.lines().next().expect("a line");
        assert!(line.contains("http://") && line.contains('…') && line.contains("q=1"), "{line}");
    }
}

#[test]
fn colours_are_there_only_where_the_style_has_them() {
    let results = samples::all();
    assert!(!table(Style::PLAIN, &results).contains('\u{1b}'));
    let coloured = table(Style { colour: Colour::Ansi, width: 100 }, &results);
    let bare = coloured.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "");
    let bare = bare.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "");
    assert_eq!(bare, table(Style::PLAIN, &results), "colours change nothing else");
    assert_ne!(bare, coloured);
}

#[test]
fn nothing_that_others_say_steers_the_terminal_or_breaks_a_row() {
    let table = table(Style::PLAIN, &[samples::hostile(), samples::good()]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.chars().all(|letter| letter == '\n' || !letter.is_control()), "{table:?}");
}

#[test]
fn a_check_alone_needs_no_summary_and_many_may_have_nothing_else() {
    assert_eq!(table(Style::PLAIN, &[samples::good()]).lines().count(), 1);
    let summary = shown(|out| Table::new(out, Style::PLAIN, Rows::Summary), &samples::all());
    assert_eq!(summary.lines().count(), 1);
    assert!(summary.starts_with("14 checks in 1.20 s: 3 success, 3 warning, 8 error"), "{summary}");
}

#[test]
fn a_row_is_written_when_its_check_has_finished() {
    use poller::view::results::Form as _;
    let written = Written::default();
    let mut table = Table::new(written.clone(), Style::PLAIN, Rows::All);
    table.result(&samples::good()).expect("memory takes it");
    assert!(written.text().ends_with("1.2 KB\n"));
    assert_eq!(counted(&[samples::good()]).total, 1);
}
