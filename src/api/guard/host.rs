//! By which names we are called.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header;

/// Whether a request names a host that is us: an IP address, `localhost` or one of `hosts`.
pub(super) fn is_known(request: &Request, hosts: &[String]) -> bool {
    let mut given = request.headers().get_all(header::HOST).iter();
    let (first, second) = (given.next(), given.next());
    let given = first.filter(|_| second.is_none()).and_then(|host| host.to_str().ok());
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

    fn is_ours(host: &str) -> bool {
        let request = Request::builder().header(header::HOST, host).body(axum::body::Body::empty());
        is_known(&request.expect("a request"), &["board.example".to_owned()])
    }

    #[test]
    fn we_are_known_by_addresses_localhost_and_the_names_that_were_given() {
        for own in ["127.0.0.1:9870", "[::1]:9870", "[::1]", "LOCALHOST", "Board.example:80"] {
            assert!(is_ours(own), "{own}");
        }
        for other in ["evil.example", "evil.example:9870", "localhost.evil.example", "", "127.1.x"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
