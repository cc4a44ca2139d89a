//! `Asker`: one question to name servers that know the same, each of them asked as seldom as can be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use rustix::io::Errno;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::signs::Signs;
use crate::check::dns::client::{Trouble, fault_of, hear, over_tcp};
use crate::check::dns::message::{Extension, Mode, Question};
use crate::check::fault::Fault;
use crate::check::race::Race;
use crate::outcome::{Cause, Detail};
use crate::target::Look;

/// Servers that are asked at once at most for one question.
const AT_ONCE: usize = 2;
/// How long the others still have when one reports a failure.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How often it is looked whether a question may have been lost.
const LOOK: Duration = Duration::from_millis(500);

/// Asks name servers that know the same.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) servers: Arc<[SocketAddr]>,
    pub(super) signs: Arc<Signs>,
    pub(super) shared: Arc<Shared>,
    /// When there is no answer.
    pub(super) deadline: Instant,
    pub(super) manner: Manner,
}

/// How servers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// One after the other, and again when the question may have been lost.
    InTurn,
    /// Each once, at the same time: none of them is known to serve.
    Probing,
}

impl Asker {
    /// The answer of the first server that knows one, or knows that there is none.
    ///
    /// # Errors
    /// What they report, or that none of them answers.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, Fault> {
        let question =
            Question { name: name.clone(), kind, mode: Mode::Recursive, signatures: Look::No };
        let (order, mut at_once) = self.signs.order(self.servers.len(), now());
        if self.manner == Manner::Probing {
            at_once = AT_ONCE;
        }
        let _open = self.signs.ask();
        let mut waiting = order.into_iter();
        let mut race = Race::new();
        let mut failed: Option<Fault> = None;
        loop {
            for number in waiting.by_ref().take(at_once) {
                if race.len() >= AT_ONCE {
                    race.give_up_oldest();
                }
                race.enter(self.attempt(number, &question));
            }
            at_once = 1;
            if race.len() == 0 {
                break;
            }
            let until = self.until(waiting.len(), failed);
            match timeout_at(until, race.first()).await {
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(fault)) => failed = Some(graver(failed, fault)),
                Err(_) if waiting.len() == 0 => break,
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or(Fault::unanswered()))
    }

    /// How long those who have been asked have the field for themselves.
    fn until(&self, left: usize, failed: Option<Fault>) -> Instant {
        let patience = match (left, failed) {
            (0, Some(fault)) if is_answer(fault) => LAST_WORD,
            (0, _) => return self.deadline,
            _ => self.signs.stagger(),
        };
        self.deadline.min(Instant::now() + patience)
    }

    async fn attempt(&self, number: usize, question: &Question) -> Result<Message, Fault> {
        let server = self.servers.get(number).copied().ok_or(Fault::unanswered())?;
        let message = self.over_udp(server, question).await?;
        let message = if message.metadata.truncation {
            self.shared.counts.query();
            let sealed = question.seal(Extension::Without).ok_or(Fault::setting())?;
            let answer = timeout_at(self.deadline, over_tcp(server, &sealed)).await;
            answer.unwrap_or(Err(Trouble::Silent)).map_err(of_trouble)?
        } else {
            message
        };
        match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {
                self.signs.prefer(number);
                Ok(message)
            }
            ResponseCode::Refused => Err(Fault::new(Cause::Resolver, Detail::QueryRefused)),
            _ => Err(Fault::new(Cause::Dns, Detail::ServerFailure)),
        }
    }

    /// The answer of one server, which is asked again at most once.
    ///
    /// The socket has a port of its own that is hard to guess, and hears nobody but the server.
    async fn over_udp(&self, server: SocketAddr, question: &Question) -> Result<Message, Fault> {
        let sealed = question.seal(Extension::Without).ok_or(Fault::setting())?;
        let closed = |error: io::Error| of_io(&error, server);
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(closed)?;
        socket.connect(server).await.map_err(closed)?;
        let sent = Instant::now();
        let mut until = self.deadline.min(sent + self.signs.lost());
        let mut is_sent_again = false;
        self.send(&socket, &sealed.bytes).await.map_err(closed)?;
        loop {
            let mut rejected = Trouble::Silent;
            match timeout_at(until, hear(&socket, &sealed, &mut rejected)).await {
                Ok(heard) => {
                    let message = heard.map_err(closed)?;
                    // Which of the two was answered cannot be told.
                    let delay = (!is_sent_again).then(|| sent.elapsed());
                    self.signs.heard(delay, now());
                    return Ok(message);
                }
                Err(_) if until >= self.deadline => return Err(Fault::unanswered()),
                Err(_) if self.may_be_lost(sent) => {
                    (is_sent_again, until) = (true, self.deadline);
                    self.send(&socket, &sealed.bytes).await.map_err(closed)?;
                }
                Err(_) => {
                    // The server may have turned out to be slow meanwhile.
                    let next = (sent + self.signs.lost()).max(Instant::now() + LOOK);
                    until = self.deadline.min(next);
                }
            }
        }
    }

    /// Whether a question that was `sent` is sent again.
    fn may_be_lost(&self, sent: Instant) -> bool {
        self.manner == Manner::InTurn
            && sent.elapsed() >= self.signs.lost()
            && self.signs.may_be_lost(sent.into_std())
    }

    async fn send(&self, socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
        self.shared.counts.query();
        socket.send(bytes).await.map(|_| ())
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// The fault that says more: what a server reports, then that one is silent.
fn graver(earlier: Option<Fault>, later: Fault) -> Fault {
    let rank = |fault: Fault| match fault.cause {
        _ if is_answer(fault) => 2,
        Cause::Resolver => 1,
        _ => 0,
    };
    match earlier {
        Some(earlier) if rank(earlier) >= rank(later) => earlier,
        _ => later,
    }
}

/// Whether `fault` is what a server reports.
fn is_answer(fault: Fault) -> bool {
    matches!(fault.detail, Detail::ServerFailure | Detail::QueryRefused)
}

fn of_trouble(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Closed(fault) if fault.cause == Cause::NoResources => fault,
        _ => Fault::new(Cause::Dns, Detail::ServerFailure),
    }
}

/// What stands between us and `server` by `error`.
fn of_io(error: &io::Error, server: SocketAddr) -> Fault {
    match Errno::from_io_error(error) {
        // Nobody listens there, or routers know no way: who named it knows better.
        Some(Errno::CONNREFUSED | Errno::HOSTUNREACH | Errno::HOSTDOWN) => Fault::unanswered(),
        _ => fault_of(error, server),
    }
}
