//! `Client`: asks the daemon of a data directory over its socket.

mod error;

pub use error::AskError;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::facts::Stopping;
use super::keys::{CreatedToken, NewToken, TokenRow};
use super::problem::Problem;
use super::socket::FILE_NAME;
use crate::lock::holder;
use crate::view::{Lists, Summary, TargetPage};

/// How long an answer may take to begin and to go on.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for reading list and settings again: a list may be long.
const PATIENCE_FOR_RELOAD: Duration = Duration::from_mins(3);
/// Bytes of an answer at most.
const LARGEST: usize = 1 << 30;

/// A way to the daemon of a data directory; each question is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    directory: PathBuf,
    patience: Duration,
    called: Option<String>,
}

impl Client {
    /// A way to the daemon of `directory`, which need not run.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), patience: PATIENCE, called: None }
    }

    /// The same, but no more patient than `limit`.
    #[must_use]
    pub fn with_patience(self, limit: Duration) -> Self {
        Self { patience: limit, ..self }
    }

    /// The same, where whoever answers is called `name` rather than by its directory.
    #[must_use]
    pub fn called(self, name: &str) -> Self {
        Self { called: Some(name.to_owned()), ..self }
    }

    /// What whoever answers is called: by its data directory unless it has another name.
    #[must_use]
    pub fn name(&self) -> String {
        self.called.clone().unwrap_or_else(|| self.directory.display().to_string())
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What is going on.
    ///
    /// # Errors
    /// When no daemon runs, or it cannot be asked.
    pub fn summary(&self, lists: Lists) -> Result<Summary, AskError> {
        self.value(match lists {
            Lists::Short => "/api/v1/stats",
            Lists::All => "/api/v1/stats?all=true",
        })
    }

    /// A part of the targets; `query` as in the address, as `state=down&after=9`.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or refuses the query.
    pub fn targets(&self, query: &str) -> Result<TargetPage, AskError> {
        self.value(&format!("/api/v1/targets?{query}"))
    }

    /// Whether the daemon polls.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or it does not poll; then with its reason.
    pub fn ready(&self) -> Result<(), AskError> {
        self.ask(Method::GET, "/readyz", self.patience).map(|_| ())
    }

    /// Makes the daemon begin to stop; returns how long it says that may take.
    ///
    /// # Errors
    /// When no daemon runs, or it cannot be asked.
    pub fn stop(&self) -> Result<Duration, AskError> {
        let answer = self.ask(Method::POST, "/-/stop", self.patience)?;
        // One that does not say stops all the same.
        let stopping: Stopping = serde_json::from_slice(&answer).unwrap_or_default();
        Ok(Duration::try_from_secs_f64(stopping.within_seconds).unwrap_or_default())
    }

    /// Makes the daemon read list and settings again; returns what came of it.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or it keeps what it had; then with its reason.
    pub fn reload(&self) -> Result<String, AskError> {
        let answer = self.ask(Method::POST, "/-/reload", PATIENCE_FOR_RELOAD)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// All tokens, the oldest first.
    ///
    /// # Errors
    /// When no daemon runs, or it cannot be asked.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, AskError> {
        self.value("/api/v1/tokens")
    }

    /// Makes a token; its secret is in the answer, and nowhere else.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or makes none; then with its reason.
    pub fn create_token(&self, wanted: &NewToken) -> Result<CreatedToken, AskError> {
        let body = serde_json::to_vec(wanted).map_err(|error| self.garbled(&error))?;
        let answer = self.tell(Method::POST, "/api/v1/tokens", body.into(), self.patience)?;
        serde_json::from_slice(&answer).map_err(|error| self.garbled(&error))
    }

    /// Makes the token `id` worth nothing.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or there is no such token.
    pub fn revoke_token(&self, id: &str) -> Result<TokenRow, AskError> {
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let answer = self.ask(Method::DELETE, &format!("/api/v1/tokens/{id}"), self.patience)?;
        serde_json::from_slice(&answer).map_err(|error| self.garbled(&error))
    }

    /// Hands every line of finished polls to `each` until it breaks or the daemon ends.
    ///
    /// # Errors
    /// When no daemon runs, it cannot be asked, or falls silent.
    pub fn follow(&self, mut each: impl FnMut(&str) -> ControlFlow<()>) -> Result<(), AskError> {
        runtime()?.block_on(async {
            let mut held = JoinSet::new();
            let response = self.send(&mut held, Method::GET, "/api/v1/follow", Bytes::new());
            let response = self.in_time(self.patience, response).await??;
            let mut body = self.checked(response).await?.into_body();
            let mut rest = BytesMut::new();
            loop {
                let frame = match self.in_time(self.patience, body.frame()).await? {
                    None => return Ok(()),
                    Some(frame) => frame.map_err(|error| self.garbled(&error))?,
                };
                rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line = rest.split_to(end + 1);
                    if each(String::from_utf8_lossy(&line).trim_end()).is_break() {
                        return Ok(());
                    }
                }
            }
        })
    }

    fn value<T: DeserializeOwned>(&self, path: &str) -> Result<T, AskError> {
        let answer = self.ask(Method::GET, path, self.patience)?;
        serde_json::from_slice(&answer).map_err(|error| self.garbled(&error))
    }

    fn ask(&self, method: Method, path: &str, limit: Duration) -> Result<Bytes, AskError> {
        self.tell(method, path, Bytes::new(), limit)
    }

    /// Asks with a `body` of JSON, unless it is empty.
    fn tell(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Bytes, AskError> {
        runtime()?.block_on(async {
            let mut held = JoinSet::new();
            let whole = async {
                let response = self.send(&mut held, method, path, body).await?;
                self.body(self.checked(response).await?).await
            };
            self.in_time(limit, whole).await?
        })
    }

    async fn send(
        &self,
        held: &mut JoinSet<()>,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, AskError> {
        let stream = self.connect().await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.garbled(&error))?;
        held.spawn(async move {
            // Its end is seen on the answer.
            let _ = connection.await;
        });
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .header(header::HOST, "localhost")
            .body(Full::new(body))
            .map_err(|error| self.garbled(&error))?;
        sender.send_request(request).await.map_err(|error| self.garbled(&error))
    }

    async fn connect(&self) -> Result<UnixStream, AskError> {
        // Who holds the lock says where its socket is; without a lock there is nobody to ask.
        let looked = holder(&self.directory);
        let held = looked.map_err(|error| AskError::looking(&self.directory, error))?;
        let Some(held) = held else {
            return Err(AskError::NotRunning { directory: self.directory.clone() });
        };
        let path = held.socket.unwrap_or_else(|| self.directory.join(FILE_NAME));
        UnixStream::connect(&path)
            .await
            .map_err(|error| AskError::connecting(&self.directory, &path, error))
    }

    /// `response` if it is a good one, else its problem.
    async fn checked(&self, response: Response<Incoming>) -> Result<Response<Incoming>, AskError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(response).await?;
        let problem = serde_json::from_slice(&body).unwrap_or_else(|_| {
            Problem::new(status, String::from_utf8_lossy(&body).trim().to_owned())
        });
        Err(AskError::Refused { problem })
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, AskError> {
        let limited = Limited::new(response.into_body(), LARGEST).collect().await;
        limited.map(http_body_util::Collected::to_bytes).map_err(|error| self.garbled(&*error))
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, AskError> {
        let silent = |_| AskError::Silent { directory: self.directory.clone(), after: limit };
        timeout(limit, work).await.map_err(silent)
    }

    fn garbled(&self, error: &dyn std::error::Error) -> AskError {
        AskError::Garbled { directory: self.directory.clone(), reason: error.to_string() }
    }
}

/// A status that means "not now" rather than "never".
pub(crate) fn is_unready(error: &AskError) -> bool {
    matches!(error, AskError::Refused { problem }
        if problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16())
}

fn runtime() -> Result<Runtime, AskError> {
    Builder::new_current_thread().enable_all().build().map_err(AskError::Runtime)
}
