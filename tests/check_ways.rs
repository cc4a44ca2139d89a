//! The ways to a target: families side by side, tunnels, connections kept over TLS, HTTP/2.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/names.rs"]
mod names;
#[path = "support/site.rs"]
mod site;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fleet::{Certificate, Fleet, Options};
use names::{NameServer, Says};
use poller::address::Address;
use poller::check::{HttpCheck, HttpOptions};
use poller::expectation::Expectation;
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{Connection, HttpVersion, Plan, Proxy, Target};
use site::{Site, fault, hang_up, read_head};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

/// Set in the part of a test that runs in a network of its own.
const INSIDE: &str = "POLLER_TEST_INSIDE";

/// A port whose SYNs nobody answers: it takes one connection, and that is there already.
fn swallowing(address: SocketAddr) -> Vec<Socket> {
    let domain = Domain::for_address(address);
    let listener = Socket::new(domain, Type::STREAM, None).expect("a socket");
    listener.bind(&address.into()).expect("the port is free");
    listener.listen(0).expect("it listens");
    let address = listener.local_addr().expect("it is bound");
    let mut held = vec![listener];
    loop {
        let visitor = Socket::new(domain, Type::STREAM, None).expect("a socket");
        if visitor.connect_timeout(&address, Duration::from_millis(50)).is_err() {
            return held;
        }
        held.push(visitor);
        assert!(held.len() < 16, "the queue is never full");
    }
}

/// A check that learns of every name that it has `addresses`.
async fn knowing(addresses: Vec<IpAddr>) -> (HttpCheck, NameServer) {
    let server = NameServer::serve(move |_, _| Says::Addresses(addresses.clone(), 60)).await;
    let options = HttpOptions { resolvers: vec![server.address], ..HttpOptions::default() };
    (HttpCheck::new(options).expect("good options"), server)
}

async fn poll(check: &HttpCheck, url: &str, plan: Plan) -> Finding {
    check.check(Arc::new(site::target(url, plan))).await
}

fn connect_ms(finding: &Finding) -> u32 {
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    finding.phases.connect.get().expect("it connected") / 1_000
}

#[tokio::test]
async fn an_address_that_is_silent_is_passed_over_after_a_quarter_of_a_second() {
    let site = Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = site.address.port();
    let silent: IpAddr = "127.0.0.77".parse().expect("an address");
    let _silence = swallowing((silent, port).into());
    let (check, _server) = knowing(vec![silent, site.address.ip()]).await;
    let url = format!("http://a.example:{port}/");
    let waited = connect_ms(&poll(&check, &url, Plan::default()).await);
    assert!((250..9_000).contains(&waited), "{waited} ms");
}

/// Runs the test `name` again in a network of its own, whose loopback has a way to IPv6; false
/// when that is not allowed here.
fn runs_inside(name: &str) -> bool {
    let setup = "ip link set lo up && ip -6 addr add 2001:db8::1/128 dev lo && \
                 ip -6 route add default dev lo || exit 77; exec \"$0\" --exact \"$1\" --nocapture";
    let this = std::env::current_exe().expect("our own file");
    let status = std::process::Command::new("unshare")
        .args(["-rn", "sh", "-c", setup])
        .arg(this)
        .arg(name)
        .env(INSIDE, "1")
        .status();
    match status {
        Ok(status) if status.success() => true,
        // Of unshare, and of what is set up above.
        Ok(status) if ![Some(1), Some(77)].contains(&status.code()) => panic!("{name}: {status}"),
        other => {
            eprintln!("not checked: no network can be made here ({other:?})");
            false
        }
    }
}

#[test]
fn ipv6_goes_first_and_ipv4_stands_in_for_it() {
    if std::env::var_os(INSIDE).is_none() {
        runs_inside("ipv6_goes_first_and_ipv4_stands_in_for_it");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let site = Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let port = site.address.port();
        let both = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let (check, server) = knowing(both).await;
        let url = format!("http://a.example:{port}/");
        // A machine that is busy may take its time for one of them.
        let mut refused = u32::MAX;
        for _ in 0..5 {
            refused = refused.min(connect_ms(&poll(&check, &url, Plan::default()).await));
        }
        assert!(refused < 200, "a family that refuses is not waited for: {refused} ms");
        assert_eq!(server.asked(), 2, "both families are asked for at once");
        let silence = swallowing((Ipv6Addr::LOCALHOST, port).into());
        let silent = connect_ms(&poll(&check, &url, Plan::default()).await);
        assert!((250..9_000).contains(&silent), "{silent} ms");
        drop(silence);
        let six = tokio::net::TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.expect("free");
        let before = site.connections();
        let mut hung_up = tokio::task::JoinSet::new();
        hung_up.spawn(async move { while six.accept().await.is_ok() {} });
        let finding = poll(&check, &url, Plan::default()).await;
        assert!(finding.cause.is_some(), "IPv6 goes first: {finding:?}");
        assert_eq!(site.connections(), before);
    });
}

