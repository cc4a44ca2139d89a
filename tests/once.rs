//! Checks that run once, as users of the command line meet them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;

#[path = "once/batch.rs"]
mod batch;
#[path = "once/entries.rs"]
mod entries;
#[path = "once/explain.rs"]
mod explain;
#[path = "once/forms.rs"]
mod forms;
#[path = "once/limits.rs"]
mod limits;

use serde_json::{Value, json};

use fleet::{Fleet, Options};
use home::{Done, Home};

fn fleet() -> Fleet {
    Fleet::start(Options::default()).expect("a fleet")
}

/// A check of a website as a file of checks has it.
fn website(id: &str, url: &str) -> Value {
    json!({"id": id, "plugin_type": "website_status", "config": {"url": url}})
}

/// Writes a file of checks, and runs it with further arguments.
fn batch_of(home: &Home, checks: &[Value], arguments: &[&str]) -> Done {
    home.write("checks.json", &Value::from(checks).to_string());
    home.run(&[&["batch", "checks.json"], arguments].concat())
}

/// The document of a run with `--json`.
fn document(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:#?}"))
}

fn results(document: &Value) -> &Vec<Value> {
    document["results"].as_array().expect("a list of results")
}

fn ids(document: &Value) -> Vec<&str> {
    results(document).iter().map(|result| result["id"].as_str().unwrap()).collect()
}
