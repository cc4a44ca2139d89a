//! The `OpenAPI` document of a real daemon: sound in itself, and true, as schemathesis finds where
//! it is there.

#![allow(clippy::expect_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "what was skipped or found is told")]

#[path = "support/asked.rs"]
mod asked;
#[path = "support/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use asked::ask;
use daemon::{Daemon, text};
use serde_json::{Value, json};

/// What is not tried: answers without an end, the end of the daemon itself, and checks of whatever
/// somebody makes up, which would ask others than this machine.
const LEFT_OUT: &str = "^(/api/v1/(follow|events|batch/run-ad-hoc)|/probe|/-/stop)$";
/// What is found to be wrong: a fault of the daemon, or an answer that the document does not tell.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,unsupported_method,\
                      allow_header_conformance,missing_required_header,use_after_free,\
                      ensure_resource_availability";
/// Questions for each operation at most, in the part that makes them up.
const QUESTIONS: &str = "20";

fn daemon() -> (Daemon, SocketAddr) {
    let list = json!([
        {"url": "http://127.0.0.1:9/", "interval": 3600, "labels": {"team": "web"}, "group": "a"},
        {"url": "http://127.0.0.2:9/", "interval": 3600, "name": "other"}
    ]);
    // Names that are made up are asked of nobody.
    let given = ["--listen", "127.0.0.1:0", "--api-rate", "1000000", "--resolver", "127.0.0.1:9"];
    let daemon = Daemon::start(&list, &given);
    let listen = daemon.summary()["listen"].as_str().expect("it listens").to_owned();
    let address = listen.rsplit('/').next().expect("an address").parse().expect("an address");
    (daemon, address)
}

fn document(address: SocketAddr) -> Value {
    let answer = ask(address, "GET /api/v1/openapi.json", &[]);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

/// Every operation of `document`: method and path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = ["get", "put", "post", "delete", "head", "options", "patch", "trace"];
    paths
        .iter()
        .flat_map(|(path, item)| methods.map(|method| (path, method, &item[method])))
        .filter(|(_, _, said)| said.is_object())
        .map(|(path, method, said)| (format!("{method} {path}"), said))
        .collect()
}

/// Every `$ref` in `value`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(pairs) => {
            if let Some(Value::String(to)) = pairs.get("$ref") {
                found.insert(to.clone());
            }
            pairs.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_sound_and_says_of_every_operation_what_it_needs_and_may_refuse() {
    let (_daemon, address) = daemon();
    let document = document(address);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["servers"], json!([{"url": "/"}]));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["bearer"]["scheme"], &schemes["api_key"]["in"]),
        (&json!("bearer"), &json!("header"))
    );
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for to in &found {
        let pointer = to.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
    }
    let mut names = BTreeSet::new();
    let operations = operations(&document);
    assert!(operations.len() >= 16, "{}", operations.len());
    for (operation, said) in operations {
        let name = said["operationId"].as_str().expect("a name");
        assert!(names.insert(name.to_owned()), "{name} is the name of two operations");
        assert!(said["security"].is_array(), "{operation} does not say what it needs");
        for status in ["400", "401", "403", "414", "421", "429", "503"] {
            assert!(said["responses"][status].is_object(), "{operation} says nothing of {status}");
        }
        for (status, is_met) in [
            ("404", operation.contains('{')),
            ("413", said["requestBody"].is_object()),
            ("422", said["requestBody"].is_object()),
        ] {
            assert!(!is_met || said["responses"][status].is_object(), "{operation}: {status}");
        }
        let summary = said["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{operation} says nothing of what it does");
    }
}

/// The program `schemathesis`: as the environment names it, else of the search path.
fn schemathesis() -> Option<PathBuf> {
    let named = std::env::var_os("POLLER_SCHEMATHESIS").map(PathBuf::from);
    let program = named.clone().unwrap_or_else(|| "schemathesis".into());
    let is_there =
        Command::new(&program).arg("--version").output().is_ok_and(|it| it.status.success());
    assert!(is_there || named.is_none(), "{} cannot be run", program.display());
    if !is_there {
        println!("skipped: there is no schemathesis; scripts/test installs it");
    }
    is_there.then_some(program)
}

/// Has schemathesis try what `filter` lets through, with a token of this role.
fn try_out(role: &str, filter: &[&str]) {
    let Some(program) = schemathesis() else { return };
    let (daemon, address) = daemon();
    let made = daemon.asking(&["token", "create", "--role", role]).output().expect("it runs");
    assert!(made.status.success(), "{}", text(&made));
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    let output = Command::new(program)
        .arg("run")
        .arg(format!("http://{address}/api/v1/openapi.json"))
        .args(["--header", &format!("X-API-Key: {token}")])
        .args(["--checks", CHECKS, "--exclude-path-regex", LEFT_OUT])
        .args(["--max-examples", QUESTIONS, "--seed", "1", "--phases", "examples,coverage,fuzzing"])
        .args(["--suppress-health-check", "all", "--request-timeout", "60", "--no-color"])
        .args(filter)
        .current_dir(daemon.directory.path())
        .output()
        .expect("it runs");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let tail: Vec<_> = said.lines().rev().take(12).collect();
    println!("{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    assert_eq!(daemon.summary()["state"], "running");
}

#[test]
fn whatever_a_reader_asks_is_answered_as_the_document_says() {
    try_out("read", &["--include-method", "GET"]);
}

#[test]
fn whatever_an_administrator_does_is_answered_as_the_document_says() {
    try_out("admin", &["--exclude-method", "GET"]);
}
