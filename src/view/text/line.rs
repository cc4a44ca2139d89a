//! `Summary` as one line for the log.

use super::figures::{count, duration, size};
use crate::view::Summary;

/// `summary` in one line without a line feed.
#[must_use]
pub fn one_line(summary: &Summary) -> String {
    let targets = &summary.targets;
    let checks = &summary.checks;
    let storage = &summary.storage;
    let delay = summary
        .largest_delay_5m
        .as_ref()
        .map_or_else(|| "none".to_owned(), |largest| duration(largest.seconds));
    format!(
        "{} targets: {} up, {} warning, {} down, {} unknown, {} pending; \
         {:.1} checks/s, {} missed; largest delay {delay}, p99 {}; lag p99 {}; \
         {}/{} in flight; storage {}, {} queued, {} spilled, {} lost; {} memory",
        count(targets.total),
        count(targets.up),
        count(targets.warning),
        count(targets.down),
        count(targets.unknown),
        count(targets.pending),
        checks.per_second,
        count(checks.missed),
        duration(summary.latency_5m.p99),
        duration(summary.schedule.lag_p99),
        count(summary.in_flight.count),
        count(summary.in_flight.limit),
        storage.state,
        count(storage.queued),
        count(storage.spilled),
        count(storage.lost),
        size(summary.process.rss_bytes),
    )
}
