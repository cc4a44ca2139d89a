//! What is announced on the status page: telling it, announcing, taking down.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::DateTime;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::Board;
use super::problem::Problem;
use super::query::bad;
use super::routes::Routes;
use crate::clock::Clock;
use crate::store::{Announcement, AnnouncementKind};
use crate::view::{self, Announcements};

/// Letters of a title and of a text at most.
const TITLE: usize = 200;
const TEXT: usize = 4_000;

type Asked = State<Arc<dyn Board>>;

/// The routes of announcements.
pub(super) fn routes(board: &Arc<dyn Board>) -> Routes {
    let read = OpenApiRouter::new().routes(routes!(announcements)).with_state(Arc::clone(board));
    let admin = OpenApiRouter::new()
        .routes(routes!(announce))
        .routes(routes!(withdraw))
        .with_state(Arc::clone(board));
    Routes { read, admin, ..Routes::default() }
}

/// What is to be announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Its title, 200 letters at most.
    title: String,
    /// Its text, 4,000 letters at most.
    #[serde(default)]
    text: String,
    /// `information` (when nothing is said), `maintenance` or `outage`.
    kind: Option<String>,
    /// From when on it holds, RFC 3339; from now on when nothing is said.
    from: Option<String>,
    /// Until when it holds, RFC 3339; until it is taken down when nothing is said.
    until: Option<String>,
}

/// What is announced on the status page, the latest first; what is still to come among it.
#[utoipa::path(
    get, path = "/api/v1/announcements", tag = "status page",
    responses(
        (status = 200, description = "The announcements", body = Announcements),
        (status = 503, description = "The store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn announcements(State(board): Asked) -> Result<Json<Announcements>, Problem> {
    Ok(Json(apart(move || board.announcements().map_err(Problem::from)).await?))
}

/// Announces something on the status page.
#[utoipa::path(
    post, path = "/api/v1/announcements", tag = "status page", request_body = Wanted,
    responses(
        (status = 201, description = "It is announced", body = view::Announcement),
        (status = 400, description = "It cannot be announced as it is", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn announce(
    State(board): Asked,
    Json(wanted): Json<Wanted>,
) -> Result<(StatusCode, Json<view::Announcement>), Problem> {
    let announcement = parsed(&wanted, Clock::system().now_ms())?;
    let kept = apart(move || board.announce(announcement).map_err(Problem::from)).await?;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// Takes an announcement down.
#[utoipa::path(
    delete, path = "/api/v1/announcements/{id}", tag = "status page",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "It is taken down"),
        (status = 400, description = "This is no number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none with this number", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn withdraw(State(board): Asked, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = id.parse().map_err(|_| bad(format!("{id:?} is no number of an announcement")))?;
    if apart(move || board.withdraw(id).map_err(Problem::from)).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no announcement {id}")))
}

/// `wanted` at `now_ms` (Unix milliseconds), with every slip in it told at once.
fn parsed(wanted: &Wanted, now_ms: i64) -> Result<Announcement, Problem> {
    let mut slips = Vec::new();
    let title = wanted.title.trim().to_owned();
    if title.is_empty() || title.chars().count() > TITLE {
        slips.push(format!("title has 1 to {TITLE} letters"));
    }
    if wanted.text.chars().count() > TEXT {
        slips.push(format!("text has {TEXT} letters at most"));
    }
    let kind = wanted.kind.as_deref().map_or(Some(AnnouncementKind::default()), |name| {
        let kind = AnnouncementKind::named(name);
        if kind.is_none() {
            let known = AnnouncementKind::ALL.map(AnnouncementKind::as_str).join(", ");
            slips.push(format!("kind is one of {known}, not {name:?}"));
        }
        kind
    });
    let mut time = |name: &str, given: Option<&str>| {
        let parsed = given.map(|given| (given, DateTime::parse_from_rfc3339(given)))?;
        let (given, Err(_)) = &parsed else { return parsed.1.ok().map(|at| at.timestamp_millis()) };
        slips.push(format!("{name} is a time as 2026-11-22T10:33:20Z, not {given:?}"));
        None
    };
    let from_ms = time("from", wanted.from.as_deref()).unwrap_or(now_ms);
    let until_ms = time("until", wanted.until.as_deref());
    if until_ms.is_some_and(|until| until <= from_ms.max(now_ms)) {
        slips.push("until lies after from, and in the future".to_owned());
    }
    let text = wanted.text.trim().to_owned();
    match kind {
        Some(kind) if slips.is_empty() => {
            Ok(Announcement { id: 0, title, text, kind, from_ms, until_ms })
        }
        _ => Err(bad(slips.join("; "))),
    }
}

/// Does what blocks apart from the thread that answers.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let ended = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the daemon stops; try again");
    spawn_blocking(work).await.map_err(ended)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_343_600_000;

    #[test]
    fn an_announcement_holds_from_now_on_unless_it_says_otherwise() {
        let wanted = Wanted { title: " Work ".into(), ..Wanted::default() };
        let kept = parsed(&wanted, NOW_MS).expect("a title is enough");
        assert_eq!((kept.title.as_str(), kept.from_ms, kept.until_ms), ("Work", NOW_MS, None));
        assert_eq!(kept.kind, AnnouncementKind::Information);
    }

    #[test]
    fn every_slip_of_an_announcement_is_told_at_once() {
        let wanted = Wanted {
            title: String::new(),
            text: "x".repeat(TEXT + 1),
            kind: Some("party".into()),
            from: Some("tomorrow".into()),
            until: Some("2020-01-01T00:00:00Z".into()),
        };
        let problem = parsed(&wanted, NOW_MS).expect_err("all of it is wrong");
        for word in ["title", "text", "party", "tomorrow", "until lies after"] {
            assert!(problem.detail.contains(word), "{word}: {}", problem.detail);
        }
    }
}
