//! One request and its answer over a connection that stands, by HTTP/2.

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod wire;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::check::answer::{Question, Received, is_redirect};
use crate::check::content::Content;
use crate::check::fault::Fault;
use crate::check::head::{self, Fields};
use crate::check::progress::{Progress, Step};
use crate::check::request::{Request, host};
use crate::check::stream::Stream;
use crate::check::told::{Told, Version};
use crate::outcome::{Cause, Detail};
use wire::{End, Seen, Wire};

/// What a stream may send ahead of our reading: bounds the memory of a poll.
const WINDOW: u32 = 64 << 10;
/// What the library is given as the cap of a head: where it gives up, it does not say why.
const HEADERS: u32 = 256 << 10;

/// The tasks of a connection, which end with it.
#[derive(Clone, Debug, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.lock().spawn(future);
    }
}

/// Ends the tasks when a poll ends, however it does: they hold the executor that holds them.
struct Ender(Tasks);

impl Drop for Ender {
    fn drop(&mut self) {
        self.0.0.lock().abort_all();
    }
}

/// Sends `request` and reads the answer as far as it is needed.
///
/// # Errors
/// The connection broke, or the answer breaks the protocol or a cap.
pub(crate) async fn exchange(
    stream: Stream,
    request: &Request<'_>,
    question: &Question<'_>,
    progress: &mut Progress,
) -> Result<Received, Fault> {
    progress.step = Step::Sending;
    let message = build(request)?;
    let (wire, seen) = Wire::new(stream);
    let tasks = Ender(Tasks::default());
    let (mut sender, connection) = http2::Builder::new(tasks.0.clone())
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEADERS)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|_| fault_of(&seen.lock(), Step::Sending))?;
    tasks.0.0.lock().spawn(async move {
        // How the connection ends is told to the request.
        let _ = connection.await;
    });
    progress.step = Step::Waiting;
    let sent = sender.send_request(message).await;
    let answer = sent.map_err(|_| fault_of(&seen.lock(), Step::Waiting))?;
    progress.step = Step::Transferring;
    let lap = progress.lap();
    progress.finding.phases.first_byte.add(lap);
    receive(answer, &seen, question, progress).await
}

async fn receive(
    answer: http::Response<Incoming>,
    seen: &Mutex<Seen>,
    question: &Question<'_>,
    progress: &mut Progress,
) -> Result<Received, Fault> {
    let (parts, mut body) = answer.into_parts();
    if size_of_list(&parts.headers) > head::HEAD_CAP {
        return Err(Fault::new(Cause::TooLarge, Detail::Headers));
    }
    progress.finding.status = parts.status.as_u16();
    let mut fields = Fields::default();
    for (name, value) in &parts.headers {
        fields.take(name.as_str(), value.as_bytes());
    }
    fields.is_as_expected = head::is_as_expected(&question.expectation.headers, |name| {
        parts.headers.get(name).map(http::HeaderValue::as_bytes)
    });
    progress.tell(|facts| {
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers: Vec<_> = headers.collect();
        Told::of(Version::Http2, &headers, &question.expectation.headers).note(facts);
    });
    let mut content = Content::new(question.expectation, fields.coding, question.max_body);
    let mut is_cut = false;
    let bytes = &mut progress.finding.bytes;
    let is_left = question.follows && is_redirect(parts.status.as_u16(), &fields);
    while !is_left && !is_cut {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|_| fault_of(&seen.lock(), Step::Transferring))?;
        if let Ok(data) = frame.into_data() {
            *bytes += data.len() as u64;
            content.feed(&data);
            is_cut = *bytes > question.max_body;
            *bytes = (*bytes).min(question.max_body);
        }
    }
    progress.finding.is_at_least = is_cut;
    let lap = progress.lap();
    progress.finding.phases.transfer.add(lap);
    let status = parts.status.as_u16();
    Ok(Received { status, fields, content, is_cut, is_lasting: false })
}

fn build(request: &Request<'_>) -> Result<http::Request<Full<Bytes>>, Fault> {
    let address = request.address;
    let mut authority = host(address).into_owned();
    let mut builder = Some(http::Request::builder().method(request.method));
    request.each_header(&mut |name, value| {
        if name.eq_ignore_ascii_case("host") {
            // The authority stands for it, and the others are of the connection (RFC 9113).
            value.clone_into(&mut authority);
            return;
        }
        let is_left_out = ["connection", "transfer-encoding", "upgrade"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other));
        if !is_left_out {
            builder = builder.take().map(|builder| builder.header(name, value));
        }
    })?;
    let uri = format!("{}://{authority}{}", address.scheme().as_str(), address.path_and_query());
    let body = Bytes::from(request.body().unwrap_or_default().to_owned());
    builder.and_then(|builder| builder.uri(uri).body(Full::new(body)).ok()).ok_or(Fault::setting())
}

/// The size of the headers, reckoned as RFC 9113 does (section 6.5.2).
fn size_of_list(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// The fault that ended an exchange, told from what was seen of its connection.
fn fault_of(seen: &Seen, step: Step) -> Fault {
    let frames = &seen.frames;
    match &seen.end {
        _ if frames.is_foreign => Fault::protocol(Detail::NotHttp),
        _ if frames.header_bytes > head::HEAD_CAP => Fault::new(Cause::TooLarge, Detail::Headers),
        // A server that is overloaded or restarts says so by such a frame.
        _ if frames.is_ended => Fault::new(Cause::Reset, Detail::None),
        Some(End::Broken(error)) => Fault::of_stream(error, step.detail()),
        _ if step == Step::Transferring => Fault::new(Cause::Body, Detail::Incomplete),
        Some(End::Over) => Fault::protocol(Detail::NoAnswer),
        None => Fault::protocol(Detail::BadHead),
    }
}
