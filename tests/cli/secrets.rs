//! Passwords, headers and bodies stay out of every output, log and store.

use std::fs;

use serde_json::json;

use crate::fleet::{Fleet, Options};
use crate::home::{Home, wait_for};

/// What must be found nowhere.
const SECRETS: [&str; 7] = [
    "hunter2-in-url",
    "hunter2-in-header",
    "hunter2-in-body",
    "hunter2-in-auth",
    "hunter2-in-variable",
    "hunter2-in-file",
    "hunter2-of-bad-entry",
];

fn assert_clean(what: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!is_there, "{secret} shows in {what}");
    }
}

fn fill(home: &Home, fleet: &Fleet) {
    let address = format!("127.1.0.1:{}", fleet.http_port());
    home.write("token", "hunter2-in-file\n");
    home.list(&[
        json!({"url": format!("http://user:hunter2-in-url@{address}/"), "interval": 1}),
        json!({"url": format!("http://user:hunter2-in-url@{address}/s500"), "interval": 1}),
        json!({"url": format!("http://{address}/echo"), "interval": 1, "method": "POST",
               "headers": {"X-Key": "hunter2-in-header", "X-Other": "${HIDDEN}"},
               "body": "hunter2-in-body", "expect": {"body_contains": "hunter2-absent"}}),
        json!({"url": format!("http://{address}/path/a"), "interval": 1,
               "auth": {"basic": {"username": "user", "password": "hunter2-in-auth"}}}),
        json!({"url": format!("http://{address}/path/b"), "interval": 1,
               "auth": {"bearer": "file:token"}}),
        json!({"url": "ftp://user:hunter2-of-bad-entry@127.0.0.1/", "interval": 1}),
        json!({"url": "http://user:hunter2-of-bad-entry@127.0.0.1:port/", "interval": 1}),
        json!({"url": "http://127.0.0.1/", "headers": {"X-Key": ["hunter2-of-bad-entry"]}}),
        json!({"url": "http://127.0.0.1/", "auth": "hunter2-of-bad-entry"}),
        json!("http:/user:hunter2-of-bad-entry@127.0.0.1/"),
        json!("http:///user:hunter2-of-bad-entry@127.0.0.1/"),
        json!("//user:hunter2-of-bad-entry@127.0.0.1/"),
        json!("http://user:hunter2-of-bad-entry/@127.0.0.1/"),
        json!({"url": ["http://user:hunter2-of-bad-entry@127.0.0.1/"]}),
        json!([{"headers": {"X-Key": "hunter2-of-bad-entry"}}]),
        json!({"targets": "http://user:hunter2-of-bad-entry@127.0.0.1/"}),
        json!({"targets": [{"body": "hunter2-of-bad-entry"}]}),
        json!({"plugin_type": {"config": {"auth_password": "hunter2-of-bad-entry"}}}),
        json!({"http://user:hunter2-of-bad-entry@127.0.0.1/": 1}),
        json!({"url": "http://127.0.0.1/", "tls": "http://user:hunter2-of-bad-entry@127.0.0.1/"}),
    ]);
}

#[test]
fn secrets_show_nowhere() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    fill(&home, &fleet);
    let run = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        let output = command.env("HIDDEN", "hunter2-in-variable").output().unwrap();
        assert_clean(&format!("{arguments:?}"), &output.stdout);
        assert_clean(&format!("{arguments:?}"), &output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["--check"]);
    run(&["--start", "--log-level", "trace"]);
    wait_for("every target to be polled", || {
        (home.number("SELECT count(DISTINCT target_id) FROM checks") == 5).then_some(())
    });
    let listed = run(&["targets"]);
    assert!(listed.contains("<secret>@127.1.0.1"), "{listed}");
    for arguments in [
        &["-i"][..],
        &["-i", "--all"],
        &["-i", "--json", "--all"],
        &["targets", "--json"],
        &["health"],
        &["sql", "SELECT * FROM checks"],
        &["sql", "SELECT * FROM targets", "--json"],
        &["--reload"],
        &["--stop"],
        &["-i"],
    ] {
        run(arguments);
    }
    let mut looked_at = 0;
    for entry in fs::read_dir(home.data("")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(bytes) = fs::read(&path) {
            assert_clean(&path.display().to_string(), &bytes);
            looked_at += 1;
        }
    }
    assert!(looked_at >= 3, "{looked_at}");
}

#[test]
fn a_refusal_shows_no_secret() {
    let home = Home::new();
    home.list(&[json!("http://127.0.0.1:9/")]);
    for arguments in [
        &["--start", "--urls", "http://user:hunter2-in-url@127.0.0.1:9/list"][..],
        &["--check", "--proxy", "http://user:hunter2-in-url@:bad"],
        &["--start", "--proxy", "ftp://user:hunter2-in-url@127.0.0.1/"],
        &["--start", "--urls", "ftp://user:hunter2-in-url@127.0.0.1/"],
    ] {
        let done = home.run(arguments);
        assert_ne!(done.code, Some(0), "{done:?}");
        assert_clean("standard error", done.err.as_bytes());
        assert_clean("standard output", done.out.as_bytes());
    }
    home.write("poller.toml", "proxy = \"ftp://user:hunter2-in-url@127.0.0.1/\"\n");
    let done = home.run(&["--start"]).fails(2, &["poller.toml:1"]);
    assert_clean("standard error", done.err.as_bytes());
}
