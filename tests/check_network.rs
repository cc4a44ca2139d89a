//! What is told of ways that are not there, or no more: routers that are silent or know none, a
//! default route that goes away and comes back, and an interface that is down.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

#[path = "support/namespace.rs"]
mod namespace;
#[path = "support/site.rs"]
mod site;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poller::outcome::{Cause, Detail, Verdict};
use poller::target::{Plan, Target};
use site::{fault, poll};

/// Set in the part of a test that runs in a network of its own.
const INSIDE: &str = "POLLER_TEST_INSIDE";

/// A network with a router, 192.0.2.1, that knows no way to anywhere, and one, 192.0.2.9, that is
/// not there. The router ends with the test, or after a minute.
const NETWORK: &str = "
    unshare -n sleep 60 & router=$!
    while [ $(readlink /proc/$router/ns/net) = $(readlink /proc/$$/ns/net) ]; do
        kill -0 $router || exit 77
    done
    ip link set lo up && ip link add v0 type veth peer name v1 netns $router &&
    ip addr add 192.0.2.2/24 dev v0 && ip link set v0 up &&
    nsenter -t $router -n sh -c 'ip addr add 192.0.2.1/24 dev v1 && ip link set v1 up &&
        ip route add unreachable 203.0.113.0/24 &&
        echo 1 > /proc/sys/net/ipv4/ip_forward && echo 0 > /proc/sys/net/ipv4/icmp_ratelimit' &&
    ip route add default via 192.0.2.1 && ip route add 198.51.100.0/25 via 192.0.2.9 &&
    echo 100 > /proc/sys/net/ipv4/neigh/v0/retrans_time_ms || { kill $router; exit 77; }
    \"$0\" --exact \"$1\" --nocapture; code=$?
    kill $router; exit $code";

/// Runs the test `name` again in a network of its own, where that is allowed.
fn run_inside(name: &str) {
    let this = std::env::current_exe().expect("our own file");
    let status = Command::new("unshare")
        .args(["-rn", "sh", "-c", NETWORK])
        .arg(this)
        .arg(name)
        .env(INSIDE, "1")
        .status();
    match status {
        Ok(status) if status.success() => {}
        // Of unshare, and of what is set up above.
        Ok(status) if ![Some(1), Some(77)].contains(&status.code()) => panic!("{name}: {status}"),
        other => eprintln!("not checked: no network can be made here ({other:?})"),
    }
}

#[test]
fn a_router_that_knows_no_way_tells_of_the_target_and_a_silent_one_of_us() {
    if std::env::var_os(INSIDE).is_none() {
        run_inside("a_router_that_knows_no_way_tells_of_the_target_and_a_silent_one_of_us");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for (url, cause) in [
            // No way to the network, no way to the host: the router says so.
            ("http://198.51.100.200/", Cause::Connect),
            ("http://203.0.113.1/", Cause::Connect),
            // A neighbour that is not there, and a gateway that is not there.
            ("http://192.0.2.77/", Cause::Connect),
            ("http://198.51.100.1/", Cause::NoNetwork),
        ] {
            let finding = poll(url, Plan::default()).await;
            assert_eq!(fault(&finding), (cause, Detail::Unreachable), "{url}");
        }
    });
}

/// How long it may take until a change is seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network with a way to everywhere, on which all that is sent is lost.
const VOID: &str = "ip link set lo up && ip link add v0 type veth peer name v1 &&
    ip addr add 192.0.2.2/24 dev v0 && ip link set v0 up && ip link set v1 up &&
    ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev v0 && ip route add default via 192.0.2.1";

fn in_virtual_time(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(future);
}

/// What a poll of a silent address finds while, after so many seconds of virtual time each, lines
/// of the shell change the network.
async fn polled_through(timeout_ms: u32, lines: &[(f64, &str)]) -> (Cause, Detail) {
    let start = tokio::time::Instant::now();
    let changing = async {
        for (seconds, line) in lines {
            tokio::time::sleep_until(start + Duration::from_secs_f64(*seconds)).await;
            namespace::change(line);
        }
        std::future::pending().await
    };
    let (check, plan) = (site::check(), Plan::default());
    let target = Target { timeout_ms, ..site::target("http://198.51.100.1/", plan) };
    tokio::select! {
        finding = check.check(Arc::new(target)) => fault(&finding),
        never = changing => never,
    }
}

#[test]
fn a_default_route_that_goes_away_is_no_fault_of_a_target_and_loopback_goes_on() {
    let name = "a_default_route_that_goes_away_is_no_fault_of_a_target_and_loopback_goes_on";
    if !namespace::is_inside(name, VOID) {
        return;
    }
    in_virtual_time(async {
        let (gone, back) = ("ip route del default", "ip route add default via 192.0.2.1");
        let timeout = (Cause::Timeout, Detail::Connecting);
        let no_network = (Cause::NoNetwork, Detail::None);
        assert_eq!(polled_through(4_000, &[]).await, timeout);
        // It is there again when the time is over, and when it is away for good nobody waits.
        assert_eq!(polled_through(4_000, &[(1.5, gone), (2.5, back)]).await, no_network);
        let start = tokio::time::Instant::now();
        assert_eq!(polled_through(60_000, &[(1.5, gone)]).await, no_network);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(polled_through(4_000, &[]).await, no_network);
        let site = site::Site::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let finding = poll(&format!("http://{}/", site.address), Plan::default()).await;
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
        namespace::change(back);
        assert_eq!(polled_through(4_000, &[]).await, timeout);
    });
}

#[test]
fn an_interface_that_is_down_or_without_a_carrier_is_no_fault_of_what_lies_behind_it() {
    let name = "an_interface_that_is_down_or_without_a_carrier_is_no_fault_of_what_lies_behind_it";
    if !namespace::is_inside(name, VOID) {
        return;
    }
    in_virtual_time(async {
        let (check, no_network) = (site::check(), (Cause::NoNetwork, Detail::None));
        let found = async |url: &str| {
            let mut target = site::target(url, Plan::default());
            target.timeout_ms = 500;
            fault(&check.check(Arc::new(target)).await)
        };
        let timeout = (Cause::Timeout, Detail::Connecting);
        assert_eq!(found("http://198.51.100.1/").await, timeout);
        // Whoever is at the other end may have gone; nothing is known of who lies behind.
        namespace::change(
            "ip link set v1 down && ip neigh add 192.0.2.77 \
            lladdr 02:00:00:00:00:02 dev v0",
        );
        let end = Instant::now() + PATIENCE;
        while found("http://198.51.100.1/").await != no_network {
            assert!(Instant::now() < end, "it is not seen that nothing is at the other end");
        }
        assert_eq!(found("http://192.0.2.77/").await, timeout);
        // The kernel keeps the way to itself, and loses what is sent there.
        namespace::change("ip link set lo down");
        let end = Instant::now() + PATIENCE;
        while found("http://127.1.2.3/").await != no_network {
            assert!(Instant::now() < end, "it is not seen that it is down");
        }
        // Now that this is known, nobody sends anything to hang, nor to come late.
        assert_eq!(found("http://127.3.2.1/").await, no_network);
    });
}
