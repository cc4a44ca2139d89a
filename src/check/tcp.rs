//! Connects by TCP, and speaks a few lines.

mod talk;

use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::check::fault::Fault;
use crate::check::judge::judge_connection;
use crate::check::lines::shown;
use crate::check::meter::Held;
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::check::stream::Stream;
use crate::outcome::{Cause, Detail};
use crate::target::{Target, TcpProbe, TcpStep};

/// Bytes among which a text is looked for.
const CAP: usize = 64 << 10;
/// Bytes of what came that are told.
const TOLD: usize = 512;

/// How long before the end of its time a check says what did not come.
const MARGIN: Duration = Duration::from_millis(20);

/// What came from the peer.
#[derive(Default)]
pub(super) struct Received {
    /// What came since the last text that was found.
    fresh: Vec<u8>,
    held: Held,
    /// The beginning of all that came.
    start: Vec<u8>,
    total: u64,
}

/// How waiting for a text ended, when no fault ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Found,
    Closed,
    /// More came than is looked at.
    Full,
    /// The time is over.
    Late,
}

/// Connects by TCP, and speaks a few lines.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(crate) async fn check(
    network: &Network,
    target: &Target,
    probe: &TcpProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let (host, port) = (target.address.host(), target.address.port());
    progress.tell(|facts| {
        facts.put("host", target.address.host_text());
        facts.put("port", port);
        facts.put("connected", false);
        facts.put("received", Value::Null);
        facts.put("expected", expected(probe));
        facts.put("matched", Value::Null);
    });
    let tcp = network.connect(target, host, port, progress).await?;
    progress.tell(|facts| facts.put("connected", true));
    if by_lines(probe) {
        Box::pin(talk::run(network, target, probe, (tcp, progress))).await?;
        return judge_connection(&target.plan, progress);
    }
    let mut received = Received::new();
    let mut stream = Stream::Plain(tcp);
    let result = speak(&mut stream, target, probe, (&mut received, progress)).await;
    if received.total > 0 {
        let lap = progress.lap();
        progress.finding.phases.transfer.add(lap);
    }
    result?;
    progress.tell(|facts| {
        let said = match expected(probe).len() {
            0 => "",
            _ => ", and what is expected came",
        };
        facts.message = format!("{}:{port} accepts connections{said}", target.address.host_text());
    });
    judge_connection(&target.plan, progress)
}

/// Whether a dialog goes line by line, and maybe over TLS.
fn by_lines(probe: &TcpProbe) -> bool {
    let is_text = |step: &TcpStep| matches!(step, TcpStep::Send(_) | TcpStep::Expect(_));
    !probe.dialog.iter().all(is_text)
}

fn expected(probe: &TcpProbe) -> Vec<Value> {
    let texts = probe.dialog.iter().filter_map(|step| match step {
        TcpStep::Expect(text) => Some(shown(text.as_bytes()).into()),
        TcpStep::Match(rule) => Some(shown(rule.pattern.as_str().as_bytes()).into()),
        TcpStep::Send(_) | TcpStep::Say(_) | TcpStep::Secure => None,
    });
    texts.collect()
}

/// Says and hears what `probe` names.
///
/// # Errors
/// What is to come does not.
pub(super) async fn speak(
    stream: &mut Stream,
    target: &Target,
    probe: &TcpProbe,
    (received, progress): (&mut Received, &mut Progress),
) -> Result<(), Fault> {
    for step in &probe.dialog {
        match step {
            TcpStep::Send(line) => {
                progress.step = Step::Sending;
                let line = [line.as_bytes(), b"\r\n"].concat();
                let sent = async {
                    stream.write_all(&line).await?;
                    stream.flush().await
                };
                sent.await.map_err(|error| Fault::of_stream(&error, Detail::Sending))?;
            }
            TcpStep::Expect(text) => {
                await_text(stream, target, text, (received, progress)).await?;
            }
            // Dialogs with these go line by line.
            TcpStep::Say(_) | TcpStep::Match(_) | TcpStep::Secure => return Err(Fault::setting()),
        }
    }
    Ok(())
}

async fn await_text(
    stream: &mut Stream,
    target: &Target,
    text: &str,
    (received, progress): (&mut Received, &mut Progress),
) -> Result<(), Fault> {
    progress.step = Step::Waiting;
    progress.tell(|facts| facts.put("matched", false));
    // Who says something else, and then waits, has been reached: that must be told before the
    // time is over.
    let limit = progress.left(target.timeout());
    let limit = limit.saturating_sub(MARGIN.min(limit / 10));
    let looked = received.look_for(text.as_bytes(), stream, progress);
    let end = tokio::time::timeout(limit, looked).await.unwrap_or(Ok(End::Late));
    progress.finding.bytes = received.total;
    progress.tell(|facts| {
        if received.total > 0 {
            facts.put("received", shown(&received.start));
        }
        facts.put("matched", end == Ok(End::Found));
    });
    let text = || shown(text.as_bytes());
    match end? {
        End::Found => Ok(()),
        End::Closed if received.fresh.is_empty() => Err(Fault::protocol(Detail::NoAnswer)),
        End::Late if received.fresh.is_empty() => Err(progress.timeout()),
        _ => {
            progress.tell(|facts| {
                facts.message = format!("\"{}\" did not come, but something else", text());
            });
            Err(Fault::new(Cause::Assertion, Detail::Line))
        }
    }
}

impl Received {
    const fn new() -> Self {
        Self { fresh: Vec::new(), held: Held::none(), start: Vec::new(), total: 0 }
    }

    /// Waits until `text` comes, or nothing more does.
    async fn look_for(
        &mut self,
        text: &[u8],
        stream: &mut Stream,
        progress: &mut Progress,
    ) -> Result<End, Fault> {
        let mut searched = 0;
        loop {
            let unseen = self.fresh.get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memmem::find(unseen, text) {
                self.fresh.drain(..searched + at + text.len());
                return Ok(End::Found);
            }
            if self.fresh.len() >= CAP {
                return Ok(End::Full);
            }
            // It may have begun at the end of what came.
            searched = (self.fresh.len() + 1).saturating_sub(text.len().max(1));
            let read = stream.read_with(|bytes| self.take(bytes));
            let length = read.await.map_err(|error| Fault::of_stream(&error, Detail::Waiting))?;
            if length == 0 {
                return Ok(End::Closed);
            }
            if self.total == length as u64 {
                let lap = progress.lap();
                progress.finding.phases.first_byte.add(lap);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        self.total += bytes.len() as u64;
        self.fresh.extend_from_slice(bytes);
        self.held.set(self.fresh.capacity());
        let room = TOLD.saturating_sub(self.start.len());
        self.start.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        bytes.len()
    }
}
