//! A conversation: the questions and answers of one connection.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::body::{Fate, Flaw, LARGEST, Received, Sent};
use super::line::{Connection, Line};
use super::seats::Seat;
use crate::api::problem::Problem;
use crate::api::services::ApiOptions;
use crate::api::visitor::Peer;

/// Headers of a question at most, and bytes of its head.
const HEADERS: usize = 64;
const HEAD: usize = 32_768;
/// Bytes of what has come and is not read yet.
const BUFFER: usize = 65_536;

/// What connections are answered by.
#[derive(Clone)]
pub(super) struct House {
    pub(super) routes: Router,
    pub(super) options: Arc<ApiOptions>,
    pub(super) ending: CancellationToken,
}

/// Somebody who has come in.
pub(super) enum Visit {
    Local(UnixStream),
    Network(TcpStream, Peer),
}

impl House {
    /// Answers who has come in, until they leave, have to leave for others, or the server ends.
    pub(super) async fn receive(self, visit: Visit, seat: Arc<Seat>) {
        let patience = self.options.patience.write;
        let (evicted, ending) = (Arc::clone(&seat), self.ending.clone());
        let talk = async {
            match visit {
                Visit::Local(stream) => {
                    let line = Line::new(stream, Arc::clone(&seat), patience);
                    self.talk(line, Peer::Socket, seat).await;
                }
                Visit::Network(stream, peer) => {
                    let line = Line::new(stream, Arc::clone(&seat), patience);
                    let Some(tls) = &self.options.tls else {
                        return self.talk(line, peer, seat).await;
                    };
                    let handshake = TlsAcceptor::from(tls.current()).accept(line);
                    let handshake = timeout(self.options.patience.handshake, handshake);
                    // Whoever cannot agree with us is told so by TLS itself.
                    if let Some(Ok(Ok(line))) = ending.run_until_cancelled(handshake).await {
                        self.talk(line, peer, seat).await;
                    }
                }
            }
        };
        tokio::select! {
            () = talk => {}
            () = evicted.evicted() => {}
        }
    }

    async fn talk(&self, line: impl Connection, peer: Peer, seat: Arc<Seat>) {
        let patience = self.options.patience;
        let service = hyper::service::service_fn(|request| {
            let (routes, seat) = (self.routes.clone(), Arc::clone(&seat));
            async move {
                let (received, fate) = heard(request, peer, &seat, patience.body);
                let response = routes.oneshot(received).await;
                response.map(|response| answered(response, seat, &fate))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
            .max_headers(HEADERS)
            .max_header_size(HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(line), service);
        let mut connection = std::pin::pin!(connection);
        // Connections fail when the other side goes away, which is its good right.
        tokio::select! {
            _ = &mut connection => {}
            () = self.ending.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}

/// A question as the routes get it.
fn heard(
    request: hyper::Request<Incoming>,
    peer: Peer,
    seat: &Arc<Seat>,
    patience: std::time::Duration,
) -> (hyper::Request<Body>, Arc<Fate>) {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(peer);
    if body.is_end_stream() {
        seat.note_busy();
        return (hyper::Request::from_parts(parts, Body::empty()), Arc::default());
    }
    // A body that comes is as good as idle: who sends it slowly must make room as well.
    seat.note_idle();
    let (received, fate) = Received::new(body, seat, patience);
    (hyper::Request::from_parts(parts, Body::new(received)), fate)
}

/// An answer as it is sent.
fn answered(response: Response, seat: Arc<Seat>, fate: &Fate) -> hyper::Response<Sent> {
    seat.note_busy();
    let flaw = fate.flaw().filter(|_| response.status().is_client_error());
    let response = match flaw {
        None => response,
        Some(Flaw::Slow) => problem(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time; send it faster, or less".to_owned(),
        ),
        Some(Flaw::Large) => {
            let detail = format!("the body is larger than {LARGEST} bytes");
            problem(StatusCode::PAYLOAD_TOO_LARGE, detail)
        }
    };
    let is_stream = response.body().size_hint().exact().is_none();
    let streaming = if is_stream { seat.begin_stream() } else { None };
    let response = if is_stream && streaming.is_none() {
        let detail = "too many answers that go on are being sent; end one, or try again later";
        problem(StatusCode::SERVICE_UNAVAILABLE, detail.to_owned())
    } else {
        response
    };
    response.map(|body| Sent::new(body, seat, streaming))
}

fn problem(status: StatusCode, detail: String) -> Response {
    let last = (header::CONNECTION, HeaderValue::from_static("close"));
    ([last], Problem::new(status, detail)).into_response()
}
