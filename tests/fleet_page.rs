//! Pages of targets and events of a real daemon, over its port.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/home.rs"]
mod home;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use fleet::{Fleet, Options, Silence};
use home::{Attached, Home, PATIENCE, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};

/// An answer as it came.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn ask(address: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let close = "Host: localhost\r\nConnection: close\r\n";
    write!(stream, "GET {path} HTTP/1.1\r\n{close}{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut body = answer.split_off(end + 4);
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Answer { status: head[9..12].parse().unwrap(), head, body }
}

fn unchunked(mut text: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = text.windows(2).position(|part| part == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&text[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&text[end + 2..end + 2 + length]);
        text = &text[end + 4 + length..];
    }
}

fn unzipped(body: &[u8]) -> Value {
    serde_json::from_reader(flate2::read::GzDecoder::new(body)).unwrap()
}

/// A daemon that polls `entries`, and where it answers.
fn daemon(home: &Home, entries: &[Value]) -> (Attached, String) {
    home.list(entries);
    let daemon = home.attach(&["--listen", "127.0.0.1:0"]);
    let listen = home.summary()["listen"].as_str().unwrap().to_owned();
    (daemon, listen.strip_prefix("http://").unwrap().to_owned())
}

fn entry(url: &str, interval: f64) -> Value {
    json!({"url": url, "interval": interval, "timeout": 30, "retries": 0})
}

/// The ids on all pages of a query.
fn walk(address: &str, query: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = ask(address, &format!("/api/v1/targets?limit=7&{query}{after}"), "").json();
        let rows = page["targets"].as_array().unwrap();
        assert!(rows.len() <= 7);
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return ids,
        }
    }
}

/// Forty targets, of which the last ten fail, all polled once.
fn forty(fleet: &Fleet, home: &Home) -> (Attached, String) {
    let entry = |number: u32| {
        let is_good = number < 30;
        let mut entry = entry(&fleet.url(number, if is_good { "/d5" } else { "/s503" }), 1.0);
        entry["id"] = format!("t{number}").into();
        entry["group"] = if is_good { "eu" } else { "us" }.into();
        entry["labels"] = json!({"team": if number.is_multiple_of(2) { "web" } else { "db" }});
        if is_good {
            entry["name"] = format!("Shop {number}").into();
        }
        entry
    };
    let started = daemon(home, &(0..40).map(entry).collect::<Vec<_>>());
    wait_for("every target to be polled", || {
        (home.summary()["targets"]["pending"] == 0).then_some(())
    });
    started
}

#[test]
fn pages_show_each_target_once_and_as_it_is() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let (_daemon, address) = forty(&fleet, &home);
    let all: BTreeSet<String> = (0..40).map(|number| format!("t{number}")).collect();
    for query in ["", "sort=number", "sort=downtime"] {
        let ids = walk(&address, query);
        assert_eq!(ids.len(), 40, "{query}");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), all, "{query}");
    }
    let first = walk(&address, "sort=downtime");
    assert!(first[..10].iter().all(|id| id[1..].parse::<u32>().unwrap() >= 30), "{first:?}");
    let page = ask(&address, "/api/v1/targets?state=down&limit=1", "").json();
    let row = &page["targets"][0];
    let word = |name: &str| row[name].as_str();
    assert_eq!([word("cause"), word("group"), word("code")], ["status", "us", "503"].map(Some));
    assert_eq!([word("origin"), word("paused_until"), word("name")], [Some("list"), None, None]);
    assert!(row["lag_seconds"].is_f64() && row["last_at"].is_string(), "{row}");
    assert!(word("since") <= word("last_at"), "{row}");
}

#[test]
fn filters_and_texts_find_what_matches_and_count_it() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let (_daemon, address) = forty(&fleet, &home);
    for (query, total) in [
        ("state=down", 10),
        ("state=down&label=team%3Dweb", 5),
        ("text=sHOP", 30),
        ("text=Shop%201", 11),
        ("group=us", 10),
        ("cause=status", 10),
        ("cause=timeout", 0),
        ("text=T1&group=eu&sort=latency", 11),
        ("", 40),
    ] {
        let page = ask(&address, &format!("/api/v1/targets?{query}"), "").json();
        assert_eq!(page["total"], total, "{query}");
        assert_eq!(page["targets"].as_array().unwrap().len(), total, "{query}");
    }
}

