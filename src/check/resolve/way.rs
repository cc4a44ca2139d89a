//! Whether this machine has a way to an address: the kernel is asked, and nothing sent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::check::links;

/// Root name servers, which stand for the Internet.
const FAR_V4: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 0x2, 0x30);

/// How often the way to the IPv6 Internet is looked for: it may come and go.
const EVERY: Duration = Duration::from_secs(5);
/// How often it may count as having come.
const OFTEN: Duration = Duration::from_mins(5);

/// How long a way that was lost is looked for before anything is sent.
const LATELY: Duration = Duration::from_secs(5);
/// When a way was lost last, in milliseconds since `START`; 0: not lately. There is one machine,
/// whoever polls.
static LOST_MS: AtomicU64 = AtomicU64::new(0);
static START: OnceLock<Instant> = OnceLock::new();

/// Whether there is a way to the IPv6 Internet, as it was seen lately.
#[derive(Debug, Default)]
pub(super) struct WayToIpv6 {
    looked: Option<Instant>,
    is_there: bool,
    /// When it came last.
    came: Option<Instant>,
}

impl WayToIpv6 {
    pub(super) fn is_there(&mut self, now: Instant) -> bool {
        if self.looked.is_none_or(|looked| now.duration_since(looked) >= EVERY) {
            (self.looked, self.is_there) = (Some(now), has_ipv6());
        }
        self.is_there
    }

    /// Whether it has come since it was looked for last; one that comes and goes counts seldom.
    pub(super) fn has_come(&mut self, now: Instant) -> bool {
        let was_missing = self.looked.is_some() && !self.is_there;
        let is_often = self.came.is_some_and(|came| now.saturating_duration_since(came) < OFTEN);
        let has_come = was_missing && self.is_there(now) && !is_often;
        if has_come {
            self.came = Some(now);
        }
        has_come
    }
}

fn has_ipv6() -> bool {
    match own_address(FAR_V6.into()) {
        // A unique local address (fc00::/7) has no way out, whatever the routes say.
        Ok(IpAddr::V6(own)) => {
            !own.is_loopback() && !own.is_unique_local() && !own.is_unicast_link_local()
        }
        _ => false,
    }
}

/// Whether there is a way to the Internet at all.
pub(crate) fn has_internet() -> bool {
    !is_cut_off(&[FAR_V4.into(), FAR_V6.into()])
}

/// Whether there is a way to none of `addresses`.
pub(crate) fn is_cut_off(addresses: &[IpAddr]) -> bool {
    let no_way = |address: &IpAddr| match own_address(*address) {
        Ok(own) => links::is_down(own, *address),
        // Without an IPv6 address of our own, the kernel finds none to send from.
        Err(error) => matches!(
            Errno::from_io_error(&error),
            Some(Errno::NETUNREACH | Errno::NETDOWN | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)
        ),
    };
    !addresses.is_empty() && addresses.iter().all(no_way)
}

/// Notes that this machine has lost a way that polls were on.
pub(crate) fn note_lost() {
    let since = START.get_or_init(Instant::now).elapsed();
    let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    LOST_MS.store(ms.max(1), Relaxed);
}

/// Whether this machine has lately lost a way: then it is looked for before anything is sent.
pub(crate) fn is_lost_lately() -> bool {
    let lost_ms = LOST_MS.load(Relaxed);
    if lost_ms == 0 {
        return false;
    }
    let lost = Duration::from_millis(lost_ms);
    let is_lately = START.get_or_init(Instant::now).elapsed().saturating_sub(lost) < LATELY;
    if !is_lately {
        let _ = LOST_MS.compare_exchange(lost_ms, 0, Relaxed, Relaxed);
    }
    is_lately
}

/// Whether the kernel knows a way to `address`.
pub(crate) fn leads_to(address: IpAddr) -> bool {
    own_address(address).is_ok()
}

/// The address that we would send from to `there`.
fn own_address(there: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(SocketAddr::new(there, 53))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_way_to_ourselves_and_nobody_is_no_reason_to_look_for_one() {
        assert!(!is_cut_off(&[Ipv4Addr::LOCALHOST.into()]));
        assert!(!is_cut_off(&[]));
    }

    #[test]
    fn that_a_way_was_lost_is_remembered_for_a_moment() {
        assert!(!is_lost_lately());
        note_lost();
        assert!(is_lost_lately());
    }
}
