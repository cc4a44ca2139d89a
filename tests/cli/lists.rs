//! Lists that are wrong in whole or in part, and where they may come from.

use serde_json::{Value, json};

use crate::fleet::{Fleet, Options};
use crate::home::{Done, Home, wait_for};

/// Tries to start attached and detached, and to check: all three must say the same.
fn refused(home: &Home, code: i32, words: &[&str]) -> Done {
    home.run(&["--check"]).fails(code, words);
    home.run(&["--foreground"]).fails(code, words);
    let done = home.run(&["--start"]).fails(code, words);
    assert_eq!(done.out, "", "words go to standard error");
    assert!(done.err.len() < 5_000, "{} bytes", done.err.len());
    home.until_gone();
    done
}

#[test]
fn a_list_that_is_missing_is_named() {
    refused(&Home::new(), 1, &["urls.json", "No such file", "--urls"]);
}

#[test]
fn a_list_that_is_no_json_is_refused_with_line_and_column() {
    let home = Home::new();
    home.write("urls.json", "[\n  \"http://127.0.0.1/\",\n  {\"url\": \"http://127.0.0.1/\",}\n]");
    refused(&home, 2, &["urls.json:3:", "not valid JSON"]);
    home.write("urls.json", "this is no list");
    refused(&home, 2, &["urls.json:1:1", "not valid JSON"]);
    home.write("urls.json", "[\"http://127.0.0.1/\"");
    refused(&home, 2, &["urls.json:1:", "not valid JSON"]);
}

#[test]
fn a_list_without_an_entry_is_refused() {
    let home = Home::new();
    home.write("urls.json", "[]");
    refused(&home, 2, &["urls.json", "no valid entry", "empty"]);
    home.write("urls.json", "");
    refused(&home, 2, &["urls.json", "no valid entry", "empty"]);
}

#[test]
fn each_bad_entry_is_told_with_its_place_and_reason() {
    for (entry, words) in [
        (json!({"interval": 10}), &["\"url\" is missing"][..]),
        (json!({"url": "http://127.0.0.1/", "interval": 0}), &["\"interval\" is 0", "from 0.1"]),
        (json!({"url": "http://127.0.0.1/", "interval": "abc"}), &["\"interval\"", "abc"]),
        (json!({"url": "http://127.0.0.1/", "interval": -5}), &["\"interval\" is -5", "seconds"]),
        (json!({"url": "ftp://127.0.0.1/f"}), &["\"url\"", "ftp://127.0.0.1/f", "http"]),
        (json!({"url": "http://127.0.0.1/", "intervall": 5}), &["intervall", "\"interval\""]),
        (
            json!({"url": "http://127.0.0.1/", "interval": 0, "timeout": "x"}),
            &["\"interval\" is 0", "\"timeout\" is \"x\""],
        ),
        (json!(7), &["is 7", "URL"]),
        (json!("no address"), &["no address"]),
    ] {
        let home = Home::new();
        home.list(&[entry]);
        let done = home.run(&["--start"]).fails(2, &["no valid entry", "urls.json:", "entry 1"]);
        done.fails(2, words);
    }
}

#[test]
fn a_bad_entry_is_rejected_alone_and_counted() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    home.list(&[json!(fleet.url(0, "/")), json!("ftp://127.0.0.1/file"), json!(fleet.url(1, "/"))]);
    let told = home.start(&[]).err;
    for word in ["polling 2 targets", "1 of 3 entries rejected", "urls.json:3: entry 2:", "ftp"] {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    let targets = home.summary()["targets"].clone();
    assert_eq!((&targets["total"], &targets["rejected"]), (&json!(2), &json!(1)));
    let checked = home.run(&["--check"]).works().out;
    assert!(checked.contains("1 rejected") && checked.contains("entry 2:"), "{checked}");
    home.stop();
    let targets = home.summary()["targets"].clone();
    assert_eq!((&targets["total"], &targets["rejected"]), (&json!(2), &json!(1)), "stored");
}

#[test]
fn a_strict_start_refuses_a_list_for_one_bad_entry() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/"), json!("ftp://127.0.0.1/file")]);
    for start in ["--start", "--foreground", "--check"] {
        home.run(&[start, "--strict"]).fails(2, &["1 bad entr", "urls.json:3: entry 2:", "ftp"]);
    }
}

#[test]
fn a_hundred_thousand_bad_entries_fill_no_screen() {
    let home = Home::new();
    let entries: Vec<Value> = (0..100_000).map(|n| json!(format!("ftp://{n}.example/"))).collect();
    home.write("urls.json", &serde_json::to_string(&entries).unwrap());
    refused(&home, 2, &["no valid entry", "entry 1:"]);
    let mut entries = entries;
    entries.push(json!("http://127.0.0.1:9/"));
    home.write("urls.json", &serde_json::to_string(&entries).unwrap());
    let checked = home.run(&["--check"]).works();
    assert!(checked.out.contains("100,000 rejected"), "{}", checked.out);
    assert!(checked.out.len() + checked.err.len() < 30_000, "{}", checked.out.len());
    let told = home.start(&[]).err;
    assert!(told.contains("100,000 of 100,001 entries rejected") && told.len() < 2_000, "{told}");
    let log = home.log();
    assert!(log.len() < 50_000, "{} bytes of log", log.len());
}

#[test]
fn duplicates_are_polled_apart() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let entry = json!({"url": fleet.url(0, "/"), "interval": 1, "timeout": 20});
    home.list(&[entry.clone(), entry.clone(), entry]);
    home.start(&[]);
    wait_for("each of them to be polled twice", || {
        let rows = home.sql("SELECT count(*) AS n FROM checks GROUP BY target_id");
        (rows.len() == 3 && rows.iter().all(|row| row["n"].as_i64() >= Some(2))).then_some(())
    });
    let targets = home.summary()["targets"].clone();
    assert_eq!((&targets["total"], &targets["unique"]), (&json!(3), &json!(1)));
    home.stop();
}

#[test]
fn a_list_may_come_from_standard_input() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let list = json!([{"url": fleet.url(0, "/"), "interval": 1, "timeout": 20}]).to_string();
    home.run_with_input(&["--check", "--urls", "-"], &list).works();
    home.run_with_input(&["--start", "--urls", "-"], &list).works();
    wait_for("a poll", || (fleet.statistics().answers > 0).then_some(()));
    let told = home.run(&["--reload"]).works().out;
    assert!(told.contains("not changed"), "{told}");
    home.stop();
    assert_eq!(home.stored(), fleet.statistics().answers);
    home.run_with_input(&["--start", "--urls", "-"], "").fails(2, &["standard input", "empty"]);
    home.run_with_input(&["--start", "--urls", "-"], "[1").fails(2, &["standard input:1:"]);
}

#[test]
fn a_list_may_come_from_an_address() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let list = json!([{"url": fleet.url(0, "/"), "interval": 1, "timeout": 20}]).to_string();
    let path = format!("/json/{}", crate::fleet::behaviour::encode(&list));
    home.start(&["--urls", &fleet.url(5, &path)]);
    wait_for("a poll", || (fleet.target_statistics(0).requests > 0).then_some(()));
    let told = home.run(&["--reload"]).works().out;
    assert!(told.contains("1 target kept") || told.contains("not changed"), "{told}");
    home.stop();
    assert_eq!(home.stored(), u64::from(fleet.target_statistics(0).requests));
    let absent = fleet.url(5, "/s404");
    home.run(&["--start", "--urls", &absent]).fails(1, &["cannot fetch the list", "404"]);
}
