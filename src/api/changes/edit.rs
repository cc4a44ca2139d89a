//! Targets that are given through the API: all at once, some, and one less.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Change, Changes, OnReject, Refusal, RejectedProblem, What, etag_header};
use crate::api::problem::Problem;
use crate::api::query::{bad, long_json, pairs};
use crate::view::Changed;

/// Bytes of entries at most.
const LARGEST: usize = 64 << 20;
/// Changes that are read at a time at most.
const READ_AT_ONCE: usize = 2;
/// How long entries may take to come in.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Clone)]
struct Context {
    changes: Arc<dyn Changes>,
    readers: Arc<Semaphore>,
}

/// The routes of targets that are given through the API.
pub(super) fn routes(changes: Arc<dyn Changes>) -> OpenApiRouter {
    let readers = Arc::new(Semaphore::new(READ_AT_ONCE));
    OpenApiRouter::new()
        .routes(routes!(put_targets, post_targets))
        .routes(routes!(delete_target, patch_target))
        .with_state(Context { changes, readers })
}

/// Makes the targets of the API exactly these.
///
/// Entries are those of a list, each with `expires` beside if it is to go by itself: a duration or
/// a time. Targets of the list stay as they are. Sent twice it changes nothing the second time.
#[utoipa::path(
    put, path = "/api/v1/targets", tag = "targets",
    params(
        ("partial" = Option<bool>, Query, description = "Leave out what cannot be polled instead of refusing all"),
        ("If-Match" = Option<String>, Header, description = "Change them only if this is their ETag"),
    ),
    request_body(content = Vec<serde_json::Value>, description = "A list: entries as objects or addresses"),
    responses(
        (status = 200, description = "What changed; the header ETag tells the version of the set", body = Changed),
        (status = 409, description = "The list has targets with these ids", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 412, description = "They are others by now", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Entries cannot be polled", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_targets(
    State(context): State<Context>,
    query: RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Response> {
    let (on_reject, _reader, entries) = context.read(&query, request).await?;
    let change = Change { what: What::All(entries, on_reject), if_match: if_match(&headers) };
    context.change(change).await
}

/// Adds targets to those of the API, or puts them in the place of those with their ids.
#[utoipa::path(
    post, path = "/api/v1/targets", tag = "targets",
    params(
        ("partial" = Option<bool>, Query, description = "Leave out what cannot be polled instead of refusing all"),
        ("If-Match" = Option<String>, Header, description = "Change them only if this is their ETag"),
    ),
    request_body(content = serde_json::Value, description = "One entry of a list, or an array of them"),
    responses(
        (status = 200, description = "All of them were there before", body = Changed),
        (status = 201, description = "Some of them are new", body = Changed),
        (status = 409, description = "The list has targets with these ids", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 412, description = "They are others by now", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Entries cannot be polled", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn post_targets(
    State(context): State<Context>,
    query: RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Response> {
    let (on_reject, _reader, entries) = context.read(&query, request).await?;
    let change = Change { what: What::Some(entries, on_reject), if_match: if_match(&headers) };
    context.change(change).await
}

/// Removes a target of the API.
#[utoipa::path(
    delete, path = "/api/v1/targets/{id}", tag = "targets",
    params(
        ("id" = String, Path, description = "The id of the target"),
        ("If-Match" = Option<String>, Header, description = "Change them only if this is their ETag"),
    ),
    responses(
        (status = 200, description = "It is polled no more", body = Changed),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is one of the list", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "They are others by now", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn delete_target(
    State(context): State<Context>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    context.change(Change { what: What::Remove(id), if_match: if_match(&headers) }).await
}

/// Changes some keys of a target of the API, by a JSON merge patch (RFC 7396).
///
/// What is not named stays as it is, credentials too; `null` takes a key away.
#[utoipa::path(
    patch, path = "/api/v1/targets/{id}", tag = "targets",
    params(
        ("id" = String, Path, description = "The id of the target"),
        ("If-Match" = Option<String>, Header, description = "Change them only if this is their ETag"),
    ),
    request_body(content = serde_json::Value, description = "The keys to change, as in an entry of a list"),
    responses(
        (status = 200, description = "What changed", body = Changed),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is one of the list", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 412, description = "They are others by now", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be polled so", body = RejectedProblem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn patch_target(
    State(context): State<Context>,
    Path(id): Path<String>,
    headers: HeaderMap,
    patch: Bytes,
) -> Result<Response, Response> {
    context.change(Change { what: What::Merge(id, patch), if_match: if_match(&headers) }).await
}

impl Context {
    /// Reads the entries of a change, and what becomes of bad ones.
    async fn read(
        &self,
        query: &RawQuery,
        request: Request,
    ) -> Result<(OnReject, SemaphorePermit<'_>, Bytes), Response> {
        let on_reject = on_reject(query).map_err(IntoResponse::into_response)?;
        let reader = self.readers.try_acquire().map_err(|_| {
            Refusal::Busy("other changes are being read; try again".to_owned()).into_response()
        })?;
        let entries = axum::body::to_bytes(request.into_body(), LARGEST);
        match tokio::time::timeout(PATIENCE, entries).await {
            Ok(Ok(entries)) => Ok((on_reject, reader, entries)),
            Ok(Err(_)) => {
                let detail = format!("entries may have {} MiB; send them in parts", LARGEST >> 20);
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response())
            }
            Err(_) => {
                let detail = format!("the entries did not come within {PATIENCE:?}");
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into_response())
            }
        }
    }

    async fn change(&self, change: Change) -> Result<Response, Response> {
        let is_adding = matches!(change.what, What::Some(..));
        let changed = self.changes.change(change).await;
        let (changed, etag) = changed.map_err(IntoResponse::into_response)?;
        let status =
            if is_adding && changed.added > 0 { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, etag_header(&etag), long_json(changed).await).into_response())
    }
}

/// The versions that a change is meant for (RFC 9110, section 13.1.1).
fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    let given: Vec<&str> =
        headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
    if given.is_empty() || given.iter().any(|one| one.trim() == "*") {
        return None;
    }
    let all = given.iter().flat_map(|one| one.split(',')).map(|one| one.trim().to_owned());
    Some(all.collect())
}

fn on_reject(query: &RawQuery) -> Result<OnReject, Problem> {
    let mut on_reject = OnReject::Refuse;
    for (name, value) in pairs(query) {
        on_reject = match (name.as_str(), value.as_str()) {
            ("partial", "true" | "1" | "") => OnReject::LeaveOut,
            ("partial", "false" | "0") => OnReject::Refuse,
            ("partial", _) => return Err(bad(format!("partial is true or false, not {value:?}"))),
            _ => return Err(bad(format!("there is no parameter {name:?}; partial is one"))),
        };
    }
    Ok(on_reject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |text: &&str| HeaderValue::from_str(text).expect("a header");
        values.iter().map(|text| (header::IF_MATCH, value(text))).collect()
    }

    #[test]
    fn a_change_is_meant_for_the_versions_that_are_named() {
        assert_eq!(if_match(&headers(&[])), None);
        assert_eq!(if_match(&headers(&["*"])), None);
        let two = vec!["\"a\"".to_owned(), "\"b\"".to_owned()];
        assert_eq!(if_match(&headers(&["\"a\", \"b\""])), Some(two.clone()));
        assert_eq!(if_match(&headers(&["\"a\"", "\"b\""])), Some(two));
    }

    #[test]
    fn what_becomes_of_bad_entries_is_asked_in_one_way() {
        let query = |text: &str| RawQuery(Some(text.to_owned()));
        assert_eq!(on_reject(&RawQuery(None)), Ok(OnReject::Refuse));
        assert_eq!(on_reject(&query("partial=true")), Ok(OnReject::LeaveOut));
        for slip in ["partial=maybe", "partia=true"] {
            assert_eq!(on_reject(&query(slip)).expect_err(slip).status, 400);
        }
    }
}
