//! Asking one name server one question: over UDP, and over TCP when the answer does not fit.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::message::{Extension, Question, Reject, Sealed};
use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::meter::{Held, Traffic};
use crate::outcome::{Cause, Detail};

/// How often a question is sent over UDP.
const TRIES: u32 = 3;
/// Bytes of a datagram that are read; none that was asked for is longer.
const DATAGRAM: usize = 4_096;

/// An answer, and how it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) message: Message,
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    /// From the first try to the answer.
    pub(super) took: Duration,
    /// Whether the server takes extensions.
    pub(super) extension: Extension,
}

/// How an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Trouble {
    /// Nothing came in time.
    Silent,
    /// What came was no answer to the question; why the last was not.
    Rejected(Reject),
    /// The way to the server is closed, or we have none.
    Closed(Fault),
}

/// Asks `server`, until `deadline` at most.
///
/// # Errors
/// Why it gives no answer.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    deadline: Instant,
) -> Result<Answer, Trouble> {
    let started = Instant::now();
    let mut extension = Extension::With;
    loop {
        let (message, transport) = exchange(server, question, extension, deadline).await?;
        let code = message.metadata.response_code;
        // Who knows no extension says that the question is malformed (RFC 6891, section 7).
        if extension == Extension::With
            && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS)
        {
            extension = Extension::Without;
            continue;
        }
        return Ok(Answer { message, server, transport, took: started.elapsed(), extension });
    }
}

async fn exchange(
    server: SocketAddr,
    question: &Question,
    extension: Extension,
    deadline: Instant,
) -> Result<(Message, Transport), Trouble> {
    let seal = || question.seal(extension).ok_or(Trouble::Closed(Fault::setting()));
    let message = over_udp(server, &seal()?, deadline).await?;
    if !message.metadata.truncation {
        return Ok((message, Transport::Udp));
    }
    let sealed = seal()?;
    let answer = timeout_at(deadline, over_tcp(server, &sealed)).await;
    Ok((answer.unwrap_or(Err(Trouble::Silent))?, Transport::Tcp))
}

/// Sends the question a few times, and takes the first answer to it.
///
/// The socket has a port of its own that is hard to guess, and hears nobody but the server.
pub(super) async fn over_udp(
    server: SocketAddr,
    sealed: &Sealed,
    deadline: Instant,
) -> Result<Message, Trouble> {
    let closed = |error: io::Error| Trouble::Closed(fault_of(&error, server));
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(closed)?;
    socket.connect(server).await.map_err(closed)?;
    let mut last = Trouble::Silent;
    for left in (0..TRIES).rev() {
        let went = socket.send(&sealed.bytes).await.map_err(closed)? as u64;
        Traffic { came: 0, went }.tell();
        let now = Instant::now();
        let patience = deadline.saturating_duration_since(now) / 4;
        let until = if left == 0 { deadline } else { now + patience };
        if let Ok(heard) = timeout_at(until, hear(&socket, sealed, &mut last)).await {
            return heard.map_err(closed);
        }
    }
    Err(last)
}

/// The first answer that `socket` hears; why others are none is noted in `last`.
pub(in crate::check) async fn hear(
    socket: &UdpSocket,
    sealed: &Sealed,
    last: &mut Trouble,
) -> io::Result<Message> {
    let mut buffer = vec![0; DATAGRAM];
    let _held = Held::of(DATAGRAM);
    loop {
        let length = socket.recv(&mut buffer).await?;
        Traffic { came: length as u64, went: 0 }.tell();
        match sealed.answer(buffer.get(..length).unwrap_or_default()) {
            Ok(message) => return Ok(message),
            Err(reject) => *last = Trouble::Rejected(reject),
        }
    }
}

/// Asks over a connection, where every message has its length before it (RFC 7766, section 8).
pub(in crate::check) async fn over_tcp(
    server: SocketAddr,
    sealed: &Sealed,
) -> Result<Message, Trouble> {
    let closed = |error: io::Error| Trouble::Closed(fault_of(&error, server));
    let mut stream = Counted::new(TcpStream::connect(server).await.map_err(closed)?);
    let length = u16::try_from(sealed.bytes.len()).unwrap_or(u16::MAX);
    let framed = [&length.to_be_bytes()[..], &sealed.bytes].concat();
    stream.write_all(&framed).await.map_err(closed)?;
    let mut buffer = Vec::new();
    let mut held = Held::none();
    let mut last = Trouble::Closed(Fault::protocol(Detail::NoAnswer));
    loop {
        let Ok(length) = stream.read_u16().await else { return Err(last) };
        buffer.resize(usize::from(length), 0);
        held.set(buffer.capacity());
        if stream.read_exact(&mut buffer).await.is_err() {
            return Err(Trouble::Rejected(Reject::Malformed));
        }
        match sealed.answer(&buffer) {
            Ok(message) => return Ok(message),
            Err(reject) => last = Trouble::Rejected(reject),
        }
    }
}

/// What stands between us and `server` by `error`.
pub(in crate::check) fn fault_of(error: &io::Error, server: SocketAddr) -> Fault {
    match Errno::from_io_error(error) {
        // Without an IPv6 address of our own, the kernel finds none to send from.
        Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) if server.is_ipv6() => {
            Fault::new(Cause::NoNetwork, Detail::None)
        }
        _ => Fault::of_connect(error),
    }
}
