//! `Endpoint`: a target in the shape that clients of Gatus read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Poll;

/// A target with some of its polls, in the shape that clients of Gatus read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Endpoint {
    /// Its name, else its address.
    pub name: String,
    /// Its group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Group and name, as they stand in addresses.
    pub key: String,
    /// Polls, the oldest first.
    pub results: Vec<EndpointResult>,
}

/// A poll, in the same shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointResult {
    /// The status; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in nanoseconds.
    pub duration: u64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// What was expected: that the verdict is up or a warning.
    pub condition_results: Vec<EndpointCondition>,
    /// Whether that holds.
    pub success: bool,
    /// When it finished.
    pub timestamp: String,
}

/// An expectation, in the same shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EndpointCondition {
    /// What is expected.
    pub condition: String,
    /// Whether it holds.
    pub success: bool,
}

impl From<&Poll> for EndpointResult {
    fn from(poll: &Poll) -> Self {
        let success = matches!(poll.verdict.as_str(), "up" | "warning");
        let why = |cause: &String| match &poll.detail {
            Some(detail) => format!("{cause}: {detail}"),
            None => cause.clone(),
        };
        let latency = std::time::Duration::try_from_secs_f64(poll.latency_seconds);
        let condition = "[VERDICT] == any(up, warning)".to_owned();
        Self {
            status: poll.code.parse().ok(),
            duration: u64::try_from(latency.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            errors: poll.cause.iter().map(why).collect(),
            condition_results: vec![EndpointCondition { condition, success }],
            success,
            timestamp: poll.at.clone(),
        }
    }
}

/// Group and name as they stand in addresses.
#[must_use]
pub fn endpoint_key(group: &str, name: &str) -> String {
    let plain = |text: &str| -> String {
        let letters = text.trim().chars().map(|letter| match letter {
            '/' | '_' | ',' | '.' | '#' | '+' | '&' | ' ' => '-',
            letter => letter,
        });
        letters.flat_map(char::to_lowercase).collect()
    };
    format!("{}_{}", plain(group), plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_clients_expect() {
        assert_eq!(endpoint_key("Core Services", "front.end/#1"), "core-services_front-end--1");
        assert_eq!(endpoint_key("", "http://a.example/"), "_http:--a-example-");
    }
}
