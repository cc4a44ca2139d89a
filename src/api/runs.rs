//! Checks that are run now: of targets that are polled, and of whatever somebody names.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::facts::Answer;
use super::problem::Problem;
use super::query::{bad, body, long_json};
use super::routes::Routes;
use crate::view::{PluginKind, Plugins, Ran};

/// Bytes of the checks of a run at most.
const LARGEST: usize = 8 << 20;
/// Checks of a run at most.
const MOST_CHECKS: usize = 10_000;
/// Checks of a run that go on at once, where nobody says, and at most.
const WORKERS: usize = 10;
const MOST_WORKERS: usize = 256;
/// Seconds that a run may take, where nobody says, and at most.
const TIMEOUT_S: f64 = 60.0;
const LONGEST_S: f64 = 300.0;
/// Seconds after which whoever found us busy may try again.
const RETRY_AFTER_S: u16 = 5;

/// What runs checks. Dropping an answer before it is there ends the run.
pub trait Runs: Send + Sync + 'static {
    /// Runs the targets with these ids now, and keeps what they find as polls that somebody asked
    /// for. An id that there is not has a result that says so.
    fn run_stored(&self, ids: Vec<String>, limits: RunLimits) -> Answer<'_, Result<Ran, Unrun>>;

    /// Runs these checks, each an object with `plugin_type`, `config` and perhaps `id`, and keeps
    /// nothing of them. One that is wrong has a result that says so.
    fn run_ad_hoc(&self, checks: Vec<Value>, limits: RunLimits) -> Answer<'_, Result<Ran, Unrun>>;

    /// The kinds of checks.
    fn plugins(&self) -> Plugins;
}

/// How a run is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Checks that go on at once at most.
    pub workers: NonZeroUsize,
    /// How long it may take.
    pub timeout: Duration,
}

/// Why there was no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrun {
    /// The request makes no sense; why.
    Wrong(String),
    /// Too many go on.
    Busy(String),
}

/// Targets that are to be run now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RunOfTargets {
    /// Their ids, 10,000 at most.
    targets: Vec<String>,
    /// Checks that go on at once (10), 256 at most.
    max_workers: Option<u64>,
    /// Seconds that all of it may take (60), 300 at most.
    timeout: Option<f64>,
}

/// Targets that are to be run now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// Their ids, 10,000 at most.
    checks: Vec<String>,
    /// Checks that go on at once (10), 256 at most.
    max_workers: Option<u64>,
    /// Seconds that all of it may take (60), 300 at most.
    timeout: Option<f64>,
}

/// Checks that are to be run now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AdHoc {
    /// The checks, 10,000 at most.
    #[schema(value_type = Vec<AdHocCheck>)]
    checks: Vec<Value>,
    /// Checks that go on at once (10), 256 at most.
    max_workers: Option<u64>,
    /// Seconds that all of it may take (60), 300 at most.
    timeout: Option<f64>,
}

/// A check that is named in full.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read key by key, so that one that is wrong costs no other")]
struct AdHocCheck {
    /// What its result is called.
    id: Option<String>,
    /// Its kind.
    plugin_type: String,
    /// Its keys.
    config: Value,
}

type Asked = State<Arc<dyn Runs>>;

/// The routes of runs.
pub(super) fn routes(runs: &Arc<dyn Runs>) -> Routes {
    let run = OpenApiRouter::new()
        .routes(routes!(run_targets))
        .routes(routes!(run_batch))
        .routes(routes!(run_ad_hoc))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::clone(runs));
    let read = OpenApiRouter::new()
        .routes(routes!(plugins))
        .routes(routes!(plugin))
        .with_state(Arc::clone(runs));
    Routes { read, run, ..Routes::default() }
}

