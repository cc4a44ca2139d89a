//! `Probed`: what one probe came to, as the figures of `blackbox_exporter`.

mod address;
mod cached;
mod certificate;
mod web;

use serde_json::{Map, Value};

use super::series::Family;
use crate::outcome::{Finding, Micros};
pub use cached::cached;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP.
    Http,
    /// TCP, and what is said over it.
    Tcp,
    /// Echo requests.
    Icmp,
    /// A question to a name server; whether the number of a zone is told.
    Dns {
        /// Whether the start of authority was asked for.
        tells_serial: bool,
    },
}

/// What one probe came to.
#[derive(Clone, Copy, Debug)]
pub struct Probed<'a> {
    /// What was spoken.
    pub spoken: Spoken,
    /// The facts of the check.
    pub data: &'a Map<String, Value>,
    /// What it found.
    pub finding: &'a Finding,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds that it could take.
    pub timeout: f64,
    /// Whether all is as it must be.
    pub is_success: bool,
    /// Whether it is not because a pattern did not hold.
    pub is_by_pattern: bool,
}

impl Probed<'_> {
    /// The figures, in the order of their names.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let mut families = overall(self.is_success, self.seconds);
        let (lookup, found) = address::families(self);
        families.extend(found);
        let limit = Family::gauge("probe_timeout_seconds", "How long the probe could take");
        families.push(limit.of(self.timeout));
        match self.spoken {
            Spoken::Http => families.extend(web::families(self, lookup)),
            Spoken::Tcp => families.push(by_pattern(self.is_by_pattern)),
            Spoken::Icmp => families.extend(self.echoes()),
            Spoken::Dns { tells_serial } => families.extend(self.answer(tells_serial)),
        }
        if let Some(Value::Object(tls)) = self.data.get("tls") {
            families.extend(certificate::families(tls));
        }
        families.sort_by_key(|family| family.name);
        families
    }

    fn echoes(&self) -> Vec<Family> {
        let phases = &self.finding.phases;
        let set_up = self.number("setup_time");
        let times = [
            ("resolve", seconds(phases.resolve)),
            ("setup", set_up.unwrap_or(0.0)),
            ("rtt", seconds(phases.first_byte)),
        ];
        let durations = Family::gauge("probe_icmp_duration_seconds", "How long each phase took")
            .by("phase", times);
        let limit = self.number("reply_hop_limit").map(|limit| {
            Family::gauge(
                "probe_icmp_reply_hop_limit",
                "Routers that the answer could still have passed",
            )
            .of(limit)
        });
        std::iter::once(durations).chain(limit).collect()
    }

    fn answer(&self, tells_serial: bool) -> Vec<Family> {
        let phases = &self.finding.phases;
        let times = [
            ("resolve", seconds(phases.resolve)),
            ("connect", seconds(phases.connect)),
            ("request", seconds(phases.first_byte)),
        ];
        let count = |part: &str| self.number(&format!("{part}_count")).unwrap_or(0.0);
        let mut families = vec![
            Family::gauge("probe_dns_duration_seconds", "How long each phase took")
                .by("phase", times),
            Family::gauge("probe_dns_answer_rrs", "Records of the answer").of(count("answer")),
            Family::gauge("probe_dns_authority_rrs", "Records of its authority")
                .of(count("authority")),
            Family::gauge("probe_dns_additional_rrs", "Records beside it").of(count("additional")),
            Family::gauge("probe_dns_query_succeeded", "Whether an answer came")
                .of(self.data.contains_key("rcode")),
        ];
        if tells_serial && self.data.contains_key("rcode") {
            families.push(
                Family::gauge("probe_dns_serial", "Serial number of the zone")
                    .of(self.number("serial").unwrap_or(0.0)),
            );
        }
        families
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.data.get(name)?.as_f64()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name)?.as_str()
    }
}

/// What every probe tells.
fn overall(is_success: bool, seconds: f64) -> Vec<Family> {
    vec![
        Family::gauge("probe_success", "Whether the probe was a success").of(is_success),
        Family::gauge("probe_duration_seconds", "How long the probe took").of(seconds),
    ]
}

fn by_pattern(is_by_pattern: bool) -> Family {
    Family::gauge("probe_failed_due_to_regex", "Whether the probe failed because of a pattern")
        .of(is_by_pattern)
}

/// A time in seconds, 0 where there was none.
fn seconds(time: Micros) -> f64 {
    f64::from(time.get().unwrap_or(0)) / 1e6
}

#[cfg(test)]
mod tests;
