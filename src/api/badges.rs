//! Badges: one figure of one target as a small picture, or as JSON for those who draw their own.

mod draw;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xxhash_rust::xxh3::xxh3_64;

use self::draw::{Colour, svg};
use super::past::{Pairs, Past, blocking, named_value};
use super::problem::Problem;
use super::query::bad;
use super::routes::Routes;
use super::visitor::{Role, Visitor};
use crate::target::State as Health;
use crate::view::past::{Badge, BadgeKind, ChartSpan, Reading, UPTIME_SPANS};
use crate::view::text::duration;

/// Seconds for which a badge may be shown before it is asked for again.
const CACHED_S: u32 = 300;
/// Characters of a label at most.
const LABEL: usize = 100;

/// A badge for <https://shields.io/badges/endpoint-badge>.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shield {
    /// Always 1.
    schema_version: u32,
    /// What the figure is.
    label: String,
    /// The figure.
    message: String,
    /// Its colour.
    color: String,
    /// Whether the target is down.
    is_error: bool,
    /// Seconds for which it may be shown.
    cache_seconds: u32,
}

/// What is asked for.
struct Asked {
    kind: BadgeKind,
    is_svg: bool,
    label: Option<String>,
}

/// The routes of badges. They are open to everybody, and look themselves at who may see which.
pub(super) fn routes(past: Arc<dyn Past>) -> Routes {
    let open = OpenApiRouter::new().routes(routes!(badge)).with_state(past);
    Routes { open, ..Routes::default() }
}

