//! The name servers of a zone are asked one by one; those of the tests stand on port 53 of
//! loopback addresses, which takes root.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::{NS, SOA};
use hickory_resolver::proto::rr::{RData, Record};
use poller::outcome::{Cause, Detail};
use poller::target::{Look, RecordType as R};

use crate::raw_names::{Asked, Does, RawServer, a, bytes, name};
use crate::record::{LookAt, Seen};

const A: u16 = 1;
const NAME_SERVER: u16 = 2;
const START: u16 = 6;

/// How a name server of the zone behaves.
#[derive(Clone, Copy, Debug)]
struct Behaviour {
    last: u8,
    serial: u32,
    is_authoritative: bool,
}

const GOOD: Behaviour = Behaviour { last: 1, serial: 7, is_authoritative: true };

fn start(serial: u32) -> RData {
    let (primary, person) = (name("ns0.zone.test"), name("person.zone.test"));
    RData::SOA(SOA::new(primary, person, serial, 1, 1, 1, 1))
}

/// A name server of the zone at port 53 of an address that no other test has.
async fn of_zone(number: u8, behaviour: Behaviour) -> Option<RawServer> {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 128 + number, high, low.clamp(1, 254));
    let server = RawServer::serve_at(SocketAddr::from((address, 53)), move |asked| {
        let mut answer = match asked.question().1 {
            START => asked.with([start(behaviour.serial)]),
            _ => asked.with([a(behaviour.last)]),
        };
        answer.metadata.authoritative = behaviour.is_authoritative;
        vec![Does::Send(bytes(&answer))]
    });
    let server = server.await;
    if server.is_none() {
        eprintln!("skipped: port 53 takes root");
    }
    server
}

/// A name server that knows where those of the zone are: `ns0.zone.test` and so on.
async fn knowing(servers: &[&RawServer]) -> RawServer {
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    RawServer::serve(move |asked| {
        let answer = directory(asked, &addresses);
        vec![Does::Send(bytes(&answer))]
    })
    .await
}

fn directory(asked: &Asked, addresses: &[SocketAddr]) -> Message {
    let (question, kind) = asked.question();
    let host = |number: usize| format!("ns{number}.zone.test");
    match kind {
        NAME_SERVER if question == "zone.test" => {
            asked.with((0..addresses.len()).map(|number| RData::NS(NS(name(&host(number))))))
        }
        NAME_SERVER => {
            let mut answer = asked.empty();
            // Only below the zone is it named as the one that has no such record.
            if question.starts_with("www") {
                answer.add_authority(Record::from_rdata(name("zone.test"), 9, start(1)));
            }
            answer
        }
        A if question.starts_with("ns") => {
            let of_host = |(number, address): (usize, &SocketAddr)| match address {
                SocketAddr::V4(address) if host(number) == question => {
                    Some(RData::A((*address.ip()).into()))
                }
                _ => None,
            };
            asked.with(addresses.iter().enumerate().filter_map(of_host))
        }
        A => asked.with([a(1)]),
        _ => asked.empty(),
    }
}

async fn look(host: &str, own: &RawServer) -> Seen {
    let mut look = LookAt::new(host, R::A, own.address).within(3_000);
    look.probe.authoritative = Look::Yes;
    look.run().await
}

#[tokio::test]
async fn name_servers_that_agree_are_consistent() {
    let (Some(one), Some(other)) = (of_zone(0, GOOD).await, of_zone(1, GOOD).await) else { return };
    let own = knowing(&[&one, &other]).await;
    for host in ["www.zone.test", "deep.below.zone.test", "zone.test"] {
        let seen = look(host, &own).await;
        seen.is_up();
        assert_eq!(seen.text("authoritative/zone"), "zone.test");
        assert_eq!(*seen.fact("authoritative/consistent"), true);
        let server = "authoritative/servers/1";
        assert_eq!(seen.text(&format!("{server}/name")), "ns1.zone.test");
        assert_eq!(seen.text(&format!("{server}/address")), other.address.ip().to_string());
        assert_eq!(seen.text(&format!("{server}/status")), "ok");
        assert_eq!(*seen.fact(&format!("{server}/is_authoritative")), true);
        assert_eq!(*seen.fact(&format!("{server}/values")), serde_json::json!(["192.0.2.1"]));
        assert_eq!(*seen.fact(&format!("{server}/serial")), 7);
    }
    assert!(one.asked().iter().all(|asked| !asked.message.metadata.recursion_desired));
    assert!(own.asked().iter().all(|asked| asked.message.metadata.recursion_desired));
}

#[tokio::test]
async fn a_name_server_that_is_not_authoritative_differs_or_is_behind_is_told() {
    let bad: [(Behaviour, &str, &str); 3] = [
        (Behaviour { is_authoritative: false, ..GOOD }, "not_authoritative", "not authoritative"),
        (Behaviour { last: 2, ..GOOD }, "ok", "something else"),
        (Behaviour { serial: 6, ..GOOD }, "ok", "something else"),
    ];
    for (number, (behaviour, status, words)) in (0_u8..).zip(bad) {
        let Some(good) = of_zone(2 + 2 * number, GOOD).await else { return };
        let Some(server) = of_zone(3 + 2 * number, behaviour).await else { return };
        let own = knowing(&[&good, &server]).await;
        let seen = look("www.zone.test", &own).await;
        assert_eq!(seen.fault(), (Cause::Assertion, Detail::Lame), "{behaviour:?}");
        assert_eq!(seen.text("authoritative/servers/1/status"), status);
        assert_eq!(*seen.fact("authoritative/consistent"), false);
        assert!(seen.facts.message.contains("ns1.zone.test"), "{seen:?}");
        assert!(seen.facts.message.contains(words), "{seen:?}");
    }
}

#[tokio::test]
async fn the_zone_is_found_as_soon_as_it_is_named() {
    let Some(server) = of_zone(8, GOOD).await else { return };
    let own = knowing(&[&server]).await;
    look("www.far.below.zone.test", &own).await.is_up();
    let asked: Vec<_> = own.asked().iter().map(Asked::question).collect();
    let names: Vec<_> = asked.iter().filter(|(_, kind)| *kind == NAME_SERVER).collect();
    assert_eq!(names.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn name_servers_that_nobody_knows_are_a_warning() {
    let own = knowing(&[]).await;
    let seen = look("www.zone.test", &own).await;
    assert_eq!(seen.fault(), (Cause::Assertion, Detail::Lame));
    assert!(seen.fact("authoritative/zone").is_null());
    assert!(seen.facts.message.ends_with("are not known: there are none"), "{seen:?}");
}
