//! Events over a real socket: told to whoever reads, once, and never held up by one who does not.

#![allow(clippy::expect_used, reason = "a test ends where it fails")]

#[path = "support/facts.rs"]
mod facts;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use facts::FakeFacts;
use poller::api::{Broadcast, Events, Server, Services, socket_path};
use poller::outcome::{Finding, Outcome, SampleKind};
use poller::view::{ToldOutcome, ToldTransition};

/// How long anything may take that is not being measured.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Default)]
struct FakeEvents {
    broadcast: Broadcast,
}

impl Events for FakeEvents {
    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn number_of(&self, id: &str) -> Option<u32> {
        id.strip_prefix("target-")?.parse().ok()
    }
}

impl FakeEvents {
    fn change(&self, number: u32, to: &str) {
        let target_id = format!("target-{number}");
        let told = ToldTransition { target_id, to: to.to_owned(), ..ToldTransition::default() };
        self.broadcast.transition(number, || Some(told));
    }

    /// Tells outcomes of the targets with these numbers, at one moment.
    fn outcomes(&self, numbers: std::ops::Range<u32>, now_us: u64) {
        let outcomes: Vec<Outcome> = numbers.map(outcome).collect();
        self.broadcast.outcomes(&outcomes, now_us, |outcome| {
            let target_id = format!("target-{}", outcome.target);
            Some(ToldOutcome { target_id, ..ToldOutcome::default() })
        });
    }
}

fn outcome(target: u32) -> Outcome {
    Outcome {
        target,
        due_ms: 0,
        finished_us: 0,
        lag_us: 0,
        latency_us: 1,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: Finding::default(),
    }
}

struct Daemon {
    events: Arc<FakeEvents>,
    server: Server,
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let events = Arc::new(FakeEvents::default());
        let told: Arc<dyn Events> = events.clone();
        let services =
            Services { events: Some(told), ..Services::of(Arc::new(FakeFacts::default())) };
        let socket = socket_path(folder.path(), |_| None);
        let server = Server::start(&socket, None, &services).expect("a socket");
        Self { events, server, _folder: folder }
    }

    /// A reader that has been let in, as its head says.
    fn read(&self, query: &str) -> Reader {
        let mut stream = UnixStream::connect(self.server.path()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        write!(stream, "GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("asked");
        let mut reader = Reader { lines: BufReader::new(stream), head: String::new() };
        while !reader.head.ends_with("\r\n\r\n") {
            reader.lines.read_line(&mut reader.head).expect("a head");
        }
        reader
    }
}

struct Reader {
    lines: BufReader<UnixStream>,
    head: String,
}

impl Reader {
    /// The next event that is no comment: its name and its data; none at the end.
    fn next(&mut self) -> Option<(String, serde_json::Value)> {
        let mut name = String::new();
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).expect("an event in time") == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("event: ") {
                text.trim().clone_into(&mut name);
            }
            if let Some(text) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(text).expect("JSON")));
            }
        }
    }

    /// The rest of what is said, to the end.
    fn rest(mut self) -> String {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).expect("an end");
        text
    }
}

#[test]
fn events_are_told_to_every_reader_as_what_they_are() {
    let daemon = Daemon::start();
    let mut readers = [daemon.read(""), daemon.read("?outcomes=1")];
    for head in readers.iter().map(|reader| reader.head.to_ascii_lowercase()) {
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("x-accel-buffering: no"), "{head}");
    }
    daemon.events.broadcast.summary(|| Bytes::from_static(b"{\"schema\":1}"));
    daemon.events.outcomes(7..8, 0);
    daemon.events.change(7, "down");
    let [first, second] = readers.each_mut();
    let (name, summary) = first.next().expect("a summary");
    assert_eq!((name.as_str(), &summary["schema"]), ("summary", &1.into()));
    let (name, change) = first.next().expect("a change");
    assert_eq!((name.as_str(), &change["to"]), ("transition", &"down".into()));
    let told: Vec<String> = (0..3).filter_map(|_| second.next()).map(|(name, _)| name).collect();
    assert_eq!(told, ["summary", "outcome", "transition"]);
}

#[test]
fn nothing_is_made_while_nobody_reads() {
    let daemon = Daemon::start();
    let broadcast = &daemon.events.broadcast;
    broadcast.summary(|| unreachable!("nobody reads it"));
    broadcast.transition(1, || unreachable!("nobody reads it"));
    broadcast.outcomes(&[outcome(1)], 0, |_| unreachable!("nobody reads it"));
    let reader = daemon.read("");
    assert!(broadcast.has_readers());
    drop(reader);
    until("the place to be given up", || !broadcast.has_readers());
    broadcast.summary(|| unreachable!("nobody reads it any more"));
}

#[test]
fn who_reads_one_target_gets_its_own_events_and_no_others() {
    let daemon = Daemon::start();
    let mut reader = daemon.read("?target=target-7");
    daemon.events.change(8, "down");
    daemon.events.outcomes(8..2_000, 0);
    daemon.events.outcomes(1..9, 1);
    daemon.events.change(7, "up");
    let told: Vec<_> = (0..2).filter_map(|_| reader.next()).collect();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["outcome", "transition"]);
    assert!(told.iter().all(|(_, data)| data["target_id"] == "target-7"), "{told:?}");
    let unknown = daemon.read("?target=nobody");
    assert!(unknown.head.starts_with("HTTP/1.1 404"), "{}", unknown.head);
}

