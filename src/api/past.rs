//! What is stored of the past: one target, polls, outages, latencies, and what they came to.

mod asked;
mod fleet;
mod polls;
mod target;

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::routes::Routes;
use crate::view::past::{
    Badge, BadgeKind, ChartSpan, CheckQuery, Endpoint, ExportedPoll, ExportedTally, History,
    HistoryQuery, IncidentPage, IncidentQuery, LatencyChart, PollPage, PollSpan, ResultPage,
    ResultsSummary, SummaryPeriod, TallySpan, TargetDetail,
};

use asked::limit;
pub(super) use asked::{Pairs, Times, named_value};

/// Why something of the past cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// No target has this id.
    #[error("there is no target with the id {0:?}")]
    Unknown(String),
    /// More is asked for than one answer may hold; says what to ask for instead.
    #[error("{0}")]
    TooMuch(String),
    /// The store cannot be read now; says why.
    #[error("{0}")]
    Unreadable(String),
}

impl From<PastError> for Problem {
    fn from(error: PastError) -> Self {
        let status = match error {
            PastError::Unknown(_) => StatusCode::NOT_FOUND,
            PastError::TooMuch(_) => StatusCode::BAD_REQUEST,
            PastError::Unreadable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

/// An answer of the past.
pub type Told<T> = Result<T, PastError>;

/// Rows that come part by part.
pub type Parts<T> = Box<dyn Iterator<Item = Told<Vec<T>>> + Send>;

/// What is stored of the past. All calls block, for some milliseconds as a rule and some seconds at
/// most, and are made where that does no harm.
///
/// Their errors are that no target has the id that is asked for, or that the store cannot be read.
pub trait Past: Send + Sync + 'static {
    /// All that is told of one target.
    ///
    /// # Errors
    /// See [`Past`].
    fn detail(&self, id: &str) -> Told<TargetDetail>;

    /// One target over time.
    ///
    /// # Errors
    /// See [`Past`]; or there would be too many points.
    fn history(&self, id: &str, query: &HistoryQuery) -> Told<History>;

    /// Stored polls.
    ///
    /// # Errors
    /// See [`Past`].
    fn checks(&self, query: &CheckQuery) -> Told<PollPage>;

    /// Stored polls as results of checks.
    ///
    /// # Errors
    /// See [`Past`].
    fn results(&self, query: &CheckQuery) -> Told<ResultPage>;

    /// What all results of a period came to.
    ///
    /// # Errors
    /// See [`Past`].
    fn summed_up(&self, period: SummaryPeriod) -> Told<ResultsSummary>;

    /// Outages.
    ///
    /// # Errors
    /// See [`Past`].
    fn incidents(&self, query: &IncidentQuery) -> Told<IncidentPage>;

    /// How long the polls of the fleet took.
    ///
    /// # Errors
    /// See [`Past`].
    fn latency(&self, span: ChartSpan) -> Told<LatencyChart>;

    /// The share of the last `span_ms` milliseconds that the target was up; `None` when that is not
    /// known.
    ///
    /// # Errors
    /// See [`Past`].
    fn uptime(&self, id: &str, span_ms: i64) -> Told<Option<f64>>;

    /// The first `most` targets with their last `polls` polls, as clients of Gatus read them.
    ///
    /// # Errors
    /// See [`Past`].
    fn endpoints(&self, most: usize, polls: usize) -> Told<Vec<Endpoint>>;

    /// The target with the key `key` of Gatus, and `most` of its polls behind the last `passed`.
    ///
    /// # Errors
    /// See [`Past`].
    fn endpoint(&self, key: &str, passed: usize, most: usize) -> Told<Endpoint>;

    /// The id of the target with the key `key` of Gatus.
    ///
    /// # Errors
    /// See [`Past`].
    fn endpoint_id(&self, key: &str) -> Told<String>;

    /// Whether there is a target with this id whose badges everybody may see.
    fn has_public_badges(&self, id: &str) -> bool;

    /// What a badge is made of.
    ///
    /// # Errors
    /// See [`Past`].
    fn badge(&self, id: &str, kind: BadgeKind) -> Told<Badge>;

    /// The polls of `span`, part by part; what is asked for is found out at once, each part when it
    /// is wanted, and between two of them nothing is held open.
    ///
    /// # Errors
    /// See [`Past`].
    fn exported_polls(&self, span: &PollSpan) -> Told<Parts<ExportedPoll>>;

    /// The tallies of `span`, in the same way.
    ///
    /// # Errors
    /// See [`Past`].
    fn exported_tallies(&self, span: &TallySpan) -> Told<Parts<ExportedTally>>;
}

/// The routes of the past.
pub(super) fn routes(past: Arc<dyn Past>) -> Routes {
    let read = OpenApiRouter::new()
        .routes(routes!(target::detail))
        .routes(routes!(target::history))
        .routes(routes!(polls::checks))
        .routes(routes!(polls::results))
        .routes(routes!(polls::incidents))
        .routes(routes!(fleet::latency))
        .routes(routes!(fleet::summary))
        .with_state(past);
    Routes { read, ..Routes::default() }
}

/// Does `work` where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    past: Arc<dyn Past>,
    work: impl FnOnce(&dyn Past) -> Told<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(move || work(&*past)).await;
    done.map_err(|_| broken())?.map_err(Problem::from)
}

/// What `work` tells, as JSON that is written where it may take its time.
pub(super) async fn json<T: Serialize>(
    past: Arc<dyn Past>,
    work: impl FnOnce(&dyn Past) -> Told<T> + Send + 'static,
) -> Result<Response, Problem> {
    let write = move |past: &dyn Past| {
        let told = work(past)?;
        serde_json::to_vec(&told).map_err(|error| PastError::Unreadable(error.to_string()))
    };
    let body = blocking(past, write).await?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

fn broken() -> Problem {
    let detail = "a fault in this program; its log says more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}
