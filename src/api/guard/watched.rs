//! `Watched`: an answer that goes on no longer than what let its visitor in.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often it is looked whether the visitor is still welcome.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells whether a visitor is still welcome.
pub(super) type Welcome = Box<dyn Fn() -> bool + Send>;

/// An answer that goes on no longer than its visitor is welcome.
pub(super) struct Watched {
    body: Body,
    is_welcome: Welcome,
    looks: Interval,
}

impl Watched {
    /// `body`, which ends when `is_welcome` says no.
    pub(super) fn new(body: Body, is_welcome: Welcome) -> Self {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { body, is_welcome, looks }
    }
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.looks.poll_tick(context).is_ready() {
            if !(self.is_welcome)() {
                return Poll::Ready(None);
            }
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
