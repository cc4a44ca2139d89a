//! Polls over HTTP/1.1 against scripted servers: every way to answer, and what is made of it.

#[path = "support/site.rs"]
mod site;

use std::sync::Arc;
use std::time::Duration;

use poller::check::{HttpCheck, HttpOptions};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::Plan;
use site::{Site, fault, hang_up, poll, poll_hastily, read_head, reset};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a poll finds of a server that answers with `bytes` and hangs up.
async fn answer(bytes: impl Into<Vec<u8>>) -> Finding {
    let site = Site::answering(bytes).await;
    poll(&site.url(), Plan::default()).await
}

/// The fault that a poll finds of a server that answers with `bytes` and hangs up.
async fn answer_fault(bytes: impl Into<Vec<u8>>) -> (Cause, Detail) {
    fault(&answer(bytes).await)
}

#[tokio::test]
async fn an_answer_is_up_and_its_parts_are_measured() {
    let finding = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!((finding.verdict, finding.status, finding.bytes), (Verdict::Up, 200, 5));
    let [resolve, connect, tls, first_byte, transfer] = finding.phases.all();
    assert!(connect.get().is_some() && first_byte.get().is_some() && transfer.get().is_some());
    assert_eq!((resolve.get(), tls.get()), (None, None));
}

#[tokio::test]
async fn every_framing_of_a_body_is_read_to_its_end() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(answer(chunked).await.bytes, 5);
    assert_eq!(answer("HTTP/1.1 200 OK\r\n\r\nuntil the end").await.bytes, 13);
    assert_eq!(answer("HTTP/1.0 200 OK\r\n\r\nold").await.bytes, 3);
    assert_eq!(answer("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n").await.bytes, 0);
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let finding =
        answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((finding.verdict, finding.status), (Verdict::Up, 200));
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
    assert_eq!(answer_fault(endless).await, (Cause::TooLarge, Detail::Headers));
}

#[tokio::test]
async fn an_answer_in_single_bytes_is_the_same_answer() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.set_nodelay(true).expect("a socket takes the option");
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" {
            stream.write_all(&[*byte]).await.expect("the poll reads on");
            tokio::task::yield_now().await;
        }
        hang_up(stream).await;
    })
    .await;
    let finding = poll(&site.url(), Plan::default()).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 3));
}

#[tokio::test]
async fn a_status_that_is_not_expected_is_down() {
    let finding = answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((fault(&finding), finding.status), ((Cause::Status, Detail::None), 503));
}

#[tokio::test]
async fn too_many_requests_is_a_warning_that_says_how_long_to_wait() {
    let finding = answer("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(fault(&finding), (Cause::Throttled, Detail::None));
    assert_eq!((finding.verdict, finding.retry_after_s), (Verdict::Warning, 7));
    let site = Site::answering("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n").await;
    let expect = Expectation { status: vec![(429, 429)], ..Expectation::default() };
    let finding = poll(&site.url(), Plan { expect, ..Plan::default() }).await;
    assert_eq!(finding.verdict, Verdict::Up);
}

#[tokio::test]
async fn what_is_no_http_is_told_apart_from_what_is_broken_http() {
    assert_eq!(answer_fault("SSH-2.0-x\r\n").await, (Cause::Protocol, Detail::NotHttp));
    assert_eq!(answer_fault("").await, (Cause::Protocol, Detail::NoAnswer));
    assert_eq!(answer_fault("HTTP/1.1 200 OK\r\nA: b").await, (Cause::Protocol, Detail::BadHead));
    let lengths = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(answer_fault(lengths).await, (Cause::Protocol, Detail::BadHead));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
    assert_eq!(answer_fault(chunks).await, (Cause::Protocol, Detail::BadFraming));
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_incomplete() {
    let finding = answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    assert_eq!(fault(&finding), (Cause::Body, Detail::Incomplete));
    assert_eq!((finding.status, finding.bytes), (200, 5));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    assert_eq!(answer_fault(chunks).await, (Cause::Body, Detail::Incomplete));
}

#[tokio::test]
async fn a_head_over_its_cap_is_too_large() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(answer_fault(long).await, (Cause::TooLarge, Detail::Headers));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(300));
    assert_eq!(answer_fault(many).await, (Cause::TooLarge, Detail::Headers));
}

