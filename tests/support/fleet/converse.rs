//! Serves one connection with all that a behaviour may ask for, whatever it costs.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::address::mix;
use super::answer::{self, Request};
use super::behaviour::{Act, Behaviour, Connection};
use super::visit::Visit;
use super::{control, fault};

/// The longest head of a request, in bytes.
const HEAD_LIMIT: usize = 64 << 10;
/// The longest body of a request, in bytes.
const BODY_LIMIT: usize = 16 << 20;

/// A byte stream that has a TCP connection below it.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A request that lies whole in the buffer it was read into.
struct Received {
    method: String,
    path: String,
    host: Option<String>,
    head: usize,
    body: usize,
}

/// Serves `wire` until its end; `received` is what was read of it already.
pub(crate) async fn converse<W: Wire>(
    mut wire: W,
    mut visit: Visit,
    mut received: Vec<u8>,
) -> io::Result<()> {
    loop {
        let mut since = visit.since;
        if received.is_empty() {
            wire.read_buf(&mut received).await?;
            since = Instant::now();
        }
        let Some(request) = read(&mut wire, &mut received).await? else { return Ok(()) };
        if control_path(&request.path) {
            visit.end();
            let body = &received[request.head..request.head + request.body];
            let (status, text) = control::answer(&visit.state, &request.path, body);
            let head = format!("HTTP/1.1 {status} Control\r\nContent-Length: {}\r\n", text.len());
            wire.write_all(format!("{head}Connection: close\r\n\r\n{text}").as_bytes()).await?;
            return wire.shutdown().await;
        }
        visit.request(since);
        let end = request.head + request.body;
        let behaviour = visit.state.behaviour(&request.path, visit.count);
        if visit.state.is_silent(visit.address) {
            return silence(&mut wire).await;
        }
        pause(&mut wire, &mut received, delay(&behaviour, &visit)).await?;
        let asked = Request {
            method: &request.method,
            path: &request.path,
            host: request.host.as_deref(),
            received: &received[..end],
        };
        if let Act::Fault(fault) = behaviour.act {
            return fault::commit(&mut wire, &mut visit, fault, (&behaviour, asked)).await;
        }
        let mut out = Vec::with_capacity(512);
        answer::write(&visit.state, &behaviour, asked, &mut out);
        send(&mut wire, &mut visit, &out).await?;
        if behaviour.connection == Connection::Close {
            return wire.shutdown().await;
        }
        received.drain(..end);
        visit.since = Instant::now();
    }
}

/// Whether `path` is for steering the fleet.
pub(crate) fn control_path(path: &str) -> bool {
    path.starts_with("/_")
}

/// How long to wait, counted from when the request could be read.
pub(crate) fn delay(behaviour: &Behaviour, visit: &Visit) -> Duration {
    let (low, high) = behaviour.delay_ms;
    let low_us = u64::from(low) * 1000;
    let span_us = u64::from(high.saturating_sub(low)) * 1000;
    if span_us == 0 {
        return Duration::from_micros(low_us);
    }
    let drawn = mix(u64::from(u32::from(visit.address)), u64::from(visit.count));
    Duration::from_micros(low_us + drawn % (span_us + 1))
}

/// Reads until a whole request lies in `received`; nothing when the visitor has gone before.
async fn read<W: Wire>(wire: &mut W, received: &mut Vec<u8>) -> io::Result<Option<Received>> {
    loop {
        if let Some(request) = parse(received)? {
            while received.len() < request.head + request.body {
                if wire.read_buf(received).await? == 0 {
                    return Ok(None);
                }
            }
            return Ok(Some(request));
        }
        if received.len() > HEAD_LIMIT || wire.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse(received: &[u8]) -> io::Result<Option<Received>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let httparse::Status::Complete(head) =
        request.parse(received).map_err(|error| wrong(error.to_string()))?
    else {
        return Ok(None);
    };
    let value = |name: &str| {
        let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let body = value("content-length").map_or(Ok(0), |length| length.trim().parse::<usize>());
    let body = body.map_err(|error| wrong(error.to_string()))?.min(BODY_LIMIT);
    let host = value("host").map(|host| host.rsplit_once(':').map_or(host, |(host, _)| host));
    Ok(Some(Received {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or("/").to_owned(),
        host: host.map(str::to_owned),
        head,
        body,
    }))
}

/// Waits until `delay` after the request could be read, or until the visitor has gone.
async fn pause<W: Wire>(wire: &mut W, received: &mut Vec<u8>, delay: Duration) -> io::Result<()> {
    if delay.is_zero() {
        return Ok(());
    }
    let sleep = tokio::time::sleep(delay);
    tokio::pin!(sleep);
    loop {
        tokio::select! {
            () = &mut sleep => return Ok(()),
            read = wire.read_buf(received) => if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Says nothing until the visitor has gone.
pub(crate) async fn silence<W: Wire>(wire: &mut W) -> io::Result<()> {
    let mut unheard = [0; 1024];
    while wire.read(&mut unheard).await? > 0 {}
    Ok(())
}

/// Writes a whole answer and counts it.
pub(crate) async fn send<W: Wire>(wire: &mut W, visit: &mut Visit, out: &[u8]) -> io::Result<()> {
    visit.end();
    wire.write_all(out).await?;
    wire.flush().await?;
    visit.answered();
    Ok(())
}
