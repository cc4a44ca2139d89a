//! The figures of a scheduled poll, for probes that are answered from it.

use super::certificate::number;
use super::{overall, seconds, web};
use crate::outcome::{Detail, Outcome, Verdict};
use crate::target::{CheckKind, Target};
use crate::view::series::Family;

/// What is known of the last poll of `target`, which came to `outcome` `age_seconds` ago.
#[must_use]
pub fn cached(target: &Target, outcome: &Outcome, age_seconds: f64) -> Vec<Family> {
    let finding = &outcome.finding;
    let phases = &finding.phases;
    // That a certificate runs out soon is told by its own figure.
    let is_success = finding.verdict == Verdict::Up
        || (finding.verdict == Verdict::Warning && finding.detail == Detail::CertificateDays);
    let mut families = overall(is_success, f64::from(outcome.latency_us) / 1e6);
    families.push(
        Family::gauge("probe_dns_lookup_time_seconds", "How long the look-up of the name took")
            .of(seconds(phases.resolve)),
    );
    families.push(
        Family::gauge("poller_probe_cached_age_seconds", "How long ago the poll was that is told")
            .of(age_seconds),
    );
    families.extend(by_kind(target, outcome));
    if finding.certificate_until != 0 {
        families.push(
            Family::gauge(
                "probe_ssl_earliest_cert_expiry",
                "When the first certificate on the path runs out, in Unix time",
            )
            .of(number(finding.certificate_until)),
        );
    }
    families.sort_by_key(|family| family.name);
    families
}

/// What is told of some kinds of polls alone.
fn by_kind(target: &Target, outcome: &Outcome) -> Vec<Family> {
    let finding = &outcome.finding;
    let phases = &finding.phases;
    match target.plan.probe.kind() {
        CheckKind::Http => {
            let gauge = |name, help, value: f64| Family::gauge(name, help).of(value);
            let is_secure = finding.status != 0 && target.address.scheme().as_str() == "https";
            vec![
                web::durations(phases, 0.0),
                gauge(
                    "probe_http_status_code",
                    "The status of the last answer",
                    finding.status.into(),
                ),
                gauge(
                    "probe_http_redirects",
                    "Redirects that were followed",
                    finding.redirects.into(),
                ),
                gauge(
                    "probe_http_ssl",
                    "Whether the target is asked over TLS",
                    u8::from(is_secure).into(),
                ),
            ]
        }
        CheckKind::Icmp => {
            let times = [("resolve", phases.resolve), ("rtt", phases.first_byte)];
            let times = times.map(|(name, time)| (name, seconds(time)));
            let name = "probe_icmp_duration_seconds";
            vec![Family::gauge(name, "How long each phase took").by("phase", times)]
        }
        _ => Vec::new(),
    }
}
