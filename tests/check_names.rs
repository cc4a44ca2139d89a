//! Many names: how seldom name servers are asked for them, and what becomes of them while those do
//! not serve.

#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "support/names.rs"]
mod names;
#[path = "support/namespace.rs"]
mod namespace;
#[path = "support/site.rs"]
mod site;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use names::{NameServer, Says};
use poller::check::{Check as _, Checks, HttpOptions};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{IpVersion, Plan};
use site::{Site, fault};
use tokio::task::JoinSet;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// How long anything may take that is not being measured.
const PATIENCE: Duration = Duration::from_mins(1);

fn asking(servers: &[SocketAddr]) -> Arc<Checks> {
    asking_with(256, servers)
}

/// Checks that have so many look-ups in flight at most.
fn asking_with(max_lookups: usize, servers: &[SocketAddr]) -> Arc<Checks> {
    let resolvers = servers.to_vec();
    let options = HttpOptions { resolvers, max_lookups, ..HttpOptions::default() };
    Arc::new(Checks::new(options).expect("good options"))
}

fn here(seconds: u32) -> Says {
    Says::Addresses(vec![[127, 0, 0, 1].into()], seconds)
}

/// Plans ask for one family, so that it does not matter whether this machine has the other.
async fn poll(checks: &Checks, name: &str, port: u16) -> Finding {
    let plan = Plan { ip_version: IpVersion::V4, ..Plan::default() };
    checks.check(Arc::new(site::target(&format!("http://{name}:{port}/"), plan))).await.0
}

/// Polls so many names at once; what was found, in no order.
async fn poll_all(checks: &Arc<Checks>, names: usize, port: u16) -> Vec<Finding> {
    let mut polls = JoinSet::new();
    for number in 0..names {
        let checks = Arc::clone(checks);
        polls.spawn(async move { poll(&checks, &format!("n{number}.example"), port).await });
    }
    polls.join_all().await
}

/// Polls all names over and over until the name servers serve, or do not; all names stay up.
async fn poll_until(checks: &Arc<Checks>, names: usize, port: u16, is_silent: bool) {
    let end = Instant::now() + PATIENCE;
    while checks.names().is_server_silent != is_silent {
        let found = poll_all(checks, names, port).await;
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Up), "{found:?}");
        assert!(Instant::now() < end, "{:?} after {PATIENCE:?}", checks.names());
    }
}

#[tokio::test]
async fn while_a_name_server_is_dead_known_names_serve_on_and_others_are_told_at_once() {
    let (site, is_dead) = (Site::answering(OK).await, Arc::new(AtomicBool::new(false)));
    let dead = Arc::clone(&is_dead);
    let says = move |_: &str, _| if dead.load(Relaxed) { Says::Nothing } else { here(1) };
    let server = NameServer::serve(says).await;
    // Most names wait for their turn, or have not been asked for, when it shows.
    let (checks, port) = (asking_with(32, &[server.address]), site.address.port());
    poll_all(&checks, 100, port).await;
    assert_eq!((server.asked(), checks.names().names_held), (100, 100));
    is_dead.store(true, Relaxed);
    poll_until(&checks, 100, port, true).await;
    // Those that were in flight when it showed have been asked for, and no others.
    assert!(server.asked() <= 100 + 32, "{}", server.asked());
    let (before, since) = (server.asked(), Instant::now());
    while since.elapsed() < Duration::from_secs(3) {
        let found = poll_all(&checks, 100, port).await;
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Up), "{found:?}");
    }
    let asked = server.asked() - before;
    let most = since.elapsed().as_secs() + 1;
    assert!(asked as u64 <= most, "{asked} times in {:?}", since.elapsed());
    let (queries, stale) = (checks.names().queries_total, checks.names().stale_served_total);
    assert_eq!(queries, server.asked() as u64);
    assert!(stale > 100, "{stale}");
    // The second name may find out whether the server is back.
    for name in ["new.example", "newer.example"] {
        let finding = poll(&checks, name, port).await;
        assert_eq!(fault(&finding), (Cause::Resolver, Detail::Unanswered));
        assert_eq!(finding.verdict, Verdict::Unknown);
    }
    is_dead.store(false, Relaxed);
    poll_until(&checks, 100, port, false).await;
    assert_eq!(poll(&checks, "newest.example", port).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_told_at_once() {
    let site = Site::answering(OK).await;
    let server = NameServer::serve(|_, _| here(60)).await;
    let address = server.address;
    drop(server);
    // The port answers by ICMP until somebody takes it.
    let (checks, port) = (asking(&[address]), site.address.port());
    let since = Instant::now();
    let found = poll_all(&checks, 10, port).await;
    let unanswered = (Cause::Resolver, Detail::Unanswered);
    assert!(found.iter().all(|finding| fault(finding) == unanswered), "{found:?}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(checks.names().is_server_silent);
}

/// What becomes of names when a name server says this to every question for a while.
async fn fail_with(code: ResponseCode, detail: Detail) {
    let (site, fails) = (Site::answering(OK).await, Arc::new(AtomicBool::new(false)));
    let failing = Arc::clone(&fails);
    let says = move |_: &str, _| if failing.load(Relaxed) { Says::Code(code, 1) } else { here(1) };
    let server = NameServer::serve(says).await;
    let (checks, port) = (asking(&[server.address]), site.address.port());
    poll_all(&checks, 20, port).await;
    fails.store(true, Relaxed);
    let mut found = Vec::new();
    for number in 0..20 {
        found.push(fault(&poll(&checks, &format!("new{number}.example"), port).await));
    }
    assert!(found[4..].iter().all(|one| *one == (Cause::Resolver, detail)), "{found:?}");
    poll_until(&checks, 20, port, true).await;
    let (before, since) = (server.asked(), Instant::now());
    while since.elapsed() < Duration::from_secs(2) {
        let found = poll_all(&checks, 20, port).await;
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Up), "{found:?}");
    }
    let (asked, most) = (server.asked() - before, since.elapsed().as_secs() + 1);
    assert!(asked as u64 <= most, "{asked} times in {:?}", since.elapsed());
    fails.store(false, Relaxed);
    poll_until(&checks, 20, port, false).await;
    assert_eq!(poll(&checks, "newest.example", port).await.verdict, Verdict::Up);
}

