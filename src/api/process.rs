//! The process: whether it works and polls, reading everything again, and stopping.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::facts::{Facts, Stopping};
use super::problem::Problem;
use super::routes::Routes;

type Asked = State<Arc<dyn Facts>>;

/// The routes of the process.
pub(super) fn routes(facts: Arc<dyn Facts>) -> Routes {
    let open = OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(livez))
        .routes(routes!(healthy))
        .routes(routes!(readyz))
        .routes(routes!(ready))
        .with_state(Arc::clone(&facts));
    let admin = OpenApiRouter::new()
        .routes(routes!(reload))
        .routes(routes!(reload_by_put))
        .routes(routes!(stop))
        .with_state(facts);
    Routes { open, admin, ..Routes::default() }
}

macro_rules! probe {
    ($name:ident, $path:literal, $asks:ident, $about:literal) => {
        #[doc = $about]
        #[utoipa::path(
            get, path = $path, tag = "process",
            responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
        )]
        async fn $name(State(facts): Asked) -> Result<&'static str, Problem> {
            answer(facts.$asks())
        }
    };
}

probe!(healthz, "/healthz", liveness, "Whether the daemon works at all.");
probe!(livez, "/livez", liveness, "Whether the daemon works at all.");
probe!(healthy, "/-/healthy", liveness, "Whether the daemon works at all.");
probe!(readyz, "/readyz", readiness, "Whether polls are made.");
probe!(ready, "/-/ready", readiness, "Whether polls are made.");

fn answer(state: Result<(), String>) -> Result<&'static str, Problem> {
    state.map(|()| "ok\n").map_err(|reason| Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason))
}

/// Reads list and settings again, and says what came of it.
#[utoipa::path(
    post, path = "/-/reload", tag = "process",
    responses((status = 200, description = "What changed", body = String, content_type = "text/plain"))
)]
async fn reload(State(facts): Asked) -> Result<String, Problem> {
    let done = facts.reload().await;
    done.map_err(|reason| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason))
}

/// Reads list and settings again, as Prometheus has it.
#[utoipa::path(
    put, path = "/-/reload", tag = "process",
    responses((status = 200, description = "What changed", body = String, content_type = "text/plain"))
)]
async fn reload_by_put(state: Asked) -> Result<String, Problem> {
    reload(state).await
}

/// Begins to stop, as the first TERM does.
#[utoipa::path(
    post, path = "/-/stop", tag = "process",
    responses((status = 202, description = "It stops, within this time", body = Stopping))
)]
async fn stop(State(facts): Asked) -> (StatusCode, Json<Stopping>) {
    let within_seconds = facts.stop().as_secs_f64();
    (StatusCode::ACCEPTED, Json(Stopping { within_seconds }))
}
