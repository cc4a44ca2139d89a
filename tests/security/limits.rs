//! Visitors who send too much, too slowly, or do not read what they asked for.

use std::io::{Read, Write};
use std::time::Duration;

use poller::api::{ApiOptions, Patience};

use crate::asked::{Answer, ask, connect, head, rest, wait_for};
use crate::{bearer, house, listening, token};

/// Little patience, so that nothing has to be waited for long.
fn hasty() -> ApiOptions {
    let short = Duration::from_millis(200);
    let patience = Patience { handshake: short, head: short, body: short, write: short };
    ApiOptions { patience, ..ApiOptions::default() }
}

#[test]
fn a_gigabyte_is_refused_when_it_is_announced() {
    let (daemon, address) = listening(&[]);
    let admin = bearer(&token(&daemon, "admin", &[]));
    let announced = [("Content-Type", "application/json"), ("Content-Length", "1073741824")];
    for (more, line, status) in [
        (&[("Authorization", admin.as_str())][..], "POST /api/v1/tokens", 413),
        (&[], "POST /api/v1/tokens", 413),
        (&[("Authorization", admin.as_str())], "GET /api/v1/stats", 413),
        (&[], "POST /login", 413),
    ] {
        let head = head(address, line, &[more, &announced].concat());
        let mut stream = connect(address);
        stream.write_all(head.as_bytes()).unwrap();
        // Some of it, until nobody takes any more.
        let some = vec![b' '; 65_536];
        let sent = (0..64).take_while(|_| stream.write_all(&some).is_ok()).count();
        let answer = Answer::of(&rest(&mut stream));
        answer.problem(status);
        println!("{line}: {status} after at most {sent} pieces");
    }
    assert_eq!(ask(address, "GET /api/v1/stats", &[]).status, 200);
}

#[test]
fn a_body_without_an_end_is_cut_at_the_limit() {
    let (daemon, address) = listening(&[]);
    let admin = bearer(&token(&daemon, "admin", &[]));
    let headers = [
        ("Authorization", admin.as_str()),
        ("Content-Type", "application/json"),
        ("Transfer-Encoding", "chunked"),
    ];
    let mut stream = connect(address);
    stream.write_all(head(address, "POST /api/v1/tokens", &headers).as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let sent = (0..16_384).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(sent < 16_384, "a gigabyte was taken");
    // The answer may be lost when the other side cuts while much is on its way.
    let answer = rest(&mut stream);
    if !answer.is_empty() {
        Answer::of(&answer).problem(413);
    }
    assert_eq!(ask(address, "GET /api/v1/stats", &[]).status, 200);
}

#[test]
fn whoever_sends_slowly_is_not_waited_for() {
    let house = house(hasty());
    for begun in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: loc"] {
        let mut stream = connect(house.address);
        stream.write_all(begun.as_bytes()).unwrap();
        let said = Answer::of(&rest(&mut stream));
        assert!(matches!(said.status, 0 | 408), "{said:?}");
    }
    let slow = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "10")];
    let mut stream = connect(house.address);
    stream.write_all(head(house.address, "POST /login", &slow).as_bytes()).unwrap();
    stream.write_all(b"tok").unwrap();
    let answer = Answer::of(&rest(&mut stream));
    assert!(answer.problem(408).contains("did not come in time"), "{answer:?}");
}

#[test]
fn a_follower_that_reads_nothing_is_cut_off() {
    let house = house(hasty());
    let mut stream = connect(house.address);
    stream.write_all(head(house.address, "GET /api/v1/follow", &[]).as_bytes()).unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun[9..], b"200");
    let line = "a long line ".repeat(8_192);
    let mut second = 0;
    wait_for("it to be cut off", || {
        second += 1;
        (0..64).for_each(|_| house.facts.feed.publish(second, || line.clone()));
        (!house.facts.feed.has_followers()).then_some(())
    });
    assert_eq!(ask(house.address, "GET /healthz", &[]).status, 200);
}

#[test]
fn a_follower_that_reads_is_not() {
    let house = house(hasty());
    let mut stream = connect(house.address);
    stream.write_all(head(house.address, "GET /api/v1/follow", &[]).as_bytes()).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4_096];
    // An empty line comes each second, so this takes far longer than anybody's patience here.
    wait_for("four seconds to be told", || {
        let read = stream.read(&mut buffer).expect("it goes on");
        assert!(read > 0, "it goes on");
        said.extend_from_slice(&buffer[..read]);
        (said.windows(6).filter(|part| part == b"1\r\n\n\r\n").count() >= 4).then_some(())
    });
    assert!(house.facts.feed.has_followers());
}
