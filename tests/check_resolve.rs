//! Names: what a poll makes of every answer of a name server, and how seldom one is asked.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/names.rs"]
mod names;
#[path = "support/site.rs"]
mod site;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use names::{NameServer, Says};
use poller::check::{HttpCheck, HttpOptions};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{IpVersion, Plan};
use site::{Site, fault};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A check that asks the name server at `address`.
fn asking(address: SocketAddr) -> Arc<HttpCheck> {
    let options = HttpOptions { resolvers: vec![address], ..HttpOptions::default() };
    Arc::new(HttpCheck::new(options).expect("good options"))
}

/// Plans ask for one family, so that it does not matter whether this machine has the other.
fn plan() -> Plan {
    Plan { ip_version: IpVersion::V4, ..Plan::default() }
}

fn local() -> Vec<std::net::IpAddr> {
    vec!["127.0.0.1".parse().expect("an address")]
}

async fn poll(check: &HttpCheck, name: &str, port: u16, plan: Plan) -> Finding {
    let url = format!("http://{name}:{port}/");
    check.check(Arc::new(site::target(&url, plan))).await
}

/// The fault of a poll of a name of which the server says `says`.
async fn failed(says: Says) -> (Cause, Detail) {
    let server = NameServer::serve(move |_, _| says.clone()).await;
    fault(&poll(&asking(server.address), "a.example", 1, plan()).await)
}

#[tokio::test]
async fn a_name_is_resolved_and_the_time_for_it_told() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Addresses(local(), 60)).await;
    let check = asking(server.address);
    let first = poll(&check, "a.example", site.address.port(), plan()).await;
    assert_eq!(first.verdict, Verdict::Up, "{first:?}");
    assert!(first.phases.resolve.get().is_some_and(|us| us > 0));
    let second = poll(&check, "a.example", site.address.port(), plan()).await;
    assert_eq!(second.phases.resolve.get(), Some(0));
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn what_a_name_server_says_of_a_name_is_the_targets_fault() {
    let none = failed(Says::Code(ResponseCode::NXDomain, 5)).await;
    assert_eq!(none, (Cause::Dns, Detail::NoSuchName));
    let no_address = failed(Says::Code(ResponseCode::NoError, 5)).await;
    assert_eq!(no_address, (Cause::Dns, Detail::NoAddress));
    let failure = failed(Says::Code(ResponseCode::ServFail, 5)).await;
    assert_eq!(failure, (Cause::Dns, Detail::ServerFailure));
}

#[tokio::test]
async fn a_name_server_that_does_not_serve_us_is_our_fault() {
    let refused = failed(Says::Code(ResponseCode::Refused, 5)).await;
    assert_eq!(refused, (Cause::Resolver, Detail::QueryRefused));
    let server = NameServer::serve(|_, _| Says::Nothing).await;
    let mut target = site::target("http://a.example:1/", plan());
    target.timeout_ms = 300;
    let finding = asking(server.address).check(Arc::new(target)).await;
    assert_eq!(fault(&finding), (Cause::Resolver, Detail::Unanswered));
    assert_eq!(finding.verdict, Verdict::Unknown);
}