#[tokio::test]
async fn a_reset_is_told_wherever_it_comes() {
    let site = Site::serve(|mut stream, number| async move {
        read_head(&mut stream).await;
        if number > 0 {
            let part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
            stream.write_all(part).await.expect("the poll reads on");
            // The poll has to have read before the reset, which takes unread bytes away.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        reset(&stream);
    })
    .await;
    let early = poll(&site.url(), Plan::default()).await;
    assert_eq!(fault(&early), (Cause::Reset, Detail::None));
    let late = poll(&site.url(), Plan::default()).await;
    assert_eq!((fault(&late), late.bytes), ((Cause::Reset, Detail::None), 5));
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let site = Site::answering("").await;
    let url = site.url();
    drop(site);
    tokio::task::yield_now().await;
    let finding = poll(&url, Plan::default()).await;
    assert_eq!(fault(&finding), (Cause::Connect, Detail::Refused));
    assert_eq!(finding.status, 0);
}

#[tokio::test]
async fn a_timeout_tells_what_it_was_waiting_for_and_keeps_what_was_measured() {
    let silent = Site::serve(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let finding = poll_hastily(&silent.url()).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Waiting));
    assert!(finding.phases.connect.get().is_some());

    let slow = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let part = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
        stream.write_all(part).await.expect("the poll reads on");
        std::future::pending::<()>().await;
    })
    .await;
    let finding = poll_hastily(&slow.url()).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Transferring));
    assert_eq!((finding.status, finding.bytes), (200, 5));
    assert!(finding.phases.first_byte.get().is_some());
    assert_eq!(finding.phases.transfer.get(), None);
}

#[tokio::test]
async fn a_request_that_is_not_taken_times_out_while_it_is_sent() {
    let site = Site::serve(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let body = Some("x".repeat(32 << 20).into());
    let mut target =
        site::target(&site.url(), Plan { body, method: "POST".into(), ..Plan::default() });
    target.timeout_ms = 500;
    let finding = site::check().check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Sending));
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_its_cap_and_is_up() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    })
    .await;
    let options = HttpOptions { max_body: 100_000, ..HttpOptions::default() };
    let check = HttpCheck::new(options).expect("good options");
    let plan = Plan::default();
    let finding = check.check(Arc::new(site::target(&site.url(), plan))).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 100_000));
    assert!(finding.is_at_least);
    let expect = Expectation { body_contains: vec!["y".into()], ..Expectation::default() };
    let plan = Plan { expect, ..Plan::default() };
    let finding = check.check(Arc::new(site::target(&site.url(), plan))).await;
    assert_eq!(fault(&finding), (Cause::TooLarge, Detail::Undecided));
}

#[tokio::test]
async fn the_body_of_a_head_request_is_not_waited_for() {
    let site = Site::serve(|mut stream, _| async move {
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HEAD / HTTP/1.1\r\n"), "{head}");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
        std::future::pending::<()>().await;
    })
    .await;
    let finding = poll(&site.url(), Plan { method: "HEAD".into(), ..Plan::default() }).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 0));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_taken_counts() {
    let site = Site::serve(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let mut some = [0; 1000];
        let _ = stream.read(&mut some).await;
    })
    .await;
    let body = Some("x".repeat(1 << 20).into());
    let plan = Plan { body, method: "POST".into(), ..Plan::default() };
    let finding = poll(&site.url(), plan).await;
    // The reset that follows may overtake the answer: either is told as it came.
    match finding.cause {
        None => assert_eq!(finding.status, 200),
        Some(cause) => assert_eq!(cause, Cause::Reset),
    }
}
