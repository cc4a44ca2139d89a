//! All routes, by who may use them, and what every one of them has.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use super::guard::{identify, need};
use super::problem::Problem;
use super::services::Services;
use super::visitor::Role;
use super::{changes, fleet, openapi, process, runs};

/// Bytes of a question's body at most, where a route does not say otherwise.
const BODY: usize = 1 << 20;

/// Routes by the role that their visitors need.
#[derive(Default)]
pub(super) struct Routes {
    /// For everybody.
    pub open: OpenApiRouter,
    /// For whoever may read.
    pub read: OpenApiRouter,
    /// For whoever may have checks run.
    pub run: OpenApiRouter,
    /// For whoever may change things.
    pub admin: OpenApiRouter,
}

impl Routes {
    /// These and `others`.
    fn and(self, others: Self) -> Self {
        Self {
            open: self.open.merge(others.open),
            read: self.read.merge(others.read),
            run: self.run.merge(others.run),
            admin: self.admin.merge(others.admin),
        }
    }

    /// Every resource that `services` offer.
    fn of(services: &Services, ending: &CancellationToken) -> Self {
        let facts = || Arc::clone(&services.facts);
        fleet::routes(facts(), ending.clone())
            .and(process::routes(facts()))
            .and(services.changes.as_ref().map(changes::routes).unwrap_or_default())
            .and(services.runs.as_ref().map(runs::routes).unwrap_or_default())
    }
}

/// All routes of `services`. Answers that go on for ever end when `ending` is cancelled.
pub fn router(services: &Services, ending: &CancellationToken) -> Router {
    let Routes { open, read, run, admin } = Routes::of(services, ending);
    let guarded = |routes: OpenApiRouter, role| {
        let is_empty = routes.get_openapi().paths.paths.is_empty();
        if is_empty { routes } else { routes.route_layer(from_fn_with_state(role, need)) }
    };
    let all = OpenApiRouter::with_openapi(openapi::document())
        .merge(open)
        .merge(guarded(read, Role::Read))
        .merge(guarded(run, Role::Run))
        .merge(guarded(admin, Role::Admin));
    let (router, document) = all.split_for_parts();
    router
        .merge(openapi::route(&document))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(map_response(openapi::as_problem))
        .layer(from_fn_with_state(Arc::clone(&services.options), identify))
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn other_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer to {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
