//! Paths that lead elsewhere, and headers that carry more than they should.

use crate::asked::{ask, head, raw};
use crate::{house, listening};
use poller::api::ApiOptions;

#[test]
fn no_path_leads_out_of_the_routes() {
    let (_daemon, address) = listening(&[]);
    for path in [
        "/../../../../etc/passwd",
        "/login.css/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/api/v1/../../-/stop",
        "//etc/passwd",
        "/login.css%00.html",
        "/.git/config",
        "/poller.db",
    ] {
        let answer = ask(address, &format!("GET {path}"), &[]);
        answer.problem(404);
        assert!(!answer.body.contains("root:"), "{answer:?}");
    }
}

#[test]
fn nothing_that_is_sent_becomes_a_header_of_the_answer() {
    let (_daemon, address) = listening(&[]);
    for path in [
        "/%0d%0aSet-Cookie:%20a=b",
        "/api/v1/stats?all=%0d%0aSet-Cookie:%20a=b",
        "/login?next=%0d%0aSet-Cookie:%20a=b",
    ] {
        let answer = ask(address, &format!("GET {path}"), &[]);
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    }
    let proxied = ask(address, "GET /%0d%0aX:%20y", &[("X-Forwarded-For", "a\tb")]);
    assert_eq!(proxied.header("x"), None, "{proxied:?}");
}

#[test]
fn a_head_that_can_be_read_in_two_ways_is_refused() {
    let house = house(ApiOptions::default());
    let host = format!("Host: {}\r\n", house.address);
    for text in [
        format!("GET /healthz HTTP/1.1\r\n{host}X: a\rSet-Cookie: b\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{host}X : a\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{host} folded: a\r\n\r\n"),
        format!("GET /healthz\r\n{host}\r\n\r\n"),
        format!("POST /-/stop HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        format!("POST /-/stop HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n\r\n"),
        format!("GET /healthz HTTP/3.0\r\n{host}\r\n\r\n"),
        "\0\0\0\0\r\n\r\n".to_owned(),
    ] {
        let answer = raw(house.address, text.as_bytes());
        assert!(matches!(answer.status, 400 | 505), "{text}: {answer:?}");
        assert!(!answer.head.contains("Set-Cookie"), "{answer:?}");
    }
    assert!(!house.facts.is_stopping.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn heads_and_addresses_have_a_limit() {
    let house = house(ApiOptions::default());
    let long = "a".repeat(9_000);
    ask(house.address, &format!("GET /{long}"), &[]).problem(414);
    let many: Vec<_> = (0..100).map(|_| ("X", "y")).collect();
    assert_eq!(ask(house.address, "GET /healthz", &many).status, 431);
    let large = "b".repeat(40_000);
    let head = head(house.address, "GET /healthz", &[("X", &large)]);
    assert_eq!(raw(house.address, head.as_bytes()).status, 431);
    assert_eq!(ask(house.address, "GET /healthz", &[("X", &long)]).status, 200);
}
