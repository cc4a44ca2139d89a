//! The bodies of questions, which may not be endless, and of answers, which keep a seat busy.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::seats::{Seat, Streaming};

/// Bytes of a question's body at most, whatever its route allows.
pub(in crate::api) const LARGEST: u64 = 256 << 20;

/// What became of a question's body.
#[derive(Debug, Default)]
pub(super) struct Fate(AtomicU8);

/// What may be wrong with a question's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It did not come in time.
    Slow,
    /// It is too large.
    Large,
}

impl Fate {
    fn note(&self, flaw: Flaw) {
        self.0.store(1 + flaw as u8, Ordering::Relaxed);
    }

    /// What was wrong with it.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Flaw::Slow),
            _ => Some(Flaw::Large),
        }
    }
}

/// The body of a question; as long as it comes, its seat counts as idle.
pub(super) struct Received {
    body: Incoming,
    seat: Arc<Seat>,
    fate: Arc<Fate>,
    bytes: u64,
    late: Pin<Box<Sleep>>,
}

impl Received {
    /// The body `body`, which has `patience` to come; its fate is told as well.
    pub(super) fn new(body: Incoming, seat: &Arc<Seat>, patience: Duration) -> (Self, Arc<Fate>) {
        let (seat, fate) = (Arc::clone(seat), Arc::<Fate>::default());
        let late = Box::pin(sleep(patience));
        let told = Arc::clone(&fate);
        (Self { body, seat, fate, bytes: 0, late }, told)
    }

    fn flawed(&self, flaw: Flaw) -> BoxError {
        self.fate.note(flaw);
        format!("the body is too {flaw:?}").into()
    }
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(self.flawed(Flaw::Slow))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        self.bytes += length as u64;
        if self.bytes > LARGEST {
            return Poll::Ready(Some(Err(self.flawed(Flaw::Large))));
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.seat.note_busy();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.seat.note_unread();
        }
    }
}

/// The body of an answer; as long as it is sent, its seat counts as busy.
pub(super) struct Sent {
    body: Body,
    seat: Arc<Seat>,
    /// It counts as a stream for as long as it is there.
    _streaming: Option<Streaming>,
}

impl Sent {
    /// The body `body` of who sits on `seat`.
    pub(super) fn new(body: Body, seat: Arc<Seat>, streaming: Option<Streaming>) -> Self {
        Self { body, seat, _streaming: streaming }
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.seat.note_idle();
    }
}
