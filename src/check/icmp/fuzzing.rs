//! What comes back on sockets for echo requests.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::echo::Echo;
use super::socket::Kind;

/// Answers to echo requests.
///
/// # Panics
/// A property does not hold.
pub fn icmp(data: &[u8]) {
    let Some(([way, size], packet)) = data.split_first_chunk() else { return };
    let is_v4 = way & 1 == 0;
    let address = if is_v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let kind = if way & 2 == 0 { Kind::Raw } else { Kind::Datagram };
    let random = std::array::from_fn(|place| u8::try_from(place).unwrap_or(0));
    let mut echo = Echo::new(address, u16::from(*size), random);
    if echo.answered_by(packet, kind).is_some() {
        let nonce = random[2..].get(..usize::from(*size)).unwrap_or(&random[2..]);
        assert!(memchr::memmem::find(packet, nonce).is_some(), "another's answer is taken");
    }
    let sequence = u16::from(way >> 2);
    let mut answer = echo.request(sequence).to_vec();
    answer[0] = if is_v4 { 0 } else { 129 };
    if is_v4 && kind == Kind::Raw {
        answer = [&[0x45; 20], &answer[..]].concat();
    }
    assert_eq!(echo.answered_by(&answer, kind), Some(sequence));
}
