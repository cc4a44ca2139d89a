//! Events as they happen (server-sent events, as the HTML standard has them): the summary each
//! second, changes of state, and outcomes.

mod broadcast;
mod reader;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::query::{bad, pairs};
use super::routes::Routes;

pub use broadcast::Broadcast;
use broadcast::Wants;
use reader::Reader;

/// Outcomes that a reader gets in one second at most.
const OUTCOMES: u8 = 20;

/// Where events come from.
pub trait Events: Send + Sync + 'static {
    /// Where they are told.
    fn broadcast(&self) -> &Broadcast;

    /// The number of the target with this id; it may be looked for among all.
    fn number_of(&self, id: &str) -> Option<u32>;
}

#[derive(Clone)]
struct Context {
    events: Arc<dyn Events>,
    ending: CancellationToken,
}

/// The route of the events, which end when `ending` is cancelled.
pub(super) fn routes(events: Arc<dyn Events>, ending: CancellationToken) -> Routes {
    let read =
        OpenApiRouter::new().routes(routes!(follow_events)).with_state(Context { events, ending });
    Routes { read, ..Routes::default() }
}

/// Events as they happen: `summary` each second, `transition`, `outcome` where asked for, and
/// `resync` where something was left out.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "fleet",
    params(
        ("outcomes" = Option<u8>, Query, minimum = 0, maximum = 20, description = "So many finished polls a second at most (0; 20 with a target)"),
        ("target" = Option<String>, Query, description = "Changes and outcomes of the target with this id alone"),
    ),
    responses(
        (status = 200, description = "Events, for as long as the visitor stays", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no such target", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many read already", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn follow_events(State(state): State<Context>, query: RawQuery) -> Result<Response, Problem> {
    let asked = asked(&query)?;
    let target = match asked.target {
        None => None,
        Some(id) => Some(number_of(Arc::clone(&state.events), id).await?),
    };
    let usual = if target.is_some() { OUTCOMES } else { 0 };
    let wants = Wants { outcomes: asked.outcomes.unwrap_or(usual), target };
    let place = Broadcast::join(&state.events, wants)
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    let body = Body::from_stream(Reader::new(place, state.ending).into_stream());
    Ok((headers, body).into_response())
}

async fn number_of(events: Arc<dyn Events>, id: String) -> Result<u32, Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no target {id:?}"));
    let (own, sought) = (Arc::clone(&events), id.clone());
    // All targets may have to be looked at.
    let found = tokio::task::spawn_blocking(move || own.number_of(&sought)).await;
    found.ok().flatten().ok_or_else(unknown)
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    outcomes: Option<u8>,
    target: Option<String>,
}

fn asked(query: &RawQuery) -> Result<Asked, Problem> {
    let mut asked = Asked::default();
    for (name, value) in pairs(query) {
        match name.as_str() {
            "outcomes" => match value.parse() {
                Ok(outcomes @ 0..=OUTCOMES) => asked.outcomes = Some(outcomes),
                _ => return Err(bad(format!("outcomes is a number from 0 to {OUTCOMES}"))),
            },
            "target" if value.is_empty() => {
                return Err(bad("target is the id of a target, and not empty".to_owned()));
            }
            "target" => asked.target = Some(value),
            _ => {
                let known = "outcomes and target are the ones";
                return Err(bad(format!("there is no parameter {name:?}; {known}")));
            }
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_for_events_is_read_in_full_or_refused() {
        let query = |text: &str| asked(&RawQuery(Some(text.to_owned())));
        assert_eq!(query(""), Ok(Asked::default()));
        let both = Asked { outcomes: Some(20), target: Some("a b".to_owned()) };
        assert_eq!(query("target=a+b&outcomes=20"), Ok(both));
        for slip in ["outcomes=21", "outcomes=-1", "outcomes=x", "target=", "targets=1"] {
            assert_eq!(query(slip).expect_err(slip).status, 400);
        }
    }
}
