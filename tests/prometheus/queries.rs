//! Queries of dashboards and rules for `blackbox_exporter`, and of our own dashboard.

use std::fs;

use serde_json::Value;

/// What common dashboards for `blackbox_exporter` ask for (7587, 13659 and their like), and its
/// usual alert rules, with their comparisons left out.
const OF_BLACKBOX: [&str; 32] = [
    "probe_success",
    "sum(probe_success)",
    "count(probe_success) - sum(probe_success)",
    "avg_over_time(probe_success[5m])",
    "avg_over_time(probe_success[5m]) * 100",
    "probe_duration_seconds",
    "avg(probe_duration_seconds)",
    "sum(probe_duration_seconds) by (instance)",
    "avg_over_time(probe_duration_seconds[1m])",
    "probe_http_duration_seconds",
    "sum(probe_http_duration_seconds) by (instance)",
    "sum(probe_http_duration_seconds) by (phase)",
    "avg_over_time(probe_http_duration_seconds{phase=\"resolve\"}[5m])",
    "probe_http_duration_seconds{phase=\"connect\"}",
    "probe_http_duration_seconds{phase=\"tls\"}",
    "probe_http_duration_seconds{phase=\"processing\"}",
    "probe_http_duration_seconds{phase=\"transfer\"}",
    "probe_http_status_code",
    "probe_http_status_code <= 199 or probe_http_status_code >= 400",
    "probe_http_ssl",
    "probe_http_version",
    "probe_http_redirects",
    "probe_http_content_length",
    "probe_http_last_modified_timestamp_seconds",
    "probe_ssl_earliest_cert_expiry - time()",
    "(probe_ssl_earliest_cert_expiry - time()) / 3600 / 24",
    "last_over_time(probe_ssl_earliest_cert_expiry[5m]) - time()",
    "min(probe_ssl_last_chain_expiry_timestamp_seconds - time())",
    "probe_tls_version_info",
    "probe_dns_lookup_time_seconds",
    "avg_over_time(probe_dns_lookup_time_seconds[5m])",
    "probe_ip_protocol",
];

/// What the rules in `contrib/prometheus/alerts.yml` look at.
pub(crate) const OF_ALERTS: [&str; 13] = [
    "poller_build_info",
    "sum by (instance) (poller_targets{state=\"down\"}) / sum by (instance) (poller_targets{state=~\"up|warning|down\"})",
    "poller_target_up",
    "probe_success",
    "poller_target_certificate_expiry_timestamp_seconds - time()",
    "probe_ssl_earliest_cert_expiry - time()",
    "histogram_quantile(0.99, sum by (instance, le) (rate(poller_schedule_lag_seconds_bucket[5m])))",
    "sum by (instance) (increase(poller_slots_missed_total{reason!=\"running\"}[10m]))",
    "poller_storage_degraded",
    "increase(poller_storage_lost_samples_total[10m])",
    "poller_judgement_held",
    "poller_config_last_reload_successful",
    "ALERTS",
];

/// The queries for `blackbox_exporter`.
pub(crate) fn of_blackbox() -> impl Iterator<Item = String> {
    OF_BLACKBOX.iter().map(|query| (*query).to_owned())
}

/// The queries of our dashboard, with its variables filled in.
pub(crate) fn of_our_dashboard() -> impl Iterator<Item = String> {
    let text = fs::read_to_string("contrib/grafana/poller.json").expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").clone();
    panels.into_iter().flat_map(|panel| panel["targets"].as_array().expect("queries").clone()).map(
        |target| {
            let query = target["expr"].as_str().expect("a query");
            query.replace("$instance", ".*").replace("$__rate_interval", "1m")
        },
    )
}
