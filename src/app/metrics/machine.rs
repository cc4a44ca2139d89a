//! Figures of the store, of the daemon itself, of names and the network, and of the process.

use std::sync::atomic::Ordering::Relaxed;

use crate::app::live::Live;
use crate::check::{NamesFacts, traffic};
use crate::view::Summary;
use crate::view::series::{Family, Unit};

/// How the store is.
pub(in crate::app) fn storage(summary: &Summary) -> [Family; 9] {
    let store = &summary.storage;
    let gauge = |name, help, value: u64| Family::gauge(name, help).of(value);
    [
        Family::gauge(
            "poller_storage_degraded",
            "Whether the store does not take what it is given",
        )
        .of(store.is_degraded()),
        Family::gauge(
            "poller_storage",
            "Bytes of the store on the disk, with its log and spill file",
        )
        .in_unit(Unit::Bytes)
        .of(store.bytes),
        gauge("poller_storage_samples", "Samples that the store holds", store.samples),
        gauge("poller_storage_queued_samples", "Samples that wait in memory", store.queued),
        gauge(
            "poller_storage_spilled_samples",
            "Samples that wait in the spill file",
            store.spilled,
        ),
        Family::counter("poller_storage_lost_samples", "Samples that were lost for good")
            .of(store.lost),
        Family::gauge(
            "poller_storage_commit_max",
            "The longest that one write has taken since the start",
        )
        .in_unit(Unit::Seconds)
        .of(store.commit_max_seconds),
        gauge(
            "poller_outbox_outcomes",
            "Outcomes that are not fetched yet",
            summary.resources.outbox,
        ),
        Family::counter(
            "poller_read_pool_waits",
            "How often somebody had to wait for a connection for reading the store",
        )
        .of(summary.resources.read_pool_waits),
    ]
}

/// What the daemon thinks of itself.
pub(super) fn own(summary: &Summary) -> [Family; 6] {
    let of = &summary.resources;
    let mut faults = Family::gauge(
        "poller_own_faults",
        "Polls of the last minute that failed by a fault of ours, by its cause",
    );
    for fault in &summary.own_faults {
        let labels = vec![("cause", fault.cause.clone()), ("detail", fault.detail.clone())];
        faults.push(labels, fault.count);
    }
    [
        faults,
        Family::gauge(
            "poller_judgement_held",
            "Whether nothing is held against targets, because it is probably us that fail",
        )
        .of(summary.judgement.is_held()),
        Family::counter("poller_judgement_holds", "How often judgement was held")
            .of(summary.judgement.held),
        Family::gauge(
            "poller_memory_limit",
            "Memory that the daemon keeps within; 0 when nobody says",
        )
        .in_unit(Unit::Bytes)
        .of(of.memory_limit_bytes),
        Family::gauge("poller_buffers", "Bytes that polls in flight hold of answers")
            .in_unit(Unit::Bytes)
            .of(of.buffers_bytes),
        Family::gauge(
            "poller_runtime_lag_max",
            "How late the runtimes woke at most in the last minute",
        )
        .in_unit(Unit::Seconds)
        .of(of.runtime_lag_max),
    ]
}

/// Look-ups of names, and bytes over the wire.
pub(super) fn network(summary: &Summary, names: NamesFacts) -> [Family; 9] {
    let of = &summary.resources;
    let gauge = |name, help, value: u64| Family::gauge(name, help).of(value);
    let bytes = |name, help, value: u64| Family::counter(name, help).in_unit(Unit::Bytes).of(value);
    let moved = traffic();
    [
        gauge("poller_dns_lookups_in_flight", "Look-ups of names that run", of.lookups_in_flight),
        gauge(
            "poller_dns_lookups_waiting",
            "Look-ups that wait for their turn",
            of.lookups_waiting,
        ),
        gauge("poller_dns_lookups_limit", "Look-ups that may run at once", of.lookups_limit),
        gauge(
            "poller_dns_names",
            "Names of which something is remembered",
            names.names_held as u64,
        ),
        Family::counter("poller_dns_queries", "Questions that were sent to name servers")
            .of(names.queries_total),
        Family::counter("poller_dns_stale_served", "How often an address served that had expired")
            .of(names.stale_served_total),
        Family::gauge("poller_dns_servers_silent", "Whether name servers do not serve")
            .of(names.is_server_silent),
        bytes(
            "poller_network_receive",
            "Bytes that polls received over connections that are closed",
            moved.came,
        ),
        bytes(
            "poller_network_transmit",
            "Bytes that polls sent over connections that are closed",
            moved.went,
        ),
    ]
}

/// The process, by the names that all clients of Prometheus use, and its settings.
pub(super) fn process(live: &Live, summary: &Summary) -> [Family; 8] {
    let of = &summary.process;
    let reloaded = &live.reloaded;
    let version = ("version", summary.version.clone());
    let gauge = |name, help, value: u64| Family::gauge(name, help).of(value);
    [
        Family::counter("process_cpu", "Processor time of the process")
            .in_unit(Unit::Seconds)
            .of(of.cpu_seconds),
        Family::gauge("process_resident_memory", "Memory that the process takes")
            .in_unit(Unit::Bytes)
            .of(of.rss_bytes),
        gauge("process_open_fds", "Files that the process has open", of.open_files),
        gauge("process_max_fds", "Files that it may have open", of.open_files_limit),
        Family::gauge("process_start_time", "When the process started, in Unix time")
            .in_unit(Unit::Seconds)
            .of(seconds(live.started_ms)),
        Family::info("poller_build", "The version of the program").with(vec![version], true),
        Family::gauge(
            "poller_config_last_reload_successful",
            "Whether list and settings could be used when they were read last",
        )
        .of(reloaded.is_good.load(Relaxed)),
        Family::gauge(
            "poller_config_last_reload_success_timestamp",
            "When they were last read and could be used, in Unix time",
        )
        .in_unit(Unit::Seconds)
        .of(seconds(reloaded.good_ms.load(Relaxed))),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of millions of years are exact")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}
