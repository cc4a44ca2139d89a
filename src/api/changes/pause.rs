//! Pauses: targets that are not polled for a while.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Changes, PauseWish, Refusal, Selection};
use crate::api::problem::Problem;
use crate::api::query::{body, long_json};
use crate::view::Paused;

type Asked = State<Arc<dyn Changes>>;

/// The routes of pauses.
pub(super) fn routes(changes: Arc<dyn Changes>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(pause_some))
        .routes(routes!(resume_some))
        .with_state(changes)
}

/// Which targets are to be paused, for how long and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseOfSome {
    /// Their ids.
    ids: Option<Vec<String>>,
    /// Or the label that they have: `NAME=VALUE`.
    #[schema(example = "team=web")]
    label: Option<String>,
    /// For so long: seconds, or a duration like `"1h"`.
    #[serde(rename = "for", default)]
    #[schema(value_type = Option<String>, example = "1h")]
    length: Option<Value>,
    /// Until then: RFC 3339.
    until: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Which targets are to be resumed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResumeOfSome {
    /// Their ids.
    ids: Option<Vec<String>>,
    /// Or the label that they have: `NAME=VALUE`.
    #[schema(example = "team=web")]
    label: Option<String>,
}

/// Has a target be polled no more for a while, else until it is resumed.
#[utoipa::path(
    post, path = "/api/v1/targets/{id}/pause", tag = "targets",
    params(("id" = String, Path, description = "The id of the target")),
    request_body(content = Option<PauseWish>, description = "How long and why; nothing: until it is resumed"),
    responses(
        (status = 200, description = "It is paused", body = Paused),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn pause(
    State(changes): Asked,
    Path(id): Path<String>,
    given: Bytes,
) -> Result<Response, Refusal> {
    let wish = match given.trim_ascii() {
        [] => PauseWish::default(),
        _ => body(given).await.map_err(wrong)?,
    };
    Ok(long_json(changes.pause(Selection::Ids(vec![id]), wish).await?).await)
}

/// Has a target be polled again.
#[utoipa::path(
    post, path = "/api/v1/targets/{id}/resume", tag = "targets",
    params(("id" = String, Path, description = "The id of the target")),
    responses(
        (status = 200, description = "It is not paused", body = Paused),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resume(State(changes): Asked, Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(long_json(changes.resume(Selection::Ids(vec![id])).await?).await)
}

/// Has targets be polled no more for a while, by their ids or a label.
#[utoipa::path(
    post, path = "/api/v1/pause", tag = "targets",
    request_body = PauseOfSome,
    responses(
        (status = 200, description = "They are paused", body = Paused),
        (status = 404, description = "Some are not there; none is paused", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn pause_some(State(changes): Asked, given: Bytes) -> Result<Response, Refusal> {
    let given: PauseOfSome = body(given).await.map_err(wrong)?;
    let PauseOfSome { ids, label, length, until, reason } = given;
    let who = selection(ids, label)?;
    Ok(long_json(changes.pause(who, PauseWish { length, until, reason }).await?).await)
}

/// Has targets be polled again, by their ids or a label.
#[utoipa::path(
    post, path = "/api/v1/resume", tag = "targets",
    request_body = ResumeOfSome,
    responses(
        (status = 200, description = "They are not paused", body = Paused),
        (status = 404, description = "Some are not there; none is resumed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resume_some(State(changes): Asked, given: Bytes) -> Result<Response, Refusal> {
    let ResumeOfSome { ids, label } = body(given).await.map_err(wrong)?;
    let who = selection(ids, label)?;
    Ok(long_json(changes.resume(who).await?).await)
}

fn wrong(problem: Problem) -> Refusal {
    Refusal::Wrong(problem.detail)
}

fn selection(ids: Option<Vec<String>>, label: Option<String>) -> Result<Selection, Refusal> {
    match (ids, label) {
        (Some(ids), None) => Ok(Selection::Ids(ids)),
        (None, Some(label)) => match label.split_once('=') {
            Some((name, value)) => Ok(Selection::Label(name.to_owned(), value.to_owned())),
            None => Err(Refusal::Wrong(format!("\"label\" is NAME=VALUE, not {label:?}"))),
        },
        _ => Err(Refusal::Wrong("name the targets by \"ids\", or by one \"label\"".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_by_ids_or_by_a_label() {
        let ids = || Some(vec!["a".to_owned()]);
        assert_eq!(selection(ids(), None), Ok(Selection::Ids(vec!["a".to_owned()])));
        let label = Selection::Label("team".to_owned(), "a=b".to_owned());
        assert_eq!(selection(None, Some("team=a=b".to_owned())), Ok(label));
        for (ids, label) in
            [(None, None), (ids(), Some("a=b".to_owned())), (None, Some("team".to_owned()))]
        {
            assert!(selection(ids, label).is_err());
        }
    }
}
