//! The values of records as text, the way zone files have them (RFC 1035, section 5.1).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hickory_resolver::proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};
use hickory_resolver::proto::rr::rdata::{CAA, NAPTR, SOA, SVCB, TLSA, TXT};
use hickory_resolver::proto::rr::{RData, RecordType as Kind};
use hickory_resolver::proto::serialize::binary::{BinEncodable, BinEncoder};

use super::name::shown;

/// What a record says; its names are without their last dot.
pub(super) fn shown_data(data: &RData) -> String {
    match data {
        RData::A(address) => address.0.to_string(),
        RData::AAAA(address) => address.0.to_string(),
        RData::CNAME(name) => shown(&name.0),
        RData::NS(name) => shown(&name.0),
        RData::PTR(name) => shown(&name.0),
        RData::MX(mx) => format!("{} {}", mx.preference, shown(&mx.exchange)),
        RData::TXT(text) => joined(text),
        RData::SOA(soa) => of_soa(soa),
        RData::SRV(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, shown(&srv.target))
        }
        RData::CAA(caa) => of_caa(caa),
        RData::NAPTR(naptr) => of_naptr(naptr),
        RData::TLSA(tlsa) => of_tlsa(tlsa),
        RData::SVCB(service) => of_service(service),
        RData::HTTPS(service) => of_service(&service.0),
        RData::Unknown { code, rdata } => {
            of_bytes(*code, &rdata.anything).unwrap_or_else(|| unknown(&rdata.anything))
        }
        other => {
            let mut bytes = Vec::new();
            // What was read can be written; a value that cannot is shown as empty.
            let _ = other.emit(&mut BinEncoder::new(&mut bytes));
            unknown(&bytes)
        }
    }
}

/// The strings of a text, one behind the other (RFC 7208, section 3.3).
fn joined(text: &TXT) -> String {
    escaped(&text.txt_data.concat())
}

fn of_soa(soa: &SOA) -> String {
    let names = format!("{} {}", shown(&soa.mname), shown(&soa.rname));
    // The crate reads these three with a sign, and they have none.
    let [refresh, retry, expire] = [soa.refresh, soa.retry, soa.expire].map(i32::cast_unsigned);
    format!("{names} {} {refresh} {retry} {expire} {}", soa.serial, soa.minimum)
}

fn of_caa(caa: &CAA) -> String {
    format!("{} {} {}", caa.flags(), caa.tag, quoted(&caa.value))
}

fn of_naptr(naptr: &NAPTR) -> String {
    let [flags, services, regexp] =
        [&naptr.flags, &naptr.services, &naptr.regexp].map(|text| quoted(text));
    let NAPTR { order, preference, .. } = naptr;
    format!("{order} {preference} {flags} {services} {regexp} {}", shown(&naptr.replacement))
}

fn of_tlsa(tlsa: &TLSA) -> String {
    let numbers = [tlsa.cert_usage.into(), tlsa.selector.into(), u8::from(tlsa.matching)];
    let [usage, selector, matching] = numbers;
    format!("{usage} {selector} {matching} {}", hex(&tlsa.cert_data))
}

fn of_service(service: &SVCB) -> String {
    let mut text = format!("{} {}", service.svc_priority, shown(&service.target_name));
    for (key, value) in &service.svc_params {
        let key = match key {
            SvcParamKey::Key(number) | SvcParamKey::Unknown(number) => format!("key{number}"),
            known => known.to_string(),
        };
        let _ = write!(text, " {key}");
        match of_parameter(value) {
            none if none.is_empty() => {}
            value => {
                let _ = write!(text, "={value}");
            }
        }
    }
    text
}

/// The value of a parameter of a service (RFC 9460, section 2.1).
fn of_parameter(value: &SvcParamValue) -> String {
    let list = |items: Vec<String>| items.join(",");
    match value {
        SvcParamValue::Mandatory(keys) => list(keys.0.iter().map(ToString::to_string).collect()),
        SvcParamValue::Alpn(names) => {
            list(names.0.iter().map(|name| escaped(name.as_bytes())).collect())
        }
        SvcParamValue::NoDefaultAlpn => String::new(),
        SvcParamValue::Port(port) => port.to_string(),
        SvcParamValue::Ipv4Hint(hint) => list(hint.0.iter().map(|a| a.0.to_string()).collect()),
        SvcParamValue::Ipv6Hint(hint) => list(hint.0.iter().map(|a| a.0.to_string()).collect()),
        SvcParamValue::EchConfigList(bytes) => BASE64.encode(&bytes.0),
        SvcParamValue::Unknown(bytes) => quoted(&bytes.0),
    }
}

