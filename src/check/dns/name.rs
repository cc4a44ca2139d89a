//! The names that are asked for, and how names are shown.

use std::fmt::Write as _;
use std::net::IpAddr;

use hickory_resolver::proto::rr::Name;

use crate::address::Host;
use crate::target::RecordType;

/// The name that is asked for when a record of `host` is wanted; none where there is none.
///
/// A pointer of an IP address stands under a name of its own (RFC 1035, section 3.5, RFC 3596,
/// section 2.5).
pub(super) fn of(host: Host<'_>, record: RecordType) -> Option<Name> {
    match (host, record) {
        (Host::Name(name), _) => parse(name),
        (Host::Ip(address), RecordType::Ptr) => parse(&reverse(address)),
        (Host::Ip(_), _) => None,
    }
}

/// `text` as a name, whole with or without its last dot.
pub(super) fn parse(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut name = Name::from_labels(text.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(72);
            for byte in address.octets().into_iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", byte & 0x0f, byte >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// `name` as people write it: without its last dot, unless there is nothing else.
pub(super) fn shown(name: &Name) -> String {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for &byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' => text.extend(['\\', char::from(byte)]),
                b'!'..=b'~' => text.push(char::from(byte)),
                _ => {
                    let _ = write!(text, "\\{byte:03}");
                }
            }
        }
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str) -> String {
        let address = address.parse().expect("an address");
        shown(&of(Host::Ip(address), RecordType::Ptr).expect("a name"))
    }

    #[test]
    fn the_pointer_of_an_address_stands_under_its_reverse() {
        assert_eq!(asked("192.0.2.10"), "10.2.0.192.in-addr.arpa");
        let zeros = "0.".repeat(20);
        assert_eq!(asked("2001:db8::10"), format!("0.1.0.0.{zeros}8.b.d.0.1.0.0.2.ip6.arpa"));
    }

    #[test]
    fn an_address_has_no_other_record_and_a_bad_name_none_at_all() {
        let address = Host::Ip("192.0.2.1".parse().expect("an address"));
        assert_eq!(of(address, RecordType::A), None);
        assert_eq!(of(Host::Name("a..b"), RecordType::A), None);
        assert_eq!(of(Host::Name(&"a".repeat(64)), RecordType::A), None);
        assert_eq!(of(Host::Name(&"a.".repeat(128)), RecordType::A), None);
    }

    #[test]
    fn a_name_is_whole_with_and_without_its_last_dot() {
        let name = |text| of(Host::Name(text), RecordType::A).expect("a name");
        assert_eq!(name("_sip._tcp.a.test"), name("_sip._tcp.a.test."));
        assert_eq!(shown(&name("*.a.test.")), "*.a.test");
        assert_eq!(shown(&Name::root()), ".");
    }

    #[test]
    fn what_could_change_a_line_is_escaped() {
        let name = Name::from_labels([&b"a.b\n\xff"[..], b"test"]).expect("a name");
        assert_eq!(shown(&name), "a\\.b\\010\\255.test");
    }
}
