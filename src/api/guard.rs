//! The door-keepers: who asks, by which name they call us, and whether they may.

mod credentials;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod host;
mod jwt;
mod limiter;
mod origin;
mod refusal;
mod sessions;
mod size;
mod watched;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use hyper::body::Body as _;
use subtle::ConstantTimeEq;

pub(super) use credentials::{COOKIE_NAME, SECURE_COOKIE_NAME};
pub use jwt::JwtKey;
pub(super) use refusal::{Refusal, seconds};
use sessions::Holder;
pub(super) use sessions::Opened;

use super::keys::{Key, Keys, digest, parts};
use super::problem::Problem;
use super::services::{ApiOptions, Services};
use super::visitor::{Peer, Role, Via, Visitor};
use crate::clock::Clock;
use credentials::Presented;
use limiter::Limiter;
use sessions::Sessions;
use watched::Watched;

/// What every answer says to browsers: nothing from elsewhere, in no frame, taken for what it is,
/// and not kept by anybody between us and them.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             object-src 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];
/// The header by which a page shows that it is ours.
const CSRF: &str = "x-csrf-token";
/// Bad tokens of one address: so many at once, and then one after each of these spans.
const FAILURES: u32 = 20;
const FAILURE_EVERY: Duration = Duration::from_secs(3);

/// Knows whom to let in.
pub(super) struct Guard {
    options: Arc<ApiOptions>,
    keys: Option<Arc<dyn Keys>>,
    clock: Clock,
    sessions: Sessions,
    rate: Option<Limiter>,
    failures: Limiter,
}

/// What is known of a visitor beside what they may; it stands in the extensions of every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// What their token is for.
    pub name: Option<String>,
    /// What a page has to send with each change.
    pub csrf: Option<String>,
}

/// Who was found, and whose token or session that is by.
struct Found {
    visitor: Visitor,
    known: Known,
    by: By,
}

/// By what somebody was let in that may end.
#[derive(Clone)]
enum By {
    /// By nothing that ends.
    Place,
    /// By a token of this holder.
    Token(Holder),
    /// By the cookie with this secret.
    Cookie(String),
}

impl Found {
    fn at_place(role: Option<Role>, via: Via) -> Self {
        Self { visitor: Visitor { role, via }, known: Known::default(), by: By::Place }
    }
}

impl Guard {
    /// The guard of `services`.
    pub(super) fn of(services: &Services) -> Self {
        let options = Arc::clone(&services.options);
        Self {
            keys: services.keys.clone(),
            clock: services.clock.clone(),
            sessions: Sessions::default(),
            rate: options
                .rate
                .map(|rate| Limiter::new(rate.get(), Duration::from_secs(1) / rate.get())),
            failures: Limiter::new(FAILURES, FAILURE_EVERY),
            options,
        }
    }