#[tokio::test]
async fn a_name_server_that_fails_for_every_name_is_not_the_names_fault() {
    fail_with(ResponseCode::ServFail, Detail::ServerFailure).await;
}

#[tokio::test]
async fn a_name_server_that_refuses_whatever_it_is_asked_is_asked_no_more_than_a_dead_one() {
    fail_with(ResponseCode::Refused, Detail::QueryRefused).await;
}

#[tokio::test]
async fn a_slow_name_server_is_waited_for_and_asked_once_for_each_name() {
    let site = Site::answering(OK).await;
    let late = |_: &str, _| Says::Late(Duration::from_secs(2), Box::new(here(60)));
    let server = NameServer::serve(late).await;
    let found = poll_all(&asking(&[server.address]), 50, site.address.port()).await;
    assert!(found.iter().all(|finding| finding.verdict == Verdict::Up), "{found:?}");
    // A few may be asked for again by a machine that is slow itself.
    assert!(server.asked() < 60, "{}", server.asked());
}

#[tokio::test]
async fn nobody_waits_for_the_first_of_two_name_servers_once_it_is_known_to_be_dead() {
    let site = Site::answering(OK).await;
    let dead = NameServer::serve(|_, _| Says::Nothing).await;
    let refusing = NameServer::serve(|_, _| Says::Code(ResponseCode::Refused, 1)).await;
    for first in [dead, refusing] {
        let alive = NameServer::serve(|_, _| here(60)).await;
        let (checks, port) = (asking(&[first.address, alive.address]), site.address.port());
        assert_eq!(poll(&checks, "a.example", port).await.verdict, Verdict::Up);
        let asked = first.asked();
        let found = poll_all(&checks, 50, port).await;
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Up), "{found:?}");
        // It is asked again every half minute.
        assert!(first.asked() <= asked + 2, "{} after {asked}", first.asked());
        assert_eq!(alive.most_of_one(), 1);
    }
}

