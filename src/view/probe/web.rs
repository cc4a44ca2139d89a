//! What is told of a probe over HTTP.

use chrono::DateTime;

use super::certificate::number;
use super::{Probed, address, by_pattern, seconds};
use crate::outcome::Phases;
use crate::view::series::Family;

/// The figures.
pub(super) fn families(probed: &Probed<'_>) -> Vec<Family> {
    let finding = probed.finding;
    let has_answer = finding.status != 0;
    let is_secure =
        has_answer && probed.text("final_url").is_some_and(|url| url.starts_with("https:"));
    let gauge = |name, help, value: f64| Family::gauge(name, help).of(value);
    let version =
        probed.text("http_version").and_then(|text| text.strip_prefix("HTTP/")?.parse().ok());
    let mut families = vec![
        durations(&finding.phases, address::is_found(probed)),
        gauge("probe_http_status_code", "The status of the last answer", f64::from(finding.status)),
        gauge(
            "probe_http_content_length",
            "Length of the body as its head tells it, -1 where it does not",
            content_length(probed),
        ),
        gauge(
            "probe_http_uncompressed_body_length",
            "Bytes of the body when it is unpacked",
            probed.number("unpacked_size").unwrap_or(0.0),
        ),
        gauge("probe_http_redirects", "Redirects that were followed", f64::from(finding.redirects)),
        gauge(
            "probe_http_ssl",
            "Whether the last answer came over TLS",
            f64::from(u8::from(is_secure)),
        ),
        gauge(
            "probe_http_version",
            "The version of HTTP of the last answer",
            version.unwrap_or(0.0),
        ),
        by_pattern(probed.is_by_pattern),
    ];
    let modified =
        header(probed, "last-modified").and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    families.extend(modified.map(|time| {
        gauge(
            "probe_http_last_modified_timestamp_seconds",
            "When the page was last changed, in Unix time",
            number(time.timestamp()),
        )
    }));
    families
}

/// How long each phase took over all hops; of the look-up only when an address was found.
pub(super) fn durations(phases: &Phases, is_found: bool) -> Family {
    let times = [
        ("resolve", phases.resolve),
        ("connect", phases.connect),
        ("tls", phases.tls),
        ("processing", phases.first_byte),
        ("transfer", phases.transfer),
    ];
    let told = times.into_iter().filter(|(name, _)| is_found || *name != "resolve");
    Family::gauge("probe_http_duration_seconds", "How long each phase took, over all redirects")
        .by("phase", told.map(|(name, time)| (name, seconds(time))))
}

fn content_length(probed: &Probed<'_>) -> f64 {
    match (probed.finding.status, header(probed, "content-length")) {
        (0, _) => 0.0,
        (_, Some(text)) => text.trim().parse().unwrap_or(-1.0),
        (_, None) => -1.0,
    }
}

fn header<'p>(probed: &Probed<'p>, name: &str) -> Option<&'p str> {
    probed.data.get("response_headers")?.get(name)?.as_str()
}
