//! What is refused beside lists: settings, flags, directories and stores; nothing is lost by it.

use std::fs;

use poller::config::file::SETTINGS;
use rusqlite::Connection;
use serde_json::json;

use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

/// A home whose store holds some samples.
fn filled(fleet: &Fleet) -> Home {
    let home = Home::new();
    home.list(&[json!({"url": fleet.url(0, "/"), "interval": 1, "timeout": 20})]);
    home.start(&[]);
    wait_for("two polls", || (fleet.statistics().answers >= 2).then_some(()));
    home.stop();
    home
}

#[test]
fn a_failing_start_leaves_the_store_as_it_was() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = filled(&fleet);
    let (stored, summary) = (home.stored(), home.summary());
    home.write("bad.json", "[");
    for arguments in
        [["--urls", "bad.json"], ["--urls", "missing.json"], ["--config", "missing.toml"]]
    {
        for start in ["--start", "--foreground"] {
            let done = home.run(&[start, arguments[0], arguments[1]]);
            assert!(matches!(done.code, Some(1 | 2)), "{done:?}");
        }
    }
    assert_eq!(home.stored(), stored);
    assert_eq!(home.summary()["checks"]["total"], json!(stored));
    assert_eq!(home.summary()["targets"], summary["targets"]);
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = filled(&fleet);
    let connection = Connection::open(home.data("poller.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM sample", [], |row| row.get(0)).unwrap()
    };
    let before = count(&connection);
    for start in ["--start", "--foreground"] {
        home.run(&[start]).fails(1, &["poller.db", "99", "newer"]);
    }
    for ask in [&["-i"][..], &["sql", "SELECT 1"], &["targets"]] {
        home.run(ask).fails(1, &["99", "newer"]);
    }
    assert_eq!(count(&connection), before);
    let version: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_store_of_another_program_is_refused() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/")]);
    fs::create_dir(home.data("")).unwrap();
    fs::write(home.data("poller.db"), "this is no database at all, but it is long enough").unwrap();
    home.run(&["--start"]).fails(1, &["poller.db"]);
    assert_eq!(fs::read(home.data("poller.db")).unwrap().len(), 49);
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/")]);
    let file = home.write("file", "");
    let nowhere = format!("/proc/poller-{}", std::process::id());
    for data in [file.join("data"), nowhere.into()] {
        let away = Home::with_data(&data);
        away.list(&[json!("http://127.0.0.1:9/")]);
        for start in ["--start", "--foreground"] {
            away.run(&[start]).fails(1, &["data directory", data.to_str().unwrap(), "--data"]);
        }
    }
}

#[test]
fn a_second_daemon_is_refused_and_harms_nothing() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[json!({"url": fleet.url(0, "/"), "interval": 1, "timeout": 20})]);
    home.start(&[]);
    let pid = home.pid().expect("a daemon runs");
    let (number, data) = (format!("pid {pid}"), home.data(""));
    for start in ["--start", "--foreground"] {
        let data = data.to_str().unwrap().trim_end_matches('/');
        home.run(&[start]).fails(1, &[&number, data]);
    }
    let before = fleet.statistics().answers;
    wait_for("polls to go on", || (fleet.statistics().answers > before).then_some(()));
    assert_eq!(home.summary()["pid"], json!(pid));
    home.stop();
}

#[test]
fn acting_on_a_daemon_that_does_not_run_fails() {
    let home = Home::new();
    let data = home.data("");
    let data = data.to_str().unwrap().trim_end_matches('/');
    home.run(&["--stop"]).fails(1, &["no daemon", data, "poller --start"]);
    home.run(&["--reload"]).fails(1, &["no daemon", data, "poller --start"]);
    home.run(&["-i"]).fails(1, &[data]);
    home.run(&["--follow"]).fails(1, &[data]);
    home.run(&["sql", "SELECT 1"]).fails(1, &[data]);
    assert_eq!(home.run(&["health"]).code, Some(2));
    assert!(!home.data("").exists(), "asking makes nothing");
}

#[test]
fn an_unknown_setting_is_told_with_the_nearest() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/")]);
    home.write("poller.toml", "max_worker = 5\n");
    for start in ["--start", "--foreground", "--check"] {
        home.run(&[start]).fails(2, &["poller.toml:1:", "max_worker", "max_workers"]);
    }
}

#[test]
fn every_mistake_of_the_settings_is_told_at_once() {
    let home = Home::new();
    home.write(
        "poller.toml",
        "limit = 0\nkeep = \"soon\"\n\n[defaults]\ninterval = 0\ncolor = 1\n",
    );
    let done = home.run(&["--start"]);
    let lines = ["poller.toml:1:", "poller.toml:2:", "poller.toml:5:", "poller.toml:6:", "color"];
    done.fails(2, &lines);
    home.run(&["--start", "--config", "gone.toml"])
        .fails(1, &["gone.toml", "No such file", "--config"]);
}

#[test]
fn wrong_usage_is_2_and_says_what_to_write() {
    let home = Home::new();
    home.run(&["--start", "-l", "0"]).fails(2, &["--limit", "above 0"]);
    home.run(&["--start", "--interval", "soon"]).fails(2, &["--interval", "soon"]);
    home.run(&["--start", "--stop"]).fails(2, &["--stop"]);
    home.run(&["--nonsense"]).fails(2, &["--nonsense"]);
    home.run(&["-i", "--threading", "many"]).fails(2, &["shared", "per-core"]);
    let with = |name: &str, value: &str| {
        let output = home.command(&["--check"]).env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = with("POLLER_MAX_WORKERS", "none");
    assert!(code == Some(2) && told.contains("'none' for 'POLLER_MAX_WORKERS'"), "{told}");
    let (code, told) = with("POLLER_LOG_LEVEL", "loud");
    assert!(code == Some(2) && told.contains("'loud' for 'POLLER_LOG_LEVEL'"), "{told}");
    let mut command = home.command(&["--check", "--max-workers", "no"]);
    let output = command.env("POLLER_MAX_WORKERS", "none").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("'no' for '--max-workers <N>'"), "{told}");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/")]);
    let mut command = home.command(&["--check"]);
    let names = SETTINGS.iter().map(|key| format!("POLLER_{}", key.to_uppercase()));
    for name in names.chain(["POLLER_CONFIG".to_owned()]) {
        command.env(name, "");
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut command = home.command(&["sql", "SELECT 1"]);
    let output = command.env("POLLER_DATA", "").env("POLLER_CONFIG", "").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("there is no store"), "{told}");
}

#[test]
fn an_answer_that_is_cut_is_told_beside_it() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = filled(&fleet);
    let query = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100001)
                 SELECT i, i FROM n";
    for form in [&["sql", query][..], &["sql", query, "--json"]] {
        let done = home.run(form).works();
        assert!(done.err.contains("only the first 100,000 rows"), "{}", done.err);
        assert!(!done.out.contains("LIMIT"), "words go to standard error");
    }
    assert_eq!(home.sql("SELECT 1 AS a, 2 AS a"), [json!({"a": 1, "a_2": 2})]);
}

#[test]
fn a_query_that_would_write_is_refused() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = filled(&fleet);
    let stored = home.stored();
    home.run(&["sql", "DELETE FROM sample"]).fails(1, &["read"]);
    home.run(&["sql", "SELEC"]).fails(1, &["SELEC"]);
    assert_eq!(home.stored(), stored);
}
