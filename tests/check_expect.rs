//! Expectations, compressed bodies and kept connections over HTTP/1.1, against scripted servers.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/site.rs"]
mod site;

use std::io::Write;
use std::sync::Arc;

use poller::check::{HttpCheck, HttpOptions};
use poller::expectation::{Expectation, HeaderRule, JsonValue, Pattern};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Connection, Plan};
use site::{Site, fault, poll, read_head};
use tokio::io::AsyncWriteExt;

/// What is found of an answer with these headers and this body under `expect`.
async fn judged(headers: &str, body: &[u8], expect: Expectation) -> Finding {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    let site = Site::answering(bytes).await;
    poll(&site.url(), Plan { expect, ..Plan::default() }).await
}

async fn failed(body: &str, expect: Expectation) -> (Cause, Detail) {
    fault(&judged("", body.as_bytes(), expect).await)
}

fn contains(text: &str) -> Expectation {
    Expectation { body_contains: vec![text.into()], ..Expectation::default() }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

#[tokio::test]
async fn texts_are_found_and_missed() {
    let finding = judged("", b"all is well", contains("is w")).await;
    assert_eq!(finding.verdict, Verdict::Up);
    assert_eq!(failed("all", contains("none")).await, (Cause::Assertion, Detail::BodyContains));
    let expect = Expectation { body_not_contains: vec!["error".into()], ..Expectation::default() };
    assert_eq!(failed("an error", expect).await, (Cause::Assertion, Detail::BodyNotContains));
    let pattern = Pattern::new("^a+$").expect("a good pattern");
    let expect = Expectation { body_regex: Some(pattern), ..Expectation::default() };
    assert_eq!(failed("aab", expect).await, (Cause::Assertion, Detail::BodyRegex));
}

#[tokio::test]
async fn a_text_is_found_across_reads_and_chunks() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.expect("the poll reads on");
        for letter in "a needle here".chars() {
            let chunk = format!("1\r\n{letter}\r\n");
            stream.write_all(chunk.as_bytes()).await.expect("the poll reads on");
            tokio::task::yield_now().await;
        }
        stream.write_all(b"0\r\n\r\n").await.expect("the poll reads on");
        site::hang_up(stream).await;
    })
    .await;
    let plan = Plan { expect: contains("needle"), ..Plan::default() };
    assert_eq!(poll(&site.url(), plan).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn json_is_compared_by_what_it_means() {
    let expect = |value| Expectation {
        json: vec![("/a/0".into(), JsonValue(value))],
        ..Expectation::default()
    };
    let body = br#"{"a": [{"y": 2, "x": 1}]}"#;
    let wanted = serde_json::json!({"x": 1, "y": 2});
    assert_eq!(judged("", body, expect(wanted)).await.verdict, Verdict::Up);
    let other = fault(&judged("", body, expect(serde_json::json!(1))).await);
    assert_eq!(other, (Cause::Assertion, Detail::Json));
    let broken = failed("{", expect(serde_json::json!(1))).await;
    assert_eq!(broken, (Cause::Assertion, Detail::Json));
}

#[tokio::test]
async fn headers_are_judged() {
    let expect =
        |rule| Expectation { headers: vec![("x-a".into(), rule)], ..Expectation::default() };
    for (rule, is_held) in [
        (HeaderRule::Is("1".into()), true),
        (HeaderRule::Is("2".into()), false),
        (HeaderRule::Present, true),
        (HeaderRule::Absent, false),
    ] {
        let finding = judged("X-A: 1\r\n", b"", expect(rule.clone())).await;
        assert_eq!(finding.verdict == Verdict::Up, is_held, "{rule:?}");
        if !is_held {
            assert_eq!(fault(&finding), (Cause::Assertion, Detail::Header));
        }
    }
}

#[tokio::test]
async fn a_slow_answer_is_a_warning_after_all_else_holds() {
    let expect = Expectation { latency_under_ms: Some(0), ..Expectation::default() };
    let finding = judged("", b"", expect).await;
    assert_eq!((finding.verdict, finding.detail), (Verdict::Warning, Detail::Latency));
    let expect = Expectation { latency_under_ms: Some(0), ..contains("x") };
    assert_eq!(failed("", expect).await, (Cause::Assertion, Detail::BodyContains));
}

#[tokio::test]
async fn compressed_bodies_are_read_when_an_expectation_needs_them() {
    let gzip = "Content-Encoding: gzip\r\n";
    let body = compressed(b"all is well");
    let finding = judged(gzip, &body, contains("well")).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, body.len() as u64));
    let missing = judged(gzip, &body, contains("ill")).await;
    assert_eq!(fault(&missing), (Cause::Assertion, Detail::BodyContains));
    let broken = judged(gzip, b"not gzip at all", contains("a")).await;
    assert_eq!(fault(&broken), (Cause::Body, Detail::BadEncoding));
    let cut = judged(gzip, &body[..body.len() - 4], contains("well")).await;
    assert_eq!(fault(&cut), (Cause::Body, Detail::BadEncoding));
    let unknown = judged("Content-Encoding: br\r\n", &body, contains("a")).await;
    assert_eq!(fault(&unknown), (Cause::Body, Detail::BadEncoding));
    let ignored = judged(gzip, b"not gzip at all", Expectation::default()).await;
    assert_eq!(ignored.verdict, Verdict::Up);
}

