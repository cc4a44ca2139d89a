//! `CheckResult`: what one check came to, as files and programs get it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::text::{duration, size};
use super::words;
use crate::check::Facts;
use crate::clock::rfc3339;
use crate::outcome::{Cause, Finding, Outcome, Verdict};
use crate::target::{CheckKind, Target};

/// What a check says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The target is up.
    Success,
    /// It is reachable, and something is not as expected.
    Warning,
    /// It is down, or nobody knows.
    Error,
}

impl Status {
    /// Its name in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up => Self::Success,
            Verdict::Warning => Self::Warning,
            Verdict::Down | Verdict::Unknown => Self::Error,
        }
    }
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The id of the check, else the id of what it checks.
    pub id: String,
    /// The kind of the check.
    pub plugin_type: String,
    /// What it says in one word.
    pub status: Status,
    /// The same in a sentence.
    pub message: String,
    /// Seconds that it took.
    pub response_time: f64,
    /// What was seen: always `target`, `verdict` (`up`, `warning`, `down`, `unknown`), `cause` and
    /// `detail`; `timeout`, the seconds that it could take, of every check that ran; for an error
    /// also `error` and `error_type`.
    pub raw_data: Map<String, Value>,
    /// When it finished: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
}

/// Who a result is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the check, else the id of what it checks.
    pub id: String,
    /// The kind of the check.
    pub plugin_type: String,
}

/// Why a check has not been run, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// Its entry is wrong, for this reason.
    Invalid(String),
    /// There is no target with its id.
    Unknown,
    /// The run's deadline passed, which was this long.
    Deadline(Duration),
    /// The run was stopped.
    Stopped,
}

impl NotRun {
    const fn error_type(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_check",
            Self::Unknown => "unknown_target",
            Self::Deadline(_) => "deadline",
            Self::Stopped => "stopped",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Invalid(reason) => reason.clone(),
            Self::Unknown => "there is no target with this id".to_owned(),
            Self::Deadline(limit) => {
                format!("not finished within the run's deadline of {}", words::span(*limit))
            }
            Self::Stopped => "not run: the run was stopped".to_owned(),
        }
    }
}

impl CheckResult {
    /// The result of a check of `target` that ended with `outcome`.
    #[must_use]
    pub fn of(identity: &Identity, target: &Target, outcome: &Outcome, facts: Facts) -> Self {
        let finding = &outcome.finding;
        let seconds = f64::from(outcome.latency_us) / 1e6;
        let Facts { message, data: mut raw_data } = facts;
        let message = match message {
            none if none.is_empty() => sentence(target, finding, seconds),
            some => some,
        };
        let mut put = |name: &str, value: Value| {
            raw_data.insert(name.to_owned(), value);
        };
        put("target", target.address.to_string().into());
        put("timeout", target.timeout().as_secs_f64().into());
        put("verdict", words::verdict(finding.verdict).into());
        put("cause", finding.cause.map(Cause::as_str).into());
        let detail = Some(finding.detail.as_str()).filter(|detail| !detail.is_empty());
        put("detail", detail.into());
        let status = Status::from(finding.verdict);
        if let (Status::Error, Some(cause)) = (status, finding.cause) {
            put("error", message.clone().into());
            put("error_type", cause.as_str().into());
        }
        Self {
            id: identity.id.clone(),
            plugin_type: identity.plugin_type.clone(),
            status,
            message,
            response_time: seconds,
            raw_data,
            timestamp: rfc3339(outcome.finished_us.div_euclid(1_000)),
        }
    }

    /// The result of a check that was not run to its end, at `now_ms` (Unix milliseconds).
    #[must_use]
    pub fn not_run(
        identity: &Identity,
        target: Option<String>,
        reason: &NotRun,
        now_ms: i64,
    ) -> Self {
        let message = reason.message();
        let pairs: [(&str, Value); 6] = [
            ("target", target.into()),
            ("verdict", "unknown".into()),
            ("cause", reason.error_type().into()),
            ("detail", Value::Null),
            ("error", message.clone().into()),
            ("error_type", reason.error_type().into()),
        ];
        Self {
            id: identity.id.clone(),
            plugin_type: identity.plugin_type.clone(),
            status: Status::Error,
            message,
            response_time: 0.0,
            raw_data: pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            timestamp: rfc3339(now_ms),
        }
    }

    /// The text of `raw_data` under `name`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.raw_data.get(name).and_then(Value::as_str)
    }

    /// What people call it: what is checked, else its id.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.text("target").unwrap_or(&self.id)
    }

    /// Whether nobody knows how the target is.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.text("verdict") == Some("unknown")
    }
}

/// What a finding says, in a sentence.
pub(super) fn sentence(target: &Target, finding: &Finding, seconds: f64) -> String {
    let is_http = target.plan.probe.kind() == CheckKind::Http;
    let status = (is_http && finding.status != 0).then(|| status(finding.status));
    match (finding.cause, status) {
        (None, Some(status)) => {
            let least = if finding.is_at_least { "at least " } else { "" };
            format!("{status} in {}, {least}{}", duration(seconds), size(finding.bytes))
        }
        (None, None) => format!("ok in {}", duration(seconds)),
        (Some(Cause::Status), Some(status)) => format!("status {status}"),
        (Some(cause), status) => {
            let why = words::why(cause, finding.detail, target.timeout());
            match status {
                Some(status) => format!("{status}: {why}"),
                None => why,
            }
        }
    }
}

/// A status with what it means (RFC 9110, section 15), if that is known: `200 OK`.
fn status(number: u16) -> String {
    let meaning = http::StatusCode::from_u16(number).ok();
    match meaning.as_ref().and_then(http::StatusCode::canonical_reason) {
        Some(meaning) => format!("{number} {meaning}"),
        None => number.to_string(),
    }
}
