//! `Echo`: the bytes of echo requests, and which of them an answer is to (RFC 792, RFC 4443).

use std::net::IpAddr;

use super::socket::Kind;

/// Bytes before the data.
const HEAD: usize = 8;
/// Random bytes that the data begin with.
const NONCE: usize = 16;
/// Bytes of data that fit in a datagram of IPv4.
const LARGEST: usize = 65_507;
/// Bytes of an answer that are looked at: the longest head of IPv4, ours, and the nonce.
pub(super) const LOOKED_AT: usize = 60 + HEAD + NONCE;

/// Echo requests of one check.
#[derive(Debug)]
pub(super) struct Echo {
    is_v4: bool,
    pub(super) identifier: [u8; 2],
    nonce: [u8; NONCE],
    bytes: Vec<u8>,
}

impl Echo {
    /// Requests to `address` with `size` bytes of data, told from all others by `random`.
    pub(super) fn new(address: IpAddr, size: u16, random: [u8; NONCE + 2]) -> Self {
        let [first, second, nonce @ ..] = random;
        let identifier = [first, second];
        let kind = if address.is_ipv4() { 8 } else { 128 };
        let mut bytes = vec![kind, 0, 0, 0, first, second, 0, 0];
        bytes.extend(nonce.iter().cycle().take(usize::from(size).min(LARGEST)));
        Self { is_v4: address.is_ipv4(), identifier, nonce, bytes }
    }

    /// The request of this number.
    pub(super) fn request(&mut self, sequence: u16) -> &[u8] {
        self.set(6, sequence);
        // That of ICMPv6 is reckoned by the kernel, which alone knows the addresses.
        if self.is_v4 {
            self.set(2, 0);
            self.set(2, checksum(&self.bytes));
        }
        &self.bytes
    }

    fn set(&mut self, at: usize, value: u16) {
        if let Some(place) = self.bytes.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// The number of the request that `packet`, as a socket of `kind` gives it, is the answer to.
    pub(super) fn answered_by(&self, packet: &[u8], kind: Kind) -> Option<u16> {
        let message = match (kind, self.is_v4) {
            (Kind::Raw, true) => without_ip(packet)?,
            _ => packet,
        };
        let (head, data) = message.split_at_checked(HEAD)?;
        let &[answer, 0, _, _, first, second, high, low] = head else { return None };
        let is_answer = answer == if self.is_v4 { 0 } else { 129 };
        // A socket for datagrams has an identifier of its own, and gets no other's answers.
        let is_ours = kind == Kind::Datagram || [first, second] == self.identifier;
        // Some hosts send back the first bytes of long data alone.
        let nonce = self.nonce.get(..self.bytes.len() - HEAD).unwrap_or(&self.nonce);
        (is_answer && is_ours && data.starts_with(nonce)).then(|| u16::from_be_bytes([high, low]))
    }
}

/// What follows the head of an IPv4 packet.
fn without_ip(packet: &[u8]) -> Option<&[u8]> {
    let first = packet.first()?;
    (first >> 4 == 4).then_some(())?;
    packet.get(usize::from(first & 15) * 4..)
}

/// The checksum of `bytes` (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    // There are too few of them to overflow.
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; NONCE + 2] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

    fn echo(address: &str, size: u16) -> Echo {
        Echo::new(address.parse().expect("an address"), size, RANDOM)
    }

    /// What comes back of a request, behind `before`.
    fn answer(echo: &mut Echo, sequence: u16, before: &[u8]) -> Vec<u8> {
        let kind = if echo.is_v4 { 0 } else { 129 };
        let mut message = echo.request(sequence).to_vec();
        message[0] = kind;
        [before, &message].concat()
    }

    #[test]
    fn a_request_has_its_checksum_and_data_of_any_length() {
        for size in [0, 1, 15, 16, 17, 56, 1_400, u16::MAX] {
            let mut echo = echo("127.0.0.1", size);
            let request = echo.request(258).to_vec();
            assert_eq!(request.len(), HEAD + usize::from(size).min(LARGEST));
            assert_eq!((request[0], &request[4..8]), (8, &[1, 2, 1, 2][..]));
            assert_eq!(checksum(&request), 0, "{size}");
        }
        assert_eq!(echo("::1", 56).request(1)[..4], [128, 0, 0, 0]);
    }

    #[test]
    fn an_answer_is_known_by_its_number_whatever_the_socket_gives() {
        let head = |words: u8| vec![0x40 | words; usize::from(words) * 4];
        for size in [0, 3, 56] {
            let mut echo = echo("127.0.0.1", size);
            for words in [5, 15] {
                let packet = answer(&mut echo, 7, &head(words));
                assert_eq!(echo.answered_by(&packet, Kind::Raw), Some(7));
            }
            let mut packet = answer(&mut echo, 8, &[]);
            // The kernel gives a socket for datagrams an identifier of its own.
            packet[4] = 99;
            assert_eq!(echo.answered_by(&packet, Kind::Datagram), Some(8));
        }
        let mut echo = echo("::1", 56);
        let packet = answer(&mut echo, 9, &[]);
        assert_eq!(echo.answered_by(&packet, Kind::Raw), Some(9));
        assert_eq!(echo.answered_by(&packet, Kind::Datagram), Some(9));
    }

    #[test]
    fn what_is_not_ours_is_no_answer() {
        let mut echo = echo("::1", 56);
        let good = answer(&mut echo, 1, &[]);
        // Our own request, a code, another's identifier, and another's data.
        for (place, value) in [(0, 128), (1, 1), (5, 0), (8, 0), (23, 0)] {
            let mut packet = good.clone();
            packet[place] = value;
            assert_eq!(echo.answered_by(&packet, Kind::Raw), None, "{place}");
        }
        for length in 0..HEAD + NONCE {
            assert_eq!(echo.answered_by(&good[..length], Kind::Raw), None, "{length}");
        }
        let v4 = self::echo("127.0.0.1", 56);
        for packet in [&[0x4f; 30][..], &[0x60; 80], &[0x40], &[]] {
            assert_eq!(v4.answered_by(packet, Kind::Raw), None);
        }
    }
}
