//! Exports of stored polls and tallies as CSV, JSON lines and Parquet, in bounded memory.

mod csv;
mod format;
mod json_lines;
mod parquet;
mod row;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::format::Format;
use self::row::ExportRow;
use self::stream::Work;
use super::past::{Pairs, Parts, Past, Times, blocking, named_value};
use super::problem::Problem;
use super::query::bad;
use super::routes::Routes;
use crate::view::past::{PollSpan, TallyPeriod, TallySpan};

/// Exports at a time: each holds some megabytes.
const EXPORTS: usize = 4;

#[derive(Clone)]
struct Context {
    past: Arc<dyn Past>,
    places: Arc<Semaphore>,
    ending: CancellationToken,
}

/// The routes of exports, which end when `ending` is cancelled.
pub(super) fn routes(past: Arc<dyn Past>, ending: CancellationToken) -> Routes {
    let places = Arc::new(Semaphore::new(EXPORTS));
    let read = OpenApiRouter::new()
        .routes(routes!(samples))
        .routes(routes!(tallies))
        .with_state(Context { past, places, ending });
    Routes { read, ..Routes::default() }
}

/// Every stored poll of some span of time, the oldest first; those of one target the newest first.
#[utoipa::path(
    get, path = "/api/v1/export/samples", tag = "export",
    params(
        ("format" = Option<String>, Query, description = "csv, jsonl or parquet (csv)"),
        ("from" = Option<String>, Query, description = "Only those recorded from then on, RFC 3339 or Unix seconds"),
        ("to" = Option<String>, Query, description = "Only those recorded before then (now)"),
        ("target" = Option<String>, Query, description = "Only those of the target with this id"),
    ),
    responses(
        (status = 200, description = "A file", content(
            (String = "text/csv"), (String = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.parquet"),
        )),
        (status = 404, description = "There is no such target", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn samples(State(context): State<Context>, query: RawQuery) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["format", "from", "to", "target"])?;
    let format = format(&pairs)?;
    let Times { from_ms, to_ms } = Times::of(&pairs)?;
    let target = pairs.text("target").map(str::to_owned);
    let span = PollSpan { target, from_ms: from_ms.unwrap_or(0), to_ms };
    exported(context, format, "samples", move |past| past.exported_polls(&span)).await
}

/// The tallies of every target and hour or day that is over, in the order of time.
#[utoipa::path(
    get, path = "/api/v1/export/tallies", tag = "export",
    params(
        ("period" = String, Query, description = "hour or day"),
        ("format" = Option<String>, Query, description = "csv, jsonl or parquet (csv)"),
        ("from" = Option<String>, Query, description = "Only those that begin from then on, RFC 3339 or Unix seconds"),
        ("to" = Option<String>, Query, description = "Only those that begin before then (now)"),
        ("target" = Option<String>, Query, description = "Only those of the target with this id"),
    ),
    responses((status = 200, description = "A file", content(
        (String = "text/csv"), (String = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.parquet"),
    )))
)]
async fn tallies(State(context): State<Context>, query: RawQuery) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["period", "format", "from", "to", "target"])?;
    let format = format(&pairs)?;
    let all = [("hour", TallyPeriod::Hour), ("day", TallyPeriod::Day)];
    let period = pairs.value("period", |name, value| named_value(name, value, &all))?;
    let period = period.ok_or_else(|| bad("period is missing; it is hour or day".to_owned()))?;
    let Times { from_ms, to_ms } = Times::of(&pairs)?;
    let target = pairs.text("target").map(str::to_owned);
    let span = TallySpan { period, target, from_ms: from_ms.unwrap_or(0), to_ms };
    let name = match period {
        TallyPeriod::Hour => "hours",
        TallyPeriod::Day => "days",
    };
    exported(context, format, name, move |past| past.exported_tallies(&span)).await
}

fn format(pairs: &Pairs) -> Result<Format, Problem> {
    let read = |name: &str, value: &str| named_value(name, value, &Format::ALL);
    Ok(pairs.value("format", read)?.unwrap_or(Format::Csv))
}

/// The answer that carries what `parts` finds, as a file `poller-NAME`.
async fn exported<T: ExportRow>(
    context: Context,
    format: Format,
    name: &'static str,
    parts: impl FnOnce(&dyn Past) -> super::past::Told<Parts<T>> + Send + 'static,
) -> Result<Response, Problem> {
    let place = context.places.try_acquire_owned().map_err(|_| {
        let detail = format!("{EXPORTS} exports run already; try again when one has ended");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let parts = blocking(context.past, parts).await?;
    let writer = format
        .writer::<T>()
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let stream = Work::new(parts, writer).into_stream(place, context.ending);
    let named = format!("attachment; filename=\"poller-{name}.{}\"", format.extension());
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&named).unwrap_or(EMPTY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

const EMPTY: HeaderValue = HeaderValue::from_static("attachment");
