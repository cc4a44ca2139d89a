//! `Plan`: what a list would mean for this machine, before anything is started.

use std::collections::HashMap;

use crate::address::{Address, Scheme};
use crate::target::{Connection, Probe, Proxy, Target};

/// Seconds of the period that is looked at for the busiest one.
const HOUR_S: usize = 3_600;
/// Launches that are laid out at most; a busier list is looked at for a shorter time.
const MOST_LAUNCHES: f64 = 50_000_000.0;

/// The load that a list brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Load {
    /// Polls a second, on average.
    pub per_second: f64,
    /// Launches in the busiest second of the next hour.
    pub busiest_second: u32,
    /// What chance alone would bring there: mean + 5·√mean.
    pub expected_busiest: f64,
    /// Polls in flight when every target times out.
    pub places_when_all_time_out: f64,
    /// Polls in flight when one target in a hundred does, and the others answer in 0.2 s.
    pub places_usually: f64,
    /// Targets.
    pub targets: usize,
    /// Share of the polls that speak TLS, from 0 to 1.
    pub tls: f64,
    /// The host and port that most new connections go to, and how many a second.
    pub busiest_host: Option<(String, f64)>,
}

/// Lays out the launches of `targets` from `now_ms` (Unix milliseconds) on.
#[must_use]
pub(super) fn load(targets: &[Target], now_ms: i64) -> Load {
    let secure: f64 = targets.iter().filter(|one| speaks_tls(one)).map(per_second).sum();
    let per_second: f64 = targets.iter().map(per_second).sum();
    let all: f64 = targets.iter().map(|target| busy(target, timeout_s(target))).sum();
    let usual: f64 = targets
        .iter()
        .map(|target| {
            busy(target, 0.01 * timeout_s(target) + 0.99 * 0.2_f64.min(timeout_s(target)))
        })
        .sum();
    Load {
        per_second,
        busiest_second: busiest_second(targets, per_second, now_ms),
        expected_busiest: per_second + 5.0 * per_second.sqrt(),
        places_when_all_time_out: all.ceil(),
        places_usually: usual.ceil(),
        targets: targets.len(),
        tls: secure / per_second.max(f64::MIN_POSITIVE),
        busiest_host: busiest_host(targets),
    }
}

fn per_second(target: &Target) -> f64 {
    1_000.0 / f64::from(target.every_ms.max(1))
}

fn timeout_s(target: &Target) -> f64 {
    f64::from(target.timeout_ms) / 1_000.0
}

/// The places that a target takes on average when its polls take `seconds`: never more than one.
fn busy(target: &Target, seconds: f64) -> f64 {
    (seconds * per_second(target)).min(1.0)
}

/// Whether TLS is spoken from the first byte; after STARTTLS it is as well, but such are few.
fn speaks_tls(target: &Target) -> bool {
    let scheme = target.address.scheme();
    matches!(scheme, Scheme::Https | Scheme::Ssl | Scheme::Smtps | Scheme::Imaps | Scheme::Pop3s)
}

/// The host and port that most new connections a second go to, and how many.
fn busiest_host(targets: &[Target]) -> Option<(String, f64)> {
    let mut hosts: HashMap<(&str, u16), f64> = HashMap::new();
    for target in targets {
        if let Some(address) = connects_to(target) {
            *hosts.entry((address.host_text(), address.port())).or_default() += per_second(target);
        }
    }
    let busier = |one: &((&str, u16), f64), other: &((&str, u16), f64)| {
        // Equal ones are told in the same order every time.
        one.1.total_cmp(&other.1).then_with(|| other.0.cmp(&one.0))
    };
    let ((host, port), per_second) = hosts.into_iter().max_by(busier)?;
    Some((format!("{host}:{port}"), per_second))
}

