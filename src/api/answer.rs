//! Answers that may be known already (`ETag`, RFC 9110, section 8.8.3), and that are made smaller
//! on their way.

use std::convert::Infallible;
use std::io::Write as _;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use xxhash_rust::xxh3::xxh3_64;

use super::problem::Problem;

/// Answers of fewer bytes are left as they are.
const SMALL: u16 = 1_024;
/// Answers of more bytes are made smaller where they are made, and not on the thread of the API.
const LARGE: usize = 32_768;
/// Says that an answer goes on as it comes.
const AS_IT_COMES: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Makes answers smaller for who can read that, except those that go on as they come.
pub(super) fn compression() -> CompressionLayer<impl Predicate> {
    let is_whole = |_: StatusCode, _: axum::http::Version, headers: &HeaderMap, _: &_| {
        !headers.contains_key(AS_IT_COMES)
    };
    let small = SizeAbove::new(SMALL).and(NotForContentType::SSE).and(NotForContentType::IMAGES);
    CompressionLayer::new()
        .gzip(true)
        .quality(CompressionLevel::Fastest)
        .compress_when(small.and(is_whole))
}

/// `value` as JSON.
pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Views are made of values alone, which JSON can always tell.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// What somebody who asks has already, and can read.
pub(super) struct Caller {
    known: Option<HeaderValue>,
    reads_gzip: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Caller {
    fn of(headers: &HeaderMap) -> Self {
        let encodings = headers.get_all(header::ACCEPT_ENCODING).iter();
        let mut encodings = encodings.filter_map(|value| value.to_str().ok());
        Self {
            known: headers.get(header::IF_NONE_MATCH).cloned(),
            reads_gzip: encodings.any(takes_gzip),
        }
    }

    /// Answers with the JSON that `make` makes, on a thread where it may take its time.
    ///
    /// # Errors
    /// It failed, which the log tells.
    pub(super) async fn answer(
        self,
        make: impl FnOnce() -> Bytes + Send + 'static,
    ) -> Result<Response, Problem> {
        self.answer_or(move || Ok(make())).await
    }

    /// The same where `make` may say why there is no answer now.
    ///
    /// # Errors
    /// There is none now, or it failed, which the log tells.
    pub(super) async fn answer_or(
        self,
        make: impl FnOnce() -> Result<Bytes, String> + Send + 'static,
    ) -> Result<Response, Problem> {
        let done = tokio::task::spawn_blocking(move || make().map(|json| self.respond(&json)));
        let answer = done.await.map_err(|_| {
            let detail = "it could not be answered, and the log says why";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        })?;
        answer.map_err(|reason| Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason))
    }

    fn respond(&self, json: &Bytes) -> Response {
        let tag = format!("W/\"{:016x}\"", xxh3_64(json));
        let is_known = self.known.as_ref().is_some_and(|known| knows(known, &tag));
        let mut response =
            if is_known { StatusCode::NOT_MODIFIED.into_response() } else { self.document(json) };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn document(&self, json: &Bytes) -> Response {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !self.reads_gzip || json.len() <= LARGE {
            return ([kind], Body::from(json.clone())).into_response();
        }
        let mut smaller = GzEncoder::new(Vec::with_capacity(json.len() / 8), Compression::fast());
        match smaller.write_all(json).and_then(|()| smaller.finish()) {
            Ok(smaller) => {
                let headers = [
                    kind,
                    (header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
                    (header::VARY, HeaderValue::from_static("accept-encoding")),
                ];
                (headers, smaller).into_response()
            }
            Err(_) => ([kind], Body::from(json.clone())).into_response(),
        }
    }
}

/// Whether an `Accept-Encoding` takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(value: &str) -> bool {
    value.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_it && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

/// Whether an `If-None-Match` names `tag`, by the weak comparison (RFC 9110, section 13.1.2).
fn knows(known: &HeaderValue, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = bare(tag);
    known
        .to_str()
        .is_ok_and(|known| known.split(',').any(|one| one.trim() == "*" || bare(one) == tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(known: &str, encoding: &'static str) -> Caller {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).expect("a value"));
        Caller::of(&headers)
    }

    #[test]
    fn what_is_known_is_not_told_again() {
        let json = Bytes::from_static(b"{\"a\":1}");
        let first = caller("\"other\"", "identity").respond(&json);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().expect("text").to_owned();
        for known in [tag.clone(), format!("\"x\", {tag}"), "*".to_owned(), tag.replace("W/", "")] {
            let again = caller(&known, "gzip").respond(&json);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
        }
        let other = caller(&tag, "gzip").respond(&Bytes::from_static(b"{\"a\":2}"));
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn large_answers_are_made_smaller_for_who_can_read_that() {
        let json = Bytes::from(vec![b'x'; LARGE + 1]);
        let encoding = |accepts| {
            let answer = caller("\"\"", accepts).respond(&json);
            answer.headers().get(header::CONTENT_ENCODING).cloned()
        };
        assert_eq!(encoding("br, GZIP;q=0.5"), Some(HeaderValue::from_static("gzip")));
        assert_eq!(encoding("gzip"), Some(HeaderValue::from_static("gzip")));
        for none in ["", "br", "gzip;q=0", "gzip;q=x", "xgzip"] {
            assert_eq!(encoding(none), None, "{none}");
        }
    }
}
