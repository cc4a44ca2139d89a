//! The routes over a real socket, asked by the client that the command line uses.

#![expect(clippy::expect_used, reason = "all of it is a test")]

#[path = "support/captured.rs"]
mod captured;
#[path = "support/facts.rs"]
mod facts;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use captured::Captured;
use facts::FakeFacts;
use poller::api::client::{AskError, Client};
use poller::api::{Server, Services, socket_path};
use poller::cli::health::{Strictness, health};
use poller::cli::out::Out;
use poller::cli::viewstats::{Form, Rhythm, ViewOptions, viewstats};
use poller::lock::Lock;
use poller::view::{Lists, Summary};

struct Daemon {
    facts: Arc<FakeFacts>,
    client: Client,
    server: Server,
    lock: Lock,
    folder: tempfile::TempDir,
}

fn daemon() -> Daemon {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lock = Lock::take(folder.path()).expect("free");
    let facts = Arc::new(FakeFacts::default());
    let socket = socket_path(folder.path(), |_| None);
    let server = Server::start(&socket, None, &Services::of(facts.clone())).expect("a socket");
    lock.announce(&socket).expect("written");
    let client = Client::of(folder.path()).with_patience(Duration::from_mins(1));
    Daemon { facts, client, server, lock, folder }
}

/// The answer to `request`, head and body, as it comes over the wire.
fn raw(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("connected");
    write!(stream, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn never_stored() -> Result<Summary, String> {
    Err("there is no store".to_owned())
}

#[test]
fn the_summary_comes_as_it_was_given_short_or_whole() {
    let daemon = daemon();
    let short = daemon.client.summary(Lists::Short).expect("a summary");
    assert_eq!((short.state.as_str(), short.down.len()), ("running", 1));
    assert_eq!(daemon.client.summary(Lists::All).expect("a summary").down.len(), 3);
}

#[test]
fn every_route_answers() {
    let daemon = daemon();
    for path in ["/healthz", "/livez", "/readyz", "/-/healthy", "/-/ready"] {
        let answer = raw(daemon.server.path(), &format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    }
    let flying = raw(daemon.server.path(), "GET /api/v1/in-flight?all=true");
    assert!(flying.ends_with(
        r#"{"count":1,"limit":8,"urls":[{"url":"http://a.example/","for_seconds":0.5}]}"#
    ));
    let page = daemon.client.targets("state=down&limit=5").expect("targets");
    assert_eq!(page.targets[0].state, "down");
    assert_eq!(page.next.as_deref(), Some("5"));
}

#[test]
fn mistakes_are_answered_with_a_problem_document() {
    let daemon = daemon();
    let cases = [
        ("GET /api/v1/nothing", "404", "nothing at /api/v1/nothing"),
        ("GET /-/stop", "405", "does not answer to GET"),
        ("GET /api/v1/stats?al=true", "400", "no parameter"),
        ("GET /api/v1/targets?state=dwon", "400", "state is one of"),
    ];
    for (request, status, detail) in cases {
        let answer = raw(daemon.server.path(), request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains(detail), "{answer}");
    }
    assert!(!daemon.facts.is_stopping.load(Ordering::Relaxed));
}

#[test]
fn reloading_tells_what_came_of_it() {
    let daemon = daemon();
    assert_eq!(daemon.client.reload().expect("reloaded"), "2 targets more");
    daemon.facts.is_broken.store(true, Ordering::Relaxed);
    let error = daemon.client.reload().expect_err("kept");
    assert_eq!(error.to_string(), "the list is not JSON: line 3");
}

#[test]
fn stopping_is_passed_on() {
    let daemon = daemon();
    assert_eq!(daemon.client.stop().expect("asked"), Duration::from_mins(1));
    assert!(daemon.facts.is_stopping.load(Ordering::Relaxed));
}

#[test]
fn whoever_stops_a_daemon_waits_as_long_as_it_says() {
    let Daemon { facts, server, lock, folder, .. } = daemon();
    let drained = std::thread::spawn(move || {
        while !facts.is_stopping.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        std::thread::park_timeout(Duration::from_millis(200));
        drop((server, lock));
    });
    let stopped = poller::daemon::stop(folder.path(), Duration::ZERO).expect("it ended");
    assert_eq!(stopped, poller::daemon::Stopped::Ended(Some(std::process::id())));
    drained.join().expect("no panic");
}

#[test]
fn health_is_told_by_the_exit_code() {
    let daemon = daemon();
    let (captured, mut out) = Captured::new();
    let ask_for =
        |strictness, out: &mut Out| health(&daemon.client, Duration::from_mins(1), strictness, out);
    let ask = |out: &mut Out| ask_for(Strictness::Whole, out);
    assert_eq!(ask(&mut out), ExitCode::SUCCESS);
    daemon.facts.is_broken.store(true, Ordering::Relaxed);
    assert_eq!(ask(&mut out), ExitCode::from(2));
    let text = captured.results();
    assert!(text.starts_with("OK - ") && text.ends_with("CRITICAL - no list yet\n"), "{text}");
    daemon.facts.is_broken.store(false, Ordering::Relaxed);
    daemon.facts.is_saturated.store(true, Ordering::Relaxed);
    assert_eq!(ask(&mut out), ExitCode::from(1));
    assert!(captured.results().contains("WARNING - polls run late"), "{}", captured.results());
    daemon.facts.is_degraded.store(true, Ordering::Relaxed);
    assert_eq!(ask(&mut out), ExitCode::from(1));
    assert!(captured.results().contains("WARNING - it does not store"), "{}", captured.results());
    assert_eq!(ask_for(Strictness::Live, &mut out), ExitCode::SUCCESS);
    let nobody = Client::of(&daemon.folder.path().join("elsewhere"));
    let code = health(&nobody, Duration::from_secs(1), Strictness::Live, &mut out);
    assert_eq!(code, ExitCode::from(2));
}

#[test]
fn finished_polls_are_followed_until_the_follower_leaves_or_the_daemon_ends() {
    let daemon = daemon();
    let mut lines = Vec::new();
    let facts = daemon.facts.clone();
    let followed = daemon.client.follow(|line| {
        // The first word, an empty line, says that the following has begun.
        if lines.is_empty() {
            facts.feed.publish(1, || "first".to_owned());
            for _ in 0..2_000 {
                facts.feed.publish(2, || "many".to_owned());
            }
        }
        lines.push(line.to_owned());
        if line == "# 1000 more" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    followed.expect("followed");
    assert_eq!(lines[1], "first");
    assert_eq!(lines.iter().filter(|line| *line == "many").count(), 1_000);

    let Daemon { client, server, lock: _lock, .. } = daemon;
    let mut server = Some(server);
    let ended = client.follow(|_| {
        drop(server.take());
        ControlFlow::Continue(())
    });
    ended.expect("an end, not a failure");
}

#[test]
fn the_server_ends_at_once_though_somebody_is_connected() {
    let daemon = daemon();
    let _silent = UnixStream::connect(daemon.server.path()).expect("connected");
    let path = daemon.server.path().to_owned();
    let began = Instant::now();
    drop(daemon.server);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(!path.exists());
}

#[test]
fn more_connections_than_places_wait_for_a_place() {
    let daemon = daemon();
    let mut silent: Vec<_> =
        (0..64).map(|_| UnixStream::connect(daemon.server.path()).expect("connected")).collect();
    let client = daemon.client.clone();
    let asked = std::thread::spawn(move || client.summary(Lists::Short));
    silent.clear();
    asked.join().expect("no panic").expect("answered once there is a place");
}

#[test]
fn viewstats_is_live_while_the_daemon_runs_and_from_the_store_afterwards() {
    let daemon = daemon();
    let (captured, mut out) = Captured::new();
    let options = ViewOptions::default();
    assert_eq!(viewstats(&daemon.client, options, never_stored, &mut out), ExitCode::SUCCESS);
    assert!(captured.results().contains("live figures"), "{}", captured.results());

    let Daemon { client, server, lock, .. } = daemon;
    drop((server, lock));
    let stored = || Ok::<_, String>(Summary { state: "stopped".to_owned(), ..Summary::default() });
    let json = ViewOptions { form: Form::Json, rhythm: Rhythm::Once, lists: Lists::All };
    let (captured, mut out) = Captured::new();
    assert_eq!(viewstats(&client, json, stored, &mut out), ExitCode::SUCCESS);
    let value: serde_json::Value = serde_json::from_str(&captured.results()).expect("JSON");
    assert_eq!(value["state"], "stopped");
    assert_eq!(value["largest_delay_5m"], serde_json::Value::Null);

    let (captured, mut out) = Captured::new();
    assert_eq!(viewstats(&client, options, never_stored, &mut out), ExitCode::FAILURE);
    assert!(captured.words().contains("no daemon runs"), "{}", captured.words());
    assert!(captured.words().contains("there is no store"), "{}", captured.words());
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let daemon = daemon();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut out = Out::to(Box::new(writer), Box::new(std::io::sink()));
    let shown = viewstats(&daemon.client, ViewOptions::default(), never_stored, &mut out);
    assert_eq!(shown, ExitCode::SUCCESS);
}

#[test]
fn what_is_wrong_with_asking_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let client = Client::of(folder.path()).with_patience(Duration::from_millis(200));
    let error = client.summary(Lists::Short).expect_err("nobody");
    assert!(matches!(error, AskError::NotRunning { .. }), "{error}");

    let mut lock = Lock::take(folder.path()).expect("free");
    let socket = socket_path(folder.path(), |_| None);
    lock.announce(&socket).expect("written");
    let error = client.summary(Lists::Short).expect_err("no socket yet");
    assert!(matches!(error, AskError::NotListening { .. }), "{error}");

    let _mute = std::os::unix::net::UnixListener::bind(socket).expect("a socket");
    let error = client.summary(Lists::Short).expect_err("a daemon that hangs");
    assert!(matches!(error, AskError::Silent { .. }), "{error}");
}
