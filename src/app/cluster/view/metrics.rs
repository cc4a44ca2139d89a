//! What a cluster tells monitoring systems; every process that shows it tells the same.

use super::View;
use crate::api::Metrics;
use crate::app::metrics::{fleet, machine};
use crate::view::Summary;
use crate::view::cluster::{Cluster, Owners};
use crate::view::series::{Family, Sample, Unit, Value};

impl Metrics for View {
    fn families(&self) -> Vec<Family> {
        let summary = self.summary.read().clone();
        let mut families = Vec::with_capacity(32);
        families.extend(fleet(&summary));
        families.extend(machine::storage(&summary));
        families.extend(totals(&summary));
        if let Some(cluster) = &summary.cluster {
            families.extend(members(cluster));
            families.extend(progress(cluster));
        }
        families
    }
}

fn totals(summary: &Summary) -> [Family; 5] {
    let checks = &summary.checks;
    [
        Family::counter("poller_cluster_checks", "Polls that were ever recorded").of(checks.total),
        Family::counter("poller_cluster_slots_missed", "Slots that passed without a poll")
            .of(checks.missed),
        Family::counter("poller_cluster_rechecks", "Rechecks that were ever recorded")
            .of(checks.rechecks),
        Family::counter("poller_cluster_body", "Body bytes of answers")
            .in_unit(Unit::Bytes)
            .of(checks.bytes),
        Family::gauge("poller_checks_in_flight", "Polls that run").of(summary.in_flight.count),
    ]
}

fn members(cluster: &Cluster) -> [Family; 4] {
    let alive = |role: &'static str| (role, cluster.alive(role).count() as u64);
    let unowned = |owners: &Owners| owners.unowned.len() as u64;
    let shards =
        [("scheduler", unowned(&cluster.schedulers)), ("recorder", unowned(&cluster.recorders))];
    [
        Family::gauge("poller_cluster_members", "Members that are alive, by their role")
            .by("role", ["scheduler", "checker", "recorder"].map(alive)),
        Family::gauge("poller_cluster_shards", "Into how many shards the targets are shared")
            .of(u64::from(cluster.shards)),
        Family::gauge("poller_cluster_shards_unowned", "Shards that no member has, by the role")
            .by("role", shards),
        Family::gauge("poller_cluster_troubles", "How many things are wrong with the cluster")
            .of(cluster.troubles.len() as u64),
    ]
}

fn progress(cluster: &Cluster) -> [Family; 5] {
    let delay = &cluster.delay;
    let quantiles = [("p50", delay.p50), ("p99", delay.p99), ("max", delay.max)];
    let mut checkers =
        Family::gauge("poller_cluster_checkers", "Checkers that are alive, by their location");
    let mut late = Family::gauge(
        "poller_cluster_lag",
        "How late polls begin lately: 99 of 100 no later, of the slowest checker of a location",
    )
    .in_unit(Unit::Seconds);
    let mut behind = Family::gauge(
        "poller_cluster_consumer_lag",
        "Records of a topic that were not taken yet, by the role and the location of who takes them",
    );
    for location in &cluster.locations {
        let at = ("location", location.name.clone());
        let value = Value::Count(location.members);
        checkers.samples.push(Sample { labels: vec![at.clone()], value });
        if let Some(seconds) = location.lag_seconds {
            let value = Value::Number(seconds);
            late.samples.push(Sample { labels: vec![at.clone()], value });
        }
        if let Some(jobs) = location.jobs_behind {
            let labels = vec![("role", "checker".to_owned()), at];
            behind.samples.push(Sample { labels, value: Value::Count(jobs) });
        }
    }
    if let Some(outcomes) = cluster.outcomes_behind {
        let labels = vec![("role", "recorder".to_owned()), ("location", String::new())];
        behind.samples.push(Sample { labels, value: Value::Count(outcomes) });
    }
    [
        checkers,
        late,
        behind,
        Family::gauge(
            "poller_cluster_delay",
            "From due to recorded, lately, of the slowest shard, by the quantile",
        )
        .in_unit(Unit::Seconds)
        .by("quantile_name", quantiles),
        Family::gauge("poller_cluster_newest", "Since the newest poll that is recorded finished")
            .in_unit(Unit::Seconds)
            .of(delay.newest),
    ]
}
