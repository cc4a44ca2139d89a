//! `Server`: the routes on the socket, on a thread of their own so that no question slows a poll.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::facts::Facts;
use super::routes::router;
use super::socket::{self, SocketError};

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent before its next question.
const SILENCE: Duration = Duration::from_secs(10);
/// How long answers may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// The server on the socket; dropping it ends it and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    ending: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the socket `path` and answers there. Call it with the lock of the data directory in
    /// hand, and after detaching.
    ///
    /// # Errors
    /// When the socket cannot be opened or there is no thread to be had.
    pub fn start(path: &Path, facts: Arc<dyn Facts>) -> Result<Self, SocketError> {
        let listener = socket::open(path)?;
        let ending = CancellationToken::new();
        let routes = router(facts, ending.clone());
        let token = ending.clone();
        let thread = thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || {
                if let Err(error) = run(listener, &routes, &token) {
                    tracing::error!(%error, "nobody can ask this daemon");
                }
            })
            .map_err(|source| SocketError { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), ending, thread: Some(thread) })
    }

    /// Where it answers.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
    listener: std::os::unix::net::UnixListener,
    routes: &Router,
    ending: &CancellationToken,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = UnixListener::from_std(listener)?;
        let mut connections = JoinSet::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some((stream, place)) = accept(&listener, &places, ending).await {
            while connections.try_join_next().is_some() {}
            connections.spawn(answer(stream, routes.clone(), ending.clone(), place));
        }
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        // What has not ended by now is cut off with the runtime.
        let _ = timeout(GRACE, all).await;
        Ok(())
    })
}

/// The next connection with its place, `None` when the server ends.
async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
    ending: &CancellationToken,
) -> Option<(UnixStream, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    tracing::warn!(%error, "a question was not accepted");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    };
    ending.run_until_cancelled(next).await.flatten()
}

async fn answer(
    stream: UnixStream,
    routes: Router,
    ending: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
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
