//! The fleet that other tests poll behaves as its paths and names say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/fleet.rs"]
mod fleet;

#[path = "fleet/answers.rs"]
mod answers;
#[path = "fleet/faults.rs"]
mod faults;
#[path = "fleet/names.rs"]
mod names;
#[path = "fleet/steering.rs"]
mod steering;
#[path = "fleet/tls.rs"]
mod tls;

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use fleet::{Fleet, Options, address::address};

/// Long enough for a loaded machine, where an answer must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to tell silence from an answer that comes at once.
const MOMENT: Duration = Duration::from_millis(300);

fn start() -> Fleet {
    Fleet::start(Options::default()).expect("a fleet starts")
}

fn connect(host: Ipv4Addr, port: u16) -> TcpStream {
    let stream = TcpStream::connect((host, port)).expect("the fleet accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit that is not zero");
    stream
}

/// Asks target `number` for `path`.
fn ask(fleet: &Fleet, number: u32, path: &str) -> TcpStream {
    let mut stream = connect(address(number), fleet.http_port());
    let request = format!("GET {path} HTTP/1.1\r\nHost: t{number}.fleet.test:80\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the fleet reads");
    stream
}

/// The whole answer as bytes, and how the connection ended.
fn whole(mut stream: TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    (answer, end)
}

/// The whole answer of target 0 to a request for `path`, as text.
fn get(fleet: &Fleet, path: &str) -> String {
    let (answer, end) = whole(ask(fleet, 0, path));
    end.expect("the connection ends in order");
    String::from_utf8(answer).expect("the answer is text")
}

/// What a pair of head and body a text answer is made of.
fn split(answer: &str) -> (&str, &str) {
    answer.split_once("\r\n\r\n").expect("the answer has a head")
}

/// Waits, with a limit, until `holds`.
fn until(holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "what was waited for did not come");
        std::thread::yield_now();
    }
}

fn six(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), port)
}