#[tokio::test]
async fn look_ups_in_flight_are_bounded_and_the_rest_waits() {
    let server = NameServer::serve(|_, _| Says::Nothing).await;
    let options =
        HttpOptions { resolvers: vec![server.address], max_lookups: 4, ..HttpOptions::default() };
    let checks = Arc::new(Checks::new(options).expect("good options"));
    let mut polls = JoinSet::new();
    for number in 0..100 {
        let checks = Arc::clone(&checks);
        polls.spawn(async move { poll(&checks, &format!("n{number}.example"), 1).await });
    }
    let end = Instant::now() + PATIENCE;
    assert_eq!(checks.names().lookups_limit, 4);
    // One place is kept for other name servers.
    while (checks.names().lookups_in_flight, checks.names().lookups_waiting) != (3, 97) {
        assert!(Instant::now() < end, "{:?}", checks.names());
        assert!(checks.names().lookups_in_flight <= 4, "{:?}", checks.names());
        tokio::task::yield_now().await;
    }
    let found = polls.join_all().await;
    let unanswered = (Cause::Resolver, Detail::Unanswered);
    assert!(found.iter().all(|finding| fault(finding) == unanswered), "{found:?}");
    assert_eq!(checks.names().lookups_waiting, 0);
}

/// Polls in a network of their own, which `setup` makes.
fn alone(name: &str, setup: &str, polls: impl Future<Output = ()>) {
    if namespace::is_inside(name, setup) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(polls);
    }
}

#[test]
fn a_family_that_a_name_does_not_have_is_not_asked_for_with_every_poll() {
    let name = "a_family_that_a_name_does_not_have_is_not_asked_for_with_every_poll";
    // A way to the IPv6 Internet, as it seems.
    let setup = "ip link set lo up && ip link add v0 type veth peer name v1 &&
        ip link set v0 up && ip link set v1 up &&
        ip -6 addr add 2001:db8::2/64 dev v0 nodad && ip -6 route add default dev v0";
    alone(name, setup, async {
        let site = Site::answering(OK).await;
        let server = NameServer::serve(|_, _| here(1)).await;
        let checks = asking(&[server.address]);
        let url = format!("http://a.example:{}/", site.address.port());
        let end = Instant::now() + PATIENCE;
        while server.asked_for(RecordType::A) < 3 {
            let target = Arc::new(site::target(&url, Plan::default()));
            assert_eq!(checks.check(target).await.0.verdict, Verdict::Up);
            assert!(Instant::now() < end, "{:?}", checks.names());
        }
        assert_eq!(server.asked_for(RecordType::AAAA), 1);
    });
}

/// Writes over a file of the system, as if it had not changed since.
fn overwrite(file: &str, text: &str) {
    let changed = std::fs::metadata(file).and_then(|meta| meta.modified()).expect("a file");
    std::fs::write(file, text).expect("it is ours");
    let file = std::fs::File::options().write(true).open(file).expect("it is there");
    file.set_modified(changed).expect("it is ours");
}

#[test]
fn the_systems_settings_are_read_again_at_once_when_that_is_asked_for() {
    let name = "the_systems_settings_are_read_again_at_once_when_that_is_asked_for";
    // Files of our own in the place of the system's.
    let setup = "ip link set lo up && mount -t tmpfs none /mnt && touch /mnt/hosts &&
        echo nameserver 127.0.0.2 >/mnt/resolv.conf && mount --bind /mnt/hosts /etc/hosts &&
        mount --bind /mnt/resolv.conf /etc/resolv.conf";
    alone(name, setup, async {
        let site = Site::answering(OK).await;
        let former = NameServer::serve_at("127.0.0.2:53", |_, _| here(3_600)).await;
        let latter = NameServer::serve_at("127.0.0.3:53", |_, _| here(3_600)).await;
        let (checks, port) = (asking(&[]), site.address.port());
        poll_all(&checks, 10, port).await;
        assert_eq!((former.asked(), latter.asked()), (10, 0));
        overwrite("/etc/resolv.conf", "nameserver 127.0.0.3\n");
        overwrite("/etc/hosts", "127.9.9.9 n0.example\n");
        checks.refresh_names();
        let end = Instant::now() + PATIENCE;
        while latter.asked() < 9 {
            poll_all(&checks, 10, port).await;
            assert!(Instant::now() < end, "{:?}", checks.names());
        }
        assert_eq!((former.asked(), latter.asked(), latter.most_of_one()), (10, 9, 1));
        // Nobody is at the address that the file gives it.
        assert_eq!(fault(&poll(&checks, "n0.example", port).await).0, Cause::Connect);
        // What is the same still is not asked for anew.
        checks.refresh_names();
        poll_all(&checks, 10, port).await;
        assert_eq!(latter.asked(), 9);
    });
}
