//! Whether the name servers of a zone answer for it, each of them, and all alike.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType as Kind};
use tokio::time::Instant;

use super::answer::{Found, of_name};
use super::client::{Answer, Trouble};
use super::message::{Mode, Question};
use super::name::shown;
use super::servers::{Servers, Unanswered};
use super::together::together;
use crate::check::resolve::way;
use crate::outcome::Detail;
use crate::target::{IpVersion, Look, RecordType};

/// The port of name servers.
pub(super) const PORT: u16 = 53;
/// Addresses of name servers that are asked at most.
const ADDRESSES: usize = 32;

/// What the name servers of a zone say.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) zone: Name,
    pub(super) servers: Vec<Server>,
}

/// One address of one name server, and what it says.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: Name,
    pub(super) address: Option<IpAddr>,
    pub(super) status: Status,
    /// Whether it says that it is responsible; none when it says nothing.
    pub(super) is_authoritative: Option<bool>,
    pub(super) found: Option<Found>,
    pub(super) serial: Option<u32>,
}

/// Whether a name server answers as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Fine,
    /// It answers, and says itself that it is not responsible.
    NotAuthoritative,
    Failed(Detail),
}

/// Why the name servers of a zone are not known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lost {
    /// Our own name server does not answer.
    Unanswered(Unanswered),
    /// It answers with this code.
    Code(ResponseCode),
    /// It knows of none.
    NoServers,
}

/// What is looked at, and by which way.
pub(super) struct Survey<'a> {
    pub(super) servers: &'a Servers<'a>,
    pub(super) question: &'a Question,
    pub(super) family: IpVersion,
    pub(super) port: u16,
    pub(super) deadline: Instant,
}

impl Survey<'_> {
    /// Finds the name servers of the zone that holds the name, and asks each.
    ///
    /// # Errors
    /// They cannot be found.
    pub(super) async fn run(&self) -> Result<Authority, Lost> {
        let (zone, names) = self.zone().await?;
        let until = self.part(2);
        let addresses = together(names.iter().map(|name| self.addresses(name, until))).await;
        let mut places = Vec::new();
        for (name, addresses) in names.into_iter().zip(addresses) {
            match addresses.as_slice() {
                [] => places.push((name, None)),
                some => {
                    places.extend(some.iter().map(|address| (name.clone(), Some(*address))));
                }
            }
        }
        places.truncate(ADDRESSES);
        let asked = places.into_iter().map(|(name, address)| self.server(&zone, name, address));
        let servers = together(asked).await;
        Ok(Authority { zone, servers })
    }

    /// The moment when one part in `parts` of the time that is left is over.
    fn part(&self, parts: u32) -> Instant {
        let now = Instant::now();
        now + self.deadline.saturating_duration_since(now) / parts
    }

    /// A question to our own name server, whatever signatures are worth.
    async fn look_up(&self, name: &Name, kind: Kind, until: Instant) -> Result<Answer, Unanswered> {
        let question =
            Question { name: name.clone(), kind, mode: Mode::Unchecked, signatures: Look::No };
        self.servers.ask(&question, until).await
    }

    /// The zone that holds the name, and its name servers: the nearest one upwards that has any.
    async fn zone(&self) -> Result<(Name, Vec<Name>), Lost> {
        let mut at = self.question.name.clone();
        loop {
            let answer = self.look_up(&at, Kind::NS, self.part(3)).await;
            let message = answer.map_err(Lost::Unanswered)?.message;
            let code = message.metadata.response_code;
            if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
                return Err(Lost::Code(code));
            }
            let mut names = Vec::new();
            for record in of_name(&message.answers, &at) {
                match &record.data {
                    RData::NS(name) if !names.contains(&name.0) => names.push(name.0.clone()),
                    _ => {}
                }
            }
            if !names.is_empty() {
                return Ok((at, names));
            }
            if at.is_root() {
                return Err(Lost::NoServers);
            }
            // Who has no such record names the zone that has none.
            let holder = message.authorities.iter().find(|record| {
                let is_above = record.name.zone_of(&at) && record.name != at;
                is_above && matches!(record.data, RData::SOA(_))
            });
            at = holder.map_or_else(|| at.base_name(), |record| record.name.clone());
        }
    }

    /// The addresses of a name server, of the families that there is a way to.
    async fn addresses(&self, name: &Name, until: Instant) -> Vec<IpAddr> {
        let of_kind = async |kind: Kind, family: IpVersion| {
            if self.family != IpVersion::Any && self.family != family {
                return Vec::new();
            }
            let Ok(answer) = self.look_up(name, kind, until).await else { return Vec::new() };
            let address = |data: &RData| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            };
            let records = answer.message.answers.iter();
            records.filter_map(|record| address(&record.data)).collect()
        };
        let (v4, v6) =
            tokio::join!(of_kind(Kind::A, IpVersion::V4), of_kind(Kind::AAAA, IpVersion::V6));
        let mut addresses = v4;
        addresses.extend(v6.into_iter().filter(|address| way::leads_to(*address)));
        addresses
    }

    async fn server(&self, zone: &Name, name: Name, address: Option<IpAddr>) -> Server {
        let Some(ip) = address else {
            let status = Status::Failed(Detail::NoAddress);
            let is_authoritative = None;
            return Server { name, address, status, is_authoritative, found: None, serial: None };
        };
        let address = SocketAddr::new(ip, self.port);
        let question = Question { mode: Mode::Direct, ..self.question.clone() };
        let soa = Question { name: zone.clone(), kind: Kind::SOA, ..question.clone() };
        let (answer, soa) = tokio::join!(
            self.servers.ask_one(address, &question, self.deadline),
            self.servers.ask_one(address, &soa, self.deadline),
        );
        let serial = soa.ok().and_then(|answer| serial(&answer, zone));
        let is_authoritative =
            answer.as_ref().ok().map(|answer| answer.message.metadata.authoritative);
        let (status, found) = status(&question, &answer);
        Server { name, address: Some(ip), status, is_authoritative, found, serial }
    }
}