/// Where a new connection of every poll goes to, if there is one.
fn connects_to(target: &Target) -> Option<&Address> {
    let plan = &*target.plan;
    match (&plan.probe, &plan.proxy) {
        (Probe::Dns(_) | Probe::Icmp(_) | Probe::Other(_), _) => None,
        (Probe::Http, _) if plan.connection == Connection::Reuse => None,
        (Probe::Http, Proxy::Through(proxy)) => Some(proxy),
        _ => Some(&target.address),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number of seconds from 1 to 3,600"
)]
fn busiest_second(targets: &[Target], per_second: f64, now_ms: i64) -> u32 {
    let seconds = (MOST_LAUNCHES / per_second.max(1.0)).clamp(1.0, HOUR_S as f64) as usize;
    let until_ms = now_ms + 1_000 * seconds.cast_signed() as i64;
    let mut launches = vec![0_u32; seconds];
    for target in targets {
        let mut due_ms = target.due_at_or_after(now_ms);
        while due_ms < until_ms {
            let second = usize::try_from((due_ms - now_ms) / 1_000).unwrap_or(0);
            if let Some(count) = launches.get_mut(second) {
                *count += 1;
            }
            due_ms += i64::from(target.every_ms.max(1));
        }
    }
    launches.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{CheckKind, IcmpProbe, Origin, Plan, Priority, Seat, TargetId};
    use std::sync::Arc;

    fn target(url: &str, every_ms: u32, plan: Plan) -> Target {
        Target {
            number: 1,
            id: TargetId::of_address(CheckKind::Http, "GET", url, every_ms),
            given_id: None,
            name: None,
            address: Address::parse(url).expect("a good address"),
            every_ms,
            timeout_ms: every_ms / 2,
            priority: Priority::Normal,
            plan: Arc::new(plan),
            labels: Arc::default(),
            origin: Origin::default(),
            seat: Seat::default(),
        }
    }

    fn of(urls: &[(&str, u32)]) -> Load {
        let targets: Vec<_> =
            urls.iter().map(|(url, every_ms)| target(url, *every_ms, Plan::default())).collect();
        load(&targets, 1_795_341_600_000)
    }

    #[test]
    fn a_load_is_told_by_polls_a_second_and_by_places() {
        let load = of(&[("http://a.example/", 10_000), ("https://b.example/", 2_000)]);
        assert!((load.per_second - 0.6).abs() < 1e-9 && (load.tls - 0.5 / 0.6).abs() < 1e-9);
        let places = (load.places_usually, load.places_when_all_time_out);
        assert_eq!((load.targets, places), (2, (1.0, 1.0)), "a part of a place is one");
        assert!((1..=2).contains(&load.busiest_second));
    }

    #[test]
    fn the_busiest_host_is_the_one_that_most_connections_go_to() {
        let load = of(&[
            ("http://a.example/1", 1_000),
            ("http://a.example/2", 1_000),
            ("http://a.example:8080/", 1_000),
            ("https://b.example/", 600),
        ]);
        assert_eq!(load.busiest_host, Some(("a.example:80".to_owned(), 2.0)));
    }

    #[test]
    fn echoes_need_no_port() {
        let echo = Plan { probe: Probe::Icmp(IcmpProbe::default()), ..Plan::default() };
        assert_eq!(load(&[target("http://a.example/", 100, echo)], 0).busiest_host, None);
    }

    #[test]
    fn connections_that_are_kept_need_no_port_and_those_through_a_proxy_one_to_the_proxy() {
        let proxy = Address::parse("http://proxy.example:3128").expect("a good address");
        let kept = Plan { connection: Connection::Reuse, ..Plan::default() };
        let through = Plan { proxy: Proxy::Through(proxy), ..Plan::default() };
        let targets = [
            target("http://a.example/", 100, kept),
            target("http://b.example/", 1_000, through.clone()),
            target("https://c.example/", 1_000, through),
            target("http://d.example/", 900, Plan::default()),
        ];
        let host = load(&targets, 0).busiest_host;
        assert_eq!(host, Some(("proxy.example:3128".to_owned(), 2.0)));
    }
}
