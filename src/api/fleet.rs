//! The fleet: `stats`, `in-flight`, `targets`, and polls as they finish.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::facts::Facts;
use super::problem::Problem;
use super::query::{bad, pairs};
use super::routes::Routes;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// Targets in one answer when nobody says how many, and at most.
const PAGE: usize = 1_000;
const PAGE_MAX: usize = 10_000;

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
    responses((status = 200, description = "The summary", body = Summary))
)]
async fn stats(state: State<Context>, query: RawQuery) -> Result<Json<Summary>, Problem> {
    Ok(Json(state.facts.summary(lists(&query)?)))
}

/// Polls that run now, the longest-running first.
#[utoipa::path(
    get, path = "/api/v1/in-flight", tag = "fleet",
    params(("all" = Option<bool>, Query, description = "All of them instead of the first 100")),
    responses((status = 200, description = "The polls in flight", body = InFlight))
)]
async fn in_flight(state: State<Context>, query: RawQuery) -> Result<Json<InFlight>, Problem> {
    Ok(Json(state.facts.in_flight(lists(&query)?)))
}

/// Targets, page by page.
#[utoipa::path(
    get, path = "/api/v1/targets", tag = "targets",
    params(
        ("state" = Option<String>, Query, description = "Only those in this state: up, warning, down, unknown, pending or paused"),
        ("label" = Option<String>, Query, description = "Only those with this label, NAME=VALUE; may be repeated"),
        ("after" = Option<String>, Query, description = "What `next` of the page before says"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 10000, description = "How many at most (1000)"),
    ),
    responses((status = 200, description = "A page of targets", body = TargetPage))
)]
async fn targets(state: State<Context>, query: RawQuery) -> Result<Json<TargetPage>, Problem> {
    Ok(Json(state.facts.targets(&target_query(&query)?)))
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

fn target_query(query: &RawQuery) -> Result<TargetQuery, Problem> {
    const STATES: [&str; 6] = ["up", "warning", "down", "unknown", "pending", "paused"];
    let mut asked = TargetQuery { limit: PAGE, ..TargetQuery::default() };
    for (name, value) in pairs(query) {
        match name.as_str() {
            "state" if STATES.contains(&value.as_str()) => asked.state = Some(value),
            "state" => return Err(bad(format!("state is one of {}", STATES.join(", ")))),
            "label" => match value.split_once('=') {
                Some((key, value)) => asked.labels.push((key.to_owned(), value.to_owned())),
                None => return Err(bad(format!("label is NAME=VALUE, not {value:?}"))),
            },
            "after" => asked.after = Some(value),
            "limit" => match value.parse() {
                Ok(limit @ 1..=PAGE_MAX) => asked.limit = limit,
                _ => return Err(bad(format!("limit is a number from 1 to {PAGE_MAX}"))),
            },
            _ => {
                let known = "state, label, after and limit are the ones";
                return Err(bad(format!("there is no parameter {name:?}; {known}")));
            }
        }
    }
    Ok(asked)
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

    #[test]
    fn a_query_for_targets_is_read_in_full_or_refused() {
        let asked =
            target_query(&query("state=down&label=team%3Dweb&label=a%3Db%3Dc&after=9&limit=5"))
                .expect("a good query");
        assert_eq!(asked.state.as_deref(), Some("down"));
        assert_eq!(asked.labels.len(), 2);
        assert_eq!(asked.labels[1], ("a".to_owned(), "b=c".to_owned()));
        assert_eq!((asked.after.as_deref(), asked.limit), (Some("9"), 5));
        for slip in ["state=dwon", "label=team", "limit=0", "limit=99999", "page=2"] {
            assert_eq!(target_query(&query(slip)).expect_err(slip).status, 400);
        }
    }
}
