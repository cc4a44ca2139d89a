//! `Wire`: a connection that HTTP/2 runs over, which remembers what tells why it failed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::check::stream::Stream;

/// Bytes before the payload of every frame.
const FRAME_HEAD: usize = 9;

/// A connection whose errors and frames are noted: the library keeps the kinds of the ones and the
/// codes of the others to itself.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    seen: Arc<Mutex<Seen>>,
}

/// What was seen of a connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) end: Option<End>,
    pub(super) frames: Frames,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer has hung up.
    Over,
    /// It broke.
    Broken(io::Error),
}

/// What the frames of the peer say of the connection (RFC 9113, section 4.1).
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What came of a frame's head that is not whole yet.
    head: Vec<u8>,
    /// Bytes of the payload that are still to come.
    left: usize,
    has_begun: bool,
    /// Whether what came is no HTTP/2.
    pub(super) is_foreign: bool,
    /// Whether the peer ended the exchange, or the connection, with a frame that says so.
    pub(super) is_ended: bool,
    /// Bytes of the last block of headers, as they came over the wire.
    pub(super) header_bytes: usize,
}

impl Wire {
    /// Watches `stream`; what is seen of it stands in the second value.
    pub(super) fn new(stream: Stream) -> (Self, Arc<Mutex<Seen>>) {
        let seen = Arc::<Mutex<Seen>>::default();
        (Self { stream, seen: Arc::clone(&seen) }, seen)
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            self.seen.lock().end.get_or_insert(match kind {
                io::ErrorKind::UnexpectedEof => End::Over,
                _ => End::Broken(error),
            });
            kind.into()
        })
    }
}

impl Frames {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_foreign {
            let wanted = if self.left > 0 { self.left } else { FRAME_HEAD - self.head.len() };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            bytes = later;
            if self.left > 0 {
                self.left -= now.len();
                continue;
            }
            self.head.extend_from_slice(now);
            if let &[high, middle, low, kind, _, _, _, _, _] = &*self.head {
                self.left = (usize::from(high) << 16) | usize::from(middle) << 8 | usize::from(low);
                self.head.clear();
                self.begin(kind);
            }
        }
    }

    fn begin(&mut self, kind: u8) {
        const HEADERS: u8 = 1;
        const RST_STREAM: u8 = 3;
        const SETTINGS: u8 = 4;
        const GOAWAY: u8 = 7;
        const CONTINUATION: u8 = 9;
        self.is_foreign = !self.has_begun && kind != SETTINGS && kind != GOAWAY;
        self.has_begun = true;
        match kind {
            HEADERS => self.header_bytes = self.left,
            CONTINUATION => self.header_bytes += self.left,
            RST_STREAM | GOAWAY => self.is_ended = true,
            _ => {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut this.stream).poll_read(context, buffer));
        this.note(result)?;
        let mut seen = this.seen.lock();
        match buffer.filled().get(before..) {
            Some([]) | None => drop(seen.end.get_or_insert(End::Over)),
            Some(bytes) => seen.frames.feed(bytes),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = ready!(Pin::new(&mut this.stream).poll_write(context, bytes));
        Poll::Ready(this.note(result))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = ready!(Pin::new(&mut this.stream).poll_flush(context));
        Poll::Ready(this.note(result))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(parts: &[&[u8]]) -> Frames {
        let mut frames = Frames::default();
        for part in parts {
            frames.feed(part);
        }
        frames
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1];
        let headers = [0, 0, 2, 1, 0, 0, 0, 0, 1, 7, 3];
        let continuation = [0, 0, 1, 9, 4, 0, 0, 0, 1, 3];
        let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
        let all = [&settings[..], &headers, &continuation].concat();
        let bytewise: Vec<&[u8]> = all.chunks(1).collect();
        for frames in [fed(&[&all]), fed(&bytewise)] {
            assert!(!frames.is_foreign && !frames.is_ended, "{frames:?}");
            assert_eq!(frames.header_bytes, 3);
        }
        assert!(fed(&[&all, &reset]).is_ended);
        assert!(fed(&[b"HTTP/1.1 400 Bad Request\r\n"]).is_foreign);
    }
}
