//! `Reader`: the events of one reader, as chunks of text.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use super::broadcast::{About, Place, Told, resync};

/// How long it may be still before a comment says that all is well.
const STILL: Duration = Duration::from_secs(15);
/// How long others are waited for when an event has come.
const GATHER: Duration = Duration::from_millis(20);
/// Bytes that are put into one chunk, and one event more.
const CHUNK: usize = 32_768;
/// What is said first: how long to wait, in milliseconds, before coming back.
const HELLO: &[u8] = b"retry: 2000\n\n";
/// What says that all is well.
const COMMENT: &[u8] = b":\n\n";

/// The events of one reader.
pub(super) struct Reader {
    place: Place,
    ending: CancellationToken,
    /// When it has been still for too long.
    still_at: Instant,
    is_new: bool,
    budget: Budget,
}

/// Outcomes in this second.
struct Budget {
    since: Instant,
    told: u8,
}

impl Budget {
    /// Whether one more may be told of `most` a second.
    fn takes(&mut self, most: u8, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, told: 0 };
        }
        let takes = self.told < most;
        self.told += u8::from(takes);
        takes
    }
}

impl Reader {
    /// The events of `place`, which end when `ending` is cancelled.
    pub(super) fn new(place: Place, ending: CancellationToken) -> Self {
        let now = Instant::now();
        let budget = Budget { since: now, told: 0 };
        Self { place, ending, still_at: now + STILL, is_new: true, budget }
    }

    /// The body of an answer.
    pub(super) fn into_stream(self) -> Chunks {
        Chunks { next: Box::pin(self.next()) }
    }

    async fn next(mut self) -> Option<(Self, Bytes)> {
        if std::mem::take(&mut self.is_new) {
            return Some((self, Bytes::from_static(HELLO)));
        }
        let mut text = BytesMut::new();
        while text.is_empty() {
            tokio::select! {
                biased;
                () = self.ending.cancelled() => return None,
                told = self.place.receiver.recv() => self.take(told, &mut text)?,
                () = sleep_until(self.still_at) => text.extend_from_slice(COMMENT),
            }
        }
        // What comes shortly after goes along: many readers are woken less often.
        let gather = sleep(GATHER);
        if self.ending.run_until_cancelled(gather).await.is_none() {
            return Some((self, text.freeze()));
        }
        while text.len() < CHUNK {
            let told = match self.place.receiver.try_recv() {
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Ok(told) => Ok(told),
            };
            if self.take(told, &mut text).is_none() {
                break;
            }
        }
        self.still_at = Instant::now() + STILL;
        Some((self, text.freeze()))
    }

    /// Puts what was told into `text`, if it is wanted; `None` when there will be no more.
    fn take(&mut self, told: Result<Told, RecvError>, text: &mut BytesMut) -> Option<()> {
        match told {
            Ok(told) if self.is_wanted(told.about) => text.extend_from_slice(&told.text),
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                text.extend_from_slice(&resync(missed));
            }
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    fn is_wanted(&mut self, about: About) -> bool {
        let wants = self.place.wants;
        let most = wants.outcomes;
        match (about, wants.target) {
            (About::Fleet, _) | (About::Change(_), None) => true,
            (About::Change(target), Some(own)) => target == own,
            (About::Outcome { target, .. }, Some(own)) => {
                target == own && self.budget.takes(most, Instant::now())
            }
            (About::Outcome { rank: Some(rank), .. }, None) => {
                rank < most && self.budget.takes(most, Instant::now())
            }
            (About::Outcome { rank: None, .. }, None) => false,
        }
    }
}

/// What a reader gets next, and the reader.
type Next = Pin<Box<dyn Future<Output = Option<(Reader, Bytes)>> + Send>>;

/// The body of an answer that goes on for as long as somebody reads.
pub(super) struct Chunks {
    next: Next,
}

impl Stream for Chunks {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(next) = self.next.as_mut().poll(context) else { return Poll::Pending };
        Poll::Ready(next.map(|(reader, text)| {
            self.next = Box::pin(reader.next());
            Ok(text)
        }))
    }
}