/// A proxy that opens tunnels, to `there` wherever they are to lead; the heads it was sent.
async fn tunnelling(there: SocketAddr) -> (Site, Arc<std::sync::Mutex<Vec<String>>>) {
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    let proxy = Site::serve(move |mut stream, _| {
        let noted = Arc::clone(&noted);
        async move {
            let head = read_head(&mut stream).await;
            noted.lock().expect("no panic").push(head);
            let mut target = TcpStream::connect(there).await.expect("the target");
            let granted = b"HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n";
            stream.write_all(granted).await.expect("it reads");
            let _ = copy_bidirectional(&mut stream, &mut target).await;
        }
    })
    .await;
    (proxy, heads)
}

fn fleet() -> (Fleet, HttpCheck, TempDir) {
    let fleet = Fleet::start(Options::default()).expect("a fleet");
    let directory = TempDir::new().expect("a directory");
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, fleet.ca_pem()).expect("a file");
    let options = HttpOptions {
        ca: Some(ca),
        resolvers: vec![fleet.dns_address()],
        max_body: 1 << 20,
        ..HttpOptions::default()
    };
    (fleet, HttpCheck::new(options).expect("good options"), directory)
}

fn through(proxy: SocketAddr) -> Plan {
    let address = Address::parse(&format!("http://user:key@{proxy}/")).expect("an address");
    Plan { proxy: Proxy::Through(address), ..Plan::default() }
}

#[tokio::test]
async fn a_target_over_tls_is_polled_through_a_tunnel_and_its_name_left_to_the_proxy() {
    let (fleet, check, _directory) = fleet();
    let port = fleet.https_port(Certificate::Good);
    let (proxy, heads) = tunnelling(([127, 0, 0, 1], port).into()).await;
    let url = format!("https://t3.fleet.test:{port}/b500");
    let finding = poll(&check, &url, through(proxy.address)).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 500), "{finding:?}");
    assert!(finding.certificate_until > 0 && finding.phases.tls.get().is_some());
    assert_eq!(fleet.queries_of("t3.fleet.test"), 0, "the proxy asks for the name");
    let heads = heads.lock().expect("no panic");
    let begin = format!("CONNECT t3.fleet.test:{port} HTTP/1.1\r\nHost: t3.fleet.test:{port}\r\n");
    assert!(heads[0].starts_with(&begin), "{heads:?}");
    assert!(heads[0].contains("Proxy-Authorization: Basic dXNlcjprZXk=\r\n"), "{heads:?}");
}

#[tokio::test]
async fn what_is_wrong_behind_a_tunnel_is_the_targets_fault_and_before_it_the_proxys() {
    let (fleet, check, _directory) = fleet();
    let expired = fleet.https_port(Certificate::Expired);
    let (proxy, _) = tunnelling(([127, 0, 0, 1], expired).into()).await;
    let url = format!("https://t3.fleet.test:{expired}/");
    let finding = poll(&check, &url, through(proxy.address)).await;
    assert_eq!(fault(&finding), (Cause::Tls, Detail::Expired));
    for answer in ["HTTP/1.1 407 No\r\n\r\n", "garbage\r\n\r\n", ""] {
        let proxy = Site::answering(answer).await;
        let finding = poll(&check, &url, through(proxy.address)).await;
        assert_eq!(fault(&finding), (Cause::NoNetwork, Detail::ProxyRefused), "{answer}");
    }
    for answer in ["HTTP/1.1 502 Bad\r\n\r\n", "HTTP/1.1 504 Late\r\n\r\n"] {
        let proxy = Site::answering(answer).await;
        let finding = poll(&check, &url, through(proxy.address)).await;
        assert_eq!(fault(&finding), (Cause::Connect, Detail::Unreachable), "{answer}");
    }
    let silent = Site::serve(|stream, _| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut target = site::target(&url, through(silent.address));
    target.timeout_ms = 300;
    let finding = check.check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::Timeout, Detail::Connecting));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_says_nothing_of_the_target() {
    let server = NameServer::serve(|_, _| Says::Addresses(Vec::new(), 60)).await;
    let options = HttpOptions { resolvers: vec![server.address], ..HttpOptions::default() };
    let check = HttpCheck::new(options).expect("good options");
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let closed = free.local_addr().expect("a bound listener has an address");
    drop(free);
    let named = Address::parse("http://proxy.example:3128/").expect("an address");
    let named = Plan { proxy: Proxy::Through(named), ..Plan::default() };
    for url in ["http://192.0.2.1/", "https://192.0.2.1/"] {
        for plan in [through(closed), named.clone()] {
            let finding = poll(&check, url, plan).await;
            assert_eq!(fault(&finding), (Cause::NoNetwork, Detail::ProxyRefused), "{url}");
            assert_eq!(finding.verdict, Verdict::Unknown);
        }
        let silence = swallowing(([127, 0, 0, 1], 0).into());
        let silent = silence[0].local_addr().expect("bound").as_socket().expect("IPv4");
        let mut target = site::target(url, through(silent));
        target.timeout_ms = 300;
        let finding = check.check(Arc::new(target)).await;
        assert_eq!(fault(&finding), (Cause::NoNetwork, Detail::ProxyRefused), "{url}");
    }
}

