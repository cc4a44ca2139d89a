//! `Server`: the routes on the socket and on the network, on a thread of their own so that no
//! question slows a poll.

mod body;
mod conversation;
mod line;
mod seats;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(super) use body::LARGEST;
pub use tls::{Tls, TlsError};

use super::routes::router;
use super::services::Services;
use super::socket::{self, SocketError};
use super::visitor::Peer;
use conversation::{House, Visit};
use seats::Seats;

/// Connections over the socket at a time.
const CONNECTIONS: usize = 400;
/// Connections over the network that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long answers may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// The server; dropping it ends it and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    address: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    ending: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Opens `address` for the API.
///
/// # Errors
/// It is taken or may not be used.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    // More may come at once than the usual number that waits to be let in.
    socket2::SockRef::from(&listener).listen(BACKLOG)?;
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
        let local = socket::open(path)?;
        Self::serve(path, (Some(local), network), services)
    }

    /// Answers at `network` alone.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn on_network(
        network: std::net::TcpListener,
        services: &Services,
    ) -> Result<Self, SocketError> {
        Self::serve(Path::new(""), (None, Some(network)), services)
    }

    fn serve(
        path: &Path,
        (local, network): (Option<std::os::unix::net::UnixListener>, Option<std::net::TcpListener>),
        services: &Services,
    ) -> Result<Self, SocketError> {
        let failed = |source| SocketError { path: path.to_owned(), source };
        let address = network.as_ref().and_then(|network| network.local_addr().ok());
        let ending = CancellationToken::new();
        let house = House {
            routes: router(services, &ending),
            options: Arc::clone(&services.options),
            ending: ending.clone(),
        };
        let thread = thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || {
                if let Err(error) = run(local, network, &house) {
                    tracing::error!(%error, "nobody can ask this daemon");
                }
            })
            .map_err(failed)?;
        let tls = services.options.tls.clone();
        Ok(Self { path: path.to_owned(), address, tls, ending, thread: Some(thread) })
    }

    /// Where its socket is; empty when it has none.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it answers on the network.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Reads its certificate again, if it has one; the log says what came of it.
    pub fn renew_certificate(&self) {
        match self.tls.as_ref().map(|tls| tls.renew()) {
            None => {}
            Some(Ok(())) => tracing::info!("the certificate of the API was read again"),
            Some(Err(error)) => {
                tracing::error!("the API keeps the certificate that it has: {error}");
            }
        }
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
    local: Option<std::os::unix::net::UnixListener>,
    network: Option<std::net::TcpListener>,
    house: &House,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let local = local.map(UnixListener::from_std).transpose()?;
        let network = network.map(TcpListener::from_std).transpose()?;
        let mut doors = JoinSet::new();
        if let Some(local) = local {
            doors.spawn(keep(house.clone(), Peers::Local(local), Seats::new(CONNECTIONS)));
        }
        if let Some(network) = network {
            let seats = Seats::new(house.options.connections);
            doors.spawn(keep(house.clone(), Peers::Network(network), seats));
        }
        while doors.join_next().await.is_some() {}
        Ok(())
    });
    // What still works for somebody on a thread of its own is not waited for.
    runtime.shutdown_background();
    done
}

/// Where connections come in.
enum Peers {
    Local(UnixListener),
    Network(TcpListener),
}

impl Peers {
    async fn accept(&self) -> io::Result<Visit> {
        match self {
            Self::Local(listener) => {
                listener.accept().await.map(|(stream, _)| Visit::Local(stream))
            }
            Self::Network(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole; it only costs time to wait for more.
                let _ = stream.set_nodelay(true);
                Ok(Visit::Network(stream, Peer::Network(address)))
            }
        }
    }

    /// The next who comes in.
    async fn next(&self) -> Visit {
        loop {
            match self.accept().await {
                Ok(visit) => return visit,
                Err(error) => {
                    tracing::warn!(%error, "a question was not accepted");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }
}

/// Answers everybody who comes in, until the server ends.
async fn keep(house: House, peers: Peers, seats: Arc<Seats>) {
    let mut connections = JoinSet::new();
    let next = async || {
        let visit = peers.next().await;
        (visit, seats.take().await)
    };
    while let Some((visit, seat)) = house.ending.run_until_cancelled(next()).await {
        while connections.try_join_next().is_some() {}
        connections.spawn(house.clone().receive(visit, seat));
    }
    drop(peers);
    let all = async { while connections.join_next().await.is_some() {} };
    // What has not ended by now is cut off with the runtime.
    let _ = timeout(GRACE, all).await;
}
