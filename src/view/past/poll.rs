//! `Poll` and `Incident`: a stored poll and an outage, with the name of their target.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::outcome::{Micros, Outcome, Phases, SampleKind};
use crate::view::words;

/// A stored poll. Durations are seconds, times RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Poll {
    /// When it finished.
    pub at: String,
    /// The id of its target.
    pub target_id: String,
    /// The address of its target, without secrets.
    pub url: String,
    /// `up`, `warning`, `down` or `unknown`.
    pub verdict: String,
    /// The status, else the cause, else `ok`.
    pub code: String,
    /// Why it is not simply up.
    pub cause: Option<String>,
    /// What exactly went wrong.
    pub detail: Option<String>,
    /// How long it took.
    pub latency_seconds: f64,
    /// Where that time went.
    pub phases: PollPhases,
    /// Bytes of the body.
    pub bytes: u64,
    /// From due to started.
    pub lag_seconds: f64,
    /// Why it was made: `slot`, `recheck` or `manual`.
    pub kind: String,
}

/// Where the time of a poll went, in seconds; `None` where it had no such part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PollPhases {
    /// Until the name was resolved.
    pub resolve: Option<f64>,
    /// From there until the connection stood.
    pub connect: Option<f64>,
    /// The TLS handshake.
    pub tls: Option<f64>,
    /// From the request until the first byte of the answer.
    pub first_byte: Option<f64>,
    /// From there until the last byte.
    pub transfer: Option<f64>,
}

/// A part of the stored polls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PollPage {
    /// The polls, the newest first.
    pub checks: Vec<Poll>,
    /// What to give as `after` for the part that follows; `None` when this is the last. A part may
    /// be short, even empty, and yet be followed by another one.
    pub next: Option<String>,
}

/// An outage of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Incident {
    /// The id of the target.
    pub target_id: String,
    /// Its address, without secrets.
    pub url: String,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// When it began.
    pub began: String,
    /// When it ended; `None` while it lasts.
    pub ended: Option<String>,
    /// How long it lasted, or lasts so far.
    pub seconds: f64,
    /// Why.
    pub cause: String,
    /// What exactly went wrong; empty when nothing more is known.
    pub detail: String,
}

/// A part of the outages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct IncidentPage {
    /// The outages, the newest first.
    pub incidents: Vec<Incident>,
    /// What to give as `after` for the part that follows; `None` when this is the last. A part may
    /// be short, even empty, and yet be followed by another one.
    pub next: Option<String>,
}

/// `outcome` as it is told, of the target with this id and this address.
#[must_use]
pub fn poll(outcome: &Outcome, target_id: &str, url: &str) -> Poll {
    let finding = &outcome.finding;
    Poll {
        at: rfc3339(outcome.finished_us.div_euclid(1_000)),
        target_id: target_id.to_owned(),
        url: url.to_owned(),
        verdict: words::verdict(finding.verdict).to_owned(),
        code: outcome.code().to_string(),
        cause: finding.cause.map(|cause| cause.as_str().to_owned()),
        detail: Some(finding.detail.as_str()).filter(|text| !text.is_empty()).map(str::to_owned),
        latency_seconds: f64::from(outcome.latency_us) / 1e6,
        phases: phases(&finding.phases),
        bytes: finding.bytes,
        lag_seconds: f64::from(outcome.lag_us) / 1e6,
        kind: kind(outcome.kind).to_owned(),
    }
}

fn phases(phases: &Phases) -> PollPhases {
    let seconds = |phase: Micros| phase.get().map(|us| f64::from(us) / 1e6);
    PollPhases {
        resolve: seconds(phases.resolve),
        connect: seconds(phases.connect),
        tls: seconds(phases.tls),
        first_byte: seconds(phases.first_byte),
        transfer: seconds(phases.transfer),
    }
}

const fn kind(kind: SampleKind) -> &'static str {
    match kind {
        SampleKind::Slot => "slot",
        SampleKind::Recheck => "recheck",
        SampleKind::Manual => "manual",
    }
}