    /// Who sends `request`.
    ///
    /// # Errors
    /// They are not let in, whatever they ask for.
    fn admit(&self, request: &Request) -> Result<Found, Refusal> {
        let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Socket);
        self.hold_rate(peer)?;
        if size::of_address(request) > size::LONGEST_ADDRESS {
            let detail = format!("the address is longer than {} bytes", size::LONGEST_ADDRESS);
            return Err(Refusal::plain(StatusCode::URI_TOO_LONG, detail));
        }
        if let Some(detail) = size::slip(request) {
            return Err(Refusal::plain(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let shown = match credentials::presented(request.headers()) {
            Presented::Nothing => None,
            Presented::Unreadable(why) => return Err(self.failed(peer, why)),
            Presented::Token(text) => Some(text),
        };
        if let Some(text) = shown {
            let known = self.holder_of(text).and_then(|holder| self.found(&holder));
            return known.ok_or_else(|| self.failed(peer, "this token is not valid, or no longer"));
        }
        if let Peer::Network(_) = peer
            && acts(request)
            && origin::is_elsewhere(request)
        {
            let detail = "this comes from a page of another origin, which may change and start \
                          nothing here without a token of its own";
            return Err(Refusal::plain(StatusCode::FORBIDDEN, detail));
        }
        self.ambient(peer, request)
    }

    /// Who they are without a token: by what comes along with every request of theirs.
    fn ambient(&self, peer: Peer, request: &Request) -> Result<Found, Refusal> {
        if peer == Peer::Socket {
            return Ok(Found::at_place(Some(Role::Admin), Via::Socket));
        }
        if let Some(found) = self.in_session(request) {
            return Ok(found);
        }
        if !peer.is_local() || credentials::is_forwarded(request.headers()) {
            return Ok(Found::at_place(None, Via::Nothing));
        }
        if !host::is_known(request, &self.options.hosts) {
            let detail = "this name is not ours; ask by IP address or localhost, or send a token";
            return Err(Refusal::plain(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        Ok(Found::at_place(Some(Role::Read), Via::Loopback))
    }

    /// Refuses who asks too often; the socket may as often as it likes.
    fn hold_rate(&self, peer: Peer) -> Result<(), Refusal> {
        let (Some(rate), Peer::Network(address)) = (&self.rate, peer) else { return Ok(()) };
        rate.admit(address.ip(), Instant::now()).map_err(|wait| {
            Refusal::too_often(
                "this address asks too often; ask less, or allow more with --api-rate",
                wait,
            )
        })
    }

    /// What is answered to a token that is worth nothing.
    fn failed(&self, peer: Peer, why: &'static str) -> Refusal {
        match self.note_failure(peer) {
            Ok(()) => Refusal::bad_token(why),
            Err(wait) => Refusal::too_often("too many bad tokens came from this address", wait),
        }
    }

    fn note_failure(&self, peer: Peer) -> Result<(), Duration> {
        match peer {
            Peer::Socket => Ok(()),
            Peer::Network(address) => self.failures.admit(address.ip(), Instant::now()),
        }
    }

    /// Whose the token `text` is, if it is valid.
    fn holder_of(&self, text: &str) -> Option<Holder> {
        if let Some((id, secret)) = parts(text) {
            let key = self.key(id);
            // As long for an id that nobody has as for another secret.
            let kept = key.as_ref().map_or([0; 32], |key| key.digest);
            let is_it = bool::from(digest(secret).ct_eq(&kept));
            return key.filter(|_| is_it).map(|_| Holder::Token(id.to_owned()));
        }
        let claims = self.options.jwt.as_ref()?.claims(text, self.clock.now_ms())?;
        Some(Holder::Jwt(claims))
    }

    /// The token `id`, while it is worth something.
    fn key(&self, id: &str) -> Option<Key> {
        let key = self.keys.as_ref()?.find(id)?;
        key.ends_ms.is_none_or(|ends| self.clock.now_ms() < ends).then_some(key)
    }

    /// What `holder` may, by their own token.
    fn found(&self, holder: &Holder) -> Option<Found> {
        let (role, via, name) = match holder {
            Holder::Token(id) => {
                let key = self.key(id)?;
                (key.role, Via::Token(id.clone()), key.name)
            }
            Holder::Jwt(claims) => {
                let is_over = claims.is_over(self.clock.now_ms());
                let subject = claims.subject.clone();
                (!is_over).then(|| (claims.role, Via::Jwt(subject.clone()), subject))?
            }
        };
        let name = Some(name).filter(|name| !name.is_empty());
        let (known, by) = (Known { name, csrf: None }, By::Token(holder.clone()));
        Some(Found { visitor: Visitor { role: Some(role), via }, known, by })
    }

    /// Who they are by a cookie of theirs; one that is over counts as none.
    fn in_session(&self, request: &Request) -> Option<Found> {
        credentials::cookies(request.headers()).find_map(|secret| self.found_by_cookie(secret))
    }

    fn found_by_cookie(&self, secret: &str) -> Option<Found> {
        let (holder, csrf) = self.sessions.find(secret, self.clock.now_ms())?;
        let Some(Found { visitor, known, .. }) = self.found(&holder) else {
            self.sessions.close(secret);
            return None;
        };
        let (Via::Token(name) | Via::Jwt(name)) = visitor.via else { return None };
        let visitor = Visitor { via: Via::Session(name), ..visitor };
        let by = By::Cookie(secret.to_owned());
        Some(Found { visitor, known: Known { csrf: Some(csrf), ..known }, by })
    }

    /// Whether who was let in by this would still be.
    fn is_welcome(&self, by: &By) -> bool {
        match by {
            By::Place => true,
            By::Token(holder) => self.found(holder).is_some(),
            By::Cookie(secret) => self.found_by_cookie(secret).is_some(),
        }
    }

    /// Begins a session by the token `text`, for who comes from `peer`.
    ///
    /// # Errors
    /// The token is worth nothing, or too many were that came from there.
    pub(super) fn open_session(&self, text: &str, peer: Peer) -> Result<Opened, Refusal> {
        let Some(holder) = self.holder_of(text).filter(|holder| self.found(holder).is_some())
        else {
            return Err(self.failed(peer, "this token is not valid, or no longer"));
        };
        self.sessions
            .open(holder, self.clock.now_ms())
            .map_err(|error| Refusal::plain(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))
    }

    /// Ends all sessions that `request` has a cookie of.
    pub(super) fn close_sessions(&self, headers: &axum::http::HeaderMap) {
        credentials::cookies(headers).for_each(|secret| self.sessions.close(secret));
    }

    /// Whether what is sent to `request`'s sender goes over TLS.
    pub(super) fn is_secure(&self, headers: &axum::http::HeaderMap) -> bool {
        self.options.tls.is_some() || credentials::is_secure_before(headers)
    }
}

/// Notes who asks, and refuses those who call us by another's name (DNS rebinding).
pub(super) async fn identify(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Found { visitor, known, by } = match guard.admit(&request) {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    request.extensions_mut().insert(visitor);
    request.extensions_mut().insert(known);
    let response = next.run(request).await;
    let goes_on = response.body().size_hint().exact().is_none();
    if matches!(by, By::Place) || !goes_on {
        return response;
    }
    response.map(|body| {
        let is_welcome = Box::new(move || guard.is_welcome(&by));
        axum::body::Body::new(Watched::new(body, is_welcome))
    })
}

/// Adds what every answer says to browsers.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Lets those pass who may do what `role` may.
pub(super) async fn need(State(role): State<Role>, request: Request, next: Next) -> Response {
    let Some(visitor) = request.extensions().get::<Visitor>() else {
        return ask_for_token(role);
    };
    match (visitor.role, &visitor.via) {
        (Some(_), Via::Session(_)) if !request.method().is_safe() && !shows_csrf(&request) => {
            let detail = "a change from a browser needs the header X-CSRF-Token with what \
                          /api/v1/me says";
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        _ if visitor.may(role) => next.run(request).await,
        (Some(own), Via::Token(_) | Via::Jwt(_) | Via::Session(_) | Via::Socket) => {
            let (own, role) = (own.as_str(), role.as_str());
            let detail = format!("this needs the role {role}, and yours is {own}");
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        _ if is_page(&request) => Redirect::to("/login").into_response(),
        _ => ask_for_token(role),
    }
}

fn ask_for_token(role: Role) -> Response {
    let detail = format!(
        "this needs a token with the role {}: send Authorization: Bearer TOKEN; poller token create \
         makes one",
        role.as_str()
    );
    let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    ([challenge], Problem::new(StatusCode::UNAUTHORIZED, detail)).into_response()
}

fn shows_csrf(request: &Request) -> bool {
    let known = request.extensions().get::<Known>().and_then(|known| known.csrf.as_deref());
    let shown = request.headers().get(CSRF);
    known.zip(shown).is_some_and(|(known, shown)| known.as_bytes().ct_eq(shown.as_bytes()).into())
}

/// Whether a browser asks for a page, and not a program.
fn is_page(request: &Request) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("text/html"));
    request.method() == axum::http::Method::GET
        && !request.uri().path().starts_with("/api/")
        && request.headers().get_all(header::ACCEPT).iter().any(accepts)
}

/// The address that `peer` is counted under: a network of IPv6 is one visitor.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Whether a request does more than to look: what changes something, and what makes us work.
fn acts(request: &Request) -> bool {
    const AT_WORK: [&str; 2] = ["/probe", "/api/v1/export/"];
    let path = request.uri().path();
    !request.method().is_safe() || AT_WORK.iter().any(|begin| path.starts_with(begin))
}

#[cfg(test)]
mod tests;
