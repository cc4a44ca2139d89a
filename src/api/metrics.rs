//! `/metrics`: figures of the daemon for monitoring systems.

mod exposition;
mod visits;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use exposition::{Exposition, Format};
pub use visits::Visits;
pub(super) use visits::count;

use super::problem::Problem;
use super::routes::Routes;
use crate::view::series::Family;

/// What is told to monitoring systems.
pub trait Metrics: Send + Sync + 'static {
    /// The figures of this moment; it may take some milliseconds, and holds no lock that a poll
    /// waits for any longer than one.
    fn families(&self) -> Vec<Family>;
}

#[derive(Clone)]
struct Context {
    metrics: Arc<dyn Metrics>,
    visits: Arc<Visits>,
}

/// The route of the figures; those of the API itself are in `visits`.
pub(super) fn routes(metrics: Arc<dyn Metrics>, visits: Arc<Visits>) -> Routes {
    let read = OpenApiRouter::new().routes(routes!(tell)).with_state(Context { metrics, visits });
    Routes { read, ..Routes::default() }
}

/// The figures of the daemon, as Prometheus text 0.0.4 or, when asked for, as OpenMetrics 1.0.0.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", operation_id = "metrics",
    responses((status = 200, description = "The figures", content(
        (String = "text/plain"), (String = "application/openmetrics-text")
    )))
)]
async fn tell(State(context): State<Context>, headers: HeaderMap) -> Result<Exposition, Problem> {
    let format = Format::asked(&headers);
    let told = tokio::task::spawn_blocking(move || {
        let mut families = context.metrics.families();
        families.extend(context.visits.families());
        Exposition::of(families, format)
    });
    told.await.map_err(|error| Problem::internal(&error))
}
