//! Whoever changes a cluster over its API, as an administrator does.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test ends where it fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// The version of the targets that it names.
    pub etag: String,
    /// The JSON of it, or the text.
    pub body: Value,
}

impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// What is answered at `port` to somebody with `token`, whose change is meant for a `version` of the
/// targets; none, when nobody answers.
pub fn ask(
    port: u16,
    (token, version): (&str, &str),
    (method, path): (&str, &str),
    body: &str,
) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let token = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\
         If-Match: {version}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Some(Answer { status, etag: etag.to_owned(), body })
}
