//! All routes, by who may use them, and what every one of them has.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;
use utoipa_axum::router::OpenApiRouter;

use super::guard::{Guard, dress, identify, need};
use super::problem::Problem;
use super::services::Services;
use super::visitor::Role;
use super::{
    announcements, answer, badges, changes, endpoints, events, export, fleet, login, metrics,
    openapi, page, past, probe, process, runs, sd, status, tokens,
};

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

    /// These, and those of a service where it is offered.
    fn with<S: ?Sized>(
        self,
        service: Option<&Arc<S>>,
        routes: impl FnOnce(Arc<S>) -> Self,
    ) -> Self {
        match service {
            None => self,
            Some(service) => self.and(routes(Arc::clone(service))),
        }
    }

    /// Every resource that `services` offer.
    fn of(services: &Services, ending: &CancellationToken) -> Self {
        let facts = || Arc::clone(&services.facts);
        fleet::routes(facts(), ending.clone())
            .and(process::routes(facts()))
            .and(page::routes())
            .with(services.changes.as_ref(), |own| changes::routes(&own))
            .with(services.runs.as_ref(), |own| runs::routes(&own))
            .with(services.events.as_ref(), |events| events::routes(events, ending.clone()))
            .with(services.keys.as_ref(), tokens::routes)
            .with(services.past.as_ref(), past::routes)
            .with(services.past.as_ref(), |past| export::routes(past, ending.clone()))
            .with(services.past.as_ref(), endpoints::routes)
            .with(services.past.as_ref(), badges::routes)
            .with(services.metrics.as_ref(), |told| {
                metrics::routes(told, Arc::clone(&services.visits))
            })
            .with(services.prober.as_ref(), probe::routes)
            .with(services.discovery.as_ref(), sd::routes)
            .with(services.board.as_ref(), |board| {
                status::routes(&board).and(announcements::routes(&board))
            })
    }
}

/// All routes of `services`. Answers that go on for ever end when `ending` is cancelled.
pub fn router(services: &Services, ending: &CancellationToken) -> Router {
    let guard = Arc::new(Guard::of(services));
    let Routes { mut open, read, run, admin } =
        Routes::of(services, ending).and(login::routes(Arc::clone(&guard)));
    let guarded = |mut routes: OpenApiRouter, role| {
        openapi::tell_answers(routes.get_openapi_mut(), Some(role));
        let is_empty = routes.get_openapi().paths.paths.is_empty();
        if is_empty { routes } else { routes.route_layer(from_fn_with_state(role, need)) }
    };
    openapi::tell_answers(open.get_openapi_mut(), None);
    let all = OpenApiRouter::with_openapi(openapi::document())
        .merge(open)
        .merge(guarded(read, Role::Read))
        .merge(guarded(run, Role::Run))
        .merge(guarded(admin, Role::Admin));
    let (router, document) = all.split_for_parts();
    let router = router
        .merge(openapi::route(&document).route_layer(from_fn_with_state(Role::Read, need)))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(map_response(openapi::as_problem))
        .layer(answer::compression())
        .layer(from_fn_with_state(guard, identify));
    let origins = &services.options.cors_origins;
    let router = if origins.is_empty() { router } else { router.layer(shared_with(origins)) };
    router
        .layer(from_fn(dress))
        .layer(from_fn_with_state(Arc::clone(&services.visits), metrics::count))
}

/// Lets the pages of `origins` ask, with a token of their own and never with that of the browser.
fn shared_with(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-api-key"),
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        .max_age(std::time::Duration::from_mins(10))
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn other_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not answer to {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
