//! How large questions may be, whatever they ask for.

use axum::extract::Request;
use axum::http::{Method, header};

use crate::api::server::LARGEST;

/// Bytes of an address at most.
pub(super) const LONGEST_ADDRESS: usize = 8_192;
/// Bytes of a body at most of a question that needs none.
const NEEDLESS: u64 = 1 << 20;

/// Bytes of the address that `request` asks for.
pub(super) fn of_address(request: &Request) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    path + request.uri().authority().map_or(0, |authority| authority.as_str().len())
}

/// What is wrong with the body that `request` announces: routes have limits of their own, but
/// nothing here takes more than this.
pub(super) fn slip(request: &Request) -> Option<String> {
    let length = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // What is no number has been refused before.
    let length: u64 = length.parse().ok()?;
    let most = match *request.method() {
        Method::POST | Method::PUT | Method::PATCH => LARGEST,
        _ => NEEDLESS,
    };
    (length > most).then(|| format!("the body is larger than {most} bytes"))
}
