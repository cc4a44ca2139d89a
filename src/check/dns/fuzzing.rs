//! Messages of name servers, their names and values, and what is expected of them.

#![expect(clippy::expect_used, reason = "a fuzz target stops at the first surprise")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder, Restrict};

use super::answer::{self, Found};
use super::client::{Answer, Transport};
use super::message::{Extension, Mode, Question};
use super::security::Security;
use super::{expected, name, value};
use crate::address::Host;
use crate::fuzzing::assert_plain;
use crate::target::{Look, RecordType};

/// Messages that come for an answer; the first byte chooses the question, which is for `a.test`.
///
/// # Panics
/// A property does not hold.
pub fn dns_message(data: &[u8]) {
    let Some((way, bytes)) = data.split_first() else { return };
    let record = record(*way);
    let name = name::of(Host::Name("a.test"), record).expect("a good name");
    let kind = record.number().into();
    let question = Question { name, kind, mode: Mode::Recursive, signatures: Look::Yes };
    let sealed = question.seal(Extension::With).expect("a question that can be written");
    let mut bytes = bytes.to_vec();
    for (place, id) in bytes.iter_mut().zip(&sealed.bytes[..2]) {
        *place = *id;
    }
    let message = match sealed.answer(&bytes) {
        Ok(message) => message,
        Err(reject) => return assert_plain(reject.words()),
    };
    let found = Found::of(&message, &question);
    let texts = found.values.iter().chain(&found.canonical_names);
    texts.for_each(|text| assert_plain(text));
    assert!(found.result().is_err() || !found.values.is_empty());
    assert!(found.meanings(record).len() <= found.values.len());
    assert_plain(&answer::code_name(found.code));
    answer::flags(&message);
    let answer = Answer {
        message,
        server: (IpAddr::from(Ipv4Addr::LOCALHOST), 53).into(),
        transport: Transport::Udp,
        took: Duration::ZERO,
        extension: Extension::With,
    };
    assert_plain(Security::of(&answer, &question, Some(&answer)).words());
}

/// Names, as people write them and as they come over the wire.
///
/// # Panics
/// A property does not hold.
pub fn dns_name(data: &[u8]) {
    if let Ok(name) = Name::read(&mut BinDecoder::new(data)) {
        let shown = name::shown(&name);
        assert_plain(&shown);
        assert!(shown.is_ascii() && !shown.contains(char::is_whitespace), "{shown}");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let host = text.parse().map_or(Host::Name(text), Host::Ip);
    for record in [RecordType::A, RecordType::Ptr] {
        let Some(name) = name::of(host, record) else { continue };
        let shown = name::shown(&name);
        assert_plain(&shown);
        if !shown.contains('\\') {
            assert_eq!(name::of(Host::Name(&shown), record), Some(name), "{shown}");
        }
    }
}

/// The data of records: the first two bytes are their type.
///
/// # Panics
/// A property does not hold.
pub fn dns_value(data: &[u8]) {
    let Some(([high, low], bytes)) = data.split_first_chunk() else { return };
    let Ok(length) = u16::try_from(bytes.len()) else { return };
    let kind = u16::from_be_bytes([*high, *low]);
    let read = RData::read(&mut BinDecoder::new(bytes), kind.into(), Restrict::new(length));
    let Ok(data) = read else { return };
    let shown = value::shown_data(&data);
    assert_plain(&shown);
    let Some(record) = RecordType::ALL.iter().find(|record| record.number() == kind) else {
        return;
    };
    assert_says(*record, &shown, &shown);
}

/// What is expected of records, and what they say: two lines of text.
///
/// # Panics
/// A property does not hold.
pub fn dns_expected(data: &[u8]) {
    let Some((way, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let record = record(*way);
    let (wanted, value) = text.split_once('\n').unwrap_or((text, text));
    assert_says(record, wanted, wanted);
    assert_says(record, value, value);
    let missing = expected::missing(record, &[wanted.into()], &[value.to_owned()]).len();
    if expected::meaning(record, wanted) == expected::meaning(record, value) {
        assert_eq!(missing, 0, "what means the same is missed");
        assert_says(record, value, wanted);
    }
}

/// Holds that a record that says `value` is what `wanted` expects.
fn assert_says(record: RecordType, value: &str, wanted: &str) {
    let expected = [wanted.into()];
    let missing = expected::missing(record, &expected, &[value.to_owned()]);
    assert!(missing.is_empty(), "{record:?} {value:?} {wanted:?}");
}

fn record(way: u8) -> RecordType {
    RecordType::ALL[usize::from(way) % RecordType::ALL.len()]
}
