//! Browsers: a page that takes a token and begins a session, its end, and `me`: who asks.

use std::sync::Arc;

use askama::Template;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard::{COOKIE_NAME, Guard, Known, Opened, Refusal, SECURE_COOKIE_NAME, seconds};
use super::problem::Problem;
use super::routes::Routes;
use super::visitor::{Peer, Role, Via, Visitor};

/// Bytes of what the page sends at most; a JWT may be long.
const FORM: usize = 16_384;
const STYLE: &str = include_str!("login.css");

/// The routes of sessions.
pub(super) fn routes(guard: Arc<Guard>) -> Routes {
    let style = || async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) };
    let open = OpenApiRouter::new()
        .routes(routes!(me))
        .route("/login", get(page).post(log_in))
        .route("/logout", post(log_out))
        .route("/login.css", get(style))
        .layer(DefaultBodyLimit::max(FORM))
        .with_state(guard);
    Routes { open, ..Routes::default() }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Me {
    /// What they may; null: nothing that is not open to everybody.
    role: Option<Role>,
    /// By what they came in.
    #[schema(value_type = Way)]
    via: &'static str,
    /// What their token is for, or the subject of their JWT.
    name: Option<String>,
    /// In a session: what has to be sent as X-CSRF-Token with each change.
    csrf: Option<String>,
}

/// By what somebody came in.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the names of `Via`")]
enum Way {
    Socket,
    Loopback,
    Token,
    Jwt,
    Session,
    Nothing,
}

/// Who asks, and what they may.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "sessions",
    responses((status = 200, description = "Who asks", body = Me))
)]
async fn me(
    Extension(visitor): Extension<Visitor>,
    Extension(known): Extension<Known>,
) -> Json<Me> {
    Json(Me { role: visitor.role, via: visitor.via.as_str(), name: known.name, csrf: known.csrf })
}

/// The page that takes a token.
#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    /// What went wrong before.
    slip: Option<&'a str>,
    /// Who is logged in, and what they may.
    session: Option<(&'a str, &'static str)>,
    /// Whether what is typed goes over a network as it is.
    is_overheard: bool,
}

impl Page<'_> {
    fn answer(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(text) => (status, Html(text)).into_response(),
            Err(error) => {
                let detail = format!("the page cannot be drawn: {error}");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
            }
        }
    }
}

async fn page(
    State(guard): State<Arc<Guard>>,
    Extension(visitor): Extension<Visitor>,
    Extension(known): Extension<Known>,
    sender: Sender,
) -> Response {
    let name = known.name.as_deref().unwrap_or("a token without a name");
    let session = match (&visitor.via, visitor.role) {
        (Via::Session(_), Some(role)) => Some((name, role.as_str())),
        _ => None,
    };
    let is_overheard = sender.is_overheard(&guard);
    Page { slip: None, session, is_overheard }.answer(StatusCode::OK)
}

#[derive(Deserialize)]
struct Given {
    token: String,
}

async fn log_in(
    State(guard): State<Arc<Guard>>,
    sender: Sender,
    Form(given): Form<Given>,
) -> Response {
    match guard.open_session(given.token.trim(), sender.peer) {
        Ok(opened) => {
            guard.close_sessions(&sender.headers);
            let cookie = cookie(&opened, guard.is_secure(&sender.headers));
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(refusal) => {
            let slip = match refusal.status() {
                StatusCode::UNAUTHORIZED => "This token is not valid, or no longer.",
                StatusCode::TOO_MANY_REQUESTS => {
                    "Too many bad tokens. Wait a little, then try again."
                }
                _ => "This does not work now. Try again.",
            };
            let is_overheard = sender.is_overheard(&guard);
            let page = Page { slip: Some(slip), session: None, is_overheard };
            let mut response = page.answer(refusal.status());
            if let Refusal::TooOften(_, wait) = refusal {
                response.headers_mut().insert(header::RETRY_AFTER, seconds(wait));
            }
            response
        }
    }
}

async fn log_out(State(guard): State<Arc<Guard>>, headers: HeaderMap) -> Response {
    guard.close_sessions(&headers);
    let mut response = Redirect::to("/login").into_response();
    for gone in [GONE, SECURE_GONE] {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(gone));
    }
    response
}

/// Cookies that make a browser forget ours.
const GONE: &str = "poller_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict";
const SECURE_GONE: &str =
    "__Host-poller_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure";

fn cookie(opened: &Opened, is_secure: bool) -> HeaderValue {
    let (name, secure) =
        if is_secure { (SECURE_COOKIE_NAME, "; Secure") } else { (COOKIE_NAME, "") };
    let Opened { secret, seconds } = opened;
    let text =
        format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // Secrets are letters, digits, - and _.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(GONE))
}

/// Where a request comes from.
struct Sender {
    peer: Peer,
    headers: HeaderMap,
}

impl Sender {
    /// Whether others can read what is sent: it neither stays on this machine nor goes over TLS.
    fn is_overheard(&self, guard: &Guard) -> bool {
        !self.peer.is_local() && !guard.is_secure(&self.headers)
    }
}

impl<S: Sync> axum::extract::FromRequestParts<S> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().copied().unwrap_or(Peer::Socket);
        Ok(Self { peer, headers: parts.headers.clone() })
    }
}
