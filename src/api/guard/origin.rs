//! Whether a request comes from a page that is not ours.

use axum::extract::Request;
use axum::http::{Uri, header};

/// Whether the page that sends `request` is of another origin than ours. Programs that are no
/// browsers say nothing of it.
pub(super) fn is_elsewhere(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let is_ours = origin.zip(own).is_some_and(|(origin, own)| is_same(&origin, own));
    !is_ours
}

/// Whether the page of `origin` was had from the host `own`.
fn is_same(origin: &Uri, own: &str) -> bool {
    let usual = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let (Some(theirs), Ok(own)) = (origin.authority(), own.parse::<axum::http::uri::Authority>())
    else {
        return false;
    };
    theirs.host().eq_ignore_ascii_case(own.host())
        && theirs.port_u16().unwrap_or(usual) == own.port_u16().unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_foreign(pairs: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().header(header::HOST, "board.example:9870");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        is_elsewhere(&request.body(axum::body::Body::empty()).expect("a request"))
    }

    #[test]
    fn programs_and_our_own_pages_are_not_from_elsewhere() {
        assert!(!is_foreign(&[]));
        assert!(!is_foreign(&[("sec-fetch-site", "same-origin")]));
        assert!(!is_foreign(&[("origin", "http://Board.example:9870")]));
    }

    #[test]
    fn pages_of_other_hosts_ports_and_of_no_origin_are() {
        for site in ["cross-site", "same-site", "nonsense"] {
            assert!(is_foreign(&[("sec-fetch-site", site)]), "{site}");
        }
        for origin in [
            "http://evil.example",
            "http://board.example",
            "http://board.example:9871",
            "http://board.example.evil:9870",
            "null",
            "",
            "ftp://board.example:9870",
        ] {
            assert!(is_foreign(&[("origin", origin)]), "{origin}");
        }
    }
}
