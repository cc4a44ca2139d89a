//! Echo requests: to hosts that answer, that lose some, and to which there is no way, by every kind
//! of socket that a system may allow.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

use std::process::Command;
use std::sync::Arc;

use poller::address::Address;
use poller::check::{Check, Checks, Facts, HttpOptions, Telling};
use poller::outcome::{Cause, Detail, Finding, Verdict};
use poller::target::{
    CheckKind, IcmpProbe, Labels, Origin, Plan, Priority, Probe, Seat, Target, TargetId,
};
use serde_json::Value;

/// Set in the part of a test that runs in a network of its own; names what is allowed there.
const INSIDE: &str = "POLLER_TEST_INSIDE";

/// A network in which 192.0.2.1 answers over a link of its own, 192.0.2.77 is not there, a router
/// knows no way to 203.0.113.0/24, and the gateway to 198.51.100.0/24 is silent. At first such a
/// network allows raw sockets alone; `$2` may allow datagrams too, or nothing.
const NETWORK: &str = "
    unshare -n sleep 60 & export router=$!
    while [ $(readlink /proc/$router/ns/net) = $(readlink /proc/$$/ns/net) ]; do
        kill -0 $router || exit 77
    done
    ip link set lo up && ip link add v0 type veth peer name v1 netns $router &&
    ip addr add 192.0.2.2/24 dev v0 && ip link set v0 up &&
    nsenter -t $router -n sh -c 'ip addr add 192.0.2.1/24 dev v1 && ip link set v1 up &&
        ip route add unreachable 203.0.113.0/24 && ip route add blackhole 203.0.113.128/25 &&
        echo 1 > /proc/sys/net/ipv4/ip_forward && cd /proc/sys/net/ipv4 &&
        echo 0 > icmp_ratemask && echo 60000 > icmp_ratelimit' &&
    ip route add 203.0.113.0/24 via 192.0.2.1 && ip route add 198.51.100.0/24 via 192.0.2.9 &&
    echo 100 > /proc/sys/net/ipv4/neigh/v0/retrans_time_ms || { kill $router; exit 77; }
    run=; case $2 in
        datagram) echo 0 0 > /proc/sys/net/ipv4/ping_group_range ;;
        nothing) run='setpriv --bounding-set=-net_raw --inh-caps=-net_raw' ;;
    esac && ${run:-env} true || { kill $router; exit 77; }
    $run \"$0\" --exact \"$1\" --nocapture; code=$?
    kill $router; exit $code";

/// Runs the test `name` again in networks of its own, in which each of `allowed` is allowed, and
/// says whether this is such a run: where none can be made, a line says so.
fn is_inside(name: &str, allowed: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("our own file");
    for allowed in allowed {
        let mut command = Command::new("unshare");
        command.args(["-rn", "sh", "-c", NETWORK]).arg(&this).arg(name).arg(allowed);
        match command.env(INSIDE, allowed).status() {
            Ok(status) if status.success() => {}
            // Of unshare, and of what is set up above.
            Ok(status) if ![Some(1), Some(77)].contains(&status.code()) => {
                panic!("{name}, {allowed}: {status}")
            }
            other => eprintln!("skipped: no network can be made here ({other:?})"),
        }
    }
    false
}

/// What is found and told of `host` within `timeout_ms`.
async fn check_within(timeout_ms: u32, host: &str, probe: IcmpProbe) -> (Finding, Facts) {
    let plan = Plan { probe: Probe::Icmp(probe), ..Plan::default() };
    let text = format!("icmp://{host}");
    let target = Target {
        number: 1,
        id: TargetId::of_address(CheckKind::Icmp, "", &text, 0),
        given_id: None,
        name: None,
        address: Address::parse_any(&text).expect("the test's own address is right"),
        every_ms: 60_000,
        timeout_ms,
        priority: Priority::Normal,
        plan: Arc::new(plan),
        labels: Arc::new(Labels::default()),
        origin: Origin::default(),
        seat: Seat::default(),
    };
    let checks = Checks::new(HttpOptions::default()).expect("the usual options are right");
    Telling::new(Arc::new(checks)).check(Arc::new(target)).await
}

async fn check(host: &str, count: u16) -> (Finding, Facts) {
    check_within(20_000, host, IcmpProbe { count, spacing_ms: 1, ..IcmpProbe::default() }).await
}

fn fault(finding: &Finding) -> (Cause, Detail) {
    (finding.cause.unwrap_or_else(|| panic!("no fault: {finding:?}")), finding.detail)
}

