//! What comes of checks that are run through the API, and which kinds there are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::result::CheckResult;

/// The results of a run, in the order in which its checks were named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ran {
    /// One for each check, whatever became of it.
    pub results: Vec<RanCheck>,
}

/// One check of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RanCheck {
    /// Its id, else the id of what it checks.
    pub id: String,
    /// Its kind.
    pub plugin_type: String,
    /// What it came to.
    pub result: RanResult,
}

/// What one check of a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RanResult {
    /// `success`, `warning` or `error`.
    pub status: String,
    /// The same in a sentence.
    pub message: String,
    /// Seconds that it took.
    pub response_time: f64,
    /// What was seen: always `target`, `verdict`, `cause` and `detail`; for an error also `error` and
    /// `error_type`.
    #[schema(value_type = Object)]
    pub raw_data: Map<String, Value>,
    /// When it finished: RFC 3339, UTC, with milliseconds.
    pub timestamp: String,
}

impl From<CheckResult> for RanCheck {
    fn from(result: CheckResult) -> Self {
        let CheckResult { id, plugin_type, status, message, response_time, raw_data, timestamp } =
            result;
        let status = status.as_str().to_owned();
        let result = RanResult { status, message, response_time, raw_data, timestamp };
        Self { id, plugin_type, result }
    }
}

/// The kinds of checks that there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plugins {
    /// The kinds.
    pub plugins: Vec<PluginKind>,
}

/// A kind of checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginKind {
    /// Its name, as `plugin_type`.
    pub name: String,
    /// What it looks at.
    pub description: String,
    /// The keys of its `config`.
    pub keys: Vec<PluginKey>,
}

/// A key of the `config` of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PluginKey {
    /// Its name.
    pub name: String,
    /// What it says.
    pub description: String,
    /// The type of its value: `text`, `number`, `truth`, `duration`, `list`, `object`, or words to
    /// choose from.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a check needs it.
    pub required: bool,
    /// What holds where it is not named; none: nothing, or what another key says.
    #[schema(value_type = Value)]
    pub default: Option<Value>,
}
