//! `Counted`: a TCP connection that counts the bytes that go over it, and tells them at its end.

use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::check::meter::Traffic;

/// A TCP connection below everything else that is spoken over it, so that TLS counts as well.
#[derive(Debug)]
pub(crate) struct Counted {
    tcp: TcpStream,
    moved: Traffic,
}

impl Counted {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, moved: Traffic::default() }
    }

    /// Adds what went over it so far to the bytes of all polls: it will be kept for a while.
    pub(crate) fn tell(&mut self) {
        self.moved.tell();
    }

    fn went(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(length)) = result {
            self.moved.went += length as u64;
        }
        result
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tell();
    }
}

/// What reads and writes is ours; all else is that of the connection.
impl Deref for Counted {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        self.moved.came += (buffer.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.went(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write_vectored(context, parts);
        self.went(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn bytes_are_counted_both_ways_and_told_at_the_end() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let there = listener.local_addr().expect("a bound listener has an address");
        let mut counted = Counted::new(TcpStream::connect(there).await.expect("it listens"));
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.write_all(&[7; 300]).expect("it is read");
        counted.read_exact(&mut [0; 300]).await.expect("they come");
        counted.write_all(&[7; 1_000]).await.expect("there is room");
        let parts = [io::IoSlice::new(&[7; 20]), io::IoSlice::new(&[7; 3])];
        assert_eq!(counted.write_vectored(&parts).await.expect("there is room"), 23);
        assert_eq!(counted.moved, Traffic { came: 300, went: 1_023 });
        let before = crate::check::traffic();
        drop(counted);
        // Other tests move bytes as well.
        let after = crate::check::traffic();
        assert!(after.came >= before.came + 300 && after.went >= before.went + 1_023);
    }
}
