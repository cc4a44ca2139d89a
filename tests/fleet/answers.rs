//! Answers in order: status, body, headers, delay, redirects, connections that stay.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

use super::{ask, connect, get, six, split, start, until, whole};
use crate::fleet::address::{address, number};
use crate::fleet::behaviour::encode;
use crate::fleet::{Fleet, Options};

#[test]
fn a_plain_path_is_answered_with_200_and_closed() {
    let fleet = start();
    let answer = get(&fleet, "/");
    let (head, body) = split(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 2") && head.contains("Connection: close"), "{head}");
    assert_eq!(body, "ok");
}

#[test]
fn segments_compose() {
    let fleet = start();
    let answer = get(&fleet, "/d5/s404/b20000/h/X-One/a%20b?query=passed+over");
    let (head, body) = split(&answer);
    assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
    assert!(head.contains("\r\nX-One: a b\r\n"), "{head}");
    assert_eq!(body.len(), 20_000);
}

#[test]
fn a_delay_is_kept_and_measured() {
    let fleet = start();
    let began = Instant::now();
    get(&fleet, "/d30");
    get(&fleet, "/d150");
    assert!(began.elapsed() >= Duration::from_millis(180));
    let figures = fleet.statistics();
    assert_eq!((figures.requests, figures.answers), (2, 2));
    assert!(figures.sum_us >= 180_000 && figures.longest_us >= 150_000, "{figures:?}");
    assert!(figures.quantile_us(0.5).is_some_and(|median| median >= 30_000));
}

#[test]
fn a_random_delay_lies_within_its_bounds() {
    let fleet = start();
    for _ in 0..5 {
        get(&fleet, "/d20-40");
    }
    let delays = fleet.statistics().delays;
    assert!(delays.iter().all(|(from, _)| *from >= 20_000), "{delays:?}");
}

#[test]
fn texts_and_json_are_given_back() {
    let fleet = start();
    let answer = get(&fleet, &format!("/text/{}", encode("all is well / 100 %")));
    assert_eq!(split(&answer).1, "all is well / 100 %");
    let answer = get(&fleet, &format!("/json/{}", encode(r#"{"up":true}"#)));
    assert!(answer.contains("application/json"), "{answer}");
    assert_eq!(split(&answer).1, r#"{"up":true}"#);
}

#[test]
fn echo_gives_the_request_back() {
    let fleet = start();
    let mut stream = connect(address(0), fleet.http_port());
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    stream.write_all(request.as_bytes()).unwrap();
    let (answer, _) = whole(stream);
    assert!(String::from_utf8(answer).unwrap().ends_with(request));
}

#[test]
fn an_unknown_word_is_refused_with_its_name() {
    let fleet = start();
    let answer = get(&fleet, "/s200/dlay50");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("dlay50"), "{answer}");
    assert!(get(&fleet, "/path/dlay50").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_head_request_gets_no_body_or_a_405() {
    let fleet = start();
    for (path, status) in [("/b100", "200"), ("/nohead", "405")] {
        let mut stream = connect(address(0), fleet.http_port());
        stream.write_all(format!("HEAD {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let (answer, _) = whole(stream);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(split(&answer).1, "");
    }
}

#[test]
fn redirects_count_down_loop_and_lead_elsewhere() {
    let fleet = start();
    let location = |path: &str| {
        let answer = get(&fleet, path);
        assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("Location: "));
        location.unwrap().to_owned()
    };
    assert_eq!(location("/r3/s404"), "/r2/s404");
    assert_eq!(location("/r1/s404"), "/r0/s404");
    assert!(get(&fleet, "/r0/s404").starts_with("HTTP/1.1 404"));
    assert_eq!(location("/loop"), "/loop");
    assert_eq!(location("/elsewhere/ftp"), "ftp://fleet.test/file");
    let secure =
        format!("https://t0.fleet.test:{}/", fleet.https_port(super::fleet::Certificate::Good));
    assert_eq!(location("/elsewhere/https"), secure);
    let there = "http://127.1.0.9:1/d5?a=b";
    assert_eq!(location(&format!("/redirect-to/{}", encode(there))), there);
}

#[test]
fn bodies_are_packed_and_bombs_unpack_to_their_size() {
    let fleet = start();
    for (path, length) in [("/gz/b5000", 5000), ("/bomb/3", 3 << 20)] {
        let (answer, _) = whole(ask(&fleet, 0, path));
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert!(String::from_utf8_lossy(&answer[..head]).contains("Content-Encoding: gzip"));
        let mut unpacked = Vec::new();
        GzDecoder::new(&answer[head..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked.len(), length);
        assert!(answer.len() < 10_000);
    }
}

#[test]
fn a_connection_stays_where_it_is_kept() {
    let fleet = start();
    let mut stream = ask(&fleet, 3, "/keep/b10");
    stream.write_all(b"GET /keep/b10 HTTP/1.1\r\n\r\nGET /b10 HTTP/1.1\r\n\r\n").unwrap();
    let (answer, _) = whole(stream);
    assert_eq!(String::from_utf8(answer).unwrap().matches("HTTP/1.1 200").count(), 3);
    let figures = fleet.statistics();
    assert_eq!((figures.connections, figures.requests), (1, 3));
    assert_eq!(fleet.target_statistics(3).requests, 3);
}

#[test]
fn flaky_fails_each_so_many_th_time() {
    let fleet = start();
    let failed: Vec<_> =
        (0..6).map(|_| get(&fleet, "/flaky/3").starts_with("HTTP/1.1 500")).collect();
    assert_eq!(failed, [false, false, true, false, false, true]);
}

#[test]
fn too_many_requests_say_when_to_come_again() {
    let answer = get(&start(), "/retry-after/7");
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("Retry-After: 7"), "{answer}");
}

#[test]
fn every_address_answers_and_is_counted_by_itself() {
    let fleet = Fleet::start(Options { threads: 2, ..Options::default() }).unwrap();
    for target in [0, 249, 250, 62_499, 62_500, 1_000_000] {
        assert_eq!(number(address(target)), Some(target));
        let (answer, _) = whole(ask(&fleet, target, "/"));
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(fleet.target_statistics(target).requests, 1);
    }
    assert_eq!(fleet.statistics().addresses, 6);
}

#[test]
fn the_most_in_flight_is_known_overall_and_per_address() {
    let fleet = start();
    let streams = [0, 0, 1].map(|target| ask(&fleet, target, "/silent"));
    until(|| fleet.statistics().in_flight == 3);
    drop(streams);
    until(|| fleet.statistics().in_flight == 0);
    get(&fleet, "/d5");
    let figures = fleet.statistics();
    assert_eq!((figures.in_flight, figures.most_in_flight), (0, 3));
    assert_eq!(figures.most_in_flight_per_address, 2);
    fleet.reset();
    assert_eq!(fleet.statistics().most_in_flight_per_address, 0);
}

#[test]
fn a_visitor_that_leaves_is_no_longer_in_flight() {
    let fleet = start();
    let stream = ask(&fleet, 0, "/d60000");
    until(|| fleet.statistics().requests == 1);
    drop(stream);
    until(|| fleet.statistics().in_flight == 0);
}

#[test]
fn one_port_answers_on_both_families() {
    let fleet = start();
    let Some(port) = fleet.six_port() else { return };
    for mut stream in [std::net::TcpStream::connect(six(port)).unwrap(), connect(address(5), port)]
    {
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(whole(stream).0.starts_with(b"HTTP/1.1 200"));
    }
    assert!(std::net::TcpStream::connect(six(fleet.http_port())).is_err());
}
