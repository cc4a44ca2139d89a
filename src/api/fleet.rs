//! The fleet: `stats`, `in-flight`, `targets`, and polls as they finish.

mod page;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Caller, json};
use super::facts::Facts;
use super::problem::Problem;
use super::query::{bad, pairs};
use super::routes::Routes;
use crate::view::{InFlight, Lists, Summary, TargetPage};

#[derive(Clone)]
struct Context {
    facts: Arc<dyn Facts>,
    ending: CancellationToken,
}

/// The routes of the fleet. Answers that go on for ever end when `ending` is cancelled.
pub(super) fn routes(facts: Arc<dyn Facts>, ending: CancellationToken) -> Routes {
    let read = OpenApiRouter::new()
        .routes(routes!(stats))
        .routes(routes!(in_flight))
        .routes(routes!(targets))
        .routes(routes!(follow))
        .with_state(Context { facts, ending });
    Routes { read, ..Routes::default() }
}

/// What is going on.
#[utoipa::path(
    get, path = "/api/v1/stats", tag = "fleet",
    params(("all" = Option<bool>, Query, description = "Whole lists instead of their first entries")),
    responses(
        (status = 200, description = "The summary, of a tenth of a second ago at most", body = Summary),
        (status = 304, description = "It is what If-None-Match names"),
    )
)]
async fn stats(
    State(state): State<Context>,
    visitor: Caller,
    query: RawQuery,
) -> Result<Response, Problem> {
    let lists = lists(&query)?;
    let make = move || match lists {
        Lists::Short => state.facts.told_summary(),
        Lists::All => json(&state.facts.summary(Lists::All)),
    };
    visitor.answer(make).await
}

/// Polls that run now, the longest-running first.
#[utoipa::path(
    get, path = "/api/v1/in-flight", tag = "fleet",
    params(("all" = Option<bool>, Query, description = "All of them instead of the first 100")),
    responses((status = 200, description = "The polls in flight", body = InFlight))
)]
async fn in_flight(
    State(state): State<Context>,
    visitor: Caller,
    query: RawQuery,
) -> Result<Response, Problem> {
    let lists = lists(&query)?;
    visitor.answer(move || json(&state.facts.in_flight(lists))).await
}

/// Targets, page by page.
#[utoipa::path(
    get, path = "/api/v1/targets", tag = "targets",
    params(
        ("state" = Option<String>, Query, description = "Only those in this state: up, warning, down, unknown, pending or paused"),
        ("label" = Option<String>, Query, description = "Only those with this label, NAME=VALUE; may be repeated"),
        ("text" = Option<String>, Query, description = "Only those with this text in their address, name, id or group, in whatever case"),
        ("cause" = Option<String>, Query, description = "Only those whose state has this cause, as timeout"),
        ("group" = Option<String>, Query, description = "Only those of this group"),
        ("sort" = Option<String>, Query, description = "latency, downtime or lag, the largest first, or number (number)"),
        ("after" = Option<String>, Query, description = "What `next` of the page before says"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10000, description = "How many at most (1000)"),
    ),
    responses(
        (status = 200, description = "A page of targets", body = TargetPage),
        (status = 304, description = "It is what If-None-Match names"),
        (status = 503, description = "They cannot be found out now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn targets(
    State(state): State<Context>,
    visitor: Caller,
    query: RawQuery,
) -> Result<Response, Problem> {
    let asked = page::asked(&query)?;
    let make = move || state.facts.targets(&asked).map(|page| json(&page));
    visitor.answer_or(make).await
}

/// Finished polls as lines of text, for as long as the visitor stays.
#[utoipa::path(
    get, path = "/api/v1/follow", tag = "fleet",
    responses((status = 200, description = "Lines, 1,000 a second at most", body = String, content_type = "text/plain"))
)]
async fn follow(State(state): State<Context>) -> Result<Response, Problem> {
    let subscription = state
        .facts
        .feed()
        .subscribe()
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let lines = subscription.into_stream(state.ending.cancelled_owned());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

fn lists(query: &RawQuery) -> Result<Lists, Problem> {
    let mut lists = Lists::Short;
    for (name, value) in pairs(query) {
        lists = match (name.as_str(), value.as_str()) {
            ("all", "true" | "1" | "") => Lists::All,
            ("all", "false" | "0") => Lists::Short,
            ("all", _) => return Err(bad(format!("all is true or false, not {value:?}"))),
            _ => return Err(bad(format!("there is no parameter {name:?}; all is one"))),
        };
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> RawQuery {
        RawQuery(Some(text.to_owned()))
    }

    #[test]
    fn whole_lists_are_asked_for_by_name() {
        assert_eq!(lists(&RawQuery(None)), Ok(Lists::Short));
        assert_eq!(lists(&query("all=true")), Ok(Lists::All));
        assert_eq!(lists(&query("all")), Ok(Lists::All));
        assert_eq!(lists(&query("all=maybe")).expect_err("no bool").status, 400);
        assert!(lists(&query("al=true")).expect_err("a slip").detail.contains("\"al\""));
    }
}