#[test]
fn what_is_wrong_with_a_query_is_told_in_a_sentence() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let (_daemon, address) = daemon(&home, &[entry(&fleet.url(0, "/"), 60.0)]);
    for (query, sentence) in [
        ("after=1", "after is what next of the page before says"),
        ("after=d0.1&sort=lag", "after belongs to a page sorted by downtime"),
        ("after=%00", "after is what next"),
        ("sort=up", "sort is one of"),
        ("cause=bad", "cause is one of"),
        ("stat=up", "there is no parameter"),
    ] {
        let answer = ask(&address, &format!("/api/v1/targets?{query}"), "");
        assert_eq!(answer.status, 400, "{query}");
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().starts_with(sentence), "{problem}");
    }
}

#[test]
fn what_is_known_is_not_told_again_and_much_is_told_in_few_bytes() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let entries: Vec<Value> = (0..300).map(|n| entry(&fleet.url(n, "/"), 86_400.0)).collect();
    let (_daemon, address) = daemon(&home, &entries);
    let nobody = "/api/v1/targets?state=paused";
    let first = ask(&address, nobody, "");
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = ask(&address, nobody, &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((first.status, again.status, again.body.len()), (200, 304, 0));
    assert!(ask(&address, "/api/v1/stats", "").header("etag").is_some());
    let takes = "Accept-Encoding: gzip\r\n";
    for (path, rows) in [("/api/v1/targets", 300), ("/api/v1/targets?limit=9", 9)] {
        let (plain, small) = (ask(&address, path, ""), ask(&address, path, takes));
        assert_eq!(
            (plain.header("content-encoding"), small.header("content-encoding")),
            (None, Some("gzip"))
        );
        assert!(small.body.len() * 2 < plain.body.len(), "{path}");
        assert_eq!(unzipped(&small.body)["targets"].as_array().unwrap().len(), rows);
    }
    assert_eq!(ask(&address, nobody, takes).header("content-encoding"), None, "it is small");
}

/// Begins to read the events; gives back the stream behind the head of the answer.
fn reader(address: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/v1/events?outcomes=20 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no head");
    }
    lines
}

/// The next event of one name; none at the end.
fn next(lines: &mut BufReader<TcpStream>, wanted: &str) -> Option<Value> {
    let (mut line, mut name) = (String::new(), String::new());
    loop {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(text) = line.strip_prefix("event: ") {
            text.trim().clone_into(&mut name);
        }
        if let Some(text) = line.strip_prefix("data: ").filter(|_| name == wanted) {
            return Some(serde_json::from_str(text).unwrap());
        }
    }
}

#[test]
fn a_hundred_readers_get_every_change_and_do_not_hold_up_the_end() {
    let fleet = Fleet::start(Options::default()).unwrap();
    let home = Home::new();
    let mut entries: Vec<Value> = (0..30).map(|n| entry(&fleet.url(n, "/"), 1.0)).collect();
    for entry in &mut entries {
        entry["timeout"] = 0.4.into();
    }
    let (mut daemon, address) = daemon(&home, &entries);
    wait_for("every target to be up", || (home.summary()["targets"]["up"] == 30).then_some(()));
    let silent: Vec<_> = (0..10).map(|_| reader(&address)).collect();
    let mut readers: Vec<_> = (0..90).map(|_| reader(&address)).collect();
    // So few that it is probably them that fail.
    fleet.silence(Silence::Targets(0, 9));
    for lines in &mut readers {
        let mut down = BTreeSet::new();
        while down.len() < 10 {
            let change = next(lines, "transition").expect("a change");
            if change["to"] == "down" {
                assert_eq!(change["cause"], "timeout", "{change}");
                down.insert(change["url"].as_str().unwrap().to_owned());
            }
        }
    }
    let outcome = next(&mut readers[0], "outcome").expect("a poll");
    assert!(outcome["latency_seconds"].is_f64() && outcome["kind"] == "slot", "{outcome}");
    let summary = next(&mut readers[0], "summary").expect("a summary");
    assert_eq!(summary["targets"]["total"], 30);
    daemon.signal(Signal::TERM);
    for mut lines in readers {
        while next(&mut lines, "summary").is_some() {}
    }
    assert_eq!(daemon.end(), 0, "{}", daemon.words());
    drop(silent);
}
