//! Targets, outcomes and samples for tests and benches of stores.

#![allow(dead_code, reason = "each test and bench uses its own part")]

use std::sync::Arc;

use poller::address::Address;
use poller::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind};
use poller::store::{Sample, SampleKey};
use poller::target::{CheckKind, Origin, Priority, Seat, Target, TargetId};

/// A moment in 2026, in Unix milliseconds, at the full hour.
pub(crate) const NOW_MS: i64 = 1_795_341_600_000;
/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// `count` targets that differ in their address.
pub(crate) fn targets(count: u32) -> Vec<Target> {
    (0..count).map(target).collect()
}

fn target(number: u32) -> Target {
    let url = format!("https://site-{number}.example/some/path?page={number}");
    Target {
        number: 0,
        id: TargetId::of_address(CheckKind::Http, "GET", &url, 0),
        given_id: None,
        name: None,
        address: Address::parse(&url).expect("a good address"),
        every_ms: 60_000,
        timeout_ms: 30_000,
        priority: Priority::Normal,
        plan: Arc::default(),
        labels: Arc::default(),
        origin: Origin::default(),
        seat: Seat::default(),
    }
}

/// A poll of `target` that found it up.
pub(crate) fn outcome(target: u32, finished_ms: i64, latency_us: u32) -> Outcome {
    let lag_us = 1_700;
    let due_ms = finished_ms - i64::from(latency_us + lag_us) / 1_000;
    Outcome {
        target,
        due_ms,
        finished_us: due_ms * 1_000 + i64::from(latency_us + lag_us),
        lag_us,
        latency_us,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: Finding {
            status: 200,
            bytes: 231_274,
            certificate_until: 1_799_000_000,
            phases: Phases {
                resolve: Micros::from_us(latency_us / 50),
                connect: Micros::from_us(latency_us / 6),
                tls: Micros::from_us(latency_us / 4),
                first_byte: Micros::from_us(latency_us / 3),
                transfer: Micros::from_us(latency_us / 10),
            },
            ..Finding::default()
        },
    }
}

/// A poll of `target` that found nobody there.
pub(crate) fn failed(target: u32, finished_ms: i64) -> Outcome {
    let finding = Finding::default().with_cause(Cause::Timeout, Detail::Connecting);
    Outcome {
        latency_us: 30_000_000,
        kind: SampleKind::Recheck,
        is_provisional: true,
        finding,
        ..outcome(target, finished_ms, 30_000_000)
    }
}

/// The outcomes as samples, each linked to the one before of the same target.
pub(crate) fn samples(outcomes: &[Outcome]) -> Vec<Sample> {
    let mut key = SampleKey::default();
    let mut last = std::collections::HashMap::new();
    let mut sample = |outcome: &Outcome| {
        key = key.next(outcome.finished_us.div_euclid(1_000));
        let previous = last.insert(outcome.target, key).unwrap_or_default();
        Sample { key, previous, outcome: *outcome }
    };
    outcomes.iter().map(&mut sample).collect()
}
