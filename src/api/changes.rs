//! Targets that are given through the API, and pauses of all targets.

mod edit;
mod pause;

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::facts::Answer;
use super::problem::Problem;
use super::routes::Routes;
use crate::view::{Changed, Paused, Rejected};

/// Seconds after which whoever found us busy may try again.
const RETRY_AFTER_S: u16 = 2;

/// What changes targets. Answers are awaited, and nothing of it is done on the thread that asks.
pub trait Changes: Send + Sync + 'static {
    /// Changes the targets of the API; tells what came of it, and the version of the set after it.
    fn change(&self, change: Change) -> Answer<'_, Result<(Changed, String), Refusal>>;

    /// Has targets be polled no more for a while.
    fn pause(&self, who: Selection, wish: PauseWish) -> Answer<'_, Result<Paused, Refusal>>;

    /// Has targets be polled again.
    fn resume(&self, who: Selection) -> Answer<'_, Result<Paused, Refusal>>;
}

/// A change of the targets of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What becomes of them.
    pub what: What,
    /// The versions of the set that it is meant for; none: any.
    pub if_match: Option<Vec<String>>,
}

/// What becomes of the targets of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// They are these entries, a JSON array.
    All(Bytes, OnReject),
    /// These entries, one or a JSON array, come to them or take the place of those with their ids.
    Some(Bytes, OnReject),
    /// The target with this id goes.
    Remove(String),
    /// Some keys of the target with this id change, by a JSON merge patch (RFC 7396).
    Merge(String, Bytes),
}

/// What becomes of a change when some of its entries cannot be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReject {
    /// Nothing is changed.
    Refuse,
    /// The others are taken.
    LeaveOut,
}

/// Which targets are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those with this label, name and value.
    Label(String, String),
}

/// How long a pause is to last, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseWish {
    /// For so long: seconds, or a duration like `"1h"`.
    #[serde(rename = "for", default)]
    #[schema(value_type = Option<String>, example = "1h")]
    pub length: Option<Value>,
    /// Until then: RFC 3339.
    #[serde(default)]
    pub until: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Why targets stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request makes no sense; why.
    Wrong(String),
    /// There are no targets with these ids.
    Unknown(Vec<String>),
    /// It is about a target of the list; why that cannot be.
    Listed(String),
    /// It was meant for another version of the set than this one.
    Stale(String),
    /// Some entries cannot be polled.
    Rejected(Rejections),
    /// Not now; why.
    Busy(String),
}

/// Entries that cannot be polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejections {
    /// The first of them.
    pub first: Vec<Rejected>,
    /// How many there are.
    pub total: u64,
    /// How many of them because the list has their ids.
    pub listed: u64,
}

/// A problem that tells each entry that cannot be polled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct RejectedProblem {
    /// The status of the answer.
    status: u16,
    /// The kind of problem, in words.
    title: String,
    /// What is wrong in this case.
    detail: String,
    /// The first of the entries that cannot be polled.
    rejected: Vec<Rejected>,
    /// How many cannot be polled.
    rejected_total: u64,
}

/// The routes of targets that change.
pub(super) fn routes(changes: &Arc<dyn Changes>) -> Routes {
    let admin = edit::routes(Arc::clone(changes)).merge(pause::routes(Arc::clone(changes)));
    Routes { admin, ..Routes::default() }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong(why) => Problem::new(StatusCode::BAD_REQUEST, why).into_response(),
            Self::Unknown(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("{id:?}")).collect();
                let detail = format!("there is no target {}", ids.join(", "));
                Problem::new(StatusCode::NOT_FOUND, detail).into_response()
            }
            Self::Listed(why) => Problem::new(StatusCode::CONFLICT, why).into_response(),
            Self::Stale(etag) => {
                let detail = "the targets have changed since; look at them, and send their ETag";
                let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
                (etag_header(&etag), problem).into_response()
            }
            Self::Rejected(rejections) => rejections.into_response(),
            Self::Busy(why) => {
                let wait = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))];
                (wait, Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)).into_response()
            }
        }
    }
}

impl IntoResponse for Rejections {
    fn into_response(self) -> Response {
        let Self { first, total, listed } = self;
        let status =
            if listed == total { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        let why = first.first().map_or_else(String::new, |one| {
            format!("; the first, at index {}: {}", one.index, one.reason)
        });
        let Problem { status, title, .. } = Problem::new(status, "");
        let detail = format!("nothing is changed: {total} entries cannot be polled{why}");
        let problem =
            RejectedProblem { status, title, detail, rejected: first, rejected_total: total };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

fn etag_header(etag: &str) -> [(header::HeaderName, HeaderValue); 1] {
    // It is made of digits and letters.
    let value = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static(""));
    [(header::ETAG, value)]
}