/// The value of a record that came as mere bytes; none where they are not what `kind` has.
fn of_bytes(kind: Kind, bytes: &[u8]) -> Option<String> {
    match (kind, bytes) {
        (Kind::DS, [tag_high, tag_low, algorithm, digest, rest @ ..]) if !rest.is_empty() => {
            let tag = u16::from_be_bytes([*tag_high, *tag_low]);
            Some(format!("{tag} {algorithm} {digest} {}", hex(rest)))
        }
        (Kind::DNSKEY, [flags_high, flags_low, protocol, algorithm, key @ ..]) => {
            let flags = u16::from_be_bytes([*flags_high, *flags_low]);
            Some(format!("{flags} {protocol} {algorithm} {}", BASE64.encode(key)))
        }
        _ => None,
    }
}

/// Bytes whose meaning is not known (RFC 3597, section 5).
fn unknown(bytes: &[u8]) -> String {
    format!("\\# {} {}", bytes.len(), hex(bytes)).trim_end().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02X}");
    }
    text
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", escaped(bytes).replace('"', "\\\""))
}

/// `bytes` as text; what is none, or could change a line, is escaped.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                let mut buffer = [0; 4];
                escape(character.encode_utf8(&mut buffer).as_bytes(), &mut text);
            } else {
                text.push(character);
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        let _ = write!(text, "\\{byte:03}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::serialize::binary::{BinDecoder, Restrict};

    /// The value of a record of type `kind` whose data are `bytes`.
    fn value(kind: u16, bytes: &[u8]) -> String {
        let length = Restrict::new(u16::try_from(bytes.len()).expect("short data"));
        let data = RData::read(&mut BinDecoder::new(bytes), kind.into(), length);
        shown_data(&data.expect("good data"))
    }

    #[test]
    fn every_type_is_shown_as_zone_files_have_it() {
        let name = b"\x01a\x04test\x00";
        let with = |first: &[u8]| [first, name].concat();
        let soa = [name, &name[..], &[0, 0, 0, 1], &[0xff; 4], &[0; 8], &[0, 0, 0, 60]].concat();
        let naptr = with(b"\x00\x01\x00\x02\x01u\x03E2U\x04!a\"!");
        let https = with(b"\x00\x01");
        let https = [&https, &b"\x00\x01\x00\x06\x02h2\x02h3\x00\x02\x00\x00"[..]].concat();
        let https = [&https, &b"\x00\x03\x00\x02\x20\xfb\x00\x04\x00\x04\x7f\x00\x00\x01"[..]];
        let wanted: [(u16, &[u8], &str); 16] = [
            (1, &[192, 0, 2, 1], "192.0.2.1"),
            (28, &[0; 16], "::"),
            (2, name, "a.test"),
            (5, name, "a.test"),
            (12, name, "a.test"),
            (15, &with(&[0, 10]), "10 a.test"),
            (15, &[0, 0, 0], "0 ."),
            (16, b"\x02v=\x05spf\n\xff", "v=spf\\010\\255"),
            (6, &soa, "a.test a.test 1 4294967295 0 0 60"),
            (33, &with(&[0, 10, 0, 60, 0x13, 0xc4]), "10 60 5060 a.test"),
            (257, b"\x80\x05issueca.test; a=b", "128 issue \"ca.test; a=b\""),
            (35, &naptr, "1 2 \"u\" \"E2U\" \"!a\\\"!\" a.test"),
            (43, &[1, 0, 13, 2, 0xab], "256 13 2 AB"),
            (48, &[1, 1, 3, 13, 1, 2, 3], "257 3 13 AQID"),
            (52, &[3, 1, 1, 0xab, 0xcd], "3 1 1 ABCD"),
            (
                65,
                &https.concat(),
                "1 a.test alpn=h2,h3 no-default-alpn port=8443 ipv4hint=127.0.0.1",
            ),
        ];
        for (kind, bytes, text) in wanted {
            assert_eq!(value(kind, bytes), text, "{kind}");
        }
    }

    #[test]
    fn what_is_not_known_is_shown_as_bytes() {
        assert_eq!(value(65_280, &[1, 0xab]), "\\# 2 01AB");
        assert_eq!(value(43, &[1]), "\\# 1 01");
    }
}
