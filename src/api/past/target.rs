//! One target: all that is told of it, and its history.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use super::{Pairs, Past, Times, json};
use crate::api::problem::Problem;
use crate::api::query::bad;
use crate::view::past::{History, HistoryQuery, TargetDetail};

/// Seconds of a step at most: a year.
const STEP_MAX: u32 = 366 * 86_400;

/// One target: state, uptime, days, hours, outages, last polls.
#[utoipa::path(
    get, path = "/api/v1/targets/{id}", tag = "targets",
    params(("id" = String, Path, description = "Its id, as lists show it")),
    responses(
        (status = 200, description = "The target", body = TargetDetail),
        (status = 404, description = "There is none with this id", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn detail(
    State(past): State<Arc<dyn Past>>,
    Path(id): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    Pairs::of(&query, &[])?;
    json(past, move |past| past.detail(&id)).await
}

/// One target over time, in steps.
#[utoipa::path(
    get, path = "/api/v1/targets/{id}/history", tag = "targets",
    params(
        ("id" = String, Path, description = "Its id, as lists show it"),
        ("from" = Option<String>, Query, description = "Its beginning, RFC 3339 or Unix seconds, inclusive (a day before its end)"),
        ("to" = Option<String>, Query, description = "Its end, exclusive (now)"),
        ("step" = Option<u32>, Query, minimum = 1, maximum = 31_622_400, description = "Seconds of each step at least (what gives 500 points at most)"),
    ),
    responses(
        (status = 200, description = "The steps", body = History),
        (status = 404, description = "There is none with this id", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn history(
    State(past): State<Arc<dyn Past>>,
    Path(id): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["from", "to", "step"])?;
    let Times { from_ms, to_ms } = Times::of(&pairs)?;
    let step_s = pairs.value("step", |name, value| match value.parse() {
        Ok(step @ 1..=STEP_MAX) => Ok(step),
        _ => Err(bad(format!("{name} is a number of seconds from 1 to {STEP_MAX}, not {value:?}"))),
    })?;
    let asked = HistoryQuery { from_ms, to_ms, step_s };
    json(past, move |past| past.history(&id, &asked)).await
}
