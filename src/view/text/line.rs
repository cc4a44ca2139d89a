//! `Summary` as one line for the log.

use super::figures::{clean, count, duration};
use super::pressure::{memory, missed, places, rates};
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
         {:.1} checks/s, {}; largest delay {delay}, p99 {}; lag p99 {}; \
         {}/{} in flight{}; storage {}, {} queued, {} spilled, {} lost; {}",
        count(targets.total),
        count(targets.up),
        count(targets.warning),
        count(targets.down),
        count(targets.unknown),
        count(targets.pending),
        checks.per_second,
        missed(checks),
        duration(summary.latency_5m.p99),
        duration(summary.schedule.lag_p99),
        count(summary.in_flight.count),
        count(summary.in_flight.limit),
        short_of(summary),
        storage.state,
        count(storage.queued),
        count(storage.spilled),
        count(storage.lost),
        machine(summary),
    )
}

/// What the machine is short of, while that keeps polls back.
fn short_of(summary: &Summary) -> String {
    if summary.places.is_ok() {
        return String::new();
    }
    let reason = summary.places.reason.as_deref();
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", clean(reason)));
    format!(" ({}, {}{reason})", clean(&summary.places.state), places(&summary.places))
}

/// What the daemon uses of its machine.
fn machine(summary: &Summary) -> String {
    let (process, resources) = (&summary.process, &summary.resources);
    let [came, went] = rates(resources);
    format!(
        "{}, {:.2} cores, {}/{} files; runtime lag {}, outbox {}, look-ups {}/{} and {} waiting; \
         {came} in, {went} out",
        memory(process, resources),
        resources.cpu_cores,
        count(process.open_files),
        count(process.open_files_limit),
        duration(resources.runtime_lag_max),
        count(resources.outbox),
        count(resources.lookups_in_flight),
        count(resources.lookups_limit),
        count(resources.lookups_waiting),
    )
}
