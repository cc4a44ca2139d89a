//! Bad input: each entry is named with its place, and the rest still runs.

use serde_json::{Value, json};

use super::{batch_of, document, fleet, results, website};
use crate::home::Home;

#[test]
fn each_bad_entry_is_named_with_its_place_and_the_rest_runs() {
    let (fleet, home) = (fleet(), Home::new());
    let config = |config: Value| json!({"plugin_type": "website_status", "config": config});
    let url = fleet.url(0, "/");
    let checks = [
        website("good", &url),
        json!({"id": "kind", "plugin_type": "website_statu", "config": {"url": url}}),
        config(json!({})),
        config(json!({"url": url, "timeout": "soon"})),
        config(json!({"url": url, "expected_contents": "x"})),
        json!({"plugin_type": "website_status", "config": [1]}),
        json!(7),
        json!({"plugin_type": "ssl_certificate", "config": {"hostname": "a", "warning_days": "x"}}),
        json!({"plugin_type": "dns_record", "config": {"domain": "a", "record_type": "B"}}),
        json!({"plugin_type": "mail_server", "config": {"hostname": "a", "use_ssl": true, "use_tls": true}}),
        json!({"plugin_type": "tcp", "config": {"host": "a"}}),
        json!({"plugin_type": "icmp", "config": {"host": "a", "count": 0}}),
        website("last", &url),
    ];
    let done = batch_of(&home, &checks, &["--json"]);
    assert_eq!(done.code, Some(3), "{done:#?}");
    let document = document(&done);
    let message = |index: usize| results(&document)[index]["message"].as_str().unwrap();
    for (index, words) in [
        (
            1,
            "entry 2 (line 1): unknown \"plugin_type\" \"website_statu\"; did you mean \"website_status\"?",
        ),
        (2, "\"url\" is missing"),
        (3, "\"timeout\" is \"soon\"; write seconds"),
        (4, "unknown key \"expected_contents\"; did you mean \"expected_content\"?"),
        (5, "\"config\" is a list; write an object"),
        (6, "entry 7"),
        (7, "\"warning_days\" is \"x\"; write a whole number"),
        (8, "\"record_type\" is \"B\"; write one of"),
        (9, "exclude each other"),
        (10, "\"port\" is missing"),
        (11, "\"count\" is 0; write a whole number from 1"),
    ] {
        assert!(message(index).contains(words), "{index}: {}", message(index));
        assert_eq!(results(&document)[index]["raw_data"]["error_type"], "invalid_check");
    }
    assert_eq!(results(&document)[1]["id"], "kind");
    assert_eq!(results(&document)[0]["status"], "success");
    assert_eq!(results(&document)[12]["status"], "success");
}

#[test]
fn a_file_that_cannot_be_read_or_is_empty_is_named() {
    let home = Home::new();
    home.run(&["batch", "none.json"]).fails(3, &["cannot read none.json"]);
    home.run(&["batch", "."]).fails(3, &["cannot read ."]);
    home.write("empty.json", "");
    home.run(&["batch", "empty.json"]).fails(3, &["there is nothing to check"]);
    home.write("bad.json", "[{\"plugin_type\": \"tcp\"");
    home.run(&["batch", "bad.json"]).fails(3, &["bad.json:1", "not valid JSON"]);
    home.run(&["website", "--sites", "none.txt"]).fails(3, &["cannot read none.txt"]);
}

#[test]
fn what_stood_before_a_break_in_the_file_has_run() {
    let (fleet, home) = (fleet(), Home::new());
    home.write("half.json", &format!("[{},\n{{", website("a", &fleet.url(0, "/"))));
    let done = home.run(&["batch", "half.json", "--json"]).fails(3, &["half.json:2"]);
    assert_eq!(document(&done)["summary"]["success"], 1);
}

#[test]
fn wrong_usage_ends_with_3_as_nagios_has_it() {
    let home = Home::new();
    for arguments in [
        &["website"][..],
        &["website", "http://a/", "--max-workers", "0"],
        &["ssl", "a", "--colour"],
        &["batch"],
        &["batch", "x", "--json", "--nagios"],
        &["mail", "a", "--ssl", "--tls"],
    ] {
        home.run(arguments).fails(3, &["error"]);
    }
    home.run(&["website", "--help"]).works();
    let bad = home.run(&["ssl", "a b"]);
    assert_eq!(bad.code, Some(3), "{bad:#?}");
}

#[test]
fn flags_are_what_the_keys_of_a_file_are() {
    let (fleet, home) = (fleet(), Home::new());
    let run = |arguments: &[&str]| home.run(&[&["website"], arguments].concat()).code;
    let page = fleet.url(0, "/text/hello");
    assert_eq!(run(&[&page, "--content", "hell", "--no-content", "bye"]), Some(0));
    assert_eq!(run(&[&page, "--content", "bye"]), Some(1));
    assert_eq!(run(&[&page, "--no-content", "hell"]), Some(1));
    assert_eq!(run(&[&fleet.url(0, "/s404/"), "--status", "404"]), Some(0));
    assert_eq!(run(&[&fleet.url(0, "/s204/")]), Some(2), "200 is what is expected");
    assert_eq!(run(&[&fleet.url(0, "/r2/")]), Some(0));
    assert_eq!(run(&[&fleet.url(0, "/r2/"), "--no-follow"]), Some(2));
    assert_eq!(run(&[&fleet.url(0, "/r2/"), "--no-follow", "--status", "3xx"]), Some(0));
}

#[test]
fn a_password_in_an_address_that_a_variable_fills_is_not_shown() {
    let home = Home::new();
    home.write(
        "checks.json",
        r#"[{"plugin_type": "mail_server", "config": {"url": "imap://me:s3cret@${HOST}:1/"}}]"#,
    );
    let mut command = home.command(&["batch", "checks.json", "--json"]);
    let output = command.env("HOST", "127.0.0.1").output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("imap://${HOST}:1") && !text.contains("s3cret"), "{text}");
}
