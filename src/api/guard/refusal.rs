//! `Refusal`: why somebody is not let in, whatever they ask for.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::problem::Problem;

/// Why somebody is not let in, whatever they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Refusal {
    /// For a reason of their question.
    Plain(Problem),
    /// Their token is worth nothing.
    BadToken(Problem),
    /// They ask too often, and may again after this time.
    TooOften(Problem, Duration),
}

impl Refusal {
    pub(super) fn plain(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Plain(Problem::new(status, detail))
    }

    pub(super) fn bad_token(why: &str) -> Self {
        let detail = format!("{why}; poller token list shows which are");
        Self::BadToken(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }

    pub(super) fn too_often(detail: &str, wait: Duration) -> Self {
        Self::TooOften(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail), wait)
    }

    /// The status of the answer.
    pub(in crate::api) fn status(&self) -> StatusCode {
        let (Self::Plain(problem) | Self::BadToken(problem) | Self::TooOften(problem, _)) = self;
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::FORBIDDEN)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(problem) => problem.into_response(),
            Self::BadToken(problem) => {
                let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response()
            }
            Self::TooOften(problem, wait) => {
                ([(header::RETRY_AFTER, seconds(wait))], problem).into_response()
            }
        }
    }
}

/// Whole seconds, as `Retry-After` wants them.
pub(in crate::api) fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(1))
}
