//! Frames of HTTP/2, in whatever pieces they come.

use super::wire::Frames;
use crate::fuzzing::pieces;

/// Frames of HTTP/2.
///
/// # Panics
/// A property does not hold.
pub fn http2_frames(data: &[u8]) {
    let Some((seed, bytes)) = data.split_first() else { return };
    let fed = |parts: &[&[u8]]| {
        let mut frames = Frames::default();
        for part in parts {
            frames.feed(part);
        }
        (frames.is_foreign, frames.is_ended, frames.header_bytes)
    };
    assert_eq!(fed(&[bytes]), fed(&pieces(bytes, *seed)));
}
