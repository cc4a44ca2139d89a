//! The cheap way through: accepts, reads, answers and closes with one system call each.
//!
//! A connection that needs more than that, or lets itself be waited for, gets a task of its own.

use std::collections::BinaryHeap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::answer::{self, Request};
use super::behaviour::{Act, Behaviour, Body, Coding, Connection};
use super::converse::{control_path, converse, delay};
use super::state::State;
use super::visit::Visit;

/// How many connections are accepted before something else gets its turn.
const TURN: usize = 64;
/// How often a connection is asked for its request before it gets a task.
const TRIES: u8 = 2;
/// The longest delay that is kept at the desk; during a longer one the visitor's leaving counts.
const LONGEST_DELAY: Duration = Duration::from_millis(100);
/// How long to wait when there is no descriptor left for a connection.
pub(crate) const SHORTAGE: Duration = Duration::from_millis(5);
/// The longest body that is written at once.
const LONGEST_BODY: usize = 16 << 10;

/// A connection whose request has not come yet.
struct Young {
    socket: OwnedFd,
    visit: Visit,
    tries: u8,
}

/// An answer that waits for its time.
struct Late {
    due: Instant,
    socket: OwnedFd,
    visit: Visit,
    answer: Vec<u8>,
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    /// The earliest is the greatest, so that the heap gives it first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

/// What one thread has at hand.
struct Desk {
    state: Arc<State>,
    young: Vec<Young>,
    late: BinaryHeap<Late>,
    tasks: JoinSet<io::Result<()>>,
    head: Box<[u8; 4096]>,
    out: Vec<u8>,
}

/// Serves the connections of `listener`, which does not block, until it is dropped.
pub(crate) async fn serve(listener: OwnedFd, state: Arc<State>) -> io::Result<()> {
    #[allow(deprecated, reason = "its successor is unsafe; an owned descriptor stays open")]
    let listener = AsyncFd::with_interest(listener, Interest::READABLE)?;
    let mut tick = interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut desk = Desk {
        state,
        young: Vec::new(),
        late: BinaryHeap::new(),
        tasks: JoinSet::new(),
        head: Box::new([0; 4096]),
        out: Vec::new(),
    };
    loop {
        tokio::select! {
            biased;
            ready = listener.readable() => {
                let mut ready = ready?;
                match desk.accept(listener.get_ref()) {
                    Ok(()) => {}
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    Err(_) => sleep(SHORTAGE).await,
                }
            }
            _ = tick.tick(), if !desk.late.is_empty() => {}
            () = yield_now(), if !desk.young.is_empty() => {}
            Some(_) = desk.tasks.join_next(), if !desk.tasks.is_empty() => {}
        }
        desk.hear();
        desk.send_late();
        while desk.tasks.try_join_next().is_some() {}
    }
}

impl Desk {
    /// Accepts what has come, as far as this turn goes.
    ///
    /// # Errors
    /// `AGAIN` when nothing more has come, others when there is no room for a connection.
    fn accept(&mut self, listener: &OwnedFd) -> Result<(), Errno> {
        let now = Instant::now();
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        for _ in 0..TURN {
            let (socket, peer) = match rustix::net::acceptfrom_with(listener, flags) {
                Ok(accepted) => accepted,
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
            let here = rustix::net::getsockname(&socket).ok();
            let here = here.and_then(|here| SocketAddr::try_from(here).ok());
            if let Some(address) = loopback(peer, here) {
                let visit = Visit::new(&self.state, address, now);
                self.young.push(Young { socket, visit, tries: 0 });
            }
        }
        Ok(())
    }

    /// Reads the requests that have come.
    fn hear(&mut self) {
        let now = Instant::now();
        let mut young = std::mem::take(&mut self.young);
        for mut one in young.drain(..) {
            let heard = rustix::net::recv(&one.socket, &mut self.head[..], RecvFlags::empty());
            match heard {
                Ok((0, _)) => {}
                Ok((length, _)) => {
                    one.visit.since = now;
                    self.answer(one, length);
                }
                Err(Errno::AGAIN) if one.tries < TRIES => {
                    one.tries += 1;
                    self.young.push(one);
                }
                Err(Errno::AGAIN) => self.hand_over(one, 0),
                Err(_) => {}
            }
        }
        if self.young.is_empty() {
            self.young = young;
        }
    }

    /// Answers the request that lies in the first `length` bytes of the buffer.
    fn answer(&mut self, mut one: Young, length: usize) {
        let head = &self.head[..length];
        let Some((method, path)) = simple(head) else { return self.hand_over(one, length) };
        if control_path(path) || scripted(path) || self.state.is_silent(one.visit.address) {
            return self.hand_over(one, length);
        }
        let behaviour = path.parse::<Behaviour>();
        let Some(behaviour) = behaviour.ok().filter(is_plain) else {
            return self.hand_over(one, length);
        };
        one.visit.request(one.visit.since);
        let request = Request { method, path, host: None, received: head };
        let delay = delay(&behaviour, &one.visit);
        self.out.clear();
        answer::write(&self.state, &behaviour, request, &mut self.out);
        if delay.is_zero() {
            send(&one.socket, one.visit, &self.out);
        } else {
            let due = one.visit.since + delay;
            let answer = self.out.clone();
            self.late.push(Late { due, socket: one.socket, visit: one.visit, answer });
        }
    }

    /// Sends the answers whose time has come.
    fn send_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let now = Instant::now();
        while self.late.peek().is_some_and(|late| late.due <= now) {
            let Some(late) = self.late.pop() else { return };
            send(&late.socket, late.visit, &late.answer);
        }
    }

