//! Queries in addresses, read pair by pair, and bodies, so that every slip can be named.

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Bytes of a body that is read at once.
const SHORT: usize = 8 << 10;

/// The names and values of a query, as they were meant.
pub(super) fn pairs(query: &RawQuery) -> Vec<(String, String)> {
    let text = query.0.as_deref().unwrap_or("");
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// What the JSON of a body says. A long one is read elsewhere than where everybody is answered.
pub(super) async fn body<T: DeserializeOwned + Send + 'static>(given: Bytes) -> Result<T, Problem> {
    let is_short = given.len() <= SHORT;
    let read = move || {
        serde_json::from_slice(&given)
            .map_err(|error| bad(format!("the body is not right: {error}")))
    };
    if is_short {
        return read();
    }
    let stopping = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon stops");
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(stopping()))
}

/// An answer of JSON that may be long: it is written elsewhere than where everybody is answered.
pub(super) async fn long_json<T: Serialize + Send + 'static>(value: T) -> Response {
    let text = tokio::task::spawn_blocking(move || serde_json::to_vec(&value)).await;
    let body = text.ok().and_then(Result::ok).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response()
}

/// What is said of a query that makes no sense.
pub(super) fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
