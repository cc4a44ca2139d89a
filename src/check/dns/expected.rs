//! Whether a record says what is expected: by what it means, not by how it is written.

use std::net::IpAddr;

use crate::target::RecordType;

/// How a part of a value is compared.
#[derive(Clone, Copy)]
enum Part {
    /// Names and words whose case means nothing.
    Word,
    /// As it is.
    Exact,
    /// All that follows: hexadecimal digits, in groups or not.
    Hex,
    /// All that follows: base64, in groups or not.
    Base64,
    /// All that follows, in any order.
    Set,
}

/// Those of `expected` that none of `values` says.
pub(super) fn missing<'a>(
    record: RecordType,
    expected: &'a [Box<str>],
    values: &[String],
) -> Vec<&'a str> {
    let is_there = |wanted: &str| values.iter().any(|value| says(record, value, wanted));
    expected.iter().map(|wanted| &**wanted).filter(|wanted| !is_there(wanted)).collect()
}

/// The same for every value that means the same.
pub(super) fn meaning(record: RecordType, value: &str) -> String {
    use Part::{Base64, Exact, Hex, Set, Word};
    match record {
        RecordType::A | RecordType::Aaaa => address(value),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => parts(value, &[Word]),
        RecordType::Mx => parts(value, &[Word; 2]),
        RecordType::Srv => parts(value, &[Word; 4]),
        RecordType::Soa => parts(value, &[Word; 7]),
        RecordType::Caa => parts(value, &[Word, Word, Exact]),
        RecordType::Naptr => parts(value, &[Word, Word, Word, Word, Exact, Word]),
        RecordType::Ds | RecordType::Tlsa => parts(value, &[Word, Word, Word, Hex]),
        RecordType::Dnskey => parts(value, &[Word, Word, Word, Base64]),
        RecordType::Svcb | RecordType::Https => parts(value, &[Word, Word, Set]),
        RecordType::Txt => value.to_owned(),
    }
}

fn says(record: RecordType, value: &str, wanted: &str) -> bool {
    if meaning(record, value) == meaning(record, wanted) {
        return true;
    }
    match record {
        // Who names the host alone does not care for its rank.
        RecordType::Mx => {
            let exchange = value.split_whitespace().nth(1).unwrap_or_default();
            parts(exchange, &[Part::Word]) == parts(wanted.trim(), &[Part::Word])
        }
        // As zone files have it: in quotes, in one string or several.
        RecordType::Txt => wanted.trim_start().starts_with('"') && words(wanted).concat() == value,
        _ => false,
    }
}

fn address(value: &str) -> String {
    let value = value.trim();
    value.parse::<IpAddr>().map_or_else(|_| value.to_owned(), |address| address.to_string())
}

/// The words of `value`, each in the form that its part of `layout` compares; zero bytes, which
/// no text has, stand between them.
fn parts(value: &str, layout: &[Part]) -> String {
    let words = words(value);
    let mut meant = Vec::with_capacity(words.len());
    for (number, word) in words.iter().enumerate() {
        let rest = || words.get(number..).unwrap_or_default();
        match layout.get(number) {
            Some(Part::Word) => meant.push(one_word(word)),
            Some(Part::Exact) | None => meant.push(word.clone()),
            Some(Part::Hex) => {
                meant.push(rest().concat().to_ascii_lowercase());
                break;
            }
            Some(Part::Base64) => {
                meant.push(rest().concat());
                break;
            }
            Some(Part::Set) => {
                let mut rest = rest().to_vec();
                rest.sort_unstable();
                meant.extend(rest);
                break;
            }
        }
    }
    meant.join("\0")
}

/// A name or number without what means nothing in it: case, a last dot, zeros in front.
fn one_word(word: &str) -> String {
    if let Ok(number) = word.parse::<u32>() {
        return number.to_string();
    }
    let lower = word.to_ascii_lowercase();
    match lower.strip_suffix('.') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => lower,
    }
}

/// The words of `text`, with what stands in quotes as part of one; the quotes are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '\\' if is_quoted => match characters.next() {
                Some(quote @ ('"' | '\\')) => word.get_or_insert_default().push(quote),
                other => {
                    let word = word.get_or_insert_default();
                    word.push('\\');
                    word.extend(other);
                }
            },
            space if space.is_whitespace() && !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecordType as R;

    #[test]
    fn values_that_mean_the_same_are_the_same() {
        let same: [(RecordType, &str, &str); 16] = [
            (R::A, "192.0.2.1", " 192.0.2.1 "),
            (R::Aaaa, "2001:db8::1", "2001:0DB8:0:0::0001"),
            (R::Cname, "www.example.test", "WWW.Example.test."),
            (R::Mx, "10 mail.example.test", "10  Mail.example.test."),
            (R::Mx, "10 mail.example.test", "mail.example.test."),
            (R::Mx, "0 .", "0 ."),
            (R::Srv, "10 60 5060 sip.test", "10 60 05060 SIP.test."),
            (R::Txt, "v=spf1 -all", "v=spf1 -all"),
            (R::Txt, "v=spf1 -all", "\"v=spf1\" \" -all\""),
            (R::Txt, "say \"so\"", "\"say \\\"so\\\"\""),
            (R::Caa, "0 issue \"ca.example\"", "0 ISSUE ca.example"),
            (R::Soa, "a.test b.test 1 2 3 4 5", "A.test. b.test. 1 2 3 4 5"),
            (R::Ds, "1 13 2 ABCD", "1 13 2 ab cd"),
            (R::Dnskey, "257 3 13 AQID", "257 3 13 AQ ID"),
            (R::Naptr, "1 2 \"u\" \"E2U\" \"!A!\" .", "1 2 U e2u !A! ."),
            (R::Https, "1 . alpn=h2,h3 port=8", "1 . port=8 alpn=\"h2,h3\""),
        ];
        for (record, value, wanted) in same {
            let expected = [wanted.into()];
            let missing = missing(record, &expected, &[value.to_owned()]);
            assert!(missing.is_empty(), "{record:?} {value} {wanted}");
        }
    }

    #[test]
    fn values_that_mean_something_else_are_missed() {
        let other: [(RecordType, &str, &str); 9] = [
            (R::A, "192.0.2.1", "192.0.2.11"),
            (R::Cname, "www.example.test", "example.test"),
            (R::Mx, "10 mail.example.test", "20 mail.example.test"),
            (R::Mx, "10 mail.example.test", "10"),
            (R::Txt, "v=spf1 -all", "v=spf1"),
            (R::Txt, "Case", "case"),
            (R::Caa, "0 issue \"ca.example\"", "0 issue \"CA.example\""),
            (R::Dnskey, "257 3 13 AQID", "257 3 13 aqid"),
            (R::Srv, "10 60 5060 sip.test", "sip.test"),
        ];
        for (record, value, wanted) in other {
            let expected = [wanted.into()];
            let missing = missing(record, &expected, &[value.to_owned()]);
            assert_eq!(missing, [wanted], "{record:?} {value}");
        }
    }

    #[test]
    fn all_that_is_expected_must_be_there_and_more_may() {
        let values = ["192.0.2.1".to_owned(), "192.0.2.2".to_owned()];
        let expected = ["192.0.2.2".into(), "192.0.2.3".into()];
        assert_eq!(missing(R::A, &expected, &values), ["192.0.2.3"]);
        assert!(missing(R::A, &expected[..1], &values).is_empty());
    }
}
