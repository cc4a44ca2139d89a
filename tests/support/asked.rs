//! Questions over HTTP, written by hand, and their answers as they come over the wire.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that is not being measured.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// What is in `bytes`, all that a connection said.
    pub fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The first header of this name, written in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:#?}"))
    }

    /// Checks that it is a problem of this status; gives back its detail.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:#?}");
        assert_eq!(self.json()["status"], status, "{self:#?}");
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }
}

/// A connection that waits for as long as anything may take.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_write_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// The head of a question: a method and a path, and headers beside `Host`.
pub fn head(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.extend(["Host: ", &address.to_string(), "\r\n"]);
    }
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text + "\r\n"
}

/// The answer to a question without a body.
pub fn ask(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> Answer {
    let headers = [headers, &[("Connection", "close")]].concat();
    raw(address, head(address, line, &headers).as_bytes())
}

/// The answer to a question with a body of this kind.
pub fn send(
    address: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    (kind, body): (&str, &str),
) -> Answer {
    let length = body.len().to_string();
    let own = [("Connection", "close"), ("Content-Type", kind), ("Content-Length", &length)];
    let head = head(address, line, &[headers, &own].concat());
    raw(address, (head + body).as_bytes())
}

/// All that is said to `bytes`.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    // Who refuses a question may do so before all of it has been sent.
    let _ = stream.write_all(bytes);
    Answer::of(&rest(&mut stream))
}

/// All that still comes.
pub fn rest(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    bytes
}

/// Waits until `probe` finds something.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The same as [`ask`], from another address of this machine for each `number`.
pub fn ask_from(number: usize, to: SocketAddr, line: &str, headers: &[(&str, &str)]) -> Answer {
    let last = u8::try_from(number + 2).expect("few");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 1, last], 0)).into()).expect("an address of ours");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.connect(&to.into()).expect("somebody listens");
    let mut stream: TcpStream = socket.into();
    let headers = [headers, &[("Connection", "close")]].concat();
    stream.write_all(head(to, line, &headers).as_bytes()).expect("sent");
    Answer::of(&rest(&mut stream))
}