#[tokio::test]
async fn deflate_is_read_with_and_without_its_wrapping() {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(b"all is well").expect("memory takes it");
    let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    bare.write_all(b"all is well").expect("memory takes it");
    for body in [zlib.finish(), bare.finish()] {
        let body = body.expect("memory takes it");
        let finding = judged("Content-Encoding: deflate\r\n", &body, contains("well")).await;
        assert_eq!(finding.verdict, Verdict::Up);
    }
}

#[tokio::test]
async fn a_bomb_is_too_large_only_where_it_would_go_off() {
    let gzip = "Content-Encoding: gzip\r\n";
    let bomb = compressed(&vec![0; 64 << 20]);
    let finding = judged(gzip, &bomb, contains("x")).await;
    assert_eq!(fault(&finding), (Cause::TooLarge, Detail::Decompressed));
    assert_eq!(judged(gzip, &bomb, Expectation::default()).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_body_that_is_too_long_to_hold_leaves_a_pattern_undecided() {
    let pattern = Pattern::new("x").expect("a good pattern");
    let expect = Expectation { body_regex: Some(pattern), ..Expectation::default() };
    let finding = judged("", &vec![b'x'; 2 << 20], expect).await;
    assert_eq!(fault(&finding), (Cause::TooLarge, Detail::Undecided));
    let long = [vec![b'x'; 2 << 20], b"end".to_vec()].concat();
    assert_eq!(judged("", &long, contains("xend")).await.verdict, Verdict::Up);
}

fn reusing() -> Plan {
    Plan { connection: Connection::Reuse, ..Plan::default() }
}

#[tokio::test]
async fn a_kept_connection_serves_the_next_poll_and_says_so() {
    let site = Site::serve(|mut stream, _| async move {
        while read_head(&mut stream).await.contains("keep-alive") {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).await.expect("the poll reads on");
        }
    })
    .await;
    let check = site::check();
    let target = Arc::new(site::target(&site.url(), reusing()));
    let first = check.check(Arc::clone(&target)).await;
    let second = check.check(target).await;
    assert_eq!((first.is_reused, second.is_reused), (false, true));
    assert_eq!((second.verdict, second.phases.connect.get()), (Verdict::Up, None));
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced() {
    let site = Site::serve(|mut stream, number| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).await.expect("the poll reads on");
        if number == 0 {
            // Hangs up at the next request, before any answer.
            read_head(&mut stream).await;
        }
    })
    .await;
    let check = site::check();
    let target = Arc::new(site::target(&site.url(), reusing()));
    for _ in 0..3 {
        let finding = check.check(Arc::clone(&target)).await;
        assert_eq!((finding.verdict, finding.is_reused), (Verdict::Up, false));
    }
}

#[tokio::test]
async fn one_check_serves_several_runtimes() {
    let site = Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let check = Arc::new(HttpCheck::new(HttpOptions::default()).expect("good options"));
    let url = site.url();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (check, url) = (Arc::clone(&check), url.replace("127.0.0.1", "localhost"));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let target = Arc::new(site::target(&url, Plan::default()));
                runtime.expect("a runtime").block_on(check.check(target))
            })
        })
        .collect();
    for thread in threads {
        let finding = tokio::task::spawn_blocking(|| thread.join())
            .await
            .expect("a thread")
            .expect("no panic");
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    }
}
