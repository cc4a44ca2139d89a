//! What an answer says: the values, the aliases that lead to them, or why there are none.

use std::collections::BTreeSet;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType as Kind};
use serde_json::Value;

use super::expected::meaning;
use super::message::Question;
use super::name::shown;
use super::value::shown_data;
use crate::outcome::Detail;
use crate::target::RecordType;

/// Aliases that are followed at most.
const ALIASES: usize = 32;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What the records of the type asked for say, in the order of the answer.
    pub(super) values: Vec<String>,
    /// The names that the aliases lead to, one after the other (RFC 1034, section 3.6.2).
    pub(super) canonical_names: Vec<String>,
    /// Seconds that all of it holds.
    pub(super) ttl: Option<u32>,
    pub(super) code: ResponseCode,
    pub(super) end: End,
}

/// Where the aliases of an answer end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Name,
    /// They lead back to a name that they come from.
    Loop,
}

impl Found {
    /// What `message` says to `question`.
    pub(super) fn of(message: &Message, question: &Question) -> Self {
        let mut found = Self {
            values: Vec::new(),
            canonical_names: Vec::new(),
            ttl: None,
            code: message.metadata.response_code,
            end: End::Name,
        };
        let mut name = &question.name;
        let mut seen = vec![name];
        while question.kind != Kind::CNAME
            && let Some((record, next)) = alias(&message.answers, name)
        {
            found.note_ttl(record);
            found.canonical_names.push(shown(next));
            if seen.contains(&next) || seen.len() > ALIASES {
                found.end = End::Loop;
                break;
            }
            seen.push(next);
            name = next;
        }
        for record in of_name(&message.answers, name) {
            if record.record_type() == question.kind {
                found.note_ttl(record);
                found.values.push(shown_data(&record.data));
            }
        }
        found
    }

    fn note_ttl(&mut self, record: &Record) {
        self.ttl = Some(self.ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
    }

    /// Why there are no values, when there are none.
    ///
    /// # Errors
    /// The detail of a fault.
    pub(super) fn result(&self) -> Result<(), Detail> {
        match self.code {
            ResponseCode::NoError if self.values.is_empty() => Err(Detail::NoRecord),
            ResponseCode::NoError => Ok(()),
            ResponseCode::NXDomain => Err(Detail::NoSuchName),
            ResponseCode::Refused => Err(Detail::QueryRefused),
            _ => Err(Detail::ServerFailure),
        }
    }

    /// The set of what the values mean.
    pub(super) fn meanings(&self, record: RecordType) -> BTreeSet<String> {
        self.values.iter().map(|value| meaning(record, value)).collect()
    }
}

/// The records of `name` among `records`.
pub(super) fn of_name<'a>(
    records: &'a [Record],
    name: &'a Name,
) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| record.name == *name)
}

/// The alias of `name` among `records`, and what it leads to.
fn alias<'a>(records: &'a [Record], name: &'a Name) -> Option<(&'a Record, &'a Name)> {
    of_name(records, name).find_map(|record| match &record.data {
        RData::CNAME(next) => Some((record, &next.0)),
        _ => None,
    })
}

/// The name of a response code (RFC 1035, section 4.1.1, and successors).
pub(super) fn code_name(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::YXDomain => "YXDOMAIN",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::BADVERS => "BADVERS",
        other => return format!("RCODE{}", u16::from(other)),
    };
    name.to_owned()
}

/// The flags of `message` that are set, by the names that tools for this give them.
pub(super) fn flags(message: &Message) -> Vec<Value> {
    let metadata = &message.metadata;
    let flags = [
        ("qr", true),
        ("aa", metadata.authoritative),
        ("tc", metadata.truncation),
        ("rd", metadata.recursion_desired),
        ("ra", metadata.recursion_available),
        ("ad", metadata.authentic_data),
        ("cd", metadata.checking_disabled),
    ];
    flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.into()).collect()
}
