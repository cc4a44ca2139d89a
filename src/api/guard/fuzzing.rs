//! What fuzz targets feed the door-keepers with, and what they hold of them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::credentials::{Presented, cookies, presented};
use super::jwt::JwtKey;
use super::{host, origin};
use crate::api::keys::parts;
use crate::fuzzing::assert_plain;

/// A moment in 2026, in Unix milliseconds.
const NOW_MS: i64 = 1_795_341_600_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes, yes";

/// What requests show of who sends them: tokens, cookies, origins; and head and body of a JWT that
/// is signed rightly, each a line.
///
/// # Panics
/// A property does not hold.
pub fn token(data: &[u8]) {
    signed(data);
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, value.clone());
    if let Presented::Token(text) = presented(&headers) {
        assert!(!text.is_empty() && text.trim() == text);
        if let Some((id, secret)) = parts(text) {
            assert_eq!(format!("poller_{id}_{secret}"), text);
        }
        let forged = JwtKey::new(SECRET).claims(text, NOW_MS);
        assert_eq!(forged, None, "it was never signed");
    }
    headers.insert(header::COOKIE, value.clone());
    assert!(cookies(&headers).all(|secret| !secret.contains(';')));
    for name in [header::ORIGIN, header::HOST] {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("a.example"));
        request.headers_mut().insert(name, value.clone());
        let _ = (origin::is_elsewhere(&request), host::is_known(&request, &[]));
    }
}

/// Holds what a JWT says that was signed rightly, whatever it says.
fn signed(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let [head, body] = [lines.next(), lines.next()].map(Option::unwrap_or_default);
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(body));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
    let Some(claims) = JwtKey::new(SECRET).claims(&token, NOW_MS) else { return };
    let said: serde_json::Value = serde_json::from_slice(head).expect("its head is JSON");
    assert_eq!(said["alg"], "HS256");
    assert_plain(&claims.subject);
    assert!(claims.subject.chars().count() <= 100 && !claims.is_over(NOW_MS));
    assert_eq!(JwtKey::new(b"another").claims(&token, NOW_MS), None, "it is of another key");
}
