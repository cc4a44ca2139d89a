//! Exports and badges of a real daemon: files hold what its store holds, pictures show text as text.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test fails loudly")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/history.rs"]
mod history;
#[path = "support/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::process::Command;

use bytes::Bytes;
use daemon::Daemon;
use history::{HOUR_MS, ask, ask_with, failed, now_ms, target, told, write};
use parquet::basic::{Compression, LogicalType};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use poller::clock::rfc3339;
use poller::outcome::{Cause, Detail};
use serde_json::{Map, Value};
use store::outcome;

/// The name of a target that somebody chose to do harm.
const EVIL: &str = "</title><script>alert('&')</script>";
/// Polls of each target, one every half minute: a hundred hours.
const POLLS: i64 = 12_000;
const EVERY_MS: i64 = 30_000;

/// A daemon with 24,000 polls of `=1+1` and `b,"c"` in its past, the first of which has a hostile
/// name and public badges; some failed.
fn past() -> Daemon {
    let directory = tempfile::tempdir().expect("a directory");
    let public = Some(("badge", "public"));
    let mut targets = [target("=1+1", Some(EVIL), public), target("b,\"c\"", None, None)];
    let now = now_ms();
    let begin = now - now % HOUR_MS - POLLS * EVERY_MS;
    let mut outcomes = Vec::new();
    for number in 0..POLLS {
        let at_ms = begin + number * EVERY_MS;
        // The last 200 were bad.
        outcomes.push(if number >= POLLS - 200 {
            failed(1, at_ms, Cause::Tls, Detail::Expired)
        } else {
            outcome(1, at_ms, 80_000)
        });
        outcomes.push(outcome(2, at_ms + 1, 90_000));
    }
    write(&directory.path().join("data"), &mut targets, outcomes);
    history::daemon(directory, &targets)
}

/// The rows of the store, by what `column` says of them.
fn counted(daemon: &Daemon, column: &str, view: &str) -> BTreeMap<String, i64> {
    let sql = format!("SELECT {column} AS name, count(*) AS count FROM {view} GROUP BY 1");
    let text = |row: &Map<String, Value>| row["name"].as_str().expect("text").to_owned();
    let rows = daemon.sql(&sql);
    rows.iter().map(|row| (text(row), row["count"].as_i64().expect("a count"))).collect()
}

fn tally<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn exported_polls_are_those_of_the_store_in_every_format() {
    let daemon = past();
    let stored = counted(&daemon, "target_id || ' ' || code", "checks");
    assert_eq!(stored["=1+1 tls"], 200);

    let csv = ask(&daemon, "/api/v1/export/samples");
    assert!(csv.head.contains("attachment; filename=\"poller-samples.csv\""), "{}", csv.head);
    let mut reader = csv::Reader::from_reader(csv.body.as_slice());
    let names = reader.headers().expect("names").clone();
    assert_eq!((&names[0], &names[1], names.len()), ("at", "target_id", 16));
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    // Spreadsheets would take that id for a formula.
    let ids = rows.iter().map(|row| format!("{} {}", row[1].trim_start_matches('\''), &row[4]));
    assert_eq!(tally(ids.collect::<Vec<_>>().iter().map(String::as_str)), stored);
    assert_eq!((&rows[0][1], &rows[0][7]), ("'=1+1", "0.08"));
    assert!(rows.windows(2).all(|two| two[0][0] <= two[1][0]), "the oldest first");

    let lines = ask(&daemon, "/api/v1/export/samples?format=jsonl").text();
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids = lines.iter().map(|poll| {
        format!(
            "{} {}",
            poll["target_id"].as_str().expect("id"),
            poll["code"].as_str().expect("code")
        )
    });
    assert_eq!(tally(ids.collect::<Vec<_>>().iter().map(String::as_str)), stored);
    assert_eq!(lines[0]["phases"]["tls"], 0.02);

    let file = ask(&daemon, "/api/v1/export/samples?format=parquet").body;
    let reader = SerializedFileReader::new(Bytes::from(file.clone())).expect("a Parquet file");
    let groups = reader.metadata().row_groups();
    assert!(groups.len() == 2 && groups.iter().all(|group| group.num_rows() <= 50_000));
    assert_eq!(groups[0].column(0).compression(), Compression::SNAPPY);
    let at = groups[0].column(0).column_descr().logical_type_ref().cloned();
    assert!(matches!(at, Some(LogicalType::Timestamp(_))), "{at:?}");
    let mut counts = BTreeMap::new();
    for row in reader.get_row_iter(None).expect("rows") {
        let row: BTreeMap<String, Field> = row
            .expect("a row")
            .get_column_iter()
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect();
        let (Field::Str(id), Field::Str(code)) = (&row["target_id"], &row["code"]) else {
            panic!("{row:?}")
        };
        assert_eq!(matches!(row["cause"], Field::Null), code == "200");
        *counts.entry(format!("{id} {code}")).or_insert(0) += 1;
    }
    assert_eq!(counts, stored);
    read_by_pyarrow(&daemon, &file);
}

