//! What fuzz targets feed the parsers of the core with, and what they hold of all others.
//!
//! Each function takes bytes from outside and panics where a property of its parser does not hold.
//! It is compiled under `cfg(fuzzing)` alone, as `cargo fuzz` sets it.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use std::io::{self, Read};

use crate::address::{Address, Host};
use crate::stats::{Grain, Recent, SLOWEST, Sketch, Tally, Window};

/// Shares of which the value is asked.
const QUANTILES: [f64; 5] = [0.0, 0.5, 0.9, 0.99, 1.0];

/// Addresses, whatever checks them.
///
/// # Panics
/// A property does not hold.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let any = match Address::parse_any(text) {
        Ok(any) => any,
        Err(error) => return assert_plain(&error.to_string()),
    };
    check_address(&any);
    let again = Address::parse_any(any.written()).expect("what was written can be read again");
    assert_eq!(again, any);
    match Address::parse(text) {
        Ok(http) => assert!(http == any && http.scheme().is_http()),
        Err(error) => {
            assert!(!any.scheme().is_http(), "{error}");
            assert_plain(&error.to_string());
        }
    }
}

/// What holds of every address: it smuggles nothing into a request, and shows no login.
pub(crate) fn check_address(address: &Address) {
    let is_visible = |text: &str| text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    let (host, path) = (address.host_text(), address.path_and_query());
    assert!(is_visible(host) && !host.is_empty(), "{host:?}");
    assert!(!host.contains(['/', '?', '#', '@', '\\']), "{host:?}");
    assert!(is_visible(path) && path.starts_with('/') && !path.contains('#'), "{path:?}");
    if let Host::Ip(ip) = address.host() {
        assert_eq!(ip.is_ipv6(), host.starts_with('['), "{host}");
    }
    let shown = address.to_string();
    assert_plain(&shown);
    if address.credentials().is_some() {
        let (_, rest) = shown.split_once("://").expect("an address has a scheme");
        assert!(rest.starts_with("<secret>@"), "a login is shown: {shown}");
    }
}

/// Sketches as they are stored.
///
/// # Panics
/// A property does not hold.
pub fn sketch(data: &[u8]) {
    for grain in [Grain::Fine, Grain::Coarse] {
        let mut rest = data;
        let Ok(sketch) = Sketch::decode(&mut rest, grain) else { continue };
        check_sketch(&sketch, grain);
        let mut twice = sketch.clone();
        twice.merge(&sketch);
        check_sketch(&twice, grain);
        assert!(twice.count() >= sketch.count());
    }
}

fn check_sketch(sketch: &Sketch, grain: Grain) {
    let mut bytes = Vec::new();
    sketch.encode(&mut bytes);
    assert_eq!(Sketch::decode(&mut bytes.as_slice(), grain).as_ref(), Ok(sketch));
    let values = QUANTILES.map(|share| sketch.quantile(share, grain));
    assert!(values.is_sorted(), "{values:?}");
}

/// Tallies as they are stored.
///
/// # Panics
/// A property does not hold.
pub fn tally(data: &[u8]) {
    let Ok(mut tally) = Tally::decode(data) else { return };
    assert_eq!(Tally::decode(&tally.encode()).as_ref(), Ok(&tally));
    tally.merge(&tally.clone());
    let values = QUANTILES.map(|share| tally.quantile(share));
    assert!(values.is_sorted() && values.iter().flatten().all(|us| *us <= tally.max_us));
}

/// Windows of a second as they are stored, and the sums over them.
///
/// # Panics
/// A property does not hold.
pub fn window(data: &[u8]) {
    let Ok(window) = Window::decode(data) else { return };
    assert_eq!(Window::decode(&window.encode()).as_ref(), Ok(&window));
    assert!(window.causes.len() <= data.len() && window.slowest.len() <= SLOWEST);
    let mut recent = Recent::default();
    for second in 0..3 {
        recent.restore(second, window.clone());
    }
    assert_eq!(recent.checks(), 3 * u64::from(window.checks));
    for dense in recent.phases().iter().chain([recent.latency(), recent.lag()]) {
        assert!(QUANTILES.map(|share| dense.quantile(share)).is_sorted());
    }
    let seen = (recent.largest(), recent.largest_answered(), recent.lag_max_us());
    assert_eq!(seen.0, window.largest);
    assert_eq!(seen.1, window.largest_answered);
    assert!(recent.slowest().len() <= SLOWEST);
    recent.expire(1_000);
    assert_eq!(recent.checks(), 0);
}

/// Cuts `bytes` into pieces whose lengths follow from `seed`: of one byte each for 0.
pub(crate) fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let longest = u64::from(seed).max(1);
    let (mut state, mut rest, mut pieces) = (u64::from(seed), bytes, Vec::new());
    while !rest.is_empty() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let length = usize::try_from((state >> 33) % longest + 1).unwrap_or(1).min(rest.len());
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// A source that hands out no more than a piece at once.
pub(crate) struct Pieces<'a>(std::vec::IntoIter<&'a [u8]>, &'a [u8]);

impl<'a> Pieces<'a> {
    pub(crate) fn new(bytes: &'a [u8], seed: u8) -> Self {
        Self(pieces(bytes, seed).into_iter(), &[])
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.next().unwrap_or_default();
        }
        self.1.read(buffer)
    }
}

/// Holds that `text` can stand on one line, and moves no cursor.
pub(crate) fn assert_plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
