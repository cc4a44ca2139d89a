//! Every way in which a target can misbehave, all in one list: each costs its own poll alone, and
//! no longer than its timeout.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/fleet.rs"]
mod fleet;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};

use daemon::Daemon;
use fleet::{Certificate, Fleet, Options};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

/// The timeout of every target, in milliseconds, and what the machine may add to it.
const TIMEOUT_MS: f64 = 3_000.0;
const SLACK_MS: f64 = 2_000.0;
/// Healthy targets in the list.
const HEALTHY: u32 = 40;

/// A target that misbehaves, and what its polls find: verdict, cause, detail, code.
struct Case {
    entry: Value,
    found: [&'static str; 4],
}

/// A name, a URL, and what is found.
fn case(id: &str, url: impl Into<String>, found: [&'static str; 4]) -> Case {
    Case { entry: json!({"id": id, "url": url.into(), "retries": 0}), found }
}

impl Case {
    fn with(mut self, key: &str, value: Value) -> Self {
        self.entry[key] = value;
        self
    }
}

fn down(cause: &'static str, detail: &'static str) -> [&'static str; 4] {
    ["down", cause, detail, cause]
}

const UP: [&str; 4] = ["up", "", "", "200"];

/// Targets that say nothing, or never come to an end.
fn endless(fleet: &Fleet) -> Vec<Case> {
    let url = |path: &str| fleet.url(1, path);
    let expect = json!({"body_contains": "not there"});
    vec![
        case("no-syn", fleet.blackhole_url(1), down("timeout", "connecting")),
        case("silent", url("/silent"), down("timeout", "waiting")),
        case(
            "silent-tls",
            fleet.https_url(1, Certificate::Good, "/silent"),
            down("timeout", "waiting"),
        ),
        case("half-head", url("/hang-head"), down("timeout", "waiting")),
        case("slow-head", url("/drip"), down("timeout", "waiting")),
        case("slow-body", url("/drip-body"), ["down", "timeout", "transferring", "200"]),
        case("endless-head", url("/endless-headers"), down("too_large", "headers")),
        case("endless-body", url("/endless-body"), UP),
        case("endless-chunks", url("/endless-body/chunked"), UP),
        case(
            "endless-wanted",
            url("/endless-body/path/2"),
            ["down", "too_large", "undecided", "200"],
        )
        .with("expect", expect.clone()),
        case("bomb", url("/bomb/50"), UP),
        case("bomb-opened", url("/bomb/50/path/2"), ["down", "too_large", "decompressed", "200"])
            .with("expect", expect)
            .with("headers", json!({"Accept-Encoding": "gzip"})),
    ]
}

/// Targets that break what they began, or speak something else.
fn broken(fleet: &Fleet) -> Vec<Case> {
    let url = |path: &str| fleet.url(2, path);
    let status = |cause, detail, code| ["down", cause, detail, code];
    vec![
        case("loop", url("/loop"), status("redirect", "loop", "302")),
        case("long-way", url("/r9"), status("redirect", "too_many", "302")),
        case("ftp", url("/elsewhere/ftp"), status("redirect", "other_scheme", "302")),
        case(
            "nowhere",
            url("/redirect-to/http%3A%2F%2F"),
            status("redirect", "bad_location", "302"),
        ),
        case("reset", url("/reset"), down("reset", "")),
        case("reset-later", url("/reset-mid"), status("reset", "", "200")),
        case("short", url("/short"), status("body", "incomplete", "200")),
        case("hung-up", url("/close"), down("protocol", "no_answer")),
        case("garbage", url("/garbage"), down("protocol", "not_http")),
        case("two-lengths", url("/b10/h/Content-Length/3"), down("protocol", "bad_head")),
        // Browsers pass over a line that is no header, and so do we.
        case("bad-line", url("/bad-head"), UP),
        case("bad-chunk", url("/bad-chunk"), status("protocol", "bad_framing", "200")),
        case("error", url("/s500"), status("status", "", "500")),
        case("spared", url("/retry-after/1"), ["warning", "throttled", "", "429"]),
        case("spared-long", url("/retry-after/99999999999"), ["warning", "throttled", "", "429"]),
    ]
}

/// Targets whose TLS is of no use.
fn insecure(fleet: &Fleet) -> Vec<Case> {
    use Certificate as C;
    let kinds = [
        (C::Expired, "expired"),
        (C::NotYetValid, "not_yet_valid"),
        (C::SelfSigned, "self_signed"),
        (C::WrongName, "wrong_name"),
        (C::MissingIntermediate, "missing_intermediate"),
        (C::UnknownIssuer, "unknown_issuer"),
        (C::Alert, "alert"),
        (C::Garbage, "not_tls"),
    ];
    let mut cases: Vec<Case> = kinds
        .into_iter()
        .map(|(kind, detail)| case(detail, fleet.https_url(3, kind, "/"), down("tls", detail)))
        .collect();
    let tls_spoken_plainly = format!("http://127.1.0.3:{}/", fleet.https_port(C::Good));
    cases.push(case("plain-on-tls", tls_spoken_plainly, down("protocol", "not_http")));
    let silence = format!("https://127.1.0.3:{}/", fleet.blackhole_port());
    cases.push(case("tls-no-syn", silence, down("timeout", "connecting")));
    cases
}

/// Targets whose name leads nowhere, or to nobody.
fn unreachable(fleet: &Fleet, dead_server: SocketAddr, refusing: SocketAddr) -> Vec<Case> {
    let named = |name: &str| format!("http://{name}.fleet.test:{}/", fleet.http_port());
    let unknown = ["unknown", "resolver", "unanswered", "resolver"];
    vec![
        case("no-name", named("nx1"), down("dns", "no_such_name")),
        case("no-address", named("six1"), down("dns", "no_address")).with("ip_version", json!("4")),
        case("servfail", named("servfail1"), down("dns", "server_failure")),
        case("silent-name", named("silent1"), unknown),
        case("dead-server", named("t9"), unknown).with("resolver", json!(dead_server.to_string())),
        case("refused", format!("http://{refusing}/"), down("connect", "refused")),
    ]
}

fn healthy(fleet: &Fleet) -> Vec<Case> {
    let one = |number: u32| {
        let id = format!("healthy-{number}");
        let url = match number % 4 {
            0 => fleet.named_url(number, "/b1000"),
            1 => fleet.https_url(number, Certificate::Good, "/"),
            2 => fleet.url(number, "/gz/b20000"),
            _ => fleet.url(number, "/d20-80/keep"),
        };
        case(&id, url, UP)
    };
    (100..100 + HEALTHY).map(one).collect()
}

/// An address where nobody listens, and what keeps it free.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port is free");
    let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
    (socket, address)
}

/// Has the fleet make its bomb, which takes it a moment, before any poll waits for it.
fn warm(fleet: &Fleet) {
    let mut stream = TcpStream::connect(("127.0.0.1", fleet.http_port())).expect("a fleet");
    stream.write_all(b"GET /bomb/50 HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    stream.read_to_end(&mut Vec::new()).expect("it answers");
}

fn list_of(cases: &[Case]) -> Value {
    let entries = cases.iter().map(|case| {
        let mut entry = case.entry.clone();
        entry["interval"] = json!("8s");
        entry["timeout"] = json!("3s");
        entry
    });
    Value::Array(entries.collect())
}

/// Every poll of `case` that found something else than it should, or took too long.
fn faults_of(daemon: &Daemon, case: &Case) -> Vec<String> {
    let id = case.entry["id"].as_str().expect("text");
    let query = format!(
        "SELECT verdict, ifnull(cause, '') AS cause, ifnull(detail, '') AS detail, code, \
         latency_ms, lag_ms FROM checks WHERE target_id = '{id}'"
    );
    let is_wrong = |row: &serde_json::Map<String, Value>| {
        let found = ["verdict", "cause", "detail", "code"].map(|name| row[name].as_str());
        found != case.found.map(Some)
            || row["latency_ms"].as_f64().is_none_or(|taken| taken > TIMEOUT_MS + SLACK_MS)
    };
    let rows = daemon.sql(&query);
    let wrong = rows.iter().filter(|row| is_wrong(row));
    wrong.map(|row| format!("{id} is to be {:?}: {row:?}", case.found)).collect()
}

#[test]
fn every_misbehaviour_ends_in_time_with_its_cause_and_leaves_the_others_alone() {
    let fleet = Fleet::start(Options { threads: 2, ..Options::default() }).expect("a fleet");
    let swallowing = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let dead_server = swallowing.local_addr().expect("bound");
    let (_nobody, refusing) = refusing();
    let mut cases = endless(&fleet);
    cases.extend(broken(&fleet));
    cases.extend(insecure(&fleet));
    cases.extend(unreachable(&fleet, dead_server, refusing));
    cases.extend(healthy(&fleet));
    warm(&fleet);
    let daemon = start(&fleet, &list_of(&cases));

    let polled_twice =
        "SELECT count(*) FROM (SELECT 1 FROM checks GROUP BY target_id HAVING count(*) > 1)";
    daemon.wait_for(polled_twice, i64::try_from(cases.len()).expect("a few"));

    let faults: Vec<String> = cases.iter().flat_map(|case| faults_of(&daemon, case)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let summary = daemon.summary();
    let healthy = cases.iter().filter(|case| case.found == UP).count();
    // Who asks us to wait is left alone for a while, and nobody else.
    let missed = &summary["checks"]["missed"];
    assert_eq!(missed, &summary["checks"]["missed_by"]["politeness"], "{summary}");
    assert_eq!(summary["targets"]["up"], healthy, "{summary}");
    assert_eq!(summary["targets"]["pending"], 0, "{summary}");
    assert_eq!(summary["targets"]["total"], cases.len(), "{summary}");
    daemon.stop();
}

#[test]
fn a_target_that_fails_now_and_then_is_looked_at_again_before_it_is_called_down() {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let list = json!([{"id": "flaky", "url": fleet.url(4, "/flaky/2"), "interval": "4s", "timeout": "1s"}]);
    let daemon = start(&fleet, &list);
    daemon.wait_for("SELECT count(*) FROM checks WHERE kind = 'recheck'", 2);
    let rows = daemon.sql("SELECT verdict, code, kind FROM checks ORDER BY at");
    for (before, after) in rows.iter().zip(rows.iter().skip(1)) {
        let is_failed = before["verdict"] == "down";
        assert_eq!(is_failed, before["code"] == "500", "{rows:?}");
        assert_eq!(is_failed, after["kind"] == "recheck", "{rows:?}");
    }
    assert_eq!(daemon.summary()["targets"]["down"], 0);
    assert!(daemon.sql("SELECT * FROM incidents").is_empty());
    daemon.stop();
}

fn start(fleet: &Fleet, list: &Value) -> Daemon {
    let directory = daemon::directory(list);
    std::fs::write(directory.path().join("ca.pem"), fleet.ca_pem()).expect("a file");
    let mut command = daemon::program();
    let server = fleet.dns_address().to_string();
    daemon::foreground(&mut command, directory.path()).args([
        "--ca",
        "ca.pem",
        "--resolver",
        &server,
    ]);
    Daemon::spawn(&mut command, directory)
}
