//! Stored polls, as they are and as results, and outages: page by page, the newest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::asked::place;
use super::{Pairs, Past, Times, json, limit, named_value};
use crate::api::problem::Problem;
use crate::outcome::Verdict;
use crate::view::past::{CheckQuery, IncidentPage, IncidentQuery, PollPage, ResultPage};

/// The parameters of pages of polls.
const POLLS: [&str; 6] = ["target", "verdict", "from", "to", "after", "limit"];
/// The verdicts by their names.
const VERDICTS: [(&str, Verdict); 4] = [
    ("up", Verdict::Up),
    ("warning", Verdict::Warning),
    ("down", Verdict::Down),
    ("unknown", Verdict::Unknown),
];

/// Stored polls, page by page, the newest first.
#[utoipa::path(
    get, path = "/api/v1/checks", tag = "past",
    params(
        ("target" = Option<String>, Query, description = "Only those of the target with this id"),
        ("verdict" = Option<String>, Query, description = "Only those with this verdict: up, warning, down or unknown"),
        ("from" = Option<String>, Query, description = "Only those recorded from then on, RFC 3339 or Unix seconds"),
        ("to" = Option<String>, Query, description = "Only those recorded before then"),
        ("after" = Option<String>, Query, description = "What `next` of the page before says"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most (100)"),
    ),
    responses(
        (status = 200, description = "A page of polls", body = PollPage),
        (status = 404, description = "There is no such target", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn checks(
    State(past): State<Arc<dyn Past>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let asked = polls(&query)?;
    json(past, move |past| past.checks(&asked)).await
}

/// Stored polls as results of checks, page by page, the newest first.
#[utoipa::path(
    get, path = "/api/v1/results", tag = "past",
    params(
        ("target" = Option<String>, Query, description = "Only those of the target with this id"),
        ("verdict" = Option<String>, Query, description = "Only those with this verdict: up, warning, down or unknown"),
        ("from" = Option<String>, Query, description = "Only those recorded from then on, RFC 3339 or Unix seconds"),
        ("to" = Option<String>, Query, description = "Only those recorded before then"),
        ("after" = Option<String>, Query, description = "What `next` of the page before says"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most (100)"),
    ),
    responses(
        (status = 200, description = "A page of results", body = ResultPage),
        (status = 404, description = "There is no such target", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn results(
    State(past): State<Arc<dyn Past>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let asked = polls(&query)?;
    json(past, move |past| past.results(&asked)).await
}

/// Outages, page by page, the newest first.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "past",
    params(
        ("target" = Option<String>, Query, description = "Only those of the target with this id"),
        ("open" = Option<bool>, Query, description = "Only those that last (true), or are over (false)"),
        ("from" = Option<String>, Query, description = "Only those that began from then on, RFC 3339 or Unix seconds"),
        ("to" = Option<String>, Query, description = "Only those that began before then"),
        ("after" = Option<String>, Query, description = "What `next` of the page before says"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many at most (100)"),
    ),
    responses(
        (status = 200, description = "A page of outages", body = IncidentPage),
        (status = 404, description = "There is no such target", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn incidents(
    State(past): State<Arc<dyn Past>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["target", "open", "from", "to", "after", "limit"])?;
    let Times { from_ms, to_ms } = Times::of(&pairs)?;
    let open = pairs.value("open", |name, value| {
        named_value(name, value, &[("true", true), ("false", false)])
    })?;
    let asked = IncidentQuery {
        target: pairs.text("target").map(str::to_owned),
        open,
        from_ms: from_ms.unwrap_or(0),
        to_ms,
        after: pairs.value("after", place)?,
        limit: limit(&pairs)?,
    };
    json(past, move |past| past.incidents(&asked)).await
}

fn polls(query: &RawQuery) -> Result<CheckQuery, Problem> {
    let pairs = Pairs::of(query, &POLLS)?;
    let Times { from_ms, to_ms } = Times::of(&pairs)?;
    Ok(CheckQuery {
        target: pairs.text("target").map(str::to_owned),
        verdict: pairs.value("verdict", |name, value| named_value(name, value, &VERDICTS))?,
        from_ms: from_ms.unwrap_or(0),
        to_ms,
        after: pairs.value("after", place)?,
        limit: limit(&pairs)?,
    })
}