/// Has another program read the file, where there is one.
fn read_by_pyarrow(daemon: &Daemon, file: &[u8]) {
    let path = daemon.directory.path().join("samples.parquet");
    std::fs::write(&path, file).expect("written");
    let script = "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); \
                  print(t.num_rows, t.schema.field('at').type, t.column('cause').null_count)";
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match Command::new(python).args(["-c", script]).arg(&path).output() {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(said.trim(), "24000 timestamp[ms, tz=UTC] 23800");
        }
        _ => eprintln!("skipped: there is no pyarrow here"),
    }
}

#[test]
fn exports_hold_their_beginning_and_not_their_end_and_can_be_of_one_target() {
    let daemon = past();
    let begin = told(&daemon, "/api/v1/targets/b,%22c%22")["hours"][0]["hour"].clone();
    let begin = begin.as_str().expect("a time").to_owned();
    let at = chrono::DateTime::parse_from_rfc3339(&begin).expect("a time").timestamp_millis();
    let count = |query: &str| {
        ask(&daemon, &format!("/api/v1/export/samples?format=jsonl&{query}")).text().lines().count()
    };
    let hour = |from: i64, to: i64| format!("from={}&to={}", rfc3339(from), rfc3339(to));
    assert_eq!(count(&hour(at, at + HOUR_MS)), 240);
    assert_eq!(count(&hour(at + 1, at + HOUR_MS)), 239);
    assert_eq!(count(&hour(at, at + HOUR_MS + 1)), 241);
    assert_eq!(count(&hour(at, at)), 0);
    assert_eq!(count(&format!("target=%3D1%2B1&{}", hour(at, at + HOUR_MS))), 120);
    assert_eq!(count("target=%3D1%2B1"), 12_000);
    assert_eq!(ask(&daemon, "/api/v1/export/samples?target=nobody").status, 404);
}

#[test]
fn exported_tallies_are_those_of_the_store() {
    let daemon = past();
    for (period, view) in [("hour", "hours"), ("day", "days")] {
        let lines = ask(&daemon, &format!("/api/v1/export/tallies?period={period}&format=jsonl"));
        let lines: Vec<Value> =
            lines.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let sum = |name: &str| -> i64 {
            lines.iter().map(|line| line[name].as_i64().expect("a count")).sum()
        };
        let sql =
            format!("SELECT sum(checks) AS checks, sum(up) AS up, count(*) AS count FROM {view}");
        let stored = daemon.sql(&sql).remove(0);
        // The last hour of each target is not over in its record; the views count it.
        let open = 2 * 120;
        assert_eq!(sum("checks") + open, stored["checks"].as_i64().expect("a count"), "{period}");
        assert_eq!(sum("up") + open / 2, stored["up"].as_i64().expect("a count"), "{period}");
        let one = ask(&daemon, &format!("/api/v1/export/tallies?period={period}&target=%3D1%2B1"));
        assert_eq!(one.text().lines().count(), lines.len() / 2 + 1);
        let parquet =
            ask(&daemon, &format!("/api/v1/export/tallies?period={period}&format=parquet"));
        let reader = SerializedFileReader::new(Bytes::from(parquet.body)).expect("a Parquet file");
        assert_eq!(
            reader.metadata().file_metadata().num_rows(),
            i64::try_from(lines.len()).expect("few")
        );
    }
}