#[tokio::test]
async fn a_dead_name_server_is_told_before_the_poll_runs_out_of_time() {
    let server = NameServer::serve(|_, _| Says::Nothing).await;
    let started = std::time::Instant::now();
    let finding = poll(&asking(server.address), "a.example", 1, plan()).await;
    assert_eq!(fault(&finding), (Cause::Resolver, Detail::Unanswered));
    assert!(started.elapsed() < Duration::from_millis(9_500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_name_server_that_is_silent_does_not_hold_up_another() {
    let site = Site::answering(OK).await;
    let silent = NameServer::serve(|_, _| Says::Nothing).await;
    let server = NameServer::serve(|_, _| Says::Addresses(local(), 60)).await;
    let options =
        HttpOptions { resolvers: vec![server.address], max_lookups: 4, ..HttpOptions::default() };
    let check = Arc::new(HttpCheck::new(options).expect("good options"));
    let mut jammed = JoinSet::new();
    for number in 0..100 {
        let check = Arc::clone(&check);
        let plan = Plan { resolver: Some(silent.address), ..plan() };
        jammed.spawn(async move { poll(&check, &format!("{number}.example"), 1, plan).await });
    }
    while silent.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let finding = poll(&check, "a.example", site.address.port(), plan()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

#[tokio::test]
async fn another_name_server_answers_for_a_dead_one() {
    let site = Site::answering(OK).await;
    let dead = NameServer::serve(|_, _| Says::Nothing).await;
    let alive = NameServer::serve(|_, _| Says::Addresses(local(), 60)).await;
    let options =
        HttpOptions { resolvers: vec![dead.address, alive.address], ..HttpOptions::default() };
    let check = HttpCheck::new(options).expect("good options");
    let finding = poll(&check, "a.example", site.address.port(), plan()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}

#[tokio::test]
async fn polls_of_one_name_ask_once_and_one_that_gives_up_takes_nothing_from_the_others() {
    let site = Site::answering(OK).await;
    // The first question is lost; it is asked again after a while.
    let server = NameServer::serve(|_, number| match number {
        0 => Says::Nothing,
        _ => Says::Addresses(local(), 60),
    })
    .await;
    let check = asking(server.address);
    let mut polls = JoinSet::new();
    for number in 0..20 {
        let (check, port) = (Arc::clone(&check), site.address.port());
        polls.spawn(async move {
            let mut target = site::target(&format!("http://a.example:{port}/{number}"), plan());
            // The first one asks, and gives up.
            target.timeout_ms = if number == 0 { 1 } else { 10_000 };
            (number, check.check(Arc::new(target)).await)
        });
    }
    while let Some(polled) = polls.join_next().await {
        let (number, finding) = polled.expect("no panic");
        assert_eq!(finding.verdict == Verdict::Up, number > 0, "{number} {finding:?}");
    }
    assert!(server.asked() < 5, "{}", server.asked());
}

#[tokio::test]
async fn an_answer_holds_as_long_as_it_says() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Addresses(local(), 1)).await;
    let check = asking(server.address);
    let port = site.address.port();
    for _ in 0..3 {
        poll(&check, "a.example", port, plan()).await;
    }
    let before = server.asked();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(poll(&check, "a.example", port, plan()).await.verdict, Verdict::Up);
    assert!(server.asked() > before);
}

#[tokio::test]
async fn an_expired_address_serves_while_no_name_server_answers() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, number| match number {
        0 => Says::Addresses(local(), 1),
        _ => Says::Nothing,
    })
    .await;
    let check = asking(server.address);
    let port = site.address.port();
    assert_eq!(poll(&check, "a.example", port, plan()).await.verdict, Verdict::Up);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let finding = poll(&check, "a.example", port, plan()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert!(finding.phases.resolve.get().is_some_and(|us| us < 9_000_000));
}

#[tokio::test]
async fn that_there_is_no_such_name_is_remembered_for_a_short_time() {
    let server = NameServer::serve(|_, _| Says::Code(ResponseCode::NXDomain, 3_600)).await;
    let check = asking(server.address);
    for _ in 0..5 {
        let finding = poll(&check, "a.example", 1, plan()).await;
        assert_eq!(fault(&finding), (Cause::Dns, Detail::NoSuchName));
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn an_entry_may_name_its_own_name_server() {
    let site = Site::answering(OK).await;
    let wrong = NameServer::serve(|_, _| Says::Code(ResponseCode::NXDomain, 5)).await;
    let right = NameServer::serve(|_, _| Says::Addresses(local(), 60)).await;
    let plan = Plan { resolver: Some(right.address), ..plan() };
    let check = asking(wrong.address);
    let finding = poll(&check, "localhost", site.address.port(), plan).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(wrong.asked(), 0);
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Nothing).await;
    let check = asking(server.address);
    let finding = poll(&check, "localhost", site.address.port(), Plan::default()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(server.asked(), 0);
}

/// A site on the loopback address of IPv6, unless this machine has none.
async fn site_on_ipv6() -> Option<(SocketAddr, JoinSet<()>)> {
    let listener = tokio::net::TcpListener::bind("[::1]:0").await.ok()?;
    let address = listener.local_addr().expect("a bound listener has an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            site::read_head(&mut stream).await;
            stream.write_all(OK.as_bytes()).await.expect("it reads");
            site::hang_up(stream).await;
        }
    });
    Some((address, tasks))
}

#[tokio::test]
async fn a_name_with_an_ipv6_address_alone_is_polled_there() {
    let Some((address, _tasks)) = site_on_ipv6().await else { return };
    let server = NameServer::serve(move |_, _| Says::Addresses(vec![address.ip()], 60)).await;
    let check = asking(server.address);
    // The standard gives the first name both addresses, and here nobody is at the other one.
    for name in ["localhost", "a.example"] {
        let finding = poll(&check, name, address.port(), Plan::default()).await;
        assert_eq!(finding.verdict, Verdict::Up, "{name}: {finding:?}");
    }
}

#[tokio::test]
async fn an_address_needs_no_name_server_and_the_family_is_kept_to() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| Says::Addresses(local(), 60)).await;
    let check = asking(server.address);
    let finding = poll(&check, "127.0.0.1", site.address.port(), Plan::default()).await;
    assert_eq!((finding.verdict, finding.phases.resolve.get()), (Verdict::Up, None));
    assert_eq!(server.asked(), 0);
    let plan = Plan { ip_version: IpVersion::V6, ..Plan::default() };
    let finding = poll(&check, "a.example", site.address.port(), plan).await;
    assert_eq!(fault(&finding), (Cause::Dns, Detail::NoAddress));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let site = Site::answering(OK).await;
    let addresses: Vec<std::net::IpAddr> =
        ["127.99.0.1", "127.0.0.1"].map(|text| text.parse().expect("an address")).into();
    let server = NameServer::serve(move |_, _| Says::Addresses(addresses.clone(), 60)).await;
    let check = asking(server.address);
    let finding = poll(&check, "a.example", site.address.port(), plan()).await;
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
}