    /// Gives a connection a task of its own, with the bytes that were read of it.
    fn hand_over(&mut self, one: Young, length: usize) {
        let received = self.head[..length].to_vec();
        if let Ok(stream) = TcpStream::from_std(one.socket.into()) {
            self.tasks.spawn(converse(stream, one.visit, received));
        }
    }
}

/// The address that was called, if both ends are of this machine's loopback.
pub(crate) fn loopback(peer: Option<SocketAddr>, here: Option<SocketAddr>) -> Option<Ipv4Addr> {
    let (peer, here) = (peer?.ip(), here?.ip());
    if !peer.is_loopback() || !here.is_loopback() {
        return None;
    }
    match here {
        IpAddr::V4(here) => Some(here),
        IpAddr::V6(_) => Some(Ipv4Addr::LOCALHOST),
    }
}

/// Method and path of a request that is whole and has no body.
fn simple(head: &[u8]) -> Option<(&str, &str)> {
    if !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    let line =
        std::str::from_utf8(head.get(..head.iter().position(|byte| *byte == b'\r')?)?).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    (matches!(method, "GET" | "HEAD") && path.starts_with('/')).then_some((method, path))
}

fn scripted(path: &str) -> bool {
    path.contains("/script/")
}

/// Whether an answer needs no more than one write.
fn is_plain(behaviour: &Behaviour) -> bool {
    let small = match &behaviour.body {
        Body::Filler(length) => *length <= LONGEST_BODY,
        Body::Bytes(bytes, _) => bytes.len() <= LONGEST_BODY,
        Body::Bomb(_) | Body::Echo => false,
    };
    small
        && matches!(behaviour.act, Act::Answer | Act::Redirect(_))
        && behaviour.coding == Coding::Identity
        && behaviour.connection == Connection::Close
        && u128::from(behaviour.delay_ms.1) <= LONGEST_DELAY.as_millis()
}

/// Writes a whole answer; the socket closes when it is dropped.
fn send(socket: &OwnedFd, mut visit: Visit, answer: &[u8]) {
    visit.end();
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    if rustix::net::send(socket, answer, flags).is_ok_and(|sent| sent == answer.len()) {
        visit.answered();
    }
}
