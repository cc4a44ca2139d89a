//! A list behind an http or https URL, fetched again only when it has changed.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::{
    ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::{Response, StatusCode};
use tokio::sync::mpsc;

use crate::address::Address;
use crate::config::rules::Rules;
use crate::config::substitute::Origin;
use crate::config::targets::{List, ListError, read};

/// Bytes that a remote list may have.
const LARGEST: u64 = 1 << 30;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Below the time that whoever asks for a reload waits.
const WHOLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Pieces of the answer that wait to be parsed.
const PIECES: usize = 8;

/// A list behind a URL, and what the last answer said of its version.
#[derive(Debug)]
pub struct Remote {
    client: reqwest::Client,
    address: Address,
    shown: Arc<str>,
    version: HeaderMap,
}

impl Remote {
    /// A list at `address`, fetched with the trust of `tls` under the name `user_agent`.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(
        address: Address,
        tls: rustls::ClientConfig,
        user_agent: &str,
    ) -> Result<Self, ListError> {
        let shown: Arc<str> = address.to_string().into();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(user_agent)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(WHOLE_TIMEOUT)
            .build()
            .map_err(|error| unfetched(&shown, &error))?;
        Ok(Self { client, address, shown, version: HeaderMap::new() })
    }

    /// Fetches the list; nothing when it is still the one of the last fetch that was kept.
    ///
    /// # Errors
    /// The list cannot be fetched, or as [`read`].
    pub async fn fetch(&mut self, rules: &Arc<Rules>) -> Result<Option<Fetched>, ListError> {
        let request = self.client.get(self.address.written()).headers(self.version.clone());
        let sent = request.send().await.and_then(Response::error_for_status);
        let response = sent.map_err(|error| unfetched(&self.shown, &error))?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let version = version_of(response.headers());
        let (pieces, reader) = mpsc::channel(PIECES);
        let (name, rules) = (Arc::clone(&self.shown), Arc::clone(rules));
        let parse = tokio::task::spawn_blocking(move || {
            let mut body = Body { pieces: reader, piece: Bytes::new(), is_whole: false };
            read(&mut body, &name, &Origin::remote(), &rules)
        });
        let ((), parsed) = tokio::join!(receive(response, pieces), parse);
        let fault = |reason: String| ListError::Unfetched { file: Arc::clone(&self.shown), reason };
        let list = parsed.map_err(|error| fault(error.to_string()))??;
        Ok(Some(Fetched { list, version }))
    }

    /// Notes that a fetched list is in use: the next fetch asks for a newer one alone.
    pub fn keep(&mut self, fetched: Fetched) -> List {
        self.version = fetched.version;
        fetched.list
    }
}

/// A list that was fetched and may yet be refused.
#[derive(Debug)]
pub struct Fetched {
    /// The list.
    pub list: List,
    version: HeaderMap,
}

/// The conditions under which a list is sent again (RFC 9110, section 13).
fn version_of(headers: &HeaderMap) -> HeaderMap {
    let mut version = HeaderMap::new();
    let mut copy = |from, to| {
        if let Some(value) = headers.get(from) {
            version.insert(to, HeaderValue::clone(value));
        }
    };
    copy(ETAG, IF_NONE_MATCH);
    copy(LAST_MODIFIED, IF_MODIFIED_SINCE);
    version
}

fn unfetched(shown: &Arc<str>, error: &reqwest::Error) -> ListError {
    let mut reason = match error.status() {
        Some(status) => format!("it was answered with {status}"),
        None => "no answer".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    ListError::Unfetched { file: Arc::clone(shown), reason }
}

/// What passes from the connection to the parser; nothing after [`Piece::End`].
enum Piece {
    Data(Bytes),
    Fault(io::Error),
    End,
}

async fn receive(mut response: Response, pieces: mpsc::Sender<Piece>) {
    let mut length = 0;
    loop {
        let piece = match response.chunk().await {
            Ok(Some(data)) => {
                length += u64::try_from(data.len()).unwrap_or(u64::MAX);
                if length > LARGEST {
                    Piece::Fault(io::Error::other("it is larger than 1 GiB"))
                } else {
                    Piece::Data(data)
                }
            }
            Ok(None) => Piece::End,
            Err(error) => Piece::Fault(io::Error::other(error.without_url())),
        };
        let is_last = !matches!(piece, Piece::Data(_));
        // A parser that wants no more has dropped its end.
        if pieces.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// The answer's body, for a parser on a thread of its own.
struct Body {
    pieces: mpsc::Receiver<Piece>,
    piece: Bytes,
    is_whole: bool,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            if self.is_whole {
                return Ok(0);
            }
            match self.pieces.blocking_recv() {
                Some(Piece::Data(data)) => self.piece = data,
                Some(Piece::End) => self.is_whole = true,
                Some(Piece::Fault(error)) => return Err(error),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
