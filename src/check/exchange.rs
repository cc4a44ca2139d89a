//! One request and its answer over a connection that stands, by HTTP/1.1.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::check::answer::{Answer, Need, Question, Received};
use crate::check::fault::Fault;
use crate::check::progress::{Progress, Step};
use crate::check::stream::Stream;
use crate::outcome::Detail;

/// Sends `request` and reads the answer as far as it is needed.
///
/// # Errors
/// The connection broke, or the answer breaks the protocol or a cap.
pub(crate) async fn exchange(
    stream: &mut Stream,
    request: &[u8],
    question: &Question<'_>,
    progress: &mut Progress,
) -> Result<Received, Fault> {
    progress.step = Step::Sending;
    let sent = send(stream, request).await;
    progress.step = Step::Waiting;
    let mut answer = Answer::new();
    loop {
        let read = stream.read_with(|bytes| {
            if progress.step == Step::Waiting && !bytes.is_empty() {
                progress.step = Step::Transferring;
                let lap = progress.lap();
                progress.finding.phases.first_byte.add(lap);
            }
            answer.feed(bytes, question)
        });
        let fed = read
            .await
            .unwrap_or_else(|error| Err(Fault::of_stream(&error, progress.step.detail())));
        progress.finding.status = answer.status();
        progress.finding.bytes = answer.bytes();
        if let Some(told) = answer.take_told() {
            progress.tell(|facts| told.note(facts));
        }
        match (fed, sent) {
            (Ok(Need::More), _) => {}
            (Ok(Need::Nothing), _) => break,
            // A server that answers early may hang up before it has read all that we send;
            // without an answer, that we could not send it is what went wrong.
            (Err(_), Err(earlier)) if !answer.has_begun() => return Err(earlier),
            (Err(fault), _) => return Err(fault),
        }
    }
    let lap = progress.lap();
    progress.finding.phases.transfer.add(lap);
    let received = answer.received();
    progress.finding.is_at_least = received.is_cut;
    Ok(received)
}

/// The same over a connection that may be dead: none when nothing comes back within `patience`.
pub(crate) async fn exchange_within(
    patience: Duration,
    stream: &mut Stream,
    request: &[u8],
    question: &Question<'_>,
    progress: &mut Progress,
) -> Option<Result<Received, Fault>> {
    progress.step = Step::Waiting;
    let begun = async {
        // Whatever is wrong with the connection shows when it is read.
        let _ = send(stream, request).await;
        let _ = stream.readable().await;
    };
    tokio::time::timeout(patience, begun).await.ok()?;
    Some(exchange(stream, &[], question, progress).await)
}

async fn send(stream: &mut Stream, request: &[u8]) -> Result<(), Fault> {
    let sent = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| Fault::of_stream(&error, Detail::Sending))
}
