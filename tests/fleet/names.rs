//! The DNS server, asked by hickory's client code and over both transports.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{MOMENT, PATIENCE, start};
use crate::fleet::{Fleet, Options, address::address};

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query.to_vec().unwrap()
}

/// The answer over UDP, if one comes.
fn ask(fleet: &Fleet, name: &str, kind: RecordType) -> Option<Message> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let patience = if name.starts_with("silent") { MOMENT } else { PATIENCE };
    socket.set_read_timeout(Some(patience)).unwrap();
    let query = query(name, kind);
    socket.send_to(&query, fleet.dns_address()).unwrap();
    let mut packet = [0; 1500];
    let (length, _) = socket.recv_from(&mut packet).ok()?;
    assert_eq!(packet[..2], query[..2]);
    Some(Message::from_vec(&packet[..length]).unwrap())
}

fn ask_tcp(fleet: &Fleet, name: &str) -> Message {
    let mut stream = TcpStream::connect(fleet.dns_address()).unwrap();
    let query = query(name, RecordType::A);
    let length = u16::try_from(query.len()).unwrap().to_be_bytes();
    stream.write_all(&[length.as_slice(), &query].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut packet).unwrap();
    Message::from_vec(&packet).unwrap()
}

fn addresses(message: &Message) -> Vec<String> {
    let answers = message.answers.iter();
    answers
        .filter_map(|record| match &record.data {
            RData::A(address) => Some(address.to_string()),
            RData::AAAA(address) => Some(address.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_target_name_leads_to_its_address_for_the_set_time() {
    let fleet = Fleet::start(Options { dns_ttl: 7, ..Options::default() }).unwrap();
    let answer = ask(&fleet, "T65001.Fleet.Test.", RecordType::A).unwrap();
    assert_eq!(addresses(&answer), [address(65_001).to_string()]);
    assert_eq!(answer.answers[0].ttl, 7);
    assert_eq!(addresses(&ask_tcp(&fleet, "t3.fleet.test.")), [address(3).to_string()]);
    assert_eq!((fleet.queries_of("t65001.fleet.test"), fleet.statistics().queries), (1, 2));
}

#[test]
fn a_name_without_addresses_of_a_family_says_so_with_its_authority() {
    let fleet = start();
    let answer = ask(&fleet, "t1.fleet.test.", RecordType::AAAA).unwrap();
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(answer.answers.is_empty());
    assert_eq!(answer.authorities[0].record_type(), RecordType::SOA);
}

#[test]
fn both_families_are_served() {
    let fleet = start();
    for (name, kind, expected) in [
        ("six1.fleet.test.", RecordType::AAAA, Some("::1")),
        ("six1.fleet.test.", RecordType::A, None),
        ("both.fleet.test.", RecordType::A, Some("127.0.0.1")),
        ("both.fleet.test.", RecordType::AAAA, Some("::1")),
        ("deadsix.fleet.test.", RecordType::A, Some("127.0.0.1")),
        ("deadsix.fleet.test.", RecordType::AAAA, Some("::1")),
    ] {
        let answer = ask(&fleet, name, kind).unwrap();
        assert_eq!(addresses(&answer).first().map(String::as_str), expected, "{name} {kind}");
    }
}

#[test]
fn names_fail_as_they_say() {
    let fleet = start();
    let code = |name| ask(&fleet, name, RecordType::A).unwrap().metadata.response_code;
    assert_eq!(code("nx1.fleet.test."), ResponseCode::NXDomain);
    assert_eq!(code("example.test."), ResponseCode::NXDomain);
    assert_eq!(code("servfail1.fleet.test."), ResponseCode::ServFail);
    assert!(ask(&fleet, "silent1.fleet.test.", RecordType::A).is_none());
}

#[test]
fn a_truncated_name_is_whole_over_tcp() {
    let fleet = start();
    let answer = ask(&fleet, "truncated4.fleet.test.", RecordType::A).unwrap();
    assert!(answer.metadata.truncation && answer.answers.is_empty());
    let answer = ask_tcp(&fleet, "truncated4.fleet.test.");
    assert!(!answer.metadata.truncation);
    assert_eq!(addresses(&answer), [address(4).to_string()]);
}

#[test]
fn a_dead_server_comes_back() {
    let fleet = start();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    fleet.dns_dead(true);
    socket.send_to(&query("t1.fleet.test.", RecordType::A), fleet.dns_address()).unwrap();
    socket.set_read_timeout(Some(MOMENT)).unwrap();
    assert!(socket.recv_from(&mut [0; 512]).is_err());
    fleet.dns_dead(false);
    assert!(ask(&fleet, "t1.fleet.test.", RecordType::A).is_some());
}
