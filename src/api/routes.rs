//! The routes, each a question put to [`Facts`].

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio_util::sync::CancellationToken;

use super::facts::{Facts, Stopping};
use super::problem::Problem;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// Targets in one answer when nobody says how many, and at most.
const PAGE: usize = 1_000;
const PAGE_MAX: usize = 10_000;

#[derive(Clone)]
struct Context {
    facts: Arc<dyn Facts>,
    ending: CancellationToken,
}

/// All routes. Answers that go on for ever end when `ending` is cancelled.
pub fn router(facts: Arc<dyn Facts>, ending: CancellationToken) -> Router {
    Router::new()
        .route("/api/v1/stats", get(stats))
        .route("/api/v1/in-flight", get(in_flight))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/follow", get(follow))
        .route("/healthz", get(live))
        .route("/livez", get(live))
        .route("/-/healthy", get(live))
        .route("/readyz", get(ready))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload))
        .route("/-/stop", post(stop))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .with_state(Context { facts, ending })
}

async fn stats(state: State<Context>, query: RawQuery) -> Result<Json<Summary>, Problem> {
    Ok(Json(state.facts.summary(lists(&query)?)))
}

async fn in_flight(state: State<Context>, query: RawQuery) -> Result<Json<InFlight>, Problem> {
    Ok(Json(state.facts.in_flight(lists(&query)?)))
}

async fn targets(state: State<Context>, query: RawQuery) -> Result<Json<TargetPage>, Problem> {
    Ok(Json(state.facts.targets(&target_query(&query)?)))
}

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

async fn live(State(state): State<Context>) -> Result<&'static str, Problem> {
    healthy(state.facts.liveness())
}

async fn ready(State(state): State<Context>) -> Result<&'static str, Problem> {
    healthy(state.facts.readiness())
}

fn healthy(state: Result<(), String>) -> Result<&'static str, Problem> {
    state.map(|()| "ok\n").map_err(|reason| Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason))
}

async fn reload(State(state): State<Context>) -> Result<String, Problem> {
    let done = state.facts.reload().await;
    done.map_err(|reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason))
}

async fn stop(State(state): State<Context>) -> (StatusCode, Json<Stopping>) {
    let within_seconds = state.facts.stop().as_secs_f64();
    (StatusCode::ACCEPTED, Json(Stopping { within_seconds }))
}

async fn nothing_here(uri: axum::http::Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn other_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("{} does not answer to {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

fn pairs(query: &RawQuery) -> Vec<(String, String)> {
    let text = query.0.as_deref().unwrap_or("");
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
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
