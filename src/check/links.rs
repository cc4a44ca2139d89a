//! Whether the interfaces of this machine are up: the kernel keeps ways that lead over one that is
//! not, and loses what is sent there without a word.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use parking_lot::Mutex;

/// How long what was seen holds: many polls may ask at once.
const HOLD: Duration = Duration::from_millis(50);

/// An address of this machine, and the state of the interface that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    own: IpAddr,
    mask: IpAddr,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Nothing is at the other end.
    NoCarrier,
    Down,
}

/// The addresses of this machine, as they were seen last: there is one machine, whoever asks.
static SEEN: Mutex<Option<(Instant, Vec<Link>)>> = Mutex::new(None);

/// Whether nothing can go out from our address `own` to `there`, because the interface is down.
pub(crate) fn is_down(own: IpAddr, there: IpAddr) -> bool {
    let now = Instant::now();
    let mut seen = SEEN.lock();
    match &*seen {
        Some((then, links)) if now.saturating_duration_since(*then) < HOLD => {
            return is_down_among(links, own, there);
        }
        _ => {}
    }
    let links: Vec<Link> =
        getifaddrs().into_iter().flatten().filter_map(|seen| link(&seen)).collect();
    let is_down = is_down_among(&links, own, there);
    *seen = Some((now, links));
    is_down
}

fn is_down_among(links: &[Link], own: IpAddr, there: IpAddr) -> bool {
    // What is for ourselves goes over the loopback interface, whichever has the address.
    let is_it = |link: &&Link| {
        if own == there {
            link.own.is_loopback() && link.own.is_ipv4() == own.is_ipv4()
        } else {
            link.own == own
        }
    };
    let Some(link) = links.iter().find(is_it) else { return false };
    match link.state {
        State::Up => false,
        State::Down => true,
        // Where the one at the other end is the target, it is the target that is gone: a bridge
        // without a machine on it has no carrier either.
        State::NoCarrier => !is_near(*link, there),
    }
}

/// Whether `there` is in the network of `link`, and no router between.
fn is_near(link: Link, there: IpAddr) -> bool {
    match (link.own, link.mask, there) {
        (IpAddr::V4(own), IpAddr::V4(mask), IpAddr::V4(there)) => own & mask == there & mask,
        (IpAddr::V6(own), IpAddr::V6(mask), IpAddr::V6(there)) => own & mask == there & mask,
        _ => false,
    }
}

fn link(seen: &InterfaceAddress) -> Option<Link> {
    let (own, mask) = (ip(seen.address.as_ref()?)?, ip(seen.netmask.as_ref()?)?);
    let state = if !seen.flags.contains(InterfaceFlags::IFF_UP) {
        State::Down
    } else if seen.flags.contains(InterfaceFlags::IFF_RUNNING) {
        State::Up
    } else {
        State::NoCarrier
    };
    Some(Link { own, mask, state })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = || address.as_sockaddr_in().map(|address| address.ip().into());
    let v6 = || address.as_sockaddr_in6().map(|address| address.ip().into());
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn links(state: State) -> [Link; 3] {
        [("127.0.0.1", "255.0.0.0"), ("192.0.2.2", "255.255.255.0"), ("2001:db8::2", "ffff:ffff::")]
            .map(|(own, mask)| Link { own: address(own), mask: address(mask), state })
    }

    #[test]
    fn an_interface_that_is_down_leads_nowhere_and_one_without_a_carrier_no_further_than_its_end() {
        let is_down =
            |state, own, there| is_down_among(&links(state), address(own), address(there));
        for (own, there, is_near) in [
            ("127.0.0.1", "127.1.0.1", true),
            ("192.0.2.2", "192.0.2.77", true),
            ("192.0.2.2", "198.51.100.1", false),
            ("2001:db8::2", "2001:db8:ffff::1", true),
            ("2001:db8::2", "2001:db9::1", false),
        ] {
            assert!(!is_down(State::Up, own, there), "{there}");
            assert!(is_down(State::Down, own, there), "{there}");
            assert_eq!(is_down(State::NoCarrier, own, there), !is_near, "{there}");
        }
        assert!(!is_down(State::Down, "203.0.113.1", "198.51.100.1"), "nothing is known of it");
    }

    #[test]
    fn what_is_for_ourselves_goes_over_the_loopback_interface() {
        let [loopback, link, _] = links(State::Up);
        let own = address("192.0.2.2");
        assert!(!is_down_among(&[loopback, Link { state: State::Down, ..link }], own, own));
        assert!(is_down_among(&[Link { state: State::Down, ..loopback }, link], own, own));
    }

    #[test]
    fn the_loopback_interface_of_this_machine_is_seen() {
        let seen: Vec<Link> =
            getifaddrs().expect("interfaces").filter_map(|seen| super::link(&seen)).collect();
        let lo = seen.iter().find(|link| link.own == address("127.0.0.1"));
        assert_eq!(lo.map(|link| link.mask), Some(address("255.0.0.0")), "{seen:?}");
        assert!(!super::is_down(address("127.0.0.1"), address("127.1.2.3")));
    }
}
