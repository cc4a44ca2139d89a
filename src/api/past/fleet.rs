//! The fleet over time: latencies, and what all results came to.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::{Pairs, Past, json, named_value};
use crate::api::problem::Problem;
use crate::view::past::{ChartSpan, LatencyChart, ResultsSummary, SummaryPeriod};

/// How long the polls of the fleet took over time: percentiles, and buckets for a heat map.
#[utoipa::path(
    get, path = "/api/v1/latency", tag = "past",
    params(("span" = Option<String>, Query, description = "5m, 1h, 24h, 7d or 30d (1h)")),
    responses((status = 200, description = "The steps", body = LatencyChart))
)]
pub(super) async fn latency(
    State(past): State<Arc<dyn Past>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["span"])?;
    let spans = ChartSpan::ALL.iter().map(|span| (span.as_str(), *span)).collect::<Vec<_>>();
    let span = pairs.value("span", |name, value| named_value(name, value, &spans))?;
    let span = span.unwrap_or(ChartSpan::Hour);
    json(past, move |past| past.latency(span)).await
}

/// What all results of a period came to.
#[utoipa::path(
    get, path = "/api/v1/results/summary", tag = "past",
    params(("period" = Option<String>, Query, description = "day, week or month (day)")),
    responses((status = 200, description = "The counts", body = ResultsSummary))
)]
pub(super) async fn summary(
    State(past): State<Arc<dyn Past>>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let pairs = Pairs::of(&query, &["period"])?;
    let all = SummaryPeriod::ALL.iter().map(|one| (one.as_str(), *one)).collect::<Vec<_>>();
    let period = pairs.value("period", |name, value| named_value(name, value, &all))?;
    let period = period.unwrap_or(SummaryPeriod::Day);
    json(past, move |past| past.summed_up(period)).await
}
