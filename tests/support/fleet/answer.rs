//! Writes the bytes of an answer.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::{Compression, write::GzEncoder};

use super::behaviour::{Act, Behaviour, Body, Coding, Connection};
use super::state::State;

/// A request as far as its answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The value of `Host` without its port, if it is known.
    pub(crate) host: Option<&'a str>,
    /// All that was received of it.
    pub(crate) received: &'a [u8],
}

/// Plain text to cut bodies from.
static FILLER: LazyLock<Vec<u8>> =
    LazyLock::new(|| b"0123456789 the fleet answers\n".repeat(1 << 12));

/// Where the body of an answer begins and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// Length of the head, with its empty line.
    pub(crate) head: usize,
    /// Length of the body as it is stated.
    pub(crate) body: usize,
}

/// Appends the whole answer that `behaviour` gives to `request`.
pub(crate) fn write(
    state: &State,
    behaviour: &Behaviour,
    request: Request<'_>,
    out: &mut Vec<u8>,
) -> Parts {
    let start = out.len();
    let (status, location) = match &behaviour.act {
        Act::Redirect(location) => (redirect(behaviour.status), Some(location.clone())),
        Act::RedirectHttps => (redirect(behaviour.status), Some(https(state, request.host))),
        Act::NoHead if request.method == "HEAD" => (405, None),
        _ => (behaviour.status, None),
    };
    if let (Body::Filler(length), Coding::Identity) = (&behaviour.body, behaviour.coding) {
        let length = if bodiless(status) { 0 } else { *length };
        head(out, behaviour, status, location.as_deref(), (length, "text/plain"));
        let head = out.len() - start;
        if request.method != "HEAD" {
            fill(out, length);
        }
        return Parts { head, body: length };
    }
    let (mut body, media) = bytes(state, &behaviour.body, request);
    if bodiless(status) {
        body.clear();
    } else if behaviour.coding == Coding::Gzip && !matches!(behaviour.body, Body::Bomb(_)) {
        body = pack(&body);
    }
    head(out, behaviour, status, location.as_deref(), (body.len(), media));
    let head = out.len() - start;
    if request.method != "HEAD" {
        out.extend_from_slice(&body);
    }
    Parts { head, body: body.len() }
}

const fn bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

const fn redirect(status: u16) -> u16 {
    match status {
        300..=399 => status,
        _ => 302,
    }
}

fn https(state: &State, host: Option<&str>) -> String {
    let port = state.ports.get().map_or(443, |ports| ports.https(super::Certificate::Good));
    format!("https://{}:{port}/", host.unwrap_or("fleet.test"))
}

fn bytes(state: &State, body: &Body, request: Request<'_>) -> (Vec<u8>, &'static str) {
    match body {
        Body::Filler(length) => {
            let mut filled = Vec::with_capacity(*length);
            fill(&mut filled, *length);
            (filled, "text/plain")
        }
        Body::Bytes(bytes, media) => (bytes.clone(), media),
        Body::Bomb(megabytes) => (state.bomb(*megabytes).to_vec(), "text/plain"),
        Body::Echo => (request.received.to_vec(), "text/plain"),
    }
}

/// Appends `length` bytes of plain text.
pub(crate) fn fill(out: &mut Vec<u8>, mut length: usize) {
    if length == 2 {
        out.extend_from_slice(b"ok");
        return;
    }
    while length > 0 {
        let part = length.min(FILLER.len());
        out.extend_from_slice(&FILLER[..part]);
        length -= part;
    }
}

fn head(
    out: &mut Vec<u8>,
    behaviour: &Behaviour,
    status: u16,
    location: Option<&str>,
    (length, media): (usize, &str),
) {
    let (text, mut rest) = (reason(status), [0_u8; 20]);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(digits(usize::from(status), &mut rest));
    out.push(b' ');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(media.as_bytes());
    if !bodiless(status) {
        out.extend_from_slice(b"\r\nContent-Length: ");
        out.extend_from_slice(digits(length, &mut rest));
    }
    if behaviour.coding == Coding::Gzip || matches!(behaviour.body, Body::Bomb(_)) {
        out.extend_from_slice(b"\r\nContent-Encoding: gzip");
    }
    if let Some(location) = location {
        field(out, "Location", location);
    }
    for (name, value) in &behaviour.headers {
        field(out, name, value);
    }
    out.extend_from_slice(match behaviour.connection {
        Connection::Close => b"\r\nConnection: close\r\n\r\n".as_slice(),
        Connection::Keep => b"\r\n\r\n",
    });
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
}

/// The decimal digits of `number`.
fn digits(mut number: usize, space: &mut [u8; 20]) -> &[u8] {
    let mut at = space.len();
    loop {
        at -= 1;
        space[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &space[at..];
        }
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// Packs `bytes` as gzip.
fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte")
}

/// A gzip stream that unpacks to `megabytes` of zeros.
pub(crate) fn zeros(megabytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let megabyte = vec![0; 1 << 20];
    for _ in 0..megabytes {
        encoder.write_all(&megabyte).expect("a vector takes every byte");
    }
    encoder.finish().expect("a vector takes every byte")
}
