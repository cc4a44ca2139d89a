//! The names of certificates as text for people and scripts (RFC 4514), with nothing in it that writes to a terminal.

use std::fmt::Write as _;
use std::net::IpAddr;

use x509_parser::asn1_rs::BmpString;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{X509Certificate, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

/// A name like `CN=a.example, O=Example, C=DE`: what is most special comes first.
pub(crate) fn shown_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(shown_attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(", ")
}

fn shown_attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let kind = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
    let value = match BmpString::try_from(attribute.attr_value().clone()) {
        Ok(wide) => wide.string(),
        Err(_) => String::from_utf8_lossy(attribute.as_slice()).into_owned(),
    };
    format!("{kind}={}", escaped(&value))
}

/// `text` with what separates names, and what steers terminals, escaped (RFC 4514, section 2.4).
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => shown.extend(['\\', character]),
            _ => push_plain(&mut shown, character),
        }
    }
    shown
}

fn push_plain(shown: &mut String, character: char) {
    if !character.is_control() {
        return shown.push(character);
    }
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let _ = write!(shown, "\\{byte:02X}");
    }
}

/// The names and addresses that a certificate is for.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(alternative_name).collect()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    let text = match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => text,
        GeneralName::IPAddress(bytes) => return address(bytes),
        _ => return None,
    };
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|character| push_plain(&mut shown, character));
    Some(shown)
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| v6()).ok().map(|address| address.to_string())
}

/// Bytes like `0a:1b:2c`.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for (place, byte) in bytes.iter().enumerate() {
        let separator = if place == 0 { "" } else { ":" };
        let _ = write!(text, "{separator}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_look_like_two_nor_write_to_a_terminal() {
        assert_eq!(escaped("a, CN=b"), "a\\, CN=b");
        assert_eq!(escaped("\u{1b}[2J\n"), "\\1B[2J\\0A");
        assert_eq!(escaped("Bücher"), "Bücher");
    }

    #[test]
    fn addresses_and_bytes_are_written_as_usual() {
        assert_eq!(address(&[127, 0, 0, 1]).as_deref(), Some("127.0.0.1"));
        assert_eq!(address(&[0; 16]).as_deref(), Some("::"));
        assert_eq!(address(&[1, 2, 3]), None);
        assert_eq!(hexadecimal(&[0, 0x1a, 0xff]), "00:1a:ff");
    }
}
