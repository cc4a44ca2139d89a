//! `Line`: a connection that does not wait for ever for the other side to read, and lets it read
//! the last answer before it is cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::seats::Seat;

/// How long what nobody wants is still taken from the other side after the last answer: cut at
/// once, that answer may be lost on its way.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes of it that are taken at most; behind them it waits where it is.
const UNWANTED: usize = 1 << 20;

/// A connection of either kind.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

/// A connection with its seat.
pub(super) struct Line<S> {
    stream: S,
    seat: Arc<Seat>,
    /// How long the other side may take nothing.
    patience: Duration,
    /// Ends when it has taken nothing for that long.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Ends when what nobody wants is taken no more.
    lingering: Option<Pin<Box<Sleep>>>,
    /// Bytes of it so far.
    unwanted: usize,
}

impl<S: Connection> Line<S> {
    /// `stream` to somebody who may take nothing for `patience` while they are sent something.
    pub(super) fn new(stream: S, seat: Arc<Seat>, patience: Duration) -> Self {
        Self { stream, seat, patience, stalled: None, lingering: None, unwanted: 0 }
    }

    /// Holds against `written` how long nothing could be.
    fn hold<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Connection> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Connection> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.hold(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.hold(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let shut = Pin::new(&mut self.stream).poll_shutdown(context);
            ready!(self.hold(shut, context))?;
        }
        if !self.seat.is_unread() {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        let lingering = this.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut bytes = [0; 4_096];
        while lingering.as_mut().poll(context).is_pending() {
            if this.unwanted >= UNWANTED {
                return Poll::Pending;
            }
            let mut unwanted = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut unwanted))?;
            if unwanted.filled().is_empty() {
                break;
            }
            this.unwanted += unwanted.filled().len();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.hold(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
