//! The routes that clients of Gatus know, for reading: `endpoints` with their polls, uptimes, badges.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::badges;
use super::past::{Pairs, Past, blocking, json, named_value};
use super::problem::Problem;
use super::query::bad;
use super::routes::Routes;
use crate::view::past::{BadgeKind, Endpoint};

/// Targets in the answer that holds all of them; a fleet with more is told in part.
const ENDPOINTS: usize = 100;
/// Polls of a page when nobody says how many, and at most.
const PAGE: usize = 20;
const PAGE_MAX: usize = 100;
/// Polls that pages reach back.
const REACH: usize = 2_000;
/// Spans of uptime, and their milliseconds.
const SPANS: [(&str, i64); 4] =
    [("1h", 3_600_000), ("24h", 86_400_000), ("7d", 7 * 86_400_000), ("30d", 30 * 86_400_000)];

/// The routes that clients of Gatus know.
pub(super) fn routes(past: Arc<dyn Past>) -> Routes {
    let read = OpenApiRouter::new()
        .routes(routes!(statuses))
        .routes(routes!(endpoint))
        .routes(routes!(uptime))
        .routes(routes!(health))
        .with_state(past);
    Routes { read, ..Routes::default() }
}

/// The first 100 targets with their last polls, as Gatus tells them.
#[utoipa::path(
    get, path = "/api/v1/endpoints/statuses", tag = "gatus",
    params(
        ("page" = Option<u32>, Query, minimum = 1, maximum = 1, description = "Always the first"),
        ("pageSize" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Polls of each (20)"),
    ),
    responses((status = 200, description = "The targets", body = Vec<Endpoint>))
)]
async fn statuses(State(past): State<Arc<dyn Past>>, query: RawQuery) -> Result<Response, Problem> {
    let (passed, size) = page(&query)?;
    if passed > 0 {
        return Err(bad("page is 1 here; further polls are told of one endpoint".to_owned()));
    }
    json(past, move |past| past.endpoints(ENDPOINTS, size)).await
}

/// One target with its polls, page by page, as Gatus tells it.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{key}/statuses", tag = "gatus",
    params(
        ("key" = String, Path, description = "Group and name, as GROUP_NAME"),
        ("page" = Option<u32>, Query, minimum = 1, description = "1 holds the newest polls"),
        ("pageSize" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Polls of a page (20)"),
    ),
    responses(
        (status = 200, description = "The target", body = Endpoint),
        (status = 404, description = "There is none with this key", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn endpoint(
    State(past): State<Arc<dyn Past>>,
    Path(key): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let (passed, size) = page(&query)?;
    json(past, move |past| past.endpoint(&key, passed, size)).await
}

/// The share of time that a target was up, as a number.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{key}/uptimes/{span}", tag = "gatus",
    params(
        ("key" = String, Path, description = "Group and name, as GROUP_NAME"),
        ("span" = String, Path, description = "1h, 24h, 7d or 30d"),
    ),
    responses(
        (status = 200, description = "0 to 1; 0 where it is not known", body = String, content_type = "text/plain"),
        (status = 404, description = "There is none with this key", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn uptime(
    State(past): State<Arc<dyn Past>>,
    Path((key, span)): Path<(String, String)>,
    query: RawQuery,
) -> Result<Response, Problem> {
    Pairs::of(&query, &[])?;
    let span_ms = named_value("span", &span, &SPANS)?;
    let share = blocking(past, move |past| past.uptime(&past.endpoint_id(&key)?, span_ms)).await?;
    Ok(format!("{:.6}", share.unwrap_or(0.0)).into_response())
}

/// A badge of a target's state, as a picture or for shields.io.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{key}/health/{badge}", tag = "gatus",
    params(
        ("key" = String, Path, description = "Group and name, as GROUP_NAME"),
        ("badge" = String, Path, description = "badge.svg or badge.shields"),
    ),
    responses(
        (status = 200, description = "The badge", content((String = "image/svg+xml"), (badges::Shield = "application/json"))),
        (status = 304, description = "It is as it was"),
        (status = 404, description = "There is none with this key", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn health(
    State(past): State<Arc<dyn Past>>,
    Path((key, badge)): Path<(String, String)>,
    headers: HeaderMap,
    query: RawQuery,
) -> Result<Response, Problem> {
    Pairs::of(&query, &[])?;
    let is_svg = match badge.as_str() {
        "badge.svg" => true,
        "badge.shields" => false,
        _ => {
            let detail = "there is no such badge; known are badge.svg and badge.shields";
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
    };
    let find = move |past: &dyn Past| past.badge(&past.endpoint_id(&key)?, BadgeKind::Status);
    let badge = blocking(past, find).await?;
    Ok(badges::drawn(&badge, Some("health".to_owned()), is_svg, &headers))
}

/// How many polls a page passes over, and how many it holds.
fn page(query: &RawQuery) -> Result<(usize, usize), Problem> {
    let pairs = Pairs::of(query, &["page", "pageSize"])?;
    let read = |most: usize| {
        move |name: &str, value: &str| match value.parse::<usize>() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(bad(format!("{name} is a number from 1 to {most}, not {value:?}"))),
        }
    };
    let size = pairs.value("pageSize", read(PAGE_MAX))?.unwrap_or(PAGE);
    let page = pairs.value("page", read(REACH / size))?.unwrap_or(1);
    Ok(((page - 1) * size, size))
}
