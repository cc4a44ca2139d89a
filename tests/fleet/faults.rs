//! Every way to misbehave, seen from the socket.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{MOMENT, ask, start, whole};
use crate::fleet::address::address;

/// What comes within a moment, and how the wait for more ended.
fn moment(stream: &TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    let (answer, end) = whole(stream.try_clone().unwrap());
    (answer, end.err().map(|error| error.kind()))
}

#[test]
fn silence_and_half_a_head_are_waited_for_in_vain() {
    let fleet = start();
    let (answer, end) = moment(&ask(&fleet, 0, "/silent"));
    assert_eq!((answer.as_slice(), end), (b"".as_slice(), Some(ErrorKind::WouldBlock)));
    let stream = ask(&fleet, 0, "/hang-head");
    let mut half = [0; 10];
    (&stream).read_exact(&mut half).unwrap();
    assert_eq!(&half, b"HTTP/1.1 2");
    assert_eq!(moment(&stream), (Vec::new(), Some(ErrorKind::WouldBlock)));
}

#[test]
fn heads_and_bodies_drip() {
    let fleet = start();
    let began = Instant::now();
    let (mut head, mut body) = (ask(&fleet, 0, "/drip"), ask(&fleet, 1, "/drip-body/b5"));
    let mut bytes = [0; 2];
    head.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"HT");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let mut start = Vec::new();
    while !start.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        body.read_exact(&mut byte).unwrap();
        start.extend(byte);
    }
    assert_eq!(moment(&head).1, Some(ErrorKind::WouldBlock));
}

#[test]
fn endless_heads_and_bodies_go_on() {
    let fleet = start();
    for (path, sign) in [
        ("/endless-headers", "X-Endless"),
        ("/endless-body", "200 OK\r\n\r\n"),
        ("/endless-body/chunked", "chunked\r\n\r\n1000\r\n"),
    ] {
        let mut answer = vec![0; 2 << 20];
        ask(&fleet, 0, path).read_exact(&mut answer).unwrap();
        assert!(String::from_utf8_lossy(&answer[..200]).contains(sign), "{path}");
    }
}

#[test]
fn a_reset_comes_before_the_answer_or_in_the_middle() {
    let fleet = start();
    let (answer, end) = whole(ask(&fleet, 0, "/reset"));
    assert_eq!((answer.len(), end.unwrap_err().kind()), (0, ErrorKind::ConnectionReset));
    let (answer, end) = whole(ask(&fleet, 0, "/reset-mid"));
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.len());
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_short_answer_ends_before_its_stated_length() {
    let (answer, end) = whole(ask(&start(), 0, "/short/b5000"));
    assert!(end.is_ok());
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = super::split(&answer);
    assert!(head.contains("Content-Length: 5000"), "{head}");
    assert_eq!(body.len(), 2500);
}

#[test]
fn what_is_no_http_comes_and_the_connection_ends() {
    let fleet = start();
    for (path, sign) in [
        ("/close", ""),
        ("/garbage", "SSH-2.0"),
        ("/bad-chunk", "\r\nzz\r\n"),
        ("/bad-head", "\r\nno colon here\r\n"),
    ] {
        let (answer, end) = whole(ask(&fleet, 0, path));
        assert!(end.is_ok(), "{path}");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(sign), "{path}: {answer}");
        assert_eq!(answer.is_empty(), sign.is_empty(), "{path}");
    }
}

#[test]
fn the_black_hole_swallows_connections_to_every_address() {
    let fleet = start();
    for target in [0, 77, 70_000] {
        let there = SocketAddr::from((address(target), fleet.blackhole_port()));
        let error = TcpStream::connect_timeout(&there, MOMENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{there}");
    }
}
