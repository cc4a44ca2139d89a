//! What is said when something is not there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use poller::view::Lists;

use super::asked::Asked;
use super::engines::{Postgres, free_port};
use super::fed::Fed;
use super::server::{fresh, sql};

const PATIENCE: Duration = Duration::from_mins(2);

/// Looks until `is_so`.
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(100));
    }
}

/// Status and body of what is answered at `port`, when anybody answers.
fn answer(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

pub(crate) fn the_last_summary_stays_and_says_so() {
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let asked = Asked::of(&fed.url);
    let summary = || asked.door.client.summary(Lists::Short).expect("a summary");
    let before = summary();
    assert!(!before.storage.is_degraded());
    server.stop();
    wait("it is told that the database is away", || summary().storage.is_degraded());
    let away = summary();
    assert_eq!((away.targets, away.down), (before.targets, before.down), "what was known stays");
    assert!(away.storage.reason.is_some_and(|reason| reason.contains("does not answer")));
    let (status, text) = asked.text("/api/v1/targets");
    assert_eq!(status, 503, "no page is better than an empty one: {text}");
    server.start_again();
    wait("it comes back by itself", || !summary().storage.is_degraded());
    assert_eq!(asked.text("/api/v1/targets").0, 200);
}

pub(crate) fn commands_say_what_is_wrong() {
    let server = Postgres::with(&["--fast", "--password"]);
    let empty = fresh(&server);
    let newer = fresh(&server);
    let made = "CREATE SCHEMA poller; CREATE TABLE poller.cluster AS SELECT 9 AS version, 1 AS shards, \
                0::bigint AS revision, now() AS created_at";
    sql(&newer, made);
    let said = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        let output = command.env_clear().args(arguments).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.stdout.is_empty(), "{output:?}");
        (output.status.code(), told)
    };
    let wrong = empty.replace("poller-secret", "wrong");
    for (url, code, word) in [
        (empty.as_str(), 1, "poller db init"),
        (newer.as_str(), 1, "use a newer poller"),
        (wrong.as_str(), 1, "password authentication failed"),
        ("postgres://poller@127.0.0.1:1/none", 1, "does not answer"),
        ("http://x", 2, "postgres://USER:PASSWORD@HOST:PORT/DATABASE"),
    ] {
        let (told_code, told) = said(&["-i", "--postgres", url]);
        assert_eq!(told_code, Some(code), "{url}: {told}");
        assert!(told.contains(word), "{url}: {told}");
        assert!(!told.contains("poller-secret"), "{told}");
    }
    let (code, told) = said(&["recorder"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("--postgres"), "{told}");
}

pub(crate) fn a_scheduler_without_kafka_lives_and_is_not_ready() {
    let server = Postgres::start();
    let fed = Fed::new(&server);
    let port = free_port();
    let mut scheduler = Command::new(env!("CARGO_BIN_EXE_poller"))
        .env_clear()
        .args(["--postgres", &fed.url, "--kafka", "127.0.0.1:1", "--listen"])
        .args([&format!("127.0.0.1:{port}"), "scheduler"])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let ask = |path: &str| answer(port, path);
    wait("it answers", || ask("/livez").is_some_and(|(status, _)| status == 200));
    let (status, told) = ask("/readyz").expect("an answer");
    assert_eq!(status, 503, "{told}");
    assert!(told.contains("it starts"), "{told}");
    let shows = |text: &str| text.contains("no scheduler for shard 3");
    wait("it shows the cluster", || {
        ask("/api/v1/stats").is_some_and(|(status, text)| status == 200 && shows(&text))
    });
    let (status, text) = ask("/metrics").expect("an answer");
    assert!(status == 200 && text.contains("poller_cluster_members"), "{text}");
    scheduler.kill().expect("killed");
    scheduler.wait().expect("gone");
}
