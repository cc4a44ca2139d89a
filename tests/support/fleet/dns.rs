//! A DNS server for the names under `fleet.test`, on UDP and TCP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::address::address;
use super::state::State;

const A: u16 = 1;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const ANY: u16 = 255;
/// The response codes of RFC 1035, 4.1.1.
const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// What the server knows of a name.
enum Answer {
    Addresses(Option<Ipv4Addr>, Option<Ipv6Addr>),
    Code(u8),
    Silence,
    /// The TC bit over UDP; this over TCP.
    Truncated(Ipv4Addr),
}

fn look_up(name: &str) -> Answer {
    let here = Ipv4Addr::LOCALHOST;
    let (four, six) = (|address| Answer::Addresses(Some(address), None), Ipv6Addr::LOCALHOST);
    let Some(label) = name.strip_suffix("fleet.test") else {
        return Answer::Code(NO_SUCH_NAME);
    };
    let label = label.trim_end_matches('.');
    let split = label.find(|digit: char| digit.is_ascii_digit()).unwrap_or(label.len());
    let (word, digits) = label.split_at(split);
    let number: Option<u32> = digits.parse().ok();
    match (word, number) {
        ("t" | "a", Some(number)) => four(address(number)),
        ("truncated", number) => Answer::Truncated(number.map_or(here, address)),
        ("six", _) => Answer::Addresses(None, Some(six)),
        ("both" | "deadsix", number) => {
            Answer::Addresses(Some(number.map_or(here, address)), Some(six))
        }
        ("", None) | ("www", _) => four(here),
        _ if label.starts_with("servfail") => Answer::Code(SERVER_FAILURE),
        _ if label.starts_with("silent") => Answer::Silence,
        _ => Answer::Code(NO_SUCH_NAME),
    }
}

/// A query as far as it is understood.
struct Query {
    name: String,
    kind: u16,
    /// Where the question ends.
    end: usize,
}

fn parse(packet: &[u8]) -> Option<Query> {
    let (mut name, mut at) = (String::with_capacity(32), 12);
    if packet.get(4..6)? != [0, 1] || packet[2] & 0x80 != 0 {
        return None;
    }
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => {
                let label = packet.get(at..at + length)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
                at += length;
            }
            _ => return None,
        }
    }
    let kind = u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?);
    packet.get(at + 2..at + 4)?;
    Some(Query { name, kind, end: at + 4 })
}

/// The transport that a query came by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// The answer to `packet`, if it gets one.
fn answer(state: &State, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
    if packet.len() < 12 || packet[2] & 0x80 != 0 {
        return None;
    }
    let Some(query) = parse(packet) else {
        return Some(Reply::new(packet, 12, FORMAT_ERROR, 0).bytes);
    };
    state.statistics.queried(&query.name);
    if state.dns_dead.load(Relaxed) {
        return None;
    }
    let (four, six) = match look_up(&query.name) {
        Answer::Silence => return None,
        Answer::Code(code) => {
            let mut reply = Reply::new(packet, query.end, code, 0);
            if code == NO_SUCH_NAME {
                reply.authority(state.dns_ttl);
            }
            return Some(reply.bytes);
        }
        Answer::Truncated(_) if transport == Transport::Udp => {
            return Some(Reply::new(packet, query.end, NO_ERROR, 0x02).bytes);
        }
        Answer::Truncated(address) => (Some(address), None),
        Answer::Addresses(four, six) => (four, six),
    };
    let mut reply = Reply::new(packet, query.end, NO_ERROR, 0);
    if let (Some(address), A | ANY) = (four, query.kind) {
        reply.record(A, state.dns_ttl, &address.octets());
    }
    if let (Some(address), AAAA | ANY) = (six, query.kind) {
        reply.record(AAAA, state.dns_ttl, &address.octets());
    }
    if reply.bytes[7] == 0 {
        reply.authority(state.dns_ttl);
    }
    Some(reply.bytes)
}

/// A reply that is being written.
struct Reply {
    bytes: Vec<u8>,
}

impl Reply {
    /// Begins with the identifier and the question of `packet`, which ends at `end`.
    fn new(packet: &[u8], end: usize, code: u8, flags: u8) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&packet[..end]);
        // A response, authoritative, with the question's opcode and its RD bit; RA is set.
        bytes[2] = 0x84 | (packet[2] & 0x79) | flags;
        bytes[3] = 0x80 | code;
        bytes[4..12].fill(0);
        bytes[5] = u8::from(end > 12);
        Self { bytes }
    }

    /// Adds an answer to the question.
    fn record(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        self.bytes[7] += 1;
        self.bytes.extend_from_slice(&[0xc0, 12]);
        self.data(kind, ttl, data);
    }

    /// Adds the authority that says how long a negative answer holds (RFC 2308).
    fn authority(&mut self, ttl: u32) {
        self.bytes[9] += 1;
        self.bytes.extend_from_slice(b"\x05fleet\x04test\x00");
        let mut data = b"\x02ns\x05fleet\x04test\x00\x05admin\x05fleet\x04test\x00".to_vec();
        for number in [1, 3600, 600, 86_400, ttl] {
            data.extend_from_slice(&number.to_be_bytes());
        }
        self.data(SOA, ttl, &data);
    }

    fn data(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&[0, 1]);
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        let length = u16::try_from(data.len()).unwrap_or(0);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(data);
    }
}

/// Answers queries over UDP until it is dropped.
pub(crate) async fn udp(socket: UdpSocket, state: Arc<State>) -> io::Result<()> {
    let mut packet = [0; 1500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
        if let Some(reply) = answer(&state, &packet[..length], Transport::Udp) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

/// Answers queries over TCP until it is dropped.
pub(crate) async fn tcp(listener: TcpListener, state: Arc<State>) -> io::Result<()> {
    let mut clients = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            clients.spawn(client(stream, Arc::clone(&state)));
        }
        while clients.try_join_next().is_some() {}
    }
}

async fn client(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut packet = Vec::new();
    loop {
        let length = stream.read_u16().await?;
        packet.resize(usize::from(length), 0);
        stream.read_exact(&mut packet).await?;
        if let Some(reply) = answer(&state, &packet, Transport::Tcp) {
            let length = u16::try_from(reply.len()).unwrap_or(0);
            let framed = [length.to_be_bytes().as_slice(), &reply].concat();
            stream.write_all(&framed).await?;
        }
    }
}