/// Whether the system lets us send nothing, which is then told.
fn is_forbidden(finding: &Finding) -> bool {
    let is_forbidden = finding.detail == Detail::IcmpForbidden;
    if is_forbidden {
        eprintln!("skipped: this system allows no echo requests");
    }
    is_forbidden
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[tokio::test]
async fn a_host_that_answers_is_up_and_its_round_trips_are_told() {
    for host in ["127.0.0.1", "127.9.9.9", "[::1]"] {
        let (finding, facts) = check(host, 3).await;
        if is_forbidden(&finding) {
            return;
        }
        if host == "[::1]" && finding.cause == Some(Cause::NoNetwork) {
            eprintln!("skipped: this system has no IPv6");
            return;
        }
        assert_eq!(finding.verdict, Verdict::Up, "{host}: {finding:?}");
        let data = &facts.data;
        let bare = host.trim_matches(['[', ']']);
        assert_eq!((&data["host"], &data["address"]), (&bare.into(), &bare.into()));
        assert_eq!((&data["sent"], &data["received"]), (&3.into(), &3.into()));
        assert_eq!(data["loss_percent"], 0.0);
        let time = |name: &str| data["round_trip"][name].as_f64().expect("a time");
        assert!(time("min") <= time("mean") && time("mean") <= time("max"), "{facts:?}");
        assert!(time("min") > 0.0 && time("jitter") <= time("max"), "{facts:?}");
        assert!(finding.phases.first_byte.get().is_some());
        assert!(facts.message.starts_with("3 of 3 echoes came back, after "), "{facts:?}");
    }
}

#[tokio::test]
async fn a_name_is_asked_at_its_first_address() {
    let (finding, facts) = check("localhost", 1).await;
    if is_forbidden(&finding) {
        return;
    }
    assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
    assert_eq!(facts.data["host"], "localhost");
    assert!(["127.0.0.1", "::1"].contains(&facts.data["address"].as_str().expect("an address")));
    assert!(finding.phases.resolve.get().is_some());
    assert_eq!(facts.data["round_trip"]["jitter"], Value::Null, "one echo does not differ");
}

#[tokio::test]
async fn checks_of_one_host_at_once_take_none_of_each_others_answers() {
    let checks = (0..50).map(|_| check("127.0.0.1", 20));
    let mut running = tokio::task::JoinSet::new();
    for check in checks {
        running.spawn(check);
    }
    for (finding, facts) in running.join_all().await {
        if is_forbidden(&finding) {
            return;
        }
        assert_eq!(finding.verdict, Verdict::Up, "{finding:?}");
        assert_eq!((&facts.data["sent"], &facts.data["received"]), (&20.into(), &20.into()));
    }
}

#[tokio::test]
async fn data_of_any_length_comes_back() {
    for size in [0, 1, 16, 1_400, 20_000] {
        let probe = IcmpProbe { count: 2, spacing_ms: 1, size, ttl: None };
        let (finding, _) = check_within(20_000, "127.0.0.1", probe).await;
        if is_forbidden(&finding) {
            return;
        }
        assert_eq!(finding.verdict, Verdict::Up, "{size}: {finding:?}");
    }
}

#[test]
fn each_kind_of_socket_is_used_where_it_is_allowed() {
    let name = "each_kind_of_socket_is_used_where_it_is_allowed";
    if !is_inside(name, &["datagram", "raw", "nothing"]) {
        return;
    }
    let allowed = std::env::var(INSIDE).expect("set above");
    runtime().block_on(async {
        for host in ["127.9.9.9", "192.0.2.1", "[::1]"] {
            let (finding, facts) = check(host, 2).await;
            if allowed == "nothing" {
                assert_eq!(fault(&finding), (Cause::NoResources, Detail::IcmpForbidden), "{host}");
                assert_eq!(finding.verdict, Verdict::Unknown);
            } else {
                assert_eq!(finding.verdict, Verdict::Up, "{host}: {finding:?}");
                assert_eq!(facts.data["socket"], *allowed);
            }
        }
    });
}

#[test]
fn what_does_not_come_back_is_lost_or_unreachable() {
    let name = "what_does_not_come_back_is_lost_or_unreachable";
    if !is_inside(name, &["datagram", "raw"]) {
        return;
    }
    let unreachable = (Cause::Connect, Detail::Unreachable);
    runtime().block_on(async {
        for (host, expected) in [
            // The router says that it knows no way; the host next door is not there.
            ("203.0.113.1", unreachable),
            ("192.0.2.77", unreachable),
            // The gateway is not there, which says nothing of the host.
            ("198.51.100.1", (Cause::NoNetwork, Detail::Unreachable)),
        ] {
            let (finding, facts) = check(host, 3).await;
            assert_eq!(fault(&finding), expected, "{host}");
            assert_eq!(
                (&facts.data["received"], &facts.data["round_trip"]),
                (&0.into(), &Value::Null)
            );
        }
        // The router says nothing.
        let probe = IcmpProbe { count: 3, spacing_ms: 1, ..IcmpProbe::default() };
        let (finding, facts) = check_within(400, "203.0.113.200", probe).await;
        assert_eq!(fault(&finding), (Cause::Timeout, Detail::Waiting));
        assert_eq!(finding.verdict, Verdict::Down);
        assert_eq!((&facts.data["sent"], &facts.data["loss_percent"]), (&3.into(), &100.0.into()));
        assert_eq!(facts.message, "none of 3 echoes came back");
    });
}

#[test]
fn some_echoes_that_are_lost_are_a_warning() {
    if !is_inside("some_echoes_that_are_lost_are_a_warning", &["datagram", "raw"]) {
        return;
    }
    // From now on the router sends us an echo a minute.
    let limit = "nsenter -t $router -n sh -c 'echo 1 > /proc/sys/net/ipv4/icmp_ratemask'";
    let status = Command::new("sh").args(["-c", limit]).status().expect("a shell");
    assert!(status.success());
    let probe = IcmpProbe { count: 4, spacing_ms: 1, ..IcmpProbe::default() };
    let (finding, facts) = runtime().block_on(check_within(3_000, "192.0.2.1", probe));
    assert_eq!(fault(&finding), (Cause::Assertion, Detail::Loss), "{facts:?}");
    assert_eq!(finding.verdict, Verdict::Warning);
    assert_eq!((&facts.data["sent"], &facts.data["received"]), (&4.into(), &1.into()));
    assert_eq!(facts.data["loss_percent"], 75.0);
    assert!(facts.message.starts_with("1 of 4 echoes came back, after "), "{facts:?}");
}
