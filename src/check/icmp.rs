//! Asks a host for echoes.

mod count;
mod echo;
mod filter;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod socket;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rustix::io::Errno;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::address::Host;
use crate::check::connect::fault_of;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::gateway;
use crate::check::network::Network;
use crate::check::progress::{Progress, Step};
use crate::check::watch::There;
use crate::outcome::{Cause, Detail, Micros};
use crate::target::{IcmpProbe, Target};
use count::{Count, Trips};
use echo::{Echo, LOOKED_AT};
use socket::{Hops, Kind, Socket};

/// How long before its deadline a check ends, to say by itself what came of it.
const MARGIN: Duration = Duration::from_millis(5);

/// What is asked of a host.
#[derive(Clone, Copy, Debug)]
struct Order {
    address: IpAddr,
    count: usize,
    /// From one request to the next.
    spacing: Duration,
    /// When what did not come back is lost.
    end: Instant,
}

/// Asks a host for echoes: the first address of its name.
///
/// # Errors
/// What the target, or this machine, fails by.
pub(crate) async fn check(
    network: &Network,
    target: &Target,
    probe: &IcmpProbe,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let address = find(network, target, progress).await?;
    progress.tell(|facts| facts.put("address", address.to_string()));
    progress.reach.go(There::of(&[address]))?;
    progress.step = Step::Waiting;
    let mut random = [0; 18];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| Fault::new(Cause::Internal, Detail::None))?;
    let mut echo = Echo::new(address, probe.size, random);
    let hops = Hops { limit: probe.ttl, is_noted: progress.is_told() };
    let set_up = progress.started().elapsed();
    let socket = open(network, address, echo.identifier, hops)?;
    let set_up = progress.started().elapsed().saturating_sub(set_up);
    let order = Order::new(address, target, *probe, progress);
    let mut count = Count::default();
    let result = exchange(&socket, &mut echo, order, &mut count).await;
    let trips = count.trips();
    progress.finding.phases.first_byte = trips.map_or(Micros::NONE, |trips| Micros::of(trips.mean));
    let result = result.and_then(|()| judge(&count, address));
    progress.tell(|facts| {
        note(facts, socket.kind, &count, result);
        facts.put("setup_time", set_up.as_secs_f64());
        facts.put("reply_hop_limit", socket.last_limit().map(NonZeroU8::get));
    });
    result
}

impl Order {
    /// What `probe` asks for, squeezed so that half the time is left when all has been sent.
    fn new(address: IpAddr, target: &Target, probe: IcmpProbe, progress: &Progress) -> Self {
        let limit = target.timeout();
        let end = Instant::from_std(progress.started()) + limit - MARGIN.min(limit / 20);
        let left = end.saturating_duration_since(Instant::now());
        let spacing = Duration::from_millis(probe.spacing_ms.into());
        let longest = left / 2 / u32::from(probe.count.max(1));
        let count = usize::from(probe.count.max(1));
        Self { address, count, spacing: spacing.min(longest), end }
    }
}

/// The address that is asked.
async fn find(
    network: &Network,
    target: &Target,
    progress: &mut Progress,
) -> Result<IpAddr, Fault> {
    progress.step = Step::Resolving;
    let host = target.address.host();
    progress.tell(|facts| {
        facts.put(
            "host",
            match host {
                Host::Ip(address) => address.to_string(),
                Host::Name(name) => name.to_owned(),
            },
        );
    });
    let name = match host {
        Host::Ip(address) => return network.allowed(target, &[address]).map(|_| address),
        Host::Name(name) => name,
    };
    let addresses = network.resolve(target, name, progress).await?;
    network
        .allowed(target, &addresses)?
        .first()
        .copied()
        .ok_or(Fault::new(Cause::Dns, Detail::NoAddress))
}

/// A socket; where no descriptor is left, a connection that is kept makes room.
fn open(
    network: &Network,
    address: IpAddr,
    identifier: [u8; 2],
    hops: Hops,
) -> Result<Socket, Fault> {
    let open = || Socket::open(address, &Kind::ALL, identifier, hops);
    match open() {
        Err(fault) if network.makes_room(fault) => open(),
        opened => opened,
    }
}

