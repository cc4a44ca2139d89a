//! `Stream`: the connection to a target, plain or over TLS, and reading it without a buffer of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::check::counted::Counted;

/// What is read at once.
const READ: usize = 32 << 10;

thread_local! {
    // A poll that waits holds no buffer: it reads into its thread's when there is something.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// The connection to a target.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

impl Stream {
    /// Waits until something is there to read and hands it to `take`: an empty slice at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn read_with<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> io::Result<T> {
        poll_fn(|context| {
            BUFFER.with(|buffer| {
                let Ok(mut buffer) = buffer.try_borrow_mut() else {
                    return Poll::Ready(Err(io::ErrorKind::ResourceBusy.into()));
                };
                let mut space = ReadBuf::new(&mut buffer);
                match ready!(Pin::new(&mut *self).poll_read(context, &mut space)) {
                    Ok(()) => Poll::Ready(Ok(take(space.filled()))),
                    // Peers that hang up without a word of farewell are common and do no harm
                    // here: framing tells whether the answer is whole.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        Poll::Ready(Ok(take(&[])))
                    }
                    Err(error) => Poll::Ready(Err(error)),
                }
            })
        })
        .await
    }

    /// Waits until something came from the peer, or the connection ended.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.tcp().readable().await
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.tcp().peer_addr().ok()
    }

    /// The TCP connection below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Adds what went over it so far to the bytes of all polls: it will be kept for a while.
    pub(crate) fn tell_bytes(&mut self) {
        match self {
            Self::Plain(tcp) => tcp.tell(),
            Self::Tls(tls) => tls.get_mut().0.tell(),
        }
    }

    /// Whether an idle connection is still as it was left: open, with nothing to read.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        matches!(self.tcp().try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
