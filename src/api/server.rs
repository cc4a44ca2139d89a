//! `Server`: the routes on the socket and on the network, on a thread of their own so that no
//! question slows a poll.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::routes::router;
use super::services::Services;
use super::socket::{self, SocketError};
use super::visitor::Peer;

/// Connections at a time, over the socket and over the network each; further ones wait.
const CONNECTIONS: usize = 320;
/// How long a connection may be silent before its next question.
const SILENCE: Duration = Duration::from_secs(10);
/// How long answers may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// The server; dropping it ends it and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    address: Option<SocketAddr>,
    ending: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Opens `address` for the API.
///
/// # Errors
/// It is taken or may not be used.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Server {
    /// Opens the socket `path` and answers there and at `network`. Call it with the lock of the
    /// data directory in hand, and after detaching.
    ///
    /// # Errors
    /// When the socket cannot be opened or there is no thread to be had.
    pub fn start(
        path: &Path,
        network: Option<std::net::TcpListener>,
        services: &Services,
    ) -> Result<Self, SocketError> {
        let failed = |source| SocketError { path: path.to_owned(), source };
        let local = socket::open(path)?;
        let address = network.as_ref().and_then(|network| network.local_addr().ok());
        let ending = CancellationToken::new();
        let routes = router(services, &ending);
        let token = ending.clone();
        let thread = thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || {
                if let Err(error) = run(local, network, &routes, &token) {
                    tracing::error!(%error, "nobody can ask this daemon");
                }
            })
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), address, ending, thread: Some(thread) })
    }

    /// Where its socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it answers on the network.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.ending.cancel();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so in the log.
            let _ = thread.join();
        }
    }
}

fn run(
    local: std::os::unix::net::UnixListener,
    network: Option<std::net::TcpListener>,
    routes: &Router,
    ending: &CancellationToken,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let local = UnixListener::from_std(local)?;
        let network = network.map(TcpListener::from_std).transpose()?;
        let mut doors = JoinSet::new();
        let door = |peers: Peers| Door { routes: routes.clone(), ending: ending.clone(), peers };
        doors.spawn(door(Peers::Local(local)).keep());
        if let Some(network) = network {
            doors.spawn(door(Peers::Network(network)).keep());
        }
        while doors.join_next().await.is_some() {}
        Ok(())
    })
}

/// Where connections come in.
enum Peers {
    Local(UnixListener),
    Network(TcpListener),
}

/// A connection of either kind.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

impl Peers {
    async fn accept(&self) -> io::Result<(Box<dyn Connection>, Peer)> {
        match self {
            Self::Local(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Peer::Socket))
            }
            Self::Network(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole; it only costs time to wait for more.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Peer::Network(address)))
            }
        }
    }
}

struct Door {
    routes: Router,
    ending: CancellationToken,
    peers: Peers,
}

impl Door {
    /// Answers everybody who comes in, until the server ends.
    async fn keep(self) {
        let mut connections = JoinSet::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some((stream, peer, place)) = self.next(&places).await {
            while connections.try_join_next().is_some() {}
            let answering = answer(stream, peer, self.routes.clone(), self.ending.clone());
            connections.spawn(async move {
                answering.await;
                drop(place);
            });
        }
        drop(self.peers);
        let all = async { while connections.join_next().await.is_some() {} };
        // What has not ended by now is cut off with the runtime.
        let _ = timeout(GRACE, all).await;
    }

    /// The next connection with its place, `None` when the server ends.
    async fn next(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(Box<dyn Connection>, Peer, OwnedSemaphorePermit)> {
        let next = async {
            let place = Arc::clone(places).acquire_owned().await.ok()?;
            loop {
                match self.peers.accept().await {
                    Ok((stream, peer)) => return Some((stream, peer, place)),
                    Err(error) => {
                        tracing::warn!(%error, "a question was not accepted");
                        sleep(Duration::from_millis(200)).await;
                    }
                }
            }
        };
        self.ending.run_until_cancelled(next).await.flatten()
    }
}

async fn answer(
    stream: Box<dyn Connection>,
    peer: Peer,
    routes: Router,
    ending: CancellationToken,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Connections fail when the other side goes away, which is its good right.
    tokio::select! {
        _ = &mut connection => {}
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
