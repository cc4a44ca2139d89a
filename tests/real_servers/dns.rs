//! What NSD and Unbound answer, byte by byte.

use crate::real::talk::{Answer, Question, code, kind};
use crate::real::{Nsd, Unbound, zones};

fn over_udp(port: u16, name: &str, kind: u16) -> Answer {
    Question::new(name, kind).udp(port).expect("an answer")
}

#[test]
fn an_authoritative_server_answers_every_kind_of_record() {
    let Some(nsd) = Nsd::start() else { return };
    let wanted: [(&str, u16, u16, &[u8]); 12] = [
        ("example.test", kind::A, 1, &[192, 0, 2, 1]),
        ("example.test", kind::AAAA, 1, &[0x20, 0x01, 0x0d, 0xb8]),
        ("example.test", kind::NS, 2, b"\x03ns2"),
        ("example.test", kind::MX, 2, b"\x06backup"),
        ("example.test", kind::SOA, 1, b"\x0ahostmaster"),
        ("example.test", kind::TXT, 1, b"\x0bv=spf1 -all"),
        ("example.test", kind::CAA, 2, b"ca.example.test"),
        ("multi.example.test", kind::TXT, 1, b"\x05first\x06second\x12third; with spaces"),
        ("_sip._tcp.example.test", kind::SRV, 2, &[0, 10, 0, 60, 0x13, 0xc4]),
        ("chain.example.test", kind::A, 4, &[192, 0, 2, 11]),
        ("10.2.0.192.in-addr.arpa", kind::PTR, 1, b"\x03www\x07example\x04test"),
        ("any.wild.example.test", kind::A, 1, &[192, 0, 2, 77]),
    ];
    for (name, kind, records, part) in wanted {
        let answer = over_udp(nsd.port(), name, kind);
        assert_eq!(answer.code(), code::NOERROR, "{name} {kind}: {answer:?}");
        assert!(answer.has(Answer::AUTHORITATIVE), "{name} {kind}: {answer:?}");
        assert_eq!(answer.records(), records, "{name} {kind}: {answer:?}");
        assert!(answer.holds(part), "{name} {kind}: {answer:?}");
    }
}

#[test]
fn an_authoritative_server_knows_what_is_not_there_and_what_is_not_its_own() {
    let Some(nsd) = Nsd::start() else { return };
    let missing = over_udp(nsd.port(), "nowhere.example.test", kind::A);
    assert_eq!((missing.code(), missing.records()), (code::NXDOMAIN, 0), "{missing:?}");
    let empty = over_udp(nsd.port(), "textonly.example.test", kind::A);
    assert_eq!((empty.code(), empty.records()), (code::NOERROR, 0), "{empty:?}");
    let foreign = over_udp(nsd.port(), "elsewhere.invalid", kind::A);
    assert_eq!(foreign.code(), code::REFUSED, "{foreign:?}");
}

#[test]
fn a_long_text_comes_in_two_strings() {
    let Some(nsd) = Nsd::start() else { return };
    let answer = over_udp(nsd.port(), "long.example.test", kind::TXT);
    let first = [&[255][..], &[b'a'; 255]].concat();
    let second = [&[145][..], &[b'b'; zones::LONG - 255]].concat();
    assert!(answer.holds(&[first, second].concat()), "{answer:?}");
}

#[test]
fn an_answer_that_is_too_long_for_udp_is_truncated_and_whole_over_tcp() {
    let Some(nsd) = Nsd::start() else { return };
    for kind in [kind::A, kind::TXT] {
        let question = Question::new("many.example.test", kind);
        let cut = question.udp(nsd.port()).expect("an answer");
        assert!(cut.has(Answer::TRUNCATED) && cut.bytes.len() <= 512, "{cut:?}");
        let whole = question.tcp(nsd.port()).expect("an answer");
        assert!(!whole.has(Answer::TRUNCATED), "{whole:?}");
        assert_eq!(usize::from(whole.records()), zones::MANY, "{whole:?}");
    }
}

#[test]
fn a_resolver_marks_as_authentic_what_is_signed_well() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    let ask = |name| Question { flags: Answer::AD, ..Question::new(name, kind::A) };
    for (name, authentic) in [("www.signed.test", true), ("www.example.test", false)] {
        let answer = ask(name).udp(unbound.port()).expect("an answer");
        assert_eq!(answer.code(), code::NOERROR, "{name}: {answer:?}");
        assert!(answer.records() > 0, "{name}: {answer:?}");
        assert_eq!(answer.has(Answer::AD), authentic, "{name}: {answer:?}");
        assert!(!answer.has(Answer::AUTHORITATIVE), "{name}: {answer:?}");
    }
    let gone = ask("nowhere.signed.test").tcp(unbound.port()).expect("an answer");
    assert_eq!(gone.code(), code::NXDOMAIN, "{gone:?}");
    assert!(gone.has(Answer::AD), "{gone:?}");
}

#[test]
fn a_resolver_fails_for_expired_signatures_unless_it_shall_not_check() {
    let Some(nsd) = Nsd::start() else { return };
    let Some(unbound) = Unbound::start(&nsd) else { return };
    let question = Question::new("www.broken.test", kind::A);
    let refused = question.udp(unbound.port()).expect("an answer");
    assert_eq!((refused.code(), refused.records()), (code::SERVFAIL, 0), "{refused:?}");
    let unchecked = Question { flags: Answer::CD, ..question };
    let answer = unchecked.udp(unbound.port()).expect("an answer");
    assert_eq!((answer.code(), answer.records()), (code::NOERROR, 1), "{answer:?}");
    assert!(answer.holds(&[192, 0, 2, 20]), "{answer:?}");
    assert!(!answer.has(Answer::AD), "{answer:?}");
}

#[test]
fn several_resolvers_run_at_once_and_none_asks_anyone_else() {
    let Some(nsd) = Nsd::start() else { return };
    let lines = ["", "local-data: \"www.example.test. A 192.0.2.99\"", ""];
    let resolvers: Vec<_> =
        lines.iter().filter_map(|lines| Unbound::start_with(&nsd, lines)).collect();
    if resolvers.is_empty() {
        return;
    }
    assert_eq!(resolvers.len(), lines.len());
    for (resolver, lines) in resolvers.iter().zip(lines) {
        let answer = over_udp(resolver.port(), "www.example.test", kind::A);
        assert_eq!(answer.holds(&[192, 0, 2, 99]), !lines.is_empty(), "{answer:?}");
        let back = over_udp(resolver.port(), "25.2.0.192.in-addr.arpa", kind::PTR);
        assert_eq!(back.records(), 2, "{back:?}");
        let foreign = over_udp(resolver.port(), "www.example.com", kind::A);
        assert_eq!(foreign.code(), code::SERVFAIL, "{foreign:?}");
    }
}
