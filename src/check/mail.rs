//! Speaks to a mail server by SMTP, IMAP or POP3.

mod exchange;
mod imap;
mod message;
mod pop3;
mod session;
mod smtp;

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::address::Host;
use crate::check::counted::Counted;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::judge::judge_connection;
use crate::check::network::Network;
use crate::check::progress::Progress;
use crate::outcome::{Cause, Detail};
use crate::target::{MailProbe, MailProtocol, MailTls, Target};
use session::Session;

/// How long a server may take to answer our farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// Speaks to a mail server by SMTP, IMAP or POP3.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(crate) async fn check(
    network: &Network,
    target: &Target,
    probe: &MailProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let port = target.address.port();
    progress.tell(|facts| {
        facts.put("protocol", probe.protocol.as_str());
        facts.put("host", target.address.host_text());
        facts.put("port", port);
        for name in ["supports_tls", "tls", "authenticated", "mailbox"] {
            facts.put(name, Value::Null);
        }
        if probe.message.is_some() {
            facts.put("sent", false);
        }
    });
    let exchanger;
    let (tcp, host) = match target.address.host() {
        Host::Name(domain) if probe.mx.is_wanted() => {
            let connected = exchange::connect(network, target, domain, progress).await?;
            exchanger = connected.1;
            progress.tell(|facts| facts.put("host", exchanger.clone()));
            (connected.0, Host::Name(&exchanger))
        }
        host => (network.connect(target, host, port, progress).await?, host),
    };
    converse(network, target, probe, (tcp, host), progress).await
}

/// Speaks to the server `host` over a connection that stands.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(super) async fn converse(
    network: &Network,
    target: &Target,
    probe: &MailProbe,
    (tcp, host): (Counted, Host<'_>),
    progress: &mut Progress,
) -> Result<(), Fault> {
    let mut session = Session::new((network, target), probe, (tcp, host), progress);
    if probe.tls == MailTls::Implicit {
        session.begin_tls().await?;
    }
    let result = talk(&mut session).await;
    end(session, target, result).await
}

async fn talk(session: &mut Session<'_>) -> Result<(), Fault> {
    match session.probe.protocol {
        MailProtocol::Smtp => smtp::talk(session).await,
        MailProtocol::Imap => imap::talk(session).await,
        MailProtocol::Pop3 => pop3::talk(session).await,
    }
}

/// Judges what has been seen, and takes leave of whoever still listens.
async fn end(
    mut session: Session<'_>,
    target: &Target,
    result: Result<(), Fault>,
) -> Result<(), Fault> {
    let is_greeted = session.is_greeted();
    let progress = &mut *session.progress;
    if is_greeted {
        let lap = progress.lap();
        progress.finding.phases.transfer.add(lap);
    }
    let result = result.and_then(|()| {
        let judged = judge_connection(&target.plan, progress);
        progress.tell(|facts| facts.message = summary(facts, judged));
        judged
    });
    let listens = match result {
        Ok(()) => true,
        Err(fault) => {
            matches!(fault.cause, Cause::Status | Cause::Assertion)
                || fault == Fault::tls(Detail::NoStartTls)
                || fault == Fault::setting()
        }
    };
    if listens {
        // Whether the farewell is heard changes nothing, and must not cost the check its time.
        session.leave();
        let limit = FAREWELL.min(session.progress.left(target.timeout()) / 2);
        let is_answered = tokio::time::timeout(limit, quit(&mut session)).await.unwrap_or(false);
        session.progress.tell(|facts| facts.put("quit", is_answered));
    }
    result
}

async fn quit(session: &mut Session<'_>) -> bool {
    match session.probe.protocol {
        MailProtocol::Smtp => smtp::quit(session).await,
        MailProtocol::Imap => imap::quit(session).await,
        MailProtocol::Pop3 => pop3::quit(session).await,
    }
}

/// What was found, in a sentence.
fn summary(facts: &Facts, judged: Result<(), Fault>) -> String {
    let of = |name: &str| facts.data.get(name).unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let protocol = text(of("protocol")).to_ascii_uppercase();
    let mut sentence = format!("{}:{} speaks {protocol}", text(of("host")), of("port"));
    match &of("tls")["protocol"] {
        Value::String(version) => {
            let _ = write!(sentence, " over {version}");
        }
        _ => sentence += " in clear",
    }
    if of("authenticated") == &Value::Bool(true) {
        sentence += "; logged in";
    }
    let mailbox = of("mailbox");
    if let Some(messages) = mailbox["messages"].as_u64() {
        let _ = write!(sentence, "; {messages} messages");
        if let Some(unseen) = mailbox["unseen"].as_u64() {
            let _ = write!(sentence, ", {unseen} unseen");
        }
    }
    if of("sent") == &Value::Bool(true) {
        sentence += "; the message was taken";
    }
    if of("plaintext_after_starttls") == &Value::Bool(true) {
        sentence += "; what came before TLS was thrown away";
    }
    match judged.map_err(|fault| fault.detail) {
        Err(Detail::CertificateDays) => {
            let days = &of("tls")["days_until_expiration"];
            let _ = write!(sentence, "; its certificate runs out in {days} days");
        }
        Err(_) => sentence += "; it took longer than expected",
        Ok(()) => {}
    }
    sentence
}
