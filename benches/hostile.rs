//! What hostile targets cost: the memory of polls in bodies without an end, and how late the
//! others are polled while a fifth of all targets swallows every connection.
//!
//! `cargo bench --bench hostile` runs for about six minutes; as a test it is short and small.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench prints, and fails loudly"
)]

#[path = "../tests/support/daemon.rs"]
mod daemon;
#[path = "../tests/support/fleet.rs"]
mod fleet;

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use daemon::Daemon;
use fleet::{Fleet, Options, address::address};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What a poll in flight may take, and how late the others may be.
const MEMORY_KB: f64 = 64.0;
const LAG_MS: f64 = 50.0;
/// What an endless body gives at once, and each second after.
const FIRST: usize = 1 << 20;
const EACH: usize = 16 << 10;

/// How large a run is.
#[derive(Clone, Copy)]
struct Size {
    targets: u32,
    seconds: u64,
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let size = if is_bench {
        Size { targets: 5_000, seconds: 30 }
    } else {
        Size { targets: 100, seconds: 3 }
    };
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).expect("our own limit");
    for way in [Way::Plain, Way::Secure, Way::Packed] {
        endless(size, way);
    }
    black_holes(size);
}

/// Kilobytes that process `pid` has in memory, without what it shares with others.
fn resident_kb(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn in_flight(daemon: &Daemon) -> u64 {
    daemon.summary()["in_flight"]["count"].as_u64().expect("a number")
}

/// The most memory and the most polls in flight over `time`.
fn watch(daemon: &Daemon, time: Duration) -> (f64, u64) {
    let end = Instant::now() + time;
    let mut most = (0.0_f64, 0);
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        most = (most.0.max(resident_kb(daemon.pid())), most.1.max(in_flight(daemon)));
    }
    most
}

/// Whether the bodies of the bench's own server have an end, and what it sent of those that have none.
#[derive(Default)]
struct Tap {
    is_open: AtomicBool,
    sent: AtomicU64,
}

/// How the endless bodies come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    /// Over TLS.
    Secure,
    /// Compressed, and to be looked at.
    Packed,
}

impl Way {
    fn entry(self, number: u32, port: u16) -> Value {
        let there = format!("{}:{port}/", address(number));
        match self {
            Self::Plain => json!({"url": format!("http://{there}")}),
            Self::Secure => json!({"url": format!("https://{there}"), "tls": {"verify": false}}),
            Self::Packed => json!({
                "url": format!("http://{there}"),
                "headers": {"Accept-Encoding": "gzip"},
                "expect": {"body_not_contains": "not there"},
            }),
        }
    }

    /// A part of the body, some [`EACH`] bytes.
    fn piece(self) -> Vec<u8> {
        let mut sign = 0_u32;
        let text = std::iter::repeat_with(|| {
            sign = sign.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"0123456789abcdef"[(sign >> 28) as usize]
        });
        if self != Self::Packed {
            return text.take(EACH).collect();
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&text.take(EACH * 2).collect::<Vec<u8>>()).expect("memory");
        packed.finish().expect("memory")
    }
}

/// Polls that are a megabyte into a body without an end, all at once.
fn endless(size: Size, way: Way) {
    let tap = Arc::new(Tap::default());
    let port = serve(Arc::clone(&tap), way);
    let list: Value = (0..size.targets).map(|number| way.entry(number, port)).collect();
    // All of them are in flight at once when a poll takes as long as its interval.
    let (interval, timeout) = (size.seconds.to_string(), format!("{}ms", size.seconds * 980));
    let limits = ["--interval", &interval, "--timeout", &timeout, "--max-body", "1GB"];
    let daemon = Daemon::start(&list, &limits);
    let (before, _) = watch(&daemon, Duration::from_secs(size.seconds + 2));
    tap.is_open.store(true, Relaxed);
    // The first of them end after one interval: until then, ever more are in flight.
    std::thread::sleep(Duration::from_secs(size.seconds));
    let (after, polls) = watch(&daemon, Duration::from_secs(size.seconds / 3));
    let each = (after - before) / polls.max(1) as f64;
    let sent = tap.sent.load(Relaxed) >> 20;
    println!("endless bodies, {way:?}: {polls} polls in flight, {sent} MB sent to them");
    println!("    memory {before:.0} kB without and {after:.0} kB with them");
    println!("    {each:.1} kB a poll (bound: {MEMORY_KB} kB)");
    tell_lag(&daemon, "1");
}

