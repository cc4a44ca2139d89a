//! `Session`: a conversation with a mail server, whatever the protocol, and what is told of it.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::UnixTime;
use serde_json::Value;

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
use crate::target::{MailProbe, Target};

/// Capabilities that are told at most.
const CAPABILITIES: usize = 100;

/// A conversation with a mail server.
pub(super) struct Session<'a> {
    pub(super) probe: &'a MailProbe,
    pub(super) progress: &'a mut Progress,
    network: &'a Network,
    target: &'a Target,
    /// Whose certificate it must be.
    host: Host<'a>,
    lines: Lines,
    /// Whether the server has said its first word.
    is_greeted: bool,
    /// Whether we take our leave: what is said now changes nothing of what was found.
    is_leaving: bool,
    /// What must not be shown when the server says it back to us.
    secrets: Vec<String>,
    /// Why what was said last could not be sent.
    unsent: Option<Fault>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        (network, target): (&'a Network, &'a Target),
        probe: &'a MailProbe,
        (tcp, host): (Counted, Host<'a>),
        progress: &'a mut Progress,
    ) -> Self {
        // What is said by steps must not wait until the last one has been acknowledged.
        let _ = tcp.set_nodelay(true);
        let lines = Lines::new(Stream::Plain(tcp));
        progress.step = Step::Waiting;
        Self {
            probe,
            progress,
            network,
            target,
            host,
            lines,
            is_greeted: false,
            is_leaving: false,
            secrets: Vec::new(),
            unsent: None,
        }
    }

    /// Notes that the server said its first word, which is `words`.
    pub(super) fn greeted(&mut self, words: &str) {
        self.is_greeted = true;
        let lap = self.progress.lap();
        self.progress.finding.phases.first_byte.add(lap);
        self.progress.tell(|facts| facts.put("greeting", shown(words.as_bytes())));
    }

    /// Sends `line` and its end. That it could not be sent shows when the answer is awaited: the
    /// server may have said why before it hung up.
    pub(super) async fn say(&mut self, line: impl AsRef<[u8]>) {
        let line = [line.as_ref(), b"\r\n"].concat();
        self.send(&line).await;
    }

    /// Sends `bytes` as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.progress.step = Step::Sending;
        self.unsent = self.lines.send(bytes).await.err();
        self.progress.step = Step::Waiting;
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// None comes, or one that no protocol knows.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, Fault> {
        let line = self.lines.line().await;
        self.progress.finding.bytes = self.lines.received();
        match line {
            Ok(line) => Ok(line),
            Err(broken) => Err(self.broken(broken).await),
        }
    }

    /// The next `length` bytes, of which the caller has seen that they are not too many.
    ///
    /// # Errors
    /// They do not come.
    pub(super) async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        match self.lines.exactly(length).await {
            Ok(bytes) => Ok(bytes),
            Err(broken) => Err(self.broken(broken).await),
        }
    }

    async fn broken(&mut self, broken: Broken) -> Fault {
        match broken {
            Broken::Closed => self.unsent.unwrap_or(Fault::protocol(Detail::NoAnswer)),
            Broken::Failed(fault) => self.unsent.unwrap_or(fault),
            Broken::Cut => {
                let words = self.shown(self.lines.held());
                self.nonsense(&words)
            }
            Broken::TooLong => {
                let words = self.shown(self.lines.held());
                if !self.is_greeted {
                    self.progress.tell(|facts| facts.put("greeting", words.clone()));
                    self.lines.pass_over().await;
                    self.progress.finding.bytes = self.lines.received();
                }
                self.nonsense(&words)
            }
        }
    }

    /// The fault of a server that does not speak its protocol, but says `words`.
    pub(super) fn nonsense(&mut self, words: &str) -> Fault {
        let (what, detail) = if self.is_greeted {
            ("a reply", Detail::BadReply)
        } else {
            ("the greeting", Detail::BadGreeting)
        };
        self.remark(&format!("{what} is not {}: \"{words}\"", self.protocol()));
        Fault::protocol(detail)
    }

    /// The fault of a server that says no, told as what it said `words` to.
    pub(super) fn refused(&mut self, detail: Detail, what: &str, words: &str) -> Fault {
        self.remark(&format!("{what}: {words}"));
        Fault::new(Cause::Status, detail)
    }

    /// The fault of a server with which TLS cannot begin, and why.
    pub(super) fn no_tls(&mut self, why: &str) -> Fault {
        self.remark(&format!("TLS cannot begin: {why}"));
        Fault::tls(Detail::NoStartTls)
    }

    /// The fault of a setting that cannot be used, and why.
    pub(super) fn setting(&mut self, why: &str) -> Fault {
        self.remark(why);
        Fault::setting()
    }

    fn remark(&mut self, message: &str) {
        if self.is_leaving {
            return;
        }
        self.progress.tell(|facts| facts.message = shown(message.as_bytes()));
    }

    /// What the server offers, as it is told, and whether TLS is among it.
    pub(super) fn offers(&mut self, offers: &[String], has_tls: bool) {
        let is_secure = self.lines.is_secure();
        self.progress.tell(|facts| {
            let offers = offers.iter().take(CAPABILITIES);
            let offers: Vec<Value> = offers.map(|one| shown(one.as_bytes()).into()).collect();
            facts.put("capabilities", offers);
            facts.put("supports_tls", has_tls || is_secure);
        });
    }

    /// Begins TLS once the server has agreed to it; whatever came before is thrown away.
    ///
    /// # Errors
    /// The handshake failed, or the certificate is not trusted.
    pub(super) async fn start_tls(&mut self) -> Result<(), Fault> {
        let lap = self.progress.lap();
        self.progress.finding.phases.transfer.add(lap);
        let Some((tcp, was_any)) = self.lines.take_plain() else {
            return Err(Fault::new(Cause::Internal, Detail::None));
        };
        self.progress.tell(|facts| facts.put("plaintext_after_starttls", was_any));
        self.secure(tcp).await
    }

    /// Begins TLS with the first byte.
    ///
    /// # Errors
    /// The handshake failed, or the certificate is not trusted.
    pub(super) async fn begin_tls(&mut self) -> Result<(), Fault> {
        match self.lines.take_plain() {
            // What comes before any word of ours can only be what the server sends without TLS.
            Some((_, true)) => Err(Fault::tls(Detail::NotTls)),
            Some((tcp, false)) => self.secure(tcp).await,
            None => Err(Fault::new(Cause::Internal, Detail::None)),
        }
    }

    async fn secure(&mut self, tcp: Counted) -> Result<(), Fault> {
        let plan = &self.target.plan.tls;
        let handshake = Handshake { host: self.host, plan, offer: Offer::Nothing };
        let mut seen = Shown::default();
        let secured = self.network.secure(tcp, handshake, &mut seen, self.progress).await;
        self.progress.tell(|facts| facts.put("tls", described(&seen)));
        self.lines.go_on(Stream::Tls(secured?));
        self.progress.step = Step::Waiting;
        Ok(())
    }

    /// Has what logs in kept out of all that is told from now on.
    pub(super) fn hide(&mut self, user: &str, password: &str) {
        let quoted = password.replace('\\', "\\\\").replace('"', "\\\"");
        self.secrets = vec![
            STANDARD.encode(plain(user, password)),
            STANDARD.encode(password),
            quoted,
            password.to_owned(),
        ];
        self.secrets.retain(|secret| !secret.is_empty());
    }

    /// Words of the server as they can be shown.
    pub(super) fn shown(&self, words: &[u8]) -> String {
        if self.secrets.is_empty() {
            return shown(words);
        }
        let mut text = String::from_utf8_lossy(words).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret, "<secret>");
        }
        shown(text.as_bytes())
    }

    /// How we name ourselves: by our address (RFC 5321, section 4.1.3).
    pub(super) fn own_name(&self) -> String {
        match self.lines.local_address().map(|address| address.ip()) {
            Some(IpAddr::V4(ip)) => format!("[{ip}]"),
            Some(IpAddr::V6(ip)) => {
                ip.to_ipv4_mapped().map_or_else(|| format!("[IPv6:{ip}]"), |ip| format!("[{ip}]"))
            }
            None => "[127.0.0.1]".to_owned(),
        }
    }

    /// Notes that we take our leave.
    pub(super) const fn leave(&mut self) {
        self.is_leaving = true;
    }

    fn protocol(&self) -> String {
        self.probe.protocol.as_str().to_ascii_uppercase()
    }

    /// Whether the server has said its first word.
    pub(super) const fn is_greeted(&self) -> bool {
        self.is_greeted
    }
}

/// What is sent to log in by the mechanism PLAIN (RFC 4616).
pub(super) fn plain(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

/// What is told of TLS, whether it came about or not.
fn described(seen: &Shown) -> Value {
    match describe(seen, UnixTime::now()) {
        none if none.is_empty() => Value::Null,
        described => described.into(),
    }
}
