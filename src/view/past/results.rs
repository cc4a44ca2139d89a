//! Stored polls as results of checks, and what they came to in a period.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::poll::{Poll, poll};
use crate::outcome::{Finding, Outcome};
use crate::stats::{Grain, Tally};
use crate::target::Target;
use crate::view::result::{Identity, Status, sentence};

/// A stored poll as the result of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultEntry {
    /// The id of the target.
    pub id: String,
    /// The kind of the check; `None` when the target is not polled any more.
    pub plugin_type: Option<String>,
    /// What the check came to.
    pub result: StoredResult,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredResult {
    /// `success`, `warning` or `error`.
    #[schema(value_type = String)]
    pub status: Status,
    /// The same in a sentence.
    pub message: String,
    /// Seconds that it took.
    pub response_time: f64,
    /// What was stored of it, by name.
    #[schema(value_type = Object)]
    pub raw_data: Map<String, Value>,
    /// When it finished: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
}

/// A part of the results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResultPage {
    /// The results, the newest first.
    pub results: Vec<ResultEntry>,
    /// What to give as `after` for the part that follows; `None` when this is the last.
    pub next: Option<String>,
}

/// What all results of a period came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResultsSummary {
    /// `day`, `week` or `month`.
    pub period: String,
    /// When it begins.
    pub from: String,
    /// When it ends.
    pub to: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// The same for each kind of check, of targets that are polled now; `None` when the fleet is too
    /// large for adding that up.
    pub by_plugin: Option<Vec<PluginSummary>>,
}

/// What the results of one kind of check came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PluginSummary {
    /// The kind of the check.
    pub plugin_type: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Counts of results, and how long the answered ones took in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Counts {
    /// Results.
    pub total: u64,
    /// Of these, those that found their target up or with a warning.
    pub success: u64,
    /// Of these, those that found it down.
    pub error: u64,
    /// Of these, those that say nothing of it, by a cause of ours.
    pub unknown: u64,
    /// The share of `success` in `success` and `error`; `None` when there is neither.
    pub uptime: Option<f64>,
    /// The mean, within 3.2 %.
    pub response_time_avg: Option<f64>,
    /// Half of them took no longer.
    pub response_time_p50: Option<f64>,
    /// 99 % of them took no longer.
    pub response_time_p99: Option<f64>,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        let (total, success) = (u64::from(tally.checks), u64::from(tally.up));
        let unknown = u64::from(tally.unknown);
        let known = tally.checks.saturating_sub(tally.unknown);
        let seconds = |us: Option<u32>| us.map(|us| f64::from(us) / 1e6);
        Self {
            total,
            success,
            error: total.saturating_sub(success + unknown),
            unknown,
            uptime: (known > 0).then(|| f64::from(tally.up) / f64::from(known)),
            response_time_avg: mean(tally),
            response_time_p50: seconds(tally.quantile(0.5)),
            response_time_p99: seconds(tally.quantile(0.99)),
        }
    }
}

fn mean(tally: &Tally) -> Option<f64> {
    let (mut sum, mut all) = (0.0, 0.0);
    for (bucket, count) in tally.latency.iter() {
        sum += f64::from(Grain::Coarse.middle(bucket)) * f64::from(count);
        all += f64::from(count);
    }
    (all > 0.0).then(|| sum / all / 1e6)
}

/// `outcome` as the result of a check of `target`, which may be polled no more; `identity` is who it
/// is of, with its address.
#[must_use]
pub fn result(
    outcome: &Outcome,
    target: Option<&Target>,
    (identity, url): (Identity, &str),
) -> ResultEntry {
    let Poll { at, verdict, cause, detail, latency_seconds, phases, bytes, kind, .. } =
        poll(outcome, &identity.id, url);
    let message = match target {
        Some(target) => sentence(target, &outcome.finding, latency_seconds),
        None => bare(&outcome.finding, outcome.code().to_string()),
    };
    let mut raw_data = Map::new();
    let phases = serde_json::to_value(phases).unwrap_or_default();
    let status = Some(outcome.finding.status).filter(|status| *status != 0);
    let pairs: [(&str, Value); 8] = [
        ("target", url.into()),
        ("verdict", verdict.into()),
        ("cause", cause.into()),
        ("detail", detail.into()),
        ("status_code", status.into()),
        ("bytes", bytes.into()),
        ("kind", kind.into()),
        ("phases", phases),
    ];
    raw_data.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
    ResultEntry {
        id: identity.id,
        plugin_type: Some(identity.plugin_type).filter(|kind| !kind.is_empty()),
        result: StoredResult {
            status: Status::from(outcome.finding.verdict),
            message,
            response_time: latency_seconds,
            raw_data,
            timestamp: at,
        },
    }
}

/// What is said of a poll whose target is not known any more.
fn bare(finding: &Finding, code: String) -> String {
    match finding.detail.as_str() {
        "" => code,
        detail => format!("{code} ({detail})"),
    }
}
