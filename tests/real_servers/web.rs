//! What nginx serves, and which certificates it shows.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::real::talk::{connect, handshake};
use crate::real::{Nginx, PAGE, Pki, Shows};

fn get(mut stream: impl Read + Write, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: www.example.test\r\n");
    let request = request + "Connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a server that reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// What a client that trusts the root thinks of the certificate at `shows`.
fn judged(pki: &Pki, nginx: &Nginx, shows: Shows) -> Result<(), String> {
    let stream = connect(nginx.https_port(shows)).expect("a server that listens");
    let outcome = handshake(stream, &pki.client(), "127.0.0.1");
    outcome.map(drop).map_err(|error| error.to_string())
}

#[test]
fn pages_are_served_over_http() {
    let Some(nginx) = Nginx::start(&Pki::new()) else { return };
    let at = |path| get(connect(nginx.http_port()).expect("a server that listens"), path);
    assert!(at("/").starts_with("HTTP/1.1 200 OK\r\nServer: nginx"));
    assert!(at("/").ends_with(PAGE));
    let moved = at("/redirect");
    assert!(moved.starts_with("HTTP/1.1 302 "), "{moved}");
    assert!(
        moved
            .contains(&format!("\r\nLocation: http://www.example.test:{}/\r\n", nginx.http_port())),
        "{moved}"
    );
    assert!(at("/nowhere").starts_with("HTTP/1.1 404 "));
    assert!(at("/error").starts_with("HTTP/1.1 500 "));
    assert!(at("/unavailable").contains("\r\nRetry-After: 120\r\n"));
}

#[test]
fn a_slow_page_begins_after_two_seconds() {
    let Some(nginx) = Nginx::start(&Pki::new()) else { return };
    let began = Instant::now();
    let text = get(connect(nginx.http_port()).expect("a server that listens"), "/slow");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with(PAGE), "{text}");
}

#[test]
fn a_page_that_trickles_takes_its_time_to_end() {
    let Some(nginx) = Nginx::start(&Pki::new()) else { return };
    let began = Instant::now();
    let text = get(connect(nginx.http_port()).expect("a server that listens"), "/trickle");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(text.ends_with(PAGE), "{text}");
}

#[test]
fn a_good_chain_is_trusted_and_serves_the_page() {
    let pki = Pki::new();
    let Some(nginx) = Nginx::start(&pki) else { return };
    for name in ["127.0.0.1", "localhost", "www.example.test"] {
        let stream = connect(nginx.https_port(Shows::Good)).expect("a server that listens");
        let stream = handshake(stream, &pki.client(), name).expect("a trusted chain");
        assert!(get(stream, "/").ends_with(PAGE));
    }
}

#[test]
fn every_other_port_shows_a_certificate_with_its_own_fault() {
    let pki = Pki::new();
    let Some(nginx) = Nginx::start(&pki) else { return };
    assert_eq!(judged(&pki, &nginx, Shows::Good), Ok(()));
    let wanted = [
        (Shows::Expired, "certificate expired"),
        (Shows::NotYetValid, "certificate not valid yet"),
        (Shows::WrongName, "certificate not valid for name"),
        (Shows::SelfSigned, "CaUsedAsEndEntity|UnknownIssuer"),
        (Shows::NoIntermediate, "UnknownIssuer"),
    ];
    for (shows, fault) in wanted {
        let error = judged(&pki, &nginx, shows).expect_err("a fault");
        assert!(fault.split('|').any(|fault| error.contains(fault)), "{shows:?}: {error}");
    }
}
