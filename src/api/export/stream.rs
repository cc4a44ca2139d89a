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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;
    use tokio_stream::StreamExt;

    /// Writes a letter for every row.
    struct Letters;

    impl RowWriter<u8> for Letters {
        fn begin(&mut self) -> io::Result<Vec<u8>> {
            Ok(b"<".to_vec())
        }

        fn write(&mut self, rows: Vec<u8>) -> io::Result<Vec<u8>> {
            Ok(rows)
        }

        fn end(&mut self) -> io::Result<Vec<u8>> {
            Ok(b">".to_vec())
        }
    }

    /// An export without end, how many of its parts were read, and the places of exports.
    fn endless() -> (Export, Arc<AtomicUsize>, Arc<Semaphore>, CancellationToken) {
        let (read, places) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1)));
        let counted = Arc::clone(&read);
        let parts: Parts<u8> = Box::new(std::iter::from_fn(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Some(Ok(vec![b'x']))
        }));
        let place = Arc::clone(&places).try_acquire_owned().expect("a place");
        let ending = CancellationToken::new();
        let export = Work::new(parts, Box::new(Letters)).into_stream(place, ending.clone());
        (export, read, places, ending)
    }

    #[tokio::test]
    async fn an_export_ends_with_what_stands_behind_its_rows() {
        let parts: Parts<u8> = Box::new([Ok(b"ab".to_vec()), Ok(Vec::new())].into_iter());
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a place");
        let work = Work::new(parts, Box::new(Letters));
        let export = work.into_stream(place, CancellationToken::new());
        let chunks: Vec<_> = export.map(|chunk| chunk.expect("bytes")).collect().await;
        assert_eq!(chunks.concat(), b"<ab>");
    }

    #[tokio::test]
    async fn a_part_that_cannot_be_read_breaks_the_answer_off() {
        let fault = crate::api::PastError::Unreadable("the disk is gone".to_owned());
        let parts: Parts<u8> = Box::new([Ok(b"ab".to_vec()), Err(fault)].into_iter());
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a place");
        let work = Work::new(parts, Box::new(Letters));
        let export = work.into_stream(place, CancellationToken::new());
        let chunks: Vec<_> = export.collect().await;
        let last = chunks.last().and_then(|chunk| chunk.as_ref().err()).expect("an error");
        assert_eq!((chunks.len(), last.to_string().as_str()), (3, "the disk is gone"));
    }

    #[tokio::test]
    async fn nothing_is_read_that_the_client_does_not_take() {
        let (mut export, read, places, _ending) = endless();
        for _ in 0..5 {
            export.next().await.expect("more").expect("bytes");
        }
        // What waits, what is about to wait, and nothing else.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(read.load(Ordering::Relaxed) <= 4 + WAITING + 1, "{read:?}");
        drop(export);
        let place = timeout(STALL, places.acquire()).await;
        assert!(place.is_ok(), "a client that goes away leaves its place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_for_a_minute_is_left() {
        let (mut export, _, places, _ending) = endless();
        export.next().await.expect("more").expect("bytes");
        let place = timeout(2 * STALL, places.acquire()).await;
        assert!(place.is_ok(), "its place is free again");
        let chunks: Vec<_> = export.collect().await;
        assert!(chunks.last().is_some_and(Result::is_err), "and what it has is not all");
    }

    #[tokio::test]
    async fn a_daemon_that_stops_waits_for_no_export() {
        let (mut export, _, places, ending) = endless();
        export.next().await.expect("more").expect("bytes");
        ending.cancel();
        let place = timeout(STALL, places.acquire()).await;
        assert!(place.is_ok());
        let chunks: Vec<_> = export.collect().await;
        assert!(chunks.last().is_some_and(Result::is_err));
    }
}
