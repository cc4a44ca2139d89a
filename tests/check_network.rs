//! What is told of routers: ours that are silent, and others that know no way to a target.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

#[path = "support/site.rs"]
mod site;

use std::process::Command;

use poller::outcome::{Cause, Detail};
use poller::target::Plan;
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
