//! Queries in addresses, read pair by pair, and bodies, so that every slip can be named.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The names and values of a query, as they were meant.
pub(super) fn pairs(query: &RawQuery) -> Vec<(String, String)> {
    let text = query.0.as_deref().unwrap_or("");
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// What the JSON of a body says.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| bad(format!("the body is not right: {error}")))
}

/// What is said of a query that makes no sense.
pub(super) fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
