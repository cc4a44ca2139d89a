//! Checks of TCP: connections, and what is said over them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where it fails")]

#[path = "support/probes.rs"]
mod probes;
#[path = "support/site.rs"]
mod site;

use poller::check::{Facts, HttpOptions};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Plan, Probe, TcpProbe, TcpStep};
use probes::{Speaker, fact, look, look_with, refusing, target};
use serde_json::json;
use site::{Site, fault, hang_up, reset};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn send(line: &str) -> TcpStep {
    TcpStep::Send(line.into())
}

fn expect(text: &str) -> TcpStep {
    TcpStep::Expect(text.into())
}

fn plan(dialog: Vec<TcpStep>) -> Plan {
    Plan { probe: Probe::Tcp(TcpProbe { dialog }), ..Plan::default() }
}

async fn check(site: &Site, dialog: Vec<TcpStep>) -> (Finding, Facts) {
    look(&format!("tcp://{}", site.address), plan(dialog)).await
}

async fn check_hastily(site: &Site, dialog: Vec<TcpStep>) -> (Finding, Facts) {
    let mut target = target(&format!("tcp://{}", site.address), plan(dialog));
    target.timeout_ms = 300;
    look_with(HttpOptions::default(), target).await
}

/// A site that says `words` and hangs up.
async fn saying(words: &'static [u8]) -> Site {
    Site::serve(move |mut stream, _| async move {
        let _ = stream.write_all(words).await;
        hang_up(stream).await;
    })
    .await
}

/// A site that says `words` and then nothing more.
async fn pausing(words: &'static [u8]) -> Site {
    Site::serve(move |mut stream, _| async move {
        let _ = stream.write_all(words).await;
        std::future::pending::<()>().await;
    })
    .await
}

#[tokio::test]
async fn who_accepts_a_connection_is_up() {
    let site = pausing(b"").await;
    let (finding, facts) = check(&site, vec![]).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(fact(&facts, "connected"), true);
    assert_eq!(fact(&facts, "host"), "127.0.0.1");
    assert_eq!(fact(&facts, "port"), site.address.port());
    assert_eq!(fact(&facts, "expected"), json!([]));
    assert!(fact(&facts, "matched").is_null() && fact(&facts, "received").is_null());
    assert!(facts.message.contains("accepts connections"), "{}", facts.message);
    assert!(finding.phases.connect.get().is_some());
}

#[tokio::test]
async fn who_refuses_or_resets_is_down() {
    let url = format!("tcp://{}", refusing());
    let (finding, facts) = look(&url, plan(vec![])).await;
    assert_eq!(fault(&finding), (Cause::Connect, Detail::Refused));
    assert_eq!(fact(&facts, "connected"), false);
    let site = Site::serve(|stream, _| async move { reset(&stream) }).await;
    let (finding, facts) = check(&site, vec![expect("hello")]).await;
    assert_eq!(fault(&finding), (Cause::Reset, Detail::None));
    assert_eq!(fact(&facts, "connected"), true);
}

#[tokio::test]
async fn a_dialog_is_spoken_step_by_step() {
    let speaker = Speaker::plain(
        "hello\r\nready\r\n",
        &[&[("one", "first\r\nsecond\r\n"), ("two", "third\r\n")]],
    )
    .await;
    let steps = ["ready", "first", "second"].map(expect);
    let [ready, first, second] = steps;
    let dialog = vec![ready, send("one"), first, second, send("two"), expect("third")];
    let (finding, facts) = check(&speaker.site, dialog).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?} {facts:?}");
    assert_eq!(fact(&facts, "matched"), true);
    assert_eq!(fact(&facts, "expected"), json!(["ready", "first", "second", "third"]));
    let received = fact(&facts, "received");
    assert_eq!(received, "hello ready first second third");
    assert_eq!(speaker.heard(), ["one", "two"]);
    assert_eq!(finding.bytes, 36);
    assert!(finding.phases.first_byte.get().is_some() && finding.phases.transfer.get().is_some());
}

#[tokio::test]
async fn what_was_found_is_not_found_again() {
    let site = saying(b"one two").await;
    let (finding, _) = check(&site, vec![expect("two"), expect("one")]).await;
    assert_eq!(fault(&finding), (Cause::Protocol, Detail::NoAnswer));
    let (finding, _) = check(&site, vec![expect("one"), expect("two")]).await;
    assert_eq!(finding.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_text_that_comes_byte_by_byte_is_found() {
    let site = Site::serve(|mut stream, _| async move {
        stream.set_nodelay(true).expect("a socket takes it");
        for byte in b"aaabaaaab" {
            let _ = stream.write_all(&[*byte]).await;
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    })
    .await;
    let (finding, _) = check(&site, vec![expect("aaaab")]).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

#[tokio::test]
async fn something_else_is_a_warning_and_nothing_is_none() {
    let line = (Cause::Assertion, Detail::Line);
    for (site, expected) in [
        (saying(b"SSH-2.0-x\r\n").await, line),
        (pausing(b"SSH-2.0-x\r\n").await, line),
        (saying(b"").await, (Cause::Protocol, Detail::NoAnswer)),
        (pausing(b"").await, (Cause::Timeout, Detail::Waiting)),
    ] {
        let (finding, facts) = check_hastily(&site, vec![expect("220 ")]).await;
        assert_eq!(fault(&finding), expected, "{facts:?}");
        assert_eq!(fact(&facts, "matched"), false);
        let came = fact(&facts, "received");
        assert_eq!(came == "SSH-2.0-x", expected == line, "{came}");
        assert_eq!(facts.message.contains("did not come"), expected == line);
    }
}

#[tokio::test]
async fn a_text_is_looked_for_among_64_kilobytes() {
    let endless = Site::serve(|mut stream, _| async move {
        let words = [b'x'; 4_096];
        while stream.write_all(&words).await.is_ok() {}
    })
    .await;
    let (finding, facts) = check(&endless, vec![expect("y")]).await;
    assert_eq!(fault(&finding), (Cause::Assertion, Detail::Line));
    assert!((65_536..131_072).contains(&finding.bytes), "{}", finding.bytes);
    assert_eq!(fact(&facts, "received").as_str().map(str::len), Some(512));
}

#[tokio::test]
async fn what_came_is_told_without_what_moves_a_cursor() {
    let site = saying(b"a\x1b[2J\x00b\r\n").await;
    let (_, facts) = check(&site, vec![expect("b")]).await;
    assert_eq!(fact(&facts, "received"), "a\u{fffd}[2J\u{fffd}b");
}

#[tokio::test]
async fn what_nobody_reads_is_sent_until_the_time_is_over() {
    let site = pausing(b"").await;
    let (finding, _) = check_hastily(&site, vec![send(&"x".repeat(16 << 20))]).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Sending));
}

#[tokio::test]
async fn a_line_is_sent_with_its_end() {
    let site = Site::serve(|mut stream, _| async move {
        let mut line = [0; 6];
        let _ = stream.read_exact(&mut line).await;
        let _ = stream.write_all(if line == *b"PING\r\n" { b"PONG" } else { b"what" }).await;
    })
    .await;
    let (finding, _) = check(&site, vec![send("PING"), expect("PONG")]).await;
    assert_eq!(finding.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_connection_that_took_longer_than_expected_is_a_warning() {
    let site = pausing(b"").await;
    let expect = Expectation { latency_under_ms: Some(0), ..Expectation::default() };
    let plan = Plan { expect, ..plan(vec![]) };
    let (finding, _) = look(&format!("tcp://{}", site.address), plan).await;
    assert_eq!(fault(&finding), (Cause::Assertion, Detail::Latency));
}
