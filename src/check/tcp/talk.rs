//! A dialog line by line, by patterns, which may go over to TLS.

use rustls::pki_types::UnixTime;

use crate::address::Host;
use crate::check::certificate::describe;
use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::lines::{Broken, Lines, shown};
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::check::stream::Stream;
use crate::check::tls::{Handshake, Offer, Shown};
use crate::outcome::{Cause, Detail};
use crate::target::{LineRule, Target, TcpProbe, TcpStep};

/// Speaks with the peer at the other end of `tcp` as `probe` says.
///
/// # Errors
/// What is to come does not, or TLS does not begin.
pub(super) async fn run(
    network: &Network,
    target: &Target,
    probe: &TcpProbe,
    (tcp, progress): (Counted, &mut Progress),
) -> Result<(), Fault> {
    let mut lines = Lines::new(Stream::Plain(tcp));
    let mut result = Ok(());
    for step in &probe.dialog {
        result = match step {
            TcpStep::Secure => secure(network, target, &mut lines, progress).await,
            TcpStep::Say(line) => say(line.as_bytes(), &mut lines, progress).await,
            TcpStep::Match(rule) => hear(rule, &mut lines, progress).await,
            TcpStep::Send(_) | TcpStep::Expect(_) => Err(Fault::setting()),
        };
        if result.is_err() {
            break;
        }
    }
    progress.finding.bytes = lines.received();
    if lines.received() > 0 {
        let lap = progress.lap();
        progress.finding.phases.transfer.add(lap);
    }
    result
}

async fn say(line: &[u8], lines: &mut Lines, progress: &mut Progress) -> Result<(), Fault> {
    progress.step = Step::Sending;
    lines.send(&[line, b"\n"].concat()).await
}

/// Waits for a line that is as `rule` says, and answers it.
async fn hear(rule: &LineRule, lines: &mut Lines, progress: &mut Progress) -> Result<(), Fault> {
    progress.step = Step::Waiting;
    progress.tell(|facts| facts.put("matched", false));
    let answer = rule.answer.as_deref();
    loop {
        let is_first = lines.received() == 0;
        let line = match lines.line().await {
            Ok(line) => line,
            Err(Broken::Failed(fault)) => return Err(fault),
            // The last line need not be ended.
            Err(Broken::Cut) if rule.pattern.is_match(lines.held()) => lines.held().to_vec(),
            Err(Broken::Closed | Broken::Cut | Broken::TooLong) => {
                progress.tell(|facts| {
                    facts.put("failed_pattern", rule.pattern.as_str());
                    let pattern = shown(rule.pattern.as_str().as_bytes());
                    facts.message = format!("no line matches \"{pattern}\"");
                });
                return Err(Fault::new(Cause::Assertion, Detail::Line));
            }
        };
        if is_first {
            let lap = progress.lap();
            progress.finding.phases.first_byte.add(lap);
        }
        progress.tell(|facts| facts.put("received", shown(&line)));
        if let Some(text) = rule.pattern.expand(&line, answer.unwrap_or_default()) {
            progress.tell(|facts| facts.put("matched", true));
            return if text.is_empty() { Ok(()) } else { say(&text, lines, progress).await };
        }
    }
}

async fn secure(
    network: &Network,
    target: &Target,
    lines: &mut Lines,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let Some((tcp, _)) = lines.take_plain() else { return Err(Fault::setting()) };
    let plan = &target.plan.tls;
    let host = plan.server_name.as_deref().map_or(target.address.host(), Host::Name);
    let mut seen = Shown::default();
    let handshake = Handshake { host, plan, offer: Offer::Nothing };
    let secured = network.secure(tcp, handshake, &mut seen, progress).await;
    progress.tell(|facts| {
        if !seen.chain.is_empty() {
            facts.put("tls", describe(&seen, UnixTime::now()));
        }
    });
    lines.go_on(Stream::Tls(secured?));
    Ok(())
}
