//! Misbehaves towards one visitor.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;

use super::answer::{self, Request};
use super::behaviour::{Behaviour, Body, Fault};
use super::converse::{Wire, send, silence};
use super::visit::Visit;

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const BAD_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\nok";

/// Does what `fault` says in place of an answer to the request.
pub(crate) async fn commit<W: Wire>(
    wire: &mut W,
    visit: &mut Visit,
    fault: Fault,
    (behaviour, request): (&Behaviour, Request<'_>),
) -> io::Result<()> {
    let mut out = Vec::new();
    let mut behaviour = behaviour.clone();
    if matches!(fault, Fault::Short | Fault::ResetMid | Fault::DripBody)
        && matches!(behaviour.body, Body::Filler(length) if length < 1000)
    {
        behaviour.body = Body::Filler(1000);
    }
    let parts = answer::write(&visit.state, &behaviour, request, &mut out);
    let (head, body) = out.split_at(parts.head);
    let half = &out[..(parts.head + parts.body / 2).min(out.len())];
    match fault {
        Fault::Silent => silence(wire).await,
        Fault::HangHead => {
            wire.write_all(&head[..10]).await?;
            wire.flush().await?;
            silence(wire).await
        }
        Fault::Drip => drip(wire, &out).await,
        Fault::DripBody => {
            wire.write_all(head).await?;
            drip(wire, body).await
        }
        Fault::EndlessHeaders => {
            let line = b"X-Endless: 0123456789012345678901234567890123456789\r\n";
            endless(wire, b"HTTP/1.1 200 OK\r\n", &line.repeat(200)).await
        }
        Fault::EndlessBody => endless(wire, b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 16 << 10]).await,
        Fault::EndlessChunks => {
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            endless(wire, CHUNKED, &chunk).await
        }
        Fault::Reset => reset(wire),
        Fault::ResetMid => {
            wire.write_all(half).await?;
            wire.flush().await?;
            // A reset throws away what is still on its way: the half gets time to arrive.
            tokio::time::sleep(Duration::from_millis(50)).await;
            reset(wire)
        }
        Fault::Short => last(wire, visit, half).await,
        Fault::Close => last(wire, visit, b"").await,
        Fault::Garbage => last(wire, visit, b"\x00\x01SSH-2.0-fleet\r\n\xff\xfe\r\n\r\n").await,
        Fault::BadChunk => {
            last(wire, visit, &[CHUNKED, b"5\r\nhello\r\nzz\r\nworld\r\n"].concat()).await
        }
        Fault::BadHead => last(wire, visit, BAD_HEAD).await,
    }
}

/// Writes the last there is to say and closes.
async fn last<W: Wire>(wire: &mut W, visit: &mut Visit, out: &[u8]) -> io::Result<()> {
    send(wire, visit, out).await?;
    wire.shutdown().await
}

/// Writes a byte a second.
async fn drip<W: Wire>(wire: &mut W, out: &[u8]) -> io::Result<()> {
    for byte in out {
        wire.write_all(&[*byte]).await?;
        wire.flush().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    wire.shutdown().await
}

/// Writes `head` and then `part` until the visitor has gone.
async fn endless<W: Wire>(wire: &mut W, head: &[u8], part: &[u8]) -> io::Result<()> {
    wire.write_all(head).await?;
    loop {
        wire.write_all(part).await?;
    }
}

/// Makes the end of the connection, which follows, a reset.
fn reset<W: Wire>(wire: &W) -> io::Result<()> {
    SockRef::from(wire.tcp()).set_linger(Some(Duration::ZERO))
}
