//! `Records`: what the answer of a name server says of a name, and how long that holds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// How long an answer holds, whatever its TTL says.
pub(super) const POSITIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));
/// How long it holds that there is no such name or record.
pub(super) const NEGATIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How long a failure is not tried again.
pub(super) const FAILURE: Duration = Duration::from_secs(2);
/// Aliases that are followed at most.
const ALIASES: usize = 16;

/// The addresses of a name, in the order of the answer.
pub(crate) type Addresses = Arc<[IpAddr]>;

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchanger {
    pub(crate) preference: u16,
    /// Without the last dot; empty when the domain takes no mail (RFC 7505).
    pub(crate) name: String,
}

/// What there is of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    Addresses(Addresses),
    /// The preferred ones first; none when there is the name and no such record.
    Exchangers(Arc<[Exchanger]>),
}

/// What was found of a name, or why nothing was, and how long that holds.
pub(super) type Found<T> = Result<(T, Duration), (Fault, Duration)>;

/// What one message says.
#[derive(Debug)]
pub(super) enum Said<T> {
    Found(Found<T>),
    /// That the name is another one for this, of which it says nothing.
    Alias(Name),
}

/// The addresses that `message` gives `name`.
pub(super) fn addresses(message: &Message, name: &Name, kind: RecordType) -> Said<Vec<IpAddr>> {
    read(message, name, kind, |data| match data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    })
}

/// The hosts that take mail for `name` by `message`.
pub(super) fn exchangers(message: &Message, name: &Name) -> Said<Vec<Exchanger>> {
    let said = read(message, name, RecordType::MX, |data| match data {
        RData::MX(mx) => Some(Exchanger {
            preference: mx.preference,
            name: mx.exchange.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
        }),
        _ => None,
    });
    match said {
        // There is the name, and no record of this type.
        Said::Found(Err((fault, hold))) if fault.detail == Detail::NoAddress => {
            Said::Found(Ok((Vec::new(), hold)))
        }
        Said::Found(Ok((mut found, hold))) => {
            found.sort_by_key(|one| one.preference);
            Said::Found(Ok((found, hold)))
        }
        said => said,
    }
}

fn read<T>(
    message: &Message,
    name: &Name,
    kind: RecordType,
    take: impl Fn(&RData) -> Option<T>,
) -> Said<Vec<T>> {
    let (mut name, mut ttl) = (name, u32::MAX);
    for _ in 0..ALIASES {
        let Some(alias) = of_name(message, name, RecordType::CNAME).next() else { break };
        let RData::CNAME(next) = &alias.data else { break };
        (name, ttl) = (&next.0, ttl.min(alias.ttl));
    }
    let mut found = Vec::new();
    for record in of_name(message, name, kind) {
        found.extend(take(&record.data));
        ttl = ttl.min(record.ttl);
    }
    if !found.is_empty() {
        let hold = Duration::from_secs(ttl.into()).clamp(POSITIVE.0, POSITIVE.1);
        return Said::Found(Ok((found, hold)));
    }
    let detail = match message.metadata.response_code {
        ResponseCode::NXDomain => Detail::NoSuchName,
        _ => Detail::NoAddress,
    };
    let none = negative_ttl(message);
    if none.is_none() && ttl != u32::MAX && detail == Detail::NoAddress {
        return Said::Alias(name.clone());
    }
    let hold = none.map_or(NEGATIVE.0, |ttl| Duration::from_secs(ttl.into()));
    Said::Found(Err((Fault::new(Cause::Dns, detail), hold.clamp(NEGATIVE.0, NEGATIVE.1))))
}

fn of_name<'a>(
    message: &'a Message,
    name: &'a Name,
    kind: RecordType,
) -> impl Iterator<Item = &'a Record> {
    let is_it = move |record: &&Record| record.record_type() == kind && record.name == *name;
    message.answers.iter().filter(is_it)
}

/// How long it holds that there is none (RFC 2308, section 5).
fn negative_ttl(message: &Message) -> Option<u32> {
    message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{MessageType, OpCode};
    use hickory_resolver::proto::rr::rdata::{CNAME, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn alias(from: &str, to: &str, ttl: u32) -> Record {
        Record::from_rdata(name(from), ttl, RData::CNAME(CNAME(name(to))))
    }

    fn address(of: &str, last: u8, ttl: u32) -> Record {
        let address = std::net::Ipv4Addr::new(192, 0, 2, last);
        Record::from_rdata(name(of), ttl, RData::A(address.into()))
    }

    fn message(answers: Vec<Record>) -> Message {
        let mut message = Message::new(1, MessageType::Response, OpCode::Query);
        message.add_answers(answers);
        message
    }

    fn told(message: &Message) -> Said<Vec<IpAddr>> {
        addresses(message, &name("a.example."), RecordType::A)
    }

    #[test]
    fn aliases_are_followed_in_any_order_and_the_shortest_time_counts() {
        let message = message(vec![
            address("c.example.", 1, 90),
            address("other.example.", 9, 5),
            alias("b.example.", "C.example.", 20),
            alias("a.example.", "b.example.", 40),
            address("c.example.", 2, 80),
        ]);
        let Said::Found(Ok((found, hold))) = told(&message) else { panic!("{message:?}") };
        assert_eq!((found.len(), hold), (2, Duration::from_secs(20)));
    }

    #[test]
    fn an_alias_without_a_word_of_what_it_stands_for_leads_on_and_a_circle_ends() {
        let alone = message(vec![alias("a.example.", "b.example.", 40)]);
        assert!(matches!(told(&alone), Said::Alias(next) if next == name("b.example.")));
        let circle = message(vec![
            alias("a.example.", "b.example.", 40),
            alias("b.example.", "a.example.", 40),
        ]);
        assert!(matches!(told(&circle), Said::Alias(_)));
    }

    #[test]
    fn that_there_is_none_holds_as_long_as_its_zone_says() {
        let mut none = message(vec![alias("a.example.", "b.example.", 40)]);
        let soa = SOA::new(name("example."), name("example."), 1, 1, 1, 1, 7);
        none.add_authority(Record::from_rdata(name("example."), 9, RData::SOA(soa)));
        for (code, detail) in [
            (ResponseCode::NoError, Detail::NoAddress),
            (ResponseCode::NXDomain, Detail::NoSuchName),
        ] {
            none.metadata.response_code = code;
            let Said::Found(Err((fault, hold))) = told(&none) else { panic!("{none:?}") };
            assert_eq!((fault.detail, hold), (detail, Duration::from_secs(7)));
        }
    }
}
