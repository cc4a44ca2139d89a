//! Those who ask: connections that stay, the questions that are put, and readers of the events.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// A connection on which one question follows the other.
pub(crate) struct Line {
    stream: BufReader<TcpStream>,
}

/// What came of a question.
pub(crate) struct Answered {
    pub(crate) seconds: f64,
}

impl Line {
    pub(crate) fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::new(stream) }
    }

    /// Asks for `path` and reads the answer to its end.
    pub(crate) fn ask(&mut self, path: &str) -> Answered {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).expect("it reads");
        let mut head = String::new();
        let mut length = 0;
        loop {
            head.clear();
            self.stream.read_line(&mut head).expect("it answers");
            let line = head.trim().to_ascii_lowercase();
            assert!(!line.starts_with("http/1.1 ") || line.contains(" 200 "), "{path}: {line}");
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("all of it");
        Answered { seconds: began.elapsed().as_secs_f64() }
    }
}

/// The question for a page: filters, texts and orders in turn.
pub(crate) fn page(number: u32) -> String {
    let query = match number / 10 % 10 {
        0 => "sort=latency&limit=100".to_owned(),
        1 => format!("text=shop%20{number}&limit=100"),
        2 => "sort=downtime&state=down&limit=1000".to_owned(),
        3 => format!("sort=lag&label=team%3Dt{}&limit=100", number % 7),
        4 => "limit=1000&after=n0.1f00".to_owned(),
        5 => format!("text=p%20{}&sort=latency&limit=100", number % 100),
        6 => format!("group=g{}&sort=latency&limit=1000", number % 40),
        7 => "cause=status&sort=latency&limit=100".to_owned(),
        8 => format!("state=up&text=127.{}.&sort=lag&limit=100", number % 100),
        _ => "state=up&limit=1000&after=n0.4f00".to_owned(),
    };
    format!("/api/v1/targets?{query}")
}

/// Those who read the events, and those who only say so.
pub(crate) struct Readers {
    reading: Vec<TcpStream>,
    _silent: Vec<TcpStream>,
}

/// What one reader got.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) events: u64,
    pub(crate) summaries: u64,
    pub(crate) resyncs: u64,
}

impl Readers {
    pub(crate) fn open(address: &str, reading: usize, silent: usize) -> Self {
        let open = |_| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let request = "GET /api/v1/events?outcomes=20 HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request.as_bytes()).expect("it reads");
            stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
            stream
        };
        Self { reading: (0..reading).map(open).collect(), _silent: (0..silent).map(open).collect() }
    }

    /// Reads until `is_over`.
    pub(crate) fn read<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        is_over: &'s AtomicBool,
    ) -> Vec<ScopedJoinHandle<'s, Told>> {
        let read = |stream: &'s TcpStream| {
            let mut told = Told::default();
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            while !is_over.load(Ordering::Relaxed) {
                // What was read of a line when the time ran out stays in it.
                if lines.read_line(&mut line).is_err() {
                    continue;
                }
                told.events += u64::from(line.starts_with("event: "));
                told.summaries += u64::from(line.starts_with("event: summary"));
                told.resyncs += u64::from(line.starts_with("event: resync"));
                line.clear();
            }
            told
        };
        let readers = self.reading.iter();
        readers.map(|stream| scope.spawn(move || read(stream))).collect()
    }
}
