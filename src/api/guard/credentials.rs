//! What a request shows of who sends it: a token, cookies, and whether somebody passed it on.

use axum::http::header::{AUTHORIZATION, COOKIE, FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderValue};

/// The cookie of a session, and the same where it goes over TLS alone.
pub(in crate::api) const COOKIE_NAME: &str = "poller_session";
pub(in crate::api) const SECURE_COOKIE_NAME: &str = "__Host-poller_session";

/// What proxies add; whoever is behind one is not of this machine, though the proxy may be.
const PASSED_ON: [&str; 6] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
    "cf-connecting-ip",
];

/// Cookies of ours that are looked at in one request.
const COOKIES: usize = 4;

/// The token that a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented<'r> {
    /// It shows none.
    Nothing,
    /// This one.
    Token(&'r str),
    /// Something that cannot be read as one, for this reason.
    Unreadable(&'static str),
}

/// What `headers` show as a token (RFC 6750, section 2.1, or `X-API-Key`).
pub(super) fn presented(headers: &HeaderMap) -> Presented<'_> {
    let bearers = headers.get_all(AUTHORIZATION).iter().map(|value| (Way::Bearer, value));
    let plain = headers.get_all("x-api-key").iter().map(|value| (Way::Plain, value));
    let mut shown = bearers.chain(plain);
    let Some((way, value)) = shown.next() else { return Presented::Nothing };
    if shown.next().is_some() {
        return Presented::Unreadable("send one token, and in one header");
    }
    let text = value.to_str().map(str::trim).unwrap_or_default();
    let token = match way {
        Way::Plain => Some(text),
        Way::Bearer => text
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim_start()),
    };
    match token {
        Some(token) if !token.is_empty() => Presented::Token(token),
        _ => Presented::Unreadable("send Authorization: Bearer TOKEN, or X-API-Key: TOKEN"),
    }
}

#[derive(Clone, Copy)]
enum Way {
    Bearer,
    Plain,
}

/// Whether a proxy passed the request on.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED)
        || headers.contains_key(VIA)
        || PASSED_ON.iter().any(|name| headers.contains_key(*name))
}

/// Whether a proxy says that it speaks TLS with the visitor.
pub(super) fn is_secure_before(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}

/// The secrets in cookies of ours.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts =
        headers.get_all(COOKIE).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| [COOKIE_NAME, SECURE_COOKIE_NAME].contains(name))
        .map(|(_, secret)| secret)
        .take(COOKIES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_token_is_shown_in_one_of_two_ways() {
        assert_eq!(presented(&headers(&[])), Presented::Nothing);
        for pair in [
            ("authorization", "Bearer abc"),
            ("authorization", "bearer  abc"),
            ("x-api-key", "abc"),
        ] {
            assert_eq!(presented(&headers(&[pair])), Presented::Token("abc"), "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_token_or_more_than_one_is_not_taken_for_nothing() {
        for pairs in [
            &[("authorization", "Basic abc")][..],
            &[("authorization", "Bearer")],
            &[("authorization", "")],
            &[("x-api-key", " ")],
            &[("authorization", "Bearer a"), ("x-api-key", "a")],
            &[("x-api-key", "a"), ("x-api-key", "b")],
        ] {
            let map: HeaderMap = {
                let mut map = HeaderMap::new();
                for (name, value) in pairs {
                    map.append(*name, HeaderValue::from_str(value).expect("a value"));
                }
                map
            };
            assert!(matches!(presented(&map), Presented::Unreadable(_)), "{pairs:?}");
        }
    }

    #[test]
    fn cookies_of_ours_are_found_among_others() {
        let all = headers(&[(
            "cookie",
            "a=b; poller_session=one; xpoller_session=x;__Host-poller_session=two",
        )]);
        assert_eq!(cookies(&all).collect::<Vec<_>>(), ["one", "two"]);
    }
}