#[test]
fn outcomes_are_some_of_many_spread_over_the_second_and_no_more_than_asked_for() {
    let daemon = Daemon::start();
    let (mut few, mut many) = (daemon.read("?outcomes=5"), daemon.read("?outcomes=20"));
    for part in 0..10 {
        daemon.events.outcomes(part * 500..(part + 1) * 500, u64::from(part) * 100_000);
    }
    daemon.events.change(0, "up");
    let count = |reader: &mut Reader| {
        let names = std::iter::from_fn(|| reader.next());
        let told: Vec<_> = names.take_while(|(name, _)| name == "outcome").collect();
        let part = |(_, data): &(String, serde_json::Value)| {
            let id = data["target_id"].as_str().expect("an id").trim_start_matches("target-");
            id.parse::<u32>().expect("a number") / 500
        };
        let parts: std::collections::BTreeSet<u32> = told.iter().map(part).collect();
        (told.len(), parts.len())
    };
    assert_eq!(count(&mut many), (20, 10), "two of each part");
    let (told, parts) = count(&mut few);
    assert_eq!(told, 5);
    assert!(parts >= 4, "{parts}");
}

#[test]
fn who_reads_slowly_is_told_to_look_again_and_holds_up_nobody() {
    const ROUNDS: u32 = 40;
    const EACH: u32 = 1_000;
    let daemon = Daemon::start();
    let mut slow = daemon.read("");
    let mut quick = daemon.read("");
    let mut got = 0;
    for round in 0..ROUNDS {
        for number in 0..EACH {
            daemon.events.change(round * EACH + number, "down");
        }
        daemon.events.broadcast.summary(|| Bytes::from_static(b"{}"));
        for _ in 0..EACH {
            let (name, data) = quick.next().expect("every change");
            assert_eq!(name, "transition");
            assert_eq!(data["target_id"], format!("target-{got}"));
            got += 1;
        }
        assert_eq!(quick.next().expect("a summary").0, "summary");
    }
    daemon.events.change(u32::MAX, "up");
    let (mut missed, mut told) = (0, 0);
    while let Some((name, data)) = slow.next() {
        missed += data["missed"].as_u64().unwrap_or(0);
        told += u64::from(name != "resync");
        if data["to"] == "up" {
            break;
        }
    }
    assert!(missed > 0, "it is told that it missed something");
    assert_eq!(told + missed, u64::from(ROUNDS * (EACH + 1)) + 1, "all are accounted for");
}

#[test]
fn of_very_many_changes_a_part_is_told_and_how_many_were_left_out() {
    let daemon = Daemon::start();
    let mut reader = daemon.read("");
    for number in 0..3_000 {
        daemon.events.change(number, "down");
    }
    daemon.events.broadcast.summary(|| Bytes::from_static(b"{}"));
    daemon.events.change(7, "up");
    let told = std::iter::from_fn(|| reader.next());
    let told: Vec<_> = told.take_while(|(_, data)| data["to"] != "up").collect();
    let changes = told.iter().take_while(|(name, _)| name == "transition").count();
    assert_eq!(changes, 1_000);
    assert_eq!((told[1_000].0.as_str(), &told[1_000].1["missed"]), ("resync", &2_000.into()));
    assert_eq!((told[1_001].0.as_str(), told.len()), ("summary", 1_002));
}

#[test]
fn there_is_room_for_so_many_and_a_place_is_free_when_one_leaves() {
    let daemon = Daemon::start();
    let mut readers: Vec<Reader> = (0..256).map(|_| daemon.read("")).collect();
    assert!(readers.iter().all(|reader| reader.head.starts_with("HTTP/1.1 200")));
    let refused = daemon.read("").head;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    readers.pop();
    until("a place to be free", || daemon.read("").head.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_hundred_readers_end_with_the_server_also_those_who_never_read() {
    let daemon = Daemon::start();
    let readers: Vec<Reader> = (0..90).map(|_| daemon.read("")).collect();
    let silent: Vec<Reader> = (0..10).map(|_| daemon.read("")).collect();
    // More than the system keeps for who does not read.
    let large = Bytes::from(format!("\"{}\"", "x".repeat(1 << 20)));
    daemon.events.broadcast.summary(|| large);
    let reading: Vec<_> =
        readers.into_iter().map(|reader| std::thread::spawn(move || reader.rest())).collect();
    let Daemon { server, .. } = daemon;
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    for reader in reading {
        // Chunks end with an empty one where the end was told.
        assert!(reader.join().expect("no panic").ends_with("0\r\n\r\n"), "an end, and no break");
    }
    drop(silent);
}

#[test]
fn questions_that_make_no_sense_are_refused_with_a_sentence() {
    let daemon = Daemon::start();
    for (query, sentence) in [
        ("?outcomes=21", "outcomes is a number from 0 to 20"),
        ("?target=", "target is the id of a target"),
        ("?tarpit=1", "there is no parameter \\\"tarpit\\\""),
    ] {
        let mut reader = daemon.read(query);
        assert!(reader.head.starts_with("HTTP/1.1 400"), "{}", reader.head);
        let mut body = Vec::new();
        reader.lines.read_until(b'}', &mut body).expect("a problem");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains(sentence), "{text}");
    }
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
