//! The status page: one page of HTML without a script, for people who want to know whether all is
//! well.

use std::fmt::Write;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::DateTime;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::Board;
use super::problem::Problem;
use super::routes::Routes;
use crate::view::{StatusDay, StatusPage};

/// The page as it was rendered last, with what it was rendered of.
type Rendered = Arc<Mutex<Option<(Arc<StatusPage>, Bytes)>>>;

#[derive(Clone)]
struct Context {
    board: Arc<dyn Board>,
    rendered: Rendered,
}

/// The route of the status page: for everybody, or for whoever may read.
pub(super) fn routes(board: &Arc<dyn Board>) -> Routes {
    let context = Context { board: Arc::clone(board), rendered: Rendered::default() };
    let page = OpenApiRouter::new().routes(routes!(status)).with_state(context);
    if board.is_public() {
        Routes { open: page, ..Routes::default() }
    } else {
        Routes { read: page, ..Routes::default() }
    }
}

/// The status page, for people.
#[utoipa::path(
    get, path = "/status", tag = "status page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
async fn status(State(context): State<Context>) -> Result<Response, Problem> {
    let failed = |detail: &str| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail);
    let html = spawn_blocking(move || html(&context)).await;
    let html = html.map_err(|_| failed("the daemon stops; try again"))?;
    let html = html.map_err(|_| failed("the page cannot be written"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=5")),
    ];
    Ok((headers, html).into_response())
}

fn html(context: &Context) -> Result<Bytes, askama::Error> {
    let page = context.board.page();
    let mut rendered = context.rendered.lock();
    if let Some((of, html)) = &*rendered
        && Arc::ptr_eq(of, &page)
    {
        return Ok(html.clone());
    }
    let html = Bytes::from(Html { page: &page }.render()?);
    *rendered = Some((page, html.clone()));
    Ok(html)
}

#[derive(Template)]
#[template(path = "status.html")]
struct Html<'a> {
    page: &'a StatusPage,
}

impl Html<'_> {
    /// How all is, in one sentence.
    fn verdict(&self) -> String {
        let StatusPage { up, down, warning, told, rest, .. } = self.page;
        let all = told + rest;
        match (down, warning) {
            _ if all == 0 => "Nothing is on this page yet".to_owned(),
            (0, 0) if *up == all => "All is well".to_owned(),
            (0, 0) => format!("{up} of {all} are known to be up"),
            (0, _) => format!("{warning} of {all} need a look"),
            _ if *down == all => "Everything is down".to_owned(),
            _ => format!("{down} of {all} are down"),
        }
    }

    /// The worst state of all, which colours the sentence.
    fn worst(&self) -> &'static str {
        let StatusPage { up, down, warning, told, rest, .. } = self.page;
        match (down, warning) {
            (1.., _) => "down",
            (_, 1..) => "warning",
            _ if *up == told + rest && *up > 0 => "up",
            _ => "unknown",
        }
    }

    /// How long ago `at_ms` (Unix milliseconds) was when the page was made.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand over references")]
    fn age(&self, at_ms: &i64) -> String {
        lasted(at_ms, &self.page.as_of_ms)
    }
}

