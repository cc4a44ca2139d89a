//! Has the kernel drop what is no answer to us, before a socket for all of ICMP holds it: every such
//! socket gets the packets of all.

use std::net::IpAddr;

use socket2::{SockFilter, Socket};

/// Instructions of the kernel's packet filter (Berkeley Packet Filter).
const LENGTH_OF_IP: u16 = 0xb1;
const BYTE_BEHIND_IP: u16 = 0x50;
const WORD_BEHIND_IP: u16 = 0x48;
const BYTE: u16 = 0x30;
const WORD: u16 = 0x28;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Lets answers with this identifier alone through to `socket`.
///
/// Where the kernel takes no filter, what comes through is told apart later.
pub(super) fn attach(socket: &Socket, address: IpAddr, identifier: [u8; 2]) {
    let identifier = u16::from_be_bytes(identifier).into();
    let _ = match address {
        // The packet begins with the head of IP.
        IpAddr::V4(_) => {
            let start = [SockFilter::new(LENGTH_OF_IP, 0, 0, 0)];
            let rest = program([BYTE_BEHIND_IP, WORD_BEHIND_IP], 0, identifier);
            let all: Vec<SockFilter> = start.into_iter().chain(rest).collect();
            socket.attach_filter(&all)
        }
        IpAddr::V6(_) => socket.attach_filter(&program([BYTE, WORD], 129, identifier)),
    };
}

/// Takes a message of type `answer` with this identifier, and nothing else.
fn program([byte, word]: [u16; 2], answer: u32, identifier: u32) -> [SockFilter; 6] {
    const ALL: u32 = u32::MAX;
    [
        SockFilter::new(byte, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, answer),
        SockFilter::new(word, 0, 0, 4),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, identifier),
        SockFilter::new(RETURN, 0, 0, ALL),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
