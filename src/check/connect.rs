//! Connecting to the addresses of a host: one after the other, without waiting for the slow (RFC 8305).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::TcpStream;

use crate::check::fault::Fault;
use crate::check::gateway;
use crate::check::race::Race;
use crate::check::resolve::way;
use crate::outcome::{Cause, Detail};

/// How long an address has the field for itself before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of a host that are tried at most.
const TRIED: usize = 8;

/// Connects to the first of `addresses` that answers.
///
/// # Errors
/// None of them does; the fault is the one of the first that failed.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Fault> {
    match addresses {
        [] => Err(Fault::new(Cause::Dns, Detail::NoAddress)),
        [address] => attempt(*address, port).await,
        _ => Box::pin(race(&alternate(addresses), port)).await,
    }
}

/// The addresses with their families by turns, the family of the first one first.
fn alternate(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let is_first_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let mut first = addresses.iter().filter(|address| address.is_ipv6() == is_first_v6);
    let mut second = addresses.iter().filter(|address| address.is_ipv6() != is_first_v6);
    let mut mixed = Vec::with_capacity(addresses.len());
    while mixed.len() < addresses.len().min(TRIED) {
        mixed.extend(first.next().into_iter().chain(second.next()));
    }
    mixed.truncate(TRIED);
    mixed
}

async fn attempt(address: IpAddr, port: u16) -> Result<TcpStream, Fault> {
    let connected = TcpStream::connect(SocketAddr::new(address, port)).await;
    connected.map_err(|error| fault_of(&error, address))
}

/// What a connection to `address` failed by, when routers have been told apart from us.
pub(crate) fn fault_of(error: &io::Error, address: IpAddr) -> Fault {
    let fault = Fault::of_connect(error);
    match Errno::from_io_error(error) {
        // Without an IPv6 address of our own, the kernel finds none to connect from.
        Some(Errno::ADDRNOTAVAIL) if address.is_ipv6() => {
            Fault::new(Cause::NoNetwork, Detail::None)
        }
        // Routers say the same as our kernel; where that knows a way, it is they who do not.
        Some(Errno::NETUNREACH) if way::leads_to(address) => {
            Fault::new(Cause::Connect, Detail::Unreachable)
        }
        // Our kernel says the same of our gateway as routers of the target.
        Some(Errno::HOSTUNREACH) if gateway::is_silent(address) => {
            Fault::new(Cause::NoNetwork, Detail::Unreachable)
        }
        _ => fault,
    }
}

async fn race(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Fault> {
    let mut waiting = addresses.iter();
    let mut race = Race::new();
    let mut failed: Option<Fault> = None;
    loop {
        if let Some(&address) = waiting.next() {
            race.enter(attempt(address, port));
        } else if race.len() == 0 {
            return Err(failed.unwrap_or(Fault::new(Cause::Connect, Detail::None)));
        }
        let result = if waiting.len() == 0 {
            Some(race.first().await)
        } else {
            tokio::time::timeout(STAGGER, race.first()).await.ok()
        };
        match result {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(fault)) => failed = Some(graver(failed, fault)),
            None => {}
        }
    }
}

/// The fault that says more of the target: a family that we cannot reach says nothing of it.
fn graver(earlier: Option<Fault>, later: Fault) -> Fault {
    match earlier {
        Some(earlier) if earlier.cause != Cause::NoNetwork => earlier,
        _ => later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let [a, b, c, d] = ["::1", "::2", "127.0.0.1", "::3"].map(address);
        assert_eq!(alternate(&[a, b, c, d]), [a, c, b, d]);
    }

    #[test]
    fn a_router_that_knows_no_way_where_we_know_one_speaks_of_the_target() {
        let fault = fault_of(&io::Error::from(Errno::NETUNREACH), IpAddr::from([127, 0, 0, 1]));
        assert_eq!(fault, Fault::new(Cause::Connect, Detail::Unreachable));
    }

    #[test]
    fn a_family_without_a_route_does_not_hide_that_the_other_one_refuses() {
        let no_network = Fault::new(Cause::NoNetwork, Detail::None);
        let refused = Fault::new(Cause::Connect, Detail::Refused);
        assert_eq!(graver(Some(no_network), refused), refused);
        assert_eq!(graver(Some(refused), no_network), refused);
    }
}