/// Runs targets now, and answers what they found.
///
/// It is kept as polls of the kind `manual`, which move neither due times nor states.
#[utoipa::path(
    post, path = "/api/v1/checks/run", tag = "runs",
    request_body = RunOfTargets,
    responses(
        (status = 200, description = "A result for each target, in the order of the ids", body = Ran),
        (status = 400, description = "It makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many runs go on", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn run_targets(State(runs): Asked, given: Bytes) -> Result<Response, Unrun> {
    let RunOfTargets { targets, max_workers, timeout } = body(given).await?;
    let limits = limits(targets.len(), max_workers, timeout)?;
    Ok(long_json(runs.run_stored(targets, limits).await?).await)
}

/// Runs targets now, and answers what they found.
///
/// It is kept as polls of the kind `manual`, which move neither due times nor states.
#[utoipa::path(
    post, path = "/api/v1/batch/run", tag = "runs",
    request_body = Batch,
    responses(
        (status = 200, description = "A result for each target, in the order of the ids", body = Ran),
        (status = 400, description = "It makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many runs go on", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn run_batch(State(runs): Asked, given: Bytes) -> Result<Response, Unrun> {
    let Batch { checks, max_workers, timeout } = body(given).await?;
    let limits = limits(checks.len(), max_workers, timeout)?;
    Ok(long_json(runs.run_stored(checks, limits).await?).await)
}

/// Runs checks that are named in full, and answers what they found; nothing of it is kept.
#[utoipa::path(
    post, path = "/api/v1/batch/run-ad-hoc", tag = "runs",
    request_body = AdHoc,
    responses(
        (status = 200, description = "A result for each check, in their order", body = Ran),
        (status = 400, description = "It makes no sense", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many runs go on", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn run_ad_hoc(State(runs): Asked, given: Bytes) -> Result<Response, Unrun> {
    let AdHoc { checks, max_workers, timeout } = body(given).await?;
    let limits = limits(checks.len(), max_workers, timeout)?;
    Ok(long_json(runs.run_ad_hoc(checks, limits).await?).await)
}

/// The kinds of checks, with the keys of their `config`.
#[utoipa::path(
    get, path = "/api/v1/plugins", tag = "runs",
    responses((status = 200, description = "The kinds", body = Plugins))
)]
async fn plugins(State(runs): Asked) -> Json<Plugins> {
    Json(runs.plugins())
}

/// A kind of checks, with the keys of its `config`.
#[utoipa::path(
    get, path = "/api/v1/plugins/{name}", tag = "runs",
    params(("name" = String, Path, description = "Its name, as `plugin_type`")),
    responses(
        (status = 200, description = "The kind", body = PluginKind),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn plugin(State(runs): Asked, Path(name): Path<String>) -> Result<Json<PluginKind>, Problem> {
    let Plugins { plugins } = runs.plugins();
    let names: Vec<String> = plugins.iter().map(|kind| kind.name.clone()).collect();
    plugins.into_iter().find(|kind| kind.name == name).map(Json).ok_or_else(|| {
        let detail = format!("there is no kind {name:?}; these are: {}", names.join(", "));
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

/// The limits of a run of so many checks.
fn limits(
    checks: usize,
    max_workers: Option<u64>,
    timeout: Option<f64>,
) -> Result<RunLimits, Unrun> {
    if checks > MOST_CHECKS {
        let why = format!("a run may have {MOST_CHECKS} checks, not {checks}; run them in parts");
        return Err(Unrun::Wrong(why));
    }
    let workers = max_workers.map_or(Some(WORKERS), |workers| usize::try_from(workers).ok());
    let workers = workers
        .filter(|workers| *workers <= MOST_WORKERS)
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| Unrun::Wrong(format!("\"max_workers\" is from 1 to {MOST_WORKERS}")))?;
    let seconds = timeout.unwrap_or(TIMEOUT_S);
    if !(0.001..=LONGEST_S).contains(&seconds) {
        let why = format!("\"timeout\" is seconds from 0.001 to {LONGEST_S}");
        return Err(Unrun::Wrong(why));
    }
    Ok(RunLimits { workers, timeout: Duration::from_secs_f64(seconds) })
}

impl From<Problem> for Unrun {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem.detail)
    }
}

impl IntoResponse for Unrun {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong(why) => bad(why).into_response(),
            Self::Busy(why) => {
                let wait = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))];
                (wait, Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_bounds_and_says_them() {
        let usual = limits(3, None, None).expect("usual");
        assert_eq!((usual.workers.get(), usual.timeout), (10, Duration::from_mins(1)));
        for (checks, workers, timeout) in [
            (10_001, None, None),
            (1, Some(0), None),
            (1, Some(257), None),
            (1, None, Some(0.0)),
            (1, None, Some(300.1)),
            (1, None, Some(f64::NAN)),
        ] {
            assert!(limits(checks, workers, timeout).is_err());
        }
    }
}
