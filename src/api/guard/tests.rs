//! What the door-keepers do with visitors that no route of ours has shown yet.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use tower::ServiceExt;

use super::*;

/// A guard that knows no token.
fn guard() -> Guard {
    Guard {
        options: Arc::default(),
        keys: None,
        clock: Clock::system(),
        sessions: Sessions::default(),
        rate: None,
        failures: Limiter::new(FAILURES, FAILURE_EVERY),
    }
}

/// What who comes from `peer` is answered that asks for `path`, which readers may.
async fn answer(peer: &str, path: &str, accept: &str) -> Response {
    let routes = Router::new()
        .route("/", get(|| async { "page" }))
        .route("/api/v1/stats", get(|| async { "stats" }))
        .route_layer(from_fn_with_state(Role::Read, need))
        .layer(from_fn_with_state(Arc::new(guard()), identify));
    let request = Request::builder()
        .uri(path)
        .header(header::HOST, "192.0.2.9")
        .header(header::ACCEPT, accept)
        .extension(Peer::Network(peer.parse().expect("an address")))
        .body(Body::empty());
    routes.oneshot(request.expect("a request")).await.expect("an answer")
}

const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

#[tokio::test]
async fn a_browser_that_may_not_see_a_page_is_led_to_the_log_in() {
    let led = answer("192.0.2.1:1", "/", BROWSER).await;
    assert_eq!(led.status(), StatusCode::SEE_OTHER);
    assert_eq!(led.headers()[header::LOCATION], "/login");
    for (path, accept) in [("/", "*/*"), ("/", "application/json"), ("/api/v1/stats", BROWSER)] {
        let refused = answer("192.0.2.1:1", path, accept).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path} {accept}");
    }
    assert_eq!(answer("127.0.0.1:1", "/", BROWSER).await.status(), StatusCode::OK);
    assert_eq!(answer("[::1]:1", "/", BROWSER).await.status(), StatusCode::OK);
    assert_eq!(answer("[::ffff:127.0.0.1]:1", "/", BROWSER).await.status(), StatusCode::OK);
}

#[test]
fn a_role_that_is_stored_and_unknown_allows_the_least() {
    assert_eq!(Role::of_stored("admin"), Role::Admin);
    assert_eq!(Role::of_stored("owner"), Role::Read);
}

#[test]
fn a_network_of_ipv6_is_one_visitor() {
    let of = |text: &str| counted(text.parse().expect("an address"));
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
}