fn reusing() -> Plan {
    Plan { connection: Connection::Reuse, ..Plan::default() }
}

async fn again(check: &HttpCheck, target: &Arc<Target>) -> Finding {
    check.check(Arc::clone(target)).await
}

#[tokio::test]
async fn a_connection_over_tls_is_kept_and_told_of_with_its_certificate() {
    let (fleet, check, _directory) = fleet();
    let url = fleet.https_url(5, Certificate::Good, "/keep/b700");
    let target = Arc::new(site::target(&url, reusing()));
    let first = again(&check, &target).await;
    assert_eq!((first.verdict, first.is_reused), (Verdict::Up, false), "{first:?}");
    for _ in 0..3 {
        let next = again(&check, &target).await;
        assert_eq!((next.verdict, next.is_reused, next.bytes), (Verdict::Up, true, 700));
        assert_eq!(next.certificate_until, first.certificate_until);
        assert_eq!((next.phases.tls.get(), next.phases.connect.get()), (None, None), "{next:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_was_cut_costs_a_new_one_and_no_failure() {
    let site = Site::serve(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        // The next request gets the end of the connection for an answer.
        read_head(&mut stream).await;
        hang_up(stream).await;
    })
    .await;
    let target = Arc::new(site::target(&site.url(), reusing()));
    let check = site::check();
    for _ in 0..3 {
        let finding = again(&check, &target).await;
        assert_eq!((finding.verdict, finding.is_reused), (Verdict::Up, false), "{finding:?}");
    }
    assert_eq!(site.connections(), 3);
}

#[tokio::test]
async fn http_2_follows_redirects_reads_bodies_and_keeps_to_deadlines_and_caps() {
    let (fleet, check, _directory) = fleet();
    let poll = async |path: &str, expect: Expectation| {
        let plan = Plan { http_version: HttpVersion::Http2, expect, ..Plan::default() };
        let url = fleet.https_url(6, Certificate::Http2, path);
        let mut target = site::target(&url, plan);
        if path.starts_with("/d") {
            target.timeout_ms = 500;
        }
        check.check(Arc::new(target)).await
    };
    let wanted =
        |text: &str| Expectation { body_contains: vec![text.into()], ..Default::default() };
    let finding = poll("/r3/text/at%20the%20end", wanted("at the end")).await;
    assert_eq!((finding.verdict, finding.redirects), (Verdict::Up, 3), "{finding:?}");
    let finding = poll("/b900000", Expectation::default()).await;
    assert_eq!((finding.verdict, finding.bytes), (Verdict::Up, 900_000), "{finding:?}");
    let finding = poll("/b2000000", Expectation::default()).await;
    assert!(finding.verdict == Verdict::Up && finding.is_at_least, "{finding:?}");
    assert_eq!(fault(&poll("/s503", Expectation::default()).await), (Cause::Status, Detail::None));
    assert_eq!(
        fault(&poll("/loop", Expectation::default()).await),
        (Cause::Redirect, Detail::Loop)
    );
    let bomb = poll("/bomb/20", wanted("not there")).await;
    assert_eq!(fault(&bomb), (Cause::TooLarge, Detail::Decompressed));
    let late = poll("/d5000", Expectation::default()).await;
    assert_eq!(fault(&late), (Cause::Timeout, Detail::Waiting));
}