/// Sends what `order` asks for and waits for the answers.
async fn exchange(
    socket: &Socket,
    echo: &mut Echo,
    order: Order,
    count: &mut Count,
) -> Result<(), Fault> {
    let mut buffer = [0; LOOKED_AT];
    let mut next = Instant::now();
    while count.received() < order.count {
        let now = Instant::now();
        let is_left = count.sent() < order.count;
        if is_left && next <= now && now < order.end {
            send(socket, echo, order, count).await?;
            next = now + order.spacing;
            continue;
        }
        let until = if is_left { next.min(order.end) } else { order.end };
        match timeout_at(until, socket.receive(&mut buffer)).await {
            Ok(Ok(length)) => {
                let packet = buffer.get(..length).unwrap_or_default();
                if let Some(number) = echo.answered_by(packet, socket.kind) {
                    count.receive(number, Instant::now());
                }
                if now >= order.end {
                    break;
                }
                // Packets that keep coming must not keep others from running.
                tokio::task::consume_budget().await;
            }
            Ok(Err(error)) => weigh(&error, order.address, count)?,
            Err(_) if until >= order.end => break,
            Err(_) => {}
        }
    }
    Ok(())
}

async fn send(
    socket: &Socket,
    echo: &mut Echo,
    order: Order,
    count: &mut Count,
) -> Result<(), Fault> {
    let message = echo.request(count.next());
    let mut result = Ok(());
    // What is said of an earlier message takes the place of the first try.
    for _ in 0..2 {
        let started = Instant::now();
        match timeout_at(order.end, socket.send(message)).await {
            Ok(Ok(())) => {
                count.send(started);
                return Ok(());
            }
            Ok(Err(error)) => {
                weigh(&error, order.address, count)?;
                result = Err(of_sending(&error, order.address));
            }
            Err(_) => return Ok(()),
        }
    }
    result
}

/// What an error says of the host, unless it answered before.
fn weigh(error: &io::Error, address: IpAddr, count: &Count) -> Result<(), Fault> {
    match of_network(error, address) {
        Some(fault) if count.received() == 0 || fault.cause != Cause::Connect => Err(fault),
        _ => Ok(()),
    }
}

/// What routers, or our own kernel, say of a message.
fn of_network(error: &io::Error, address: IpAddr) -> Option<Fault> {
    match Errno::from_io_error(error)? {
        // A message that is too long for a link is lost like any other.
        Errno::MSGSIZE => None,
        Errno::CONNREFUSED
        | Errno::NOPROTOOPT
        | Errno::PROTO
        | Errno::NONET
        | Errno::OPNOTSUPP
        | Errno::ACCESS => Some(Fault::new(Cause::Connect, Detail::Unreachable)),
        _ => Some(fault_of(error, address)),
    }
}

/// Why a message cannot be sent.
fn of_sending(error: &io::Error, address: IpAddr) -> Fault {
    match Errno::from_io_error(error) {
        Some(Errno::MSGSIZE) => Fault::setting(),
        _ => fault_of(error, address),
    }
}

fn judge(count: &Count, address: IpAddr) -> Result<(), Fault> {
    match count.received() {
        0 if gateway::is_silent(address) => Err(Fault::new(Cause::NoNetwork, Detail::Unreachable)),
        0 => Err(Fault::new(Cause::Timeout, Detail::Waiting)),
        received if received < count.sent() => Err(Fault::new(Cause::Assertion, Detail::Loss)),
        _ => Ok(()),
    }
}

fn note(facts: &mut Facts, kind: Kind, count: &Count, result: Result<(), Fault>) {
    facts.put("socket", kind.as_str());
    facts.put("sent", count.sent());
    facts.put("received", count.received());
    facts.put("loss_percent", count.loss_percent());
    facts.put("round_trip", count.trips().map(times));
    let (sent, received) = (count.sent(), count.received());
    facts.message = match (count.trips(), result) {
        (Some(Trips { mean, .. }), _) => {
            let ms = mean.as_secs_f64() * 1e3;
            format!("{received} of {sent} echoes came back, after {ms:.2} ms on average")
        }
        (None, Err(Fault { cause: Cause::Timeout, .. })) => {
            format!("none of {sent} echoes came back")
        }
        (None, _) => String::new(),
    };
}

/// Round trips in seconds.
fn times(trips: Trips) -> Map<String, Value> {
    let pairs = [
        ("min", Some(trips.min)),
        ("mean", Some(trips.mean)),
        ("max", Some(trips.max)),
        ("jitter", trips.jitter),
    ];
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64()).into();
    pairs.into_iter().map(|(name, time)| (name.to_owned(), seconds(time))).collect()
}
