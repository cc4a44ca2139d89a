//! Asks a daemon over HTTP as a monitoring system does, and reads figures.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test ends where it fails")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::home::{Home, PATIENCE, wait_for};

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, which must be there.
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    /// The figure `series`, as `name{label="value"}`, which must be there.
    pub fn figure(&self, series: &str) -> f64 {
        let figures = figures(&self.body);
        *figures.get(series).unwrap_or_else(|| panic!("no {series} in {}", self.body))
    }

    /// Whether there is a figure `series`.
    pub fn has(&self, series: &str) -> bool {
        figures(&self.body).contains_key(series)
    }
}

/// The figures of a text in either format.
pub fn figures(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let figure = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a name and a figure");
        (series.to_owned(), value.parse().expect("a figure"))
    };
    lines.map(figure).collect()
}

/// Asks at `address`, an IP address and a port, for `path` with further header lines.
pub fn ask(address: &str, path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let more = headers.iter().map(|header| format!("{header}\r\n")).collect::<Vec<_>>().concat();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{more}\r\n").expect("asked");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answered");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Where the API of the daemon in `home` is, as IP address and port.
pub fn address(home: &Home) -> String {
    wait_for("the API to listen", || {
        let listen = home.summary()["listen"].as_str()?.to_owned();
        Some(listen.trim_start_matches("http://").to_owned())
    })
}

/// `text` as it stands in a query.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Whether `program` of Prometheus is there; where it must be, it is an error that it is not.
#[allow(clippy::print_stdout, reason = "what is skipped is told")]
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stderr(Stdio::null()).output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let required = std::env::var_os("POLLER_PROMETHEUS").is_some_and(|value| value == "required");
    assert!(!required, "there is no {program}, and POLLER_PROMETHEUS=required");
    println!("skipped: there is no {program}; install the package prometheus");
    false
}

/// What `promtool` with `arguments` has to say of `input`: nothing, when all is well.
pub fn promtool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool is there");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("our child");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() && !output.status.success() { output.status.to_string() } else { said }
}