/// A badge: state, uptime or latency of a target, as a picture or for shields.io.
#[utoipa::path(
    get, path = "/badge/{id}/{file}", tag = "badges",
    params(
        ("id" = String, Path, description = "The target's id, as lists show it"),
        ("file" = String, Path, description = "status, uptime or latency, and .svg or .json"),
        ("span" = Option<String>, Query, description = "24h, 7d, 30d or, of uptime, 90d (30d of uptime, 24h of latency)"),
        ("label" = Option<String>, Query, description = "What stands before the figure"),
        ("style" = Option<String>, Query, description = "flat"),
    ),
    responses(
        (status = 200, description = "The badge", content((String = "image/svg+xml"), (Shield = "application/json"))),
        (status = 304, description = "It is as it was"),
        (status = 401, description = "Its target has no label badge=public, and nobody may see it without a token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such target or badge", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn badge(
    State(past): State<Arc<dyn Past>>,
    visitor: Option<Extension<Visitor>>,
    Path((id, file)): Path<(String, String)>,
    headers: HeaderMap,
    query: RawQuery,
) -> Result<Response, Response> {
    let refused = |problem: Problem| problem.into_response();
    if !visitor.is_some_and(|Extension(visitor)| visitor.may(Role::Read)) {
        // A stranger is not told which targets there are.
        let known = id.clone();
        let looked = blocking(Arc::clone(&past), move |past| Ok(past.has_public_badges(&known)));
        if !looked.await.map_err(refused)? {
            return Err(stranger());
        }
    }
    let asked = Asked::of(&file, &query).map_err(refused)?;
    let kind = asked.kind;
    let badge = blocking(past, move |past| past.badge(&id, kind)).await.map_err(refused)?;
    Ok(drawn(&badge, asked.label, asked.is_svg, &headers))
}

/// The answer that shows `badge` under `label`, to who asked with `headers`.
pub(super) fn drawn(
    badge: &Badge,
    label: Option<String>,
    is_svg: bool,
    headers: &HeaderMap,
) -> Response {
    let shield = shield(badge.reading, label);
    let (media, body) = if is_svg {
        ("image/svg+xml", svg(&badge.name, &shield.label, &shield.message, colour(badge.reading)))
    } else {
        ("application/json", serde_json::to_string(&shield).unwrap_or_default())
    };
    answer(media, body, headers)
}

impl Asked {
    fn of(file: &str, query: &RawQuery) -> Result<Self, Problem> {
        let missing = || {
            let detail = "there is no such badge; known are status, uptime and latency, each with \
                          .svg or .json";
            Problem::new(StatusCode::NOT_FOUND, detail)
        };
        let (name, ending) = file.rsplit_once('.').ok_or_else(missing)?;
        let is_svg = match ending {
            "svg" => true,
            "json" => false,
            _ => return Err(missing()),
        };
        let pairs = Pairs::of(query, &["span", "label", "style"])?;
        pairs.value("style", |name, value| named_value(name, value, &[("flat", ())]))?;
        let label = pairs.value("label", |name, value| match value.chars().count() {
            1..=LABEL => Ok(value.to_owned()),
            _ => Err(bad(format!("{name} has 1 to {LABEL} characters"))),
        })?;
        let kind = match name {
            "status" if pairs.text("span").is_some() => {
                return Err(bad("the state has no span; leave it out".to_owned()));
            }
            "status" => BadgeKind::Status,
            "uptime" => {
                let spans: Vec<_> = UPTIME_SPANS.into_iter().zip(0..).collect();
                let span = pairs.value("span", |name, value| named_value(name, value, &spans))?;
                BadgeKind::Uptime(span.unwrap_or(2))
            }
            "latency" => {
                let spans = [ChartSpan::Day, ChartSpan::Week, ChartSpan::Month];
                let spans = spans.map(|span| (span.as_str(), span));
                let span = pairs.value("span", |name, value| named_value(name, value, &spans))?;
                BadgeKind::Latency(span.unwrap_or(ChartSpan::Day))
            }
            _ => return Err(missing()),
        };
        Ok(Self { kind, is_svg, label })
    }
}

fn shield(reading: Reading, label: Option<String>) -> Shield {
    let (usual, message) = match reading {
        Reading::Status(state) => ("status", state.as_str().to_owned()),
        Reading::Uptime(share) => ("uptime", share.map_or("unknown".to_owned(), percent)),
        Reading::Latency(seconds) => ("latency", seconds.map_or("unknown".to_owned(), duration)),
    };
    Shield {
        schema_version: 1,
        label: label.unwrap_or_else(|| usual.to_owned()),
        message,
        color: colour(reading).name().to_owned(),
        is_error: reading == Reading::Status(Health::Down),
        cache_seconds: CACHED_S,
    }
}

/// A share in percent, and 100 % only where all of it was up.
fn percent(share: f64) -> String {
    let cut = (share * 10_000.0).floor() / 100.0;
    if cut >= 100.0 { "100%".to_owned() } else { format!("{cut:.2}%") }
}

fn colour(reading: Reading) -> Colour {
    match reading {
        Reading::Status(Health::Up) => Colour::Good,
        Reading::Status(Health::Warning) => Colour::Fair,
        Reading::Status(Health::Pending | Health::Unknown | Health::Paused)
        | Reading::Uptime(None)
        | Reading::Latency(None) => Colour::Unknown,
        Reading::Uptime(Some(share)) if share >= 0.999 => Colour::Good,
        Reading::Uptime(Some(share)) if share >= 0.99 => Colour::Fair,
        Reading::Latency(Some(seconds)) if seconds < 0.5 => Colour::Good,
        Reading::Latency(Some(seconds)) if seconds < 2.0 => Colour::Fair,
        Reading::Status(Health::Down) | Reading::Uptime(Some(_)) | Reading::Latency(Some(_)) => {
            Colour::Bad
        }
    }
}

fn answer(media: &'static str, body: String, asked: &HeaderMap) -> Response {
    let tag = format!("\"{:016x}\"", xxh3_64(body.as_bytes()));
    let known = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| {
        known
            .split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    });
    let mut headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(media))], body).into_response()
    };
    response.headers_mut().extend(headers);
    response
}

fn stranger() -> Response {
    let detail = "this needs a token: send Authorization: Bearer TOKEN; badges of targets with the \
                  label badge=public need none";
    let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    ([challenge], Problem::new(StatusCode::UNAUTHORIZED, detail)).into_response()
}

#[cfg(test)]
mod tests;
