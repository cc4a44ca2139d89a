//! Asks a daemon over its socket, and a small server that it polls.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::home::Home;

/// What the daemon said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The body, null when there is none.
    pub(crate) body: Value,
}

impl Said {
    /// The header `name`.
    pub(crate) fn header(&self, name: &str) -> String {
        let line = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.head.lines().find_map(line).unwrap_or_default()
    }

    /// The same, when the status is this one.
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The text of the body under `key`.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or_default()
    }
}

/// Sends a request, and hands back the connection that its answer comes over.
pub(crate) fn send(home: &Home, request: &str, headers: &str, body: &str) -> UnixStream {
    let mut stream = UnixStream::connect(home.data("poller.sock")).expect("a daemon listens");
    stream.set_read_timeout(Some(Duration::from_mins(10))).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \
         {length}\r\n{headers}\r\n"
    )
    .unwrap();
    // One that is refused may not be read to its end.
    let _ = stream.write_all(body.as_bytes());
    stream
}

/// Asks the daemon of `home`; `request` is as `GET /healthz`, `headers` are whole lines.
pub(crate) fn ask_with(home: &Home, request: &str, headers: &str, body: &str) -> Said {
    let mut reader = BufReader::new(send(home, request, headers, body));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("an answer") > 0, "it ended: {head}");
    }
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Said { status, head, body: serde_json::from_slice(&rest).unwrap_or_default() }
}

/// The same without headers, and with `body` as JSON unless it is null.
pub(crate) fn ask(home: &Home, request: &str, body: &Value) -> Said {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask_with(home, request, "", &body)
}

/// A server on loopback that answers `200` to every request, but for paths that begin with `/hang`,
/// to which it says nothing, `/down`, to which it answers `500`, and `/to?`, which leads to what
/// follows.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    hanging: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().unwrap();
        let (hanging, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (hang, count) = (Arc::clone(&hanging), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (hang, count) = (Arc::clone(&hang), Arc::clone(&count));
                std::thread::spawn(move || answer(stream, &hang, &count));
            }
        });
        Self { address, hanging, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests that hang and whose client is still there.
    pub(crate) fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, hanging: &AtomicUsize, requests: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).is_ok_and(|read| read == 0) {
            return;
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if path.starts_with("/hang") {
        hanging.fetch_add(1, Ordering::SeqCst);
        let _ = reader.read_to_end(&mut Vec::new());
        hanging.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let status = match path.split_once('?') {
        Some(("/to", place)) => format!("302 Found\r\nLocation: {place}"),
        _ if path.starts_with("/down") => "500 Broken".to_owned(),
        _ => "200 OK".to_owned(),
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let _ = reader.get_mut().write_all(answer.as_bytes());
}
