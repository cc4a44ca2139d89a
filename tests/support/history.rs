//! A store with a written history, and a daemon that goes on from it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use poller::address::Address;
use poller::ledger::Ledger;
use poller::outcome::{Cause, Detail, Finding, Outcome};
use poller::store::Store;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::target::{Labels, Priority, Seat, Target, TargetId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::daemon::{Daemon, foreground, program};
use crate::store::outcome;

/// Milliseconds of a minute, an hour and a day.
pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Now, in Unix milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("some years")
}

/// The target with the id `id`, polled once a day where nobody listens.
pub fn target(id: &str, name: Option<&str>, label: Option<(&str, &str)>) -> Target {
    let mut labels = Labels::default();
    labels.pairs.extend(label.map(|(name, value)| (name.into(), value.into())));
    Target {
        number: 0,
        id: TargetId::of_given(id),
        given_id: Some(id.into()),
        name: name.map(Into::into),
        address: Address::parse(&url(id)).expect("a good address"),
        every_ms: 86_400_000,
        timeout_ms: 30_000,
        priority: Priority::Normal,
        plan: Arc::default(),
        labels: Arc::new(labels),
        origin: poller::target::Origin::default(),
        seat: Seat::default(),
    }
}

/// Where the target `id` is polled.
pub fn url(id: &str) -> String {
    format!("http://127.0.0.1:1/{id}")
}

/// The list of `targets`.
pub fn list(targets: &[Target]) -> Value {
    let entry = |target: &Target| {
        json!({
            "url": target.address.to_string(),
            "id": target.given_id,
            "name": target.name,
            "labels": target.labels.pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<std::collections::BTreeMap<_, _>>(),
            "interval": "1d",
        })
    };
    targets.iter().map(entry).collect()
}

/// A poll of `target` that ended by `cause`.
pub fn failed(target: u32, finished_ms: i64, cause: Cause, detail: Detail) -> Outcome {
    let finding = Finding::default().with_cause(cause, detail);
    Outcome { finding, ..outcome(target, finished_ms, 1_000_000) }
}

/// Writes what a daemon would have written of `outcomes`, which are in the order of time; `targets`
/// get their numbers, from 1 on.
pub fn write(data: &Path, targets: &mut [Target], outcomes: impl IntoIterator<Item = Outcome>) {
    std::fs::create_dir_all(data).expect("a directory");
    let options = SqliteOptions::default();
    let mut store = SqliteStore::open(&data.join("poller.db"), options).expect("a store");
    store.enrol(targets).expect("enrolled");
    let at_ms = |outcome: &Outcome| outcome.finished_us / 1_000;
    let mut outcomes = outcomes.into_iter().peekable();
    let begin = outcomes.peek().map_or_else(now_ms, at_ms);
    let mut ledger = Ledger::restore(&store.restore(begin).expect("restored"), begin);
    for target in &*targets {
        ledger.enrol(target.number, None, begin);
    }
    let mut end = begin;
    while outcomes.peek().is_some() {
        for outcome in outcomes.by_ref().take(5_000) {
            end = at_ms(&outcome);
            ledger.observe(&outcome);
        }
        store.append(&ledger.take_batch(end)).expect("written");
    }
    store.append(&ledger.take_last_batch(end)).expect("written");
}

/// A daemon over what `write` wrote, of which it polls `targets`.
pub fn daemon(directory: TempDir, targets: &[Target]) -> Daemon {
    let text = list(targets).to_string();
    std::fs::write(directory.path().join("list.json"), text).expect("a list");
    let mut command = program();
    foreground(&mut command, directory.path()).args(["--listen", "off"]);
    Daemon::spawn(&mut command, directory)
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Its body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Its body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// What `daemon` answers to `GET path`, asked with this further line of a head.
pub fn ask_with(daemon: &Daemon, path: &str, line: &str) -> Answer {
    let mut stream = UnixStream::connect(daemon.data().join("poller.sock")).expect("a socket");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{line}\r\n").expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

/// What `daemon` answers to `GET path`.
pub fn ask(daemon: &Daemon, path: &str) -> Answer {
    ask_with(daemon, path, "")
}

/// The same as JSON; it must be a good answer.
pub fn told(daemon: &Daemon, path: &str) -> Value {
    let answer = ask(daemon, path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}
