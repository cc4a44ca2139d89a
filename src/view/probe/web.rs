//! What is told of a probe over HTTP.

use chrono::DateTime;

use super::certificate::number;
use super::{Probed, by_pattern, seconds};
use crate::outcome::Phases;
use crate::view::series::Family;

/// The figures.
pub(super) fn families(probed: &Probed<'_>, lookup: f64) -> Vec<Family> {
    let finding = probed.finding;
    let has_answer = finding.status != 0;
    let is_secure =
        has_answer && probed.text("final_url").is_some_and(|url| url.starts_with("https:"));
    let gauge = |name, help, value: f64| Family::gauge(name, help).of(value);
    let version =
        probed.text("http_version").and_then(|text| text.strip_prefix("HTTP/")?.parse().ok());
    let mut families = vec![
        durations(&finding.phases, lookup),
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
        gauge("probe_http_redirects", "Redirects that were met", f64::from(redirects(probed))),
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

/// How long each phase took over all hops; the look-up `least` so many seconds.
pub(super) fn durations(phases: &Phases, least: f64) -> Family {
    let times = [
        ("resolve", seconds(phases.resolve).max(least)),
        ("connect", seconds(phases.connect)),
        ("tls", seconds(phases.tls)),
        ("processing", seconds(phases.first_byte)),
        ("transfer", seconds(phases.transfer)),
    ];
    Family::gauge("probe_http_duration_seconds", "How long each phase took, over all redirects")
        .by("phase", times)
}

/// Redirects that were followed, and the one that was not.
fn redirects(probed: &Probed<'_>) -> u8 {
    let is_redirect = matches!(probed.finding.status, 301 | 302 | 303 | 307 | 308);
    let is_left = is_redirect && header(probed, "location").is_some();
    probed.finding.redirects.saturating_add(u8::from(is_left))
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
