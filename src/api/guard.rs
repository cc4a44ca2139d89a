//! The door-keepers: who asks, by which name they call us, and whether they may.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::services::ApiOptions;
use super::visitor::{Peer, Role, Via, Visitor};

/// What every answer says to browsers: nothing from elsewhere, in no frame, taken for what it is.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
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
];

/// Notes who asks, and refuses those who call us by another's name (DNS rebinding).
pub(super) async fn identify(
    State(options): State<Arc<ApiOptions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied().unwrap_or(Peer::Socket);
    if let Peer::Network(_) = peer
        && !is_known_host(&request, &options.hosts)
    {
        let detail = "this name is not ours; ask by IP address or localhost, or at the name that \
                      the settings give";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response();
    }
    let visitor = match peer {
        Peer::Socket => Visitor { role: Some(Role::Admin), via: Via::Socket },
        peer if peer.is_local() => Visitor { role: Some(Role::Read), via: Via::Loopback },
        Peer::Network(_) => Visitor { role: None, via: Via::Nothing },
    };
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Lets those pass who may do what `role` may.
pub(super) async fn need(State(role): State<Role>, request: Request, next: Next) -> Response {
    match request.extensions().get::<Visitor>() {
        Some(visitor) if visitor.may(role) => next.run(request).await,
        Some(Visitor { role: Some(own), .. }) => {
            let (own, role) = (own.as_str(), role.as_str());
            let detail = format!("this needs the role {role}, and yours is {own}");
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        _ => {
            let detail = "this needs a token: send Authorization: Bearer TOKEN; poller token create \
                          makes one";
            let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            ([challenge], Problem::new(StatusCode::UNAUTHORIZED, detail)).into_response()
        }
    }
}

/// Whether a request names a host that is us: an IP address, `localhost` or one of `hosts`.
fn is_known_host(request: &Request, hosts: &[String]) -> bool {
    let given = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = request.uri().host().or(given) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && !name.contains(':') => name,
        Some((name, _)) if name.ends_with(']') => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || bare.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(host: &str) -> bool {
        let request = Request::builder().header(header::HOST, host).body(axum::body::Body::empty());
        is_known_host(&request.expect("a request"), &["board.example".to_owned()])
    }

    #[test]
    fn we_are_known_by_addresses_localhost_and_the_names_that_were_given() {
        for own in ["127.0.0.1:9870", "[::1]:9870", "[::1]", "LOCALHOST", "Board.example:80"] {
            assert!(is_known(own), "{own}");
        }
        for other in ["evil.example", "evil.example:9870", "localhost.evil.example", "", "127.1.x"]
        {
            assert!(!is_known(other), "{other}");
        }
    }
}