/// A server whose bodies end or do not, as `tap` says; its port, on every address of loopback.
fn serve(tap: Arc<Tap>, way: Way) -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("bound").port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, piece, acceptor) = (runtime.expect("a runtime"), way.piece(), acceptor());
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let (mut visits, piece): (JoinSet<std::io::Result<()>>, Arc<[u8]>) =
                (JoinSet::new(), piece.into());
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tap, piece) = (Arc::clone(&tap), Arc::clone(&piece));
                match (way, acceptor.clone()) {
                    (Way::Secure, acceptor) => visits.spawn(async move {
                        visit(acceptor.accept(stream).await?, &tap, &piece).await
                    }),
                    _ => visits.spawn(async move { visit(stream, &tap, &piece).await }),
                };
                while visits.try_join_next().is_some() {}
            }
        });
    });
    port
}

fn acceptor() -> TlsAcceptor {
    let names = vec!["a.example".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("good versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.expect("a good pair")))
}

async fn visit(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    tap: &Tap,
    piece: &[u8],
) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 2_048]).await?;
    if !tap.is_open.load(Relaxed) {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await?;
        return stream.flush().await;
    }
    let packed = if piece.starts_with(&[0x1f, 0x8b]) { "Content-Encoding: gzip\r\n" } else { "" };
    stream.write_all(format!("HTTP/1.1 200 OK\r\n{packed}\r\n").as_bytes()).await?;
    let mut sent = 0;
    loop {
        stream.write_all(piece).await?;
        stream.flush().await?;
        sent += piece.len();
        tap.sent.fetch_add(piece.len() as u64, Relaxed);
        if sent >= FIRST {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A fifth of the targets answers no SYN; the same list without them is the measure.
fn black_holes(size: Size) {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let (interval, timeout) = ((size.seconds / 3).to_string(), format!("{}ms", size.seconds * 320));
    let memory = |every: u32| {
        let list: Value = (0..size.targets)
            .map(|number| match number % 5 {
                0 if every == 5 => json!(fleet.blackhole_url(number)),
                _ => json!(fleet.url(number, "/b1000")),
            })
            .collect();
        let limits = ["--interval", &interval, "--timeout", &timeout];
        let daemon = Daemon::start(&list, &limits);
        let (memory, polls) = watch(&daemon, Duration::from_secs(size.seconds + 5));
        (daemon, memory, polls)
    };
    let (healthy, before, usual) = memory(0);
    println!("black holes: none: {before:.0} kB, {usual} polls in flight");
    tell_lag(&healthy, "1");
    drop(healthy);
    let (daemon, after, polls) = memory(5);
    let more = polls.saturating_sub(usual).max(1) as f64;
    println!("black holes: a fifth: {after:.0} kB, {polls} polls in flight");
    println!("    {:.1} kB a poll (bound: {MEMORY_KB} kB)", (after - before) / more);
    tell_lag(&daemon, &format!("url NOT LIKE '%:{}/'", fleet.blackhole_port()));
    let timeouts =
        "SELECT count(*) AS n FROM checks WHERE cause = 'timeout' AND detail = 'connecting'";
    println!("    {} polls timed out as they should", daemon.sql(timeouts)[0]["n"]);
}

/// Prints how late the polls that fit `condition` began.
fn tell_lag(daemon: &Daemon, condition: &str) {
    let query = format!(
        "WITH late AS (SELECT lag_ms, verdict, row_number() OVER (ORDER BY lag_ms) AS place,
                              count(*) OVER () AS polls FROM checks WHERE {condition})
         SELECT polls, (SELECT count(*) FROM late WHERE verdict != 'up') AS failed,
                max(lag_ms) FILTER (WHERE place <= polls * 0.5) AS p50,
                max(lag_ms) FILTER (WHERE place <= polls * 0.99) AS p99, max(lag_ms) AS worst
         FROM late"
    );
    let rows = daemon.sql(&query);
    let number = |name: &str| rows[0][name].as_f64().unwrap_or(f64::NAN);
    println!(
        "    lag p50 {:.2} ms, p99 {:.2} ms (bound: {LAG_MS} ms), max {:.1} ms, of {} polls, {} of them not up; {} missed",
        number("p50"),
        number("p99"),
        number("worst"),
        number("polls"),
        number("failed"),
        daemon.summary()["checks"]["missed"],
    );
}
