//! `Limiter`: so many at once of one address, and then one after each span.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::counted;

/// Addresses that are remembered at most.
const ADDRESSES: usize = 65_536;
/// How often those that have been quiet are forgotten at most: that takes a while.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What all those are counted under for whom there is no room.
const CROWD: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts what comes from each address, by the generic cell rate algorithm.
pub(super) struct Limiter {
    /// How far the next one may be ahead of its time.
    ahead: Duration,
    every: Duration,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// When the next one of an address would come if all came evenly.
    next: HashMap<IpAddr, Instant>,
    swept: Option<Instant>,
}

impl Limiter {
    /// `burst` at once, and then one `every` so often.
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        let ahead = every.saturating_mul(burst.saturating_sub(1));
        Self { ahead, every, counts: Mutex::default() }
    }

    /// Counts one more of `address` at `now`.
    ///
    /// # Errors
    /// There were too many; how long to wait.
    pub(super) fn admit(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts.lock();
        let address = counts.room_for(counted(address), now);
        let next = counts.next.entry(address).or_insert(now);
        let due = (*next).max(now);
        let early = due.saturating_duration_since(now);
        if let Some(wait) = early.checked_sub(self.ahead).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        *next = due + self.every;
        Ok(())
    }
}

impl Counts {
    /// What `address` is counted under.
    fn room_for(&mut self, address: IpAddr, now: Instant) -> IpAddr {
        if self.next.len() < ADDRESSES || self.next.contains_key(&address) {
            return address;
        }
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY) {
            self.swept = Some(now);
            self.next.retain(|_, next| *next > now);
        }
        if self.next.len() < ADDRESSES { address } else { CROWD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_burst_passes_and_then_one_at_a_time_each_address_by_itself() {
        let limiter = Limiter::new(3, Duration::from_secs(2));
        let now = Instant::now();
        let admit =
            |number, seconds| limiter.admit(address(number), now + Duration::from_secs(seconds));
        assert!((0..3).all(|_| admit(1, 0).is_ok()));
        assert_eq!(admit(1, 0), Err(Duration::from_secs(2)));
        assert_eq!(admit(1, 1), Err(Duration::from_secs(1)));
        assert_eq!(admit(2, 1), Ok(()));
        assert_eq!((admit(1, 2), admit(1, 2)), (Ok(()), Err(Duration::from_secs(2))));
        assert!((0..3).all(|_| admit(1, 60).is_ok()));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_visitor() {
        let limiter = Limiter::new(1, Duration::from_secs(1));
        let admit = |text: &str| limiter.admit(text.parse().expect("an address"), Instant::now());
        assert!(admit("2001:db8::1").is_ok() && admit("2001:db8::2").is_err());
        assert!(admit("2001:db8:0:1::1").is_ok());
        assert!(admit("192.0.2.1").is_ok() && admit("::ffff:192.0.2.1").is_err());
    }

    #[test]
    fn however_many_addresses_come_few_are_remembered() {
        let limiter = Limiter::new(1, Duration::from_secs(9));
        let now = Instant::now();
        let most = u32::try_from(ADDRESSES).expect("a number");
        assert!((1..=most).all(|number| limiter.admit(address(number), now).is_ok()));
        assert!(limiter.admit(address(most + 1), now).is_ok());
        assert!(limiter.admit(address(most + 2), now).is_err(), "the crowd counts as one");
        assert!(limiter.counts.lock().next.len() <= ADDRESSES + 1);
        let later = now + Duration::from_secs(20);
        assert!(limiter.admit(address(most + 3), later).is_ok());
        assert_eq!(limiter.counts.lock().next.len(), 1);
    }
}