#[test]
fn badges_tell_state_uptime_and_latency_and_show_markup_as_text() {
    let daemon = past();
    let status = ask(&daemon, "/badge/%3D1%2B1/status.svg?label=%3Cb%3E&style=flat");
    let picture = status.text();
    assert!(
        status.head.contains("image/svg+xml") && status.head.contains("no-cache"),
        "{}",
        status.head
    );
    assert!(!picture.contains("<script") && !picture.contains("<b>"), "{picture}");
    assert!(
        picture.contains("&lt;script&gt;") && picture.contains(">&lt;b&gt;</text>"),
        "{picture}"
    );
    assert!(picture.contains(">down</text>"), "{picture}");
    let tag = status.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    let path = "/badge/%3D1%2B1/status.svg?label=%3Cb%3E&style=flat";
    let again = ask_with(&daemon, path, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(ask_with(&daemon, path, "If-None-Match: \"other\"\r\n").status, 200);

    let shield = told(&daemon, "/badge/%3D1%2B1/status.json");
    let expected = serde_json::json!({
        "schemaVersion": 1, "label": "status", "message": "down", "color": "red", "isError": true,
        "cacheSeconds": 300,
    });
    assert_eq!(shield, expected);
    let shield = told(&daemon, "/badge/b,%22c%22/uptime.json?span=7d&label=shop");
    assert_eq!((&shield["label"], &shield["message"]), (&"shop".into(), &"100%".into()));
    let shield = told(&daemon, "/badge/b,%22c%22/latency.json?span=7d");
    assert_eq!((&shield["message"], &shield["color"]), (&"88 ms".into(), &"brightgreen".into()));
    assert_eq!(ask(&daemon, "/badge/nobody/status.svg").status, 404);
    assert_eq!(ask(&daemon, "/badge/b,%22c%22/mood.svg").status, 404);
    assert_eq!(ask(&daemon, "/badge/b,%22c%22/uptime.svg?span=1y").status, 400);
}

#[test]
fn clients_of_gatus_find_what_they_know() {
    let daemon = past();
    let all = told(&daemon, "/api/v1/endpoints/statuses?page=1&pageSize=3");
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(all[0]["results"].as_array().map(Vec::len), Some(3));
    let second = &all[1];
    assert_eq!(
        (second["name"].as_str(), &second["group"]),
        (Some(&*history::url("b,\"c\"")), &Value::Null)
    );
    let result = &second["results"][2];
    assert_eq!((&result["status"], &result["success"]), (&200.into(), &true.into()));
    assert_eq!(result["duration"], 90_000_000);
    assert_eq!(result["conditionResults"][0]["success"], true);
    assert!(second["results"][0]["timestamp"].as_str() < result["timestamp"].as_str());

    let key = second["key"].as_str().expect("a key");
    let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let one = |page: u32| {
        told(&daemon, &format!("/api/v1/endpoints/{key}/statuses?page={page}&pageSize=2"))["results"].clone()
    };
    let times = [one(2)[0].clone(), one(2)[1].clone(), one(1)[0].clone(), one(1)[1].clone()];
    assert!(
        times.windows(2).all(|two| two[0]["timestamp"].as_str() < two[1]["timestamp"].as_str())
    );
    assert_eq!(ask(&daemon, &format!("/api/v1/endpoints/{key}/uptimes/7d")).text(), "1.000000");
    let badge = told(&daemon, &format!("/api/v1/endpoints/{key}/health/badge.shields"));
    assert_eq!((&badge["label"], &badge["message"]), (&"health".into(), &"up".into()));
    assert!(
        ask(&daemon, &format!("/api/v1/endpoints/{key}/health/badge.svg"))
            .text()
            .starts_with("<svg")
    );
    for (path, status) in [("_nobody/statuses", 404), (&*format!("{key}/uptimes/2h"), 400)] {
        assert_eq!(ask(&daemon, &format!("/api/v1/endpoints/{path}")).status, status, "{path}");
    }
}
