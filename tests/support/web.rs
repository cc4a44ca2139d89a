//! Questions over HTTP, as plain as they can be: one connection each.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::expect_used, reason = "a question that cannot be put fails the test")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Status line and header, as they are.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks the daemon at `address` (with its scheme) for `path`.
pub(crate) fn get(address: &str, path: &str) -> Told {
    ask(address, "GET", path, "")
}

/// Asks the daemon at `address`; `body` goes as JSON where there is one.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: &str) -> Told {
    let place = address.trim_start_matches("http://");
    exchange(TcpStream::connect(place).expect("the daemon"), method, path, body)
}

/// The same over the socket `socket`, where everything is allowed.
pub(crate) fn order(socket: &Path, method: &str, path: &str, body: &str) -> Told {
    exchange(UnixStream::connect(socket).expect("the socket"), method, path, body)
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str, body: &str) -> Told {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Told { status, head: head.to_owned(), body: body.to_owned() }
}
