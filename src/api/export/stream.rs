//! `Work`: an export on its way, a part at a time and never further ahead than its client reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use super::format::RowWriter;
use crate::api::past::Parts;

/// Parts that may wait for the client.
const WAITING: usize = 1;
/// How long a client may take nothing before its export ends.
const STALL: Duration = Duration::from_mins(1);

/// An export on its way.
pub(super) struct Work<T> {
    parts: Parts<T>,
    writer: Box<dyn RowWriter<T>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Begins,
    GoesOn,
    HasEnded,
}

/// What goes to the client.
enum Message {
    Bytes(Bytes),
    /// That was all.
    End,
    /// There would be more, and it cannot be had.
    Broken(String),
}

impl<T: Send + 'static> Work<T> {
    /// The rows of `parts`, as `writer` writes them.
    pub(super) fn new(parts: Parts<T>, writer: Box<dyn RowWriter<T>>) -> Self {
        Self { parts, writer, state: State::Begins }
    }

    /// The bytes of the export. It keeps `place` until it ends, and ends early when `ending` is
    /// cancelled, when the client takes nothing for a minute, or when it goes away.
    pub(super) fn into_stream(
        self,
        place: OwnedSemaphorePermit,
        ending: CancellationToken,
    ) -> Export {
        let (sender, messages) = channel(WAITING);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let _place = place;
            ending.run_until_cancelled(self.run(sender)).await;
        });
        Export { messages, _work: work, is_over: false }
    }

    async fn run(mut self, sender: Sender<Message>) {
        loop {
            // Whatever is read of the store is read at once; nothing stays open while it is sent.
            let step = spawn_blocking(move || {
                let message = self.step();
                (self, message)
            });
            let Ok((work, message)) = step.await else { return };
            self = work;
            let is_last = !matches!(message, Message::Bytes(_));
            let is_taken = timeout(STALL, sender.send(message)).await;
            if is_last || !matches!(is_taken, Ok(Ok(()))) {
                return;
            }
        }
    }

    fn step(&mut self) -> Message {
        loop {
            match self.bytes() {
                Ok(None) => return Message::End,
                // Rows may be kept back until there are enough of them.
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return Message::Bytes(bytes.into()),
                Err(reason) => return Message::Broken(reason),
            }
        }
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, String> {
        let written = match self.state {
            State::HasEnded => return Ok(None),
            State::Begins => {
                self.state = State::GoesOn;
                self.writer.begin()
            }
            State::GoesOn => {
                if let Some(part) = self.parts.next() {
                    self.writer.write(part.map_err(|error| error.to_string())?)
                } else {
                    self.state = State::HasEnded;
                    self.writer.end()
                }
            }
        };
        written.map(Some).map_err(|error| error.to_string())
    }
}

/// The bytes of an export; dropping it ends the export.
pub(super) struct Export {
    messages: Receiver<Message>,
    _work: JoinSet<()>,
    is_over: bool,
}

impl Stream for Export {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.messages.poll_recv(context).map(|message| match message {
            Some(Message::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Message::End) => {
                self.is_over = true;
                None
            }
            // An answer that is broken off is not taken for a whole one.
            other => {
                self.is_over = true;
                let reason = match other {
                    Some(Message::Broken(reason)) => reason,
                    _ => "it was taken too slowly, or the daemon stops".to_owned(),
                };
                tracing::warn!("an export ended early: {reason}");
                Some(Err(io::Error::other(reason)))
            }
        })
    }
}