/// A span between two moments (Unix milliseconds) as people tell it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand over references")]
fn lasted(began_ms: &i64, ended_ms: &i64) -> String {
    let seconds = (ended_ms - began_ms).max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A moment (Unix milliseconds) as people read it, to the minute and in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand over references")]
fn moment(at_ms: &i64) -> String {
    let at = DateTime::from_timestamp_millis(*at_ms).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A moment in RFC 3339 as people read it.
fn told(at: &str) -> String {
    let parsed = DateTime::parse_from_rfc3339(at);
    parsed.map_or_else(|_| at.to_owned(), |at| moment(&at.timestamp_millis()))
}

/// The days of one quality as a path of upright lines four units apart, which are told apart by
/// their heights as well as by their colours.
fn bars(days: &[StatusDay], quality: Quality) -> String {
    let height = match quality {
        Quality::Good | Quality::Unseen => 24,
        Quality::Mixed => 17,
        Quality::Bad => 10,
    };
    let of_quality = days.iter().enumerate().filter(|(_, day)| Quality::of(**day) == quality);
    of_quality.fold(String::new(), |mut path, (at, _)| {
        // Writing to a string cannot fail.
        let _ = write!(path, "M{} {}v{height}", at * 4 + 2, 24 - height);
        path
    })
}

/// How good a day was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quality {
    Good,
    Mixed,
    Bad,
    Unseen,
}

impl Quality {
    fn of(day: StatusDay) -> Self {
        let (up, checks) = (u64::from(day.up), u64::from(day.checks));
        match checks {
            0 => Self::Unseen,
            _ if up * 1_000 >= checks * 999 => Self::Good,
            _ if up * 100 >= checks * 95 => Self::Mixed,
            _ => Self::Bad,
        }
    }
}

/// The share of polls of `days` that found the target up, in per cent; `None` without polls.
fn share(days: &[StatusDay]) -> Option<String> {
    let sum = |of: fn(&StatusDay) -> u32| days.iter().map(|day| f64::from(of(day))).sum::<f64>();
    let (up, checks) = (sum(|day| day.up), sum(|day| day.checks));
    // Never rounded up to 100 %.
    (checks > 0.0).then(|| format!("{:.2} %", (up / checks * 10_000.0).floor() / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::board::BoardError;
    use crate::store::Announcement;
    use crate::view::{self, Announcements, StatusGroup, StatusTarget};

    fn page() -> StatusPage {
        let target = StatusTarget {
            name: "<script>alert(1)</script>".into(),
            state: "down",
            since_ms: Some(0),
            days: vec![StatusDay::default(), StatusDay { checks: 100, up: 96 }],
        };
        let groups = vec![StatusGroup { name: "a&b".into(), targets: vec![target] }];
        StatusPage {
            title: "T".into(),
            as_of_ms: 90_000,
            groups,
            told: 1,
            down: 1,
            ..StatusPage::default()
        }
    }

    /// A board with nothing on it, which is public or not.
    struct Empty(bool);

    impl Board for Empty {
        fn page(&self) -> Arc<StatusPage> {
            Arc::default()
        }

        fn is_public(&self) -> bool {
            self.0
        }

        fn announcements(&self) -> Result<Announcements, BoardError> {
            Ok(Announcements::default())
        }

        fn announce(&self, _: Announcement) -> Result<view::Announcement, BoardError> {
            Err(BoardError("nothing is kept".into()))
        }

        fn withdraw(&self, _: i64) -> Result<bool, BoardError> {
            Ok(false)
        }
    }

    #[test]
    fn everybody_may_see_the_page_only_where_it_is_public() {
        let count = |is_public| {
            let board: Arc<dyn Board> = Arc::new(Empty(is_public));
            let routes = routes(&board);
            [routes.open, routes.read].map(|routes| routes.get_openapi().paths.paths.len())
        };
        assert_eq!((count(true), count(false)), ([1, 0], [0, 1]));
    }

    #[test]
    fn markup_in_names_is_shown_as_text() {
        let html = Html { page: &page() }.render().expect("a page");
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&#60;script&#62;alert(1)") && html.contains("a&#38;b"), "{html}");
        assert!(html.contains("Everything is down") && html.contains("1 min"), "{html}");
    }

    #[test]
    fn days_are_drawn_by_how_good_they_were() {
        let days = &page().groups[0].targets[0].days;
        assert_eq!(bars(days, Quality::Unseen), "M2 0v24");
        assert_eq!(bars(days, Quality::Mixed), "M6 7v17");
        assert_eq!(bars(days, Quality::Bad), "");
        assert_eq!(share(days).as_deref(), Some("96.00 %"));
        assert_eq!(share(&[StatusDay { checks: 100_000, up: 99_999 }]).as_deref(), Some("99.99 %"));
    }
}
