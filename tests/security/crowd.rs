//! Crowds: ten thousand who ask nothing, and an end although many listen.

use std::io::{Read, Write};
use std::net::TcpStream;

use poller::api::{ApiOptions, Patience};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::asked::{ask, connect, head};
use crate::{house, listening};

/// Files that this process needs for other things.
const OTHER_FILES: u64 = 1_000;

/// How many connections we can hold, 10,000 at most.
fn crowd() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let crowd = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    println!("{} idle connections", crowd.min(10_000));
    crowd.min(10_000)
}

fn follower(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(head(address, "GET /api/v1/follow", &[]).as_bytes()).unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun[9..], b"200");
    stream
}

#[test]
fn ten_thousand_who_ask_nothing_lock_nobody_out_and_disturb_nobody() {
    let long = std::time::Duration::from_mins(10);
    let patience = Patience { head: long, ..Patience::default() };
    let house = house(ApiOptions { connections: 64, patience, ..ApiOptions::default() });
    let mut busy = follower(house.address);
    let mut idle = Vec::new();
    for number in 0..crowd() {
        idle.push(connect(house.address));
        if number % 500 == 0 {
            assert_eq!(ask(house.address, "GET /healthz", &[]).status, 200, "after {number}");
        }
    }
    assert_eq!(ask(house.address, "GET /healthz", &[]).status, 200);
    let mut first = &idle[0];
    assert_eq!(first.read(&mut [0; 1]).unwrap_or(0), 0, "the first idle one has made room");
    house.facts.feed.publish(1, || "still told".to_owned());
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains("still told") {
        let mut buffer = [0; 1_024];
        let read = busy.read(&mut buffer).expect("the one who listens is left alone");
        assert!(read > 0, "the one who listens is left alone");
        told.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn heads_and_bodies_that_never_end_lock_nobody_out() {
    let long = std::time::Duration::from_mins(10);
    let patience = Patience { head: long, body: long, ..Patience::default() };
    let house = house(ApiOptions { connections: 16, patience, ..ApiOptions::default() });
    let body = [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "9")];
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut stream = connect(house.address);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a").unwrap();
        held.push(stream);
        let mut stream = connect(house.address);
        stream.write_all(head(house.address, "POST /login", &body).as_bytes()).unwrap();
        held.push(stream);
    }
    assert_eq!(ask(house.address, "GET /healthz", &[]).status, 200);
}

#[test]
fn answers_that_go_on_leave_room_for_others() {
    let house = house(ApiOptions { connections: 8, ..ApiOptions::default() });
    let held: Vec<_> = (0..6).map(|_| follower(house.address)).collect();
    let refused = ask(house.address, "GET /api/v1/follow", &[]);
    assert!(refused.problem(503).contains("answers that go on"), "{refused:?}");
    assert_eq!(ask(house.address, "GET /healthz", &[]).status, 200);
    drop(held);
}

#[test]
fn a_daemon_ends_in_time_although_many_listen_and_some_do_not_read() {
    let (daemon, address) = listening(&["--grace", "10s"]);
    let held: Vec<_> = (0..12).map(|_| follower(address)).collect();
    let idle: Vec<_> = (0..50).map(|_| connect(address)).collect();
    let mut begun = connect(address);
    begun
        .write_all(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        .unwrap();
    let at = std::time::Instant::now();
    let said = daemon.stop();
    // Its grace period, and what the last write may take beyond it.
    assert!(at.elapsed() < std::time::Duration::from_secs(25), "{:?}: {said}", at.elapsed());
    println!("ended after {:?}", at.elapsed());
    drop((held, idle, begun));
}