/// What a name server's answer to `question` is worth, and what it says.
fn status(question: &Question, answer: &Result<Answer, Trouble>) -> (Status, Option<Found>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => {
            let detail = super::servers::of_trouble(*trouble).detail;
            return (Status::Failed(detail), None);
        }
    };
    let found = Found::of(&answer.message, question);
    let status = match found.code {
        ResponseCode::NoError | ResponseCode::NXDomain
            if !answer.message.metadata.authoritative =>
        {
            Status::NotAuthoritative
        }
        // An alias may lead out of the zone.
        _ => match found.result() {
            Err(Detail::NoRecord) if !found.canonical_names.is_empty() => Status::Fine,
            Err(detail) => Status::Failed(detail),
            Ok(()) => Status::Fine,
        },
    };
    (status, Some(found))
}

fn serial(answer: &Answer, zone: &Name) -> Option<u32> {
    of_name(&answer.message.answers, zone).find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

impl Authority {
    /// Whether every server answers as it should, and all give the same values and serial.
    pub(super) fn is_consistent(&self, record: RecordType) -> bool {
        let all_are_fine = self.servers.iter().all(|server| server.status == Status::Fine);
        all_are_fine && self.differing(record).is_none()
    }

    /// The first server that says something else than the first of all that answer.
    fn differing(&self, record: RecordType) -> Option<&Server> {
        let said = |server: &Server| -> Option<(BTreeSet<String>, Vec<String>, Option<u32>)> {
            let found = server.found.as_ref()?;
            let aliases = found.canonical_names.iter().map(|name| name.to_ascii_lowercase());
            Some((found.meanings(record), aliases.collect(), server.serial))
        };
        let mut all = self.servers.iter().filter_map(|server| Some((server, said(server)?)));
        let (_, first) = all.next()?;
        all.find(|(_, said)| *said != first).map(|(server, _)| server)
    }

    /// What is wrong with the name servers, if anything, else that nothing is.
    pub(super) fn words(&self, record: RecordType) -> String {
        let zone = shown(&self.zone);
        if let Some(server) = self.servers.iter().find(|server| server.status != Status::Fine) {
            let why = match server.status {
                Status::NotAuthoritative => "is not authoritative",
                Status::Failed(Detail::NoAddress) => "has no address",
                Status::Failed(Detail::Unanswered) => "does not answer",
                Status::Failed(Detail::QueryRefused | Detail::Refused) => "refuses to answer",
                Status::Failed(_) | Status::Fine => "fails",
            };
            return format!("{} {why} for {zone}", server.shown_name());
        }
        match self.differing(record) {
            Some(server) => {
                format!("{} says something else of {zone} than others", server.shown_name())
            }
            None => format!("all name servers of {zone} agree"),
        }
    }
}

impl Server {
    fn shown_name(&self) -> String {
        let name = shown(&self.name);
        self.address.map_or_else(|| name.clone(), |address| format!("{name} ({address})"))
    }
}
