//! Serves a port with a task for each connection: plain, over TLS, and by HTTP/2 where chosen.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer;
use super::behaviour::Body;
use super::converse::{converse, delay};
use super::desk::{SHORTAGE, loopback};
use super::state::State;
use super::visit::Visit;

/// What a port speaks.
#[derive(Clone)]
pub(crate) enum Speech {
    /// HTTP.
    Plain,
    /// HTTP over TLS.
    Tls(Arc<ServerConfig>),
    /// Plain text where TLS is expected.
    Babble,
}

/// Serves the connections of `listener` until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    speech: Speech,
    state: Arc<State>,
) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(SHORTAGE).await;
            continue;
        };
        if let Some(address) = loopback(Some(peer), stream.local_addr().ok()) {
            let visit = Visit::new(&state, address, Instant::now());
            tasks.spawn(speak(stream, speech.clone(), visit));
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn speak(stream: TcpStream, speech: Speech, visit: Visit) -> io::Result<()> {
    match speech {
        Speech::Plain => converse(stream, visit, Vec::new()).await,
        Speech::Tls(config) => greet(stream, config, visit).await,
        Speech::Babble => babble(stream, visit).await,
    }
}

async fn greet(stream: TcpStream, config: Arc<ServerConfig>, visit: Visit) -> io::Result<()> {
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return http2(stream, visit).await;
    }
    converse(stream, visit, Vec::new()).await
}

async fn babble(mut stream: TcpStream, mut visit: Visit) -> io::Result<()> {
    stream.readable().await?;
    let _ = stream.try_read(&mut [0; 4096]);
    visit.end();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno TLS here\n").await
}

/// Serves HTTP/2: delays, statuses, headers, bodies and redirects, no faults.
async fn http2(stream: TlsStream<TcpStream>, mut visit: Visit) -> io::Result<()> {
    visit.end();
    let (state, address) = (Arc::clone(&visit.state), visit.address);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut visit = Visit::again(&state, address);
        async move {
            visit.request(Instant::now());
            let path = request.uri().path().to_owned();
            let behaviour = visit.state.behaviour(&path, visit.count);
            tokio::time::sleep(delay(&behaviour, &visit)).await;
            let _ = request.into_body().collect().await;
            visit.end();
            let mut response = translate(&visit.state, &behaviour, &path);
            for (name, value) in &behaviour.headers {
                if let (Ok(name), Ok(value)) =
                    (name.parse::<hyper::header::HeaderName>(), value.parse())
                {
                    response.headers_mut().append(name, value);
                }
            }
            visit.answered();
            Ok::<_, Infallible>(response)
        }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

fn translate(
    state: &State,
    behaviour: &super::behaviour::Behaviour,
    path: &str,
) -> Response<Full<Bytes>> {
    let request = answer::Request { method: "GET", path, host: None, received: b"" };
    let mut out = Vec::new();
    let parts = answer::write(state, behaviour, request, &mut out);
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let _ = head.parse(&out[..parts.head]);
    let mut response = Response::builder().status(head.code.unwrap_or(500));
    for header in head.headers.iter().filter(|header| header.name != "Connection") {
        if !behaviour.headers.iter().any(|(name, _)| name == header.name) {
            response = response.header(header.name, header.value);
        }
    }
    let body = match &behaviour.body {
        Body::Echo => Bytes::from(path.to_owned()),
        _ => Bytes::copy_from_slice(&out[parts.head..]),
    };
    response.body(Full::new(body)).unwrap_or_default()
}
