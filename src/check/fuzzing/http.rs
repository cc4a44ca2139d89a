//! Answers of HTTP/1.1: heads, bodies, codings, redirects, and what is expected of them.

use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use rustls::pki_types::UnixTime;
use serde_json::json;

use crate::address::Address;
use crate::check::answer::{Answer, Need, Question};
use crate::check::body::Body;
use crate::check::content::Content;
use crate::check::facts::Facts;
use crate::check::fault::Fault;
use crate::check::head::{self, Coding, Framing, HEAD_CAP, Keep, Parsed};
use crate::check::judge;
use crate::check::redirect::{Trail, next_method};
use crate::check::unpack::Unpack;
use crate::expectation::{Expectation, HeaderRule, JsonValue, Pattern};
use crate::fuzzing::{check_address, pieces};
use crate::outcome::Detail;

/// Bytes to which a body is unpacked at most.
const UNPACKED: usize = 1 << 20;

/// What an answer came to: status, bytes of the body, whether it was cut, and the judgement.
type Judged = Result<(u16, u64, bool, Result<(), Fault>), Fault>;

/// Whole answers, in whatever pieces they come.
///
/// # Panics
/// A property does not hold.
pub fn answer(data: &[u8]) {
    let Some(([way, seed], bytes)) = data.split_first_chunk() else { return };
    let expectation = match way >> 4 & 3 {
        0 => Expectation::default(),
        1 => Expectation { body_contains: vec!["abc".into(), "x".into()], ..rules() },
        2 => Expectation { body_not_contains: vec!["abc".into()], ..rules() },
        _ => Expectation { json: vec![("/a".into(), JsonValue(json!(1)))], ..rules() },
    };
    let question = Question {
        method: if way & 1 == 0 { "GET" } else { "HEAD" },
        expectation: &expectation,
        max_body: [5, 300, 4_096, 16 << 20][usize::from(way >> 2 & 3)],
        follows: way & 2 != 0,
        keep: if way & 64 == 0 { Keep::Needed } else { Keep::All },
    };
    let whole = judged(&[bytes], &question);
    let cut = judged(&pieces(bytes, *seed), &question);
    match (whole, cut) {
        // How much a body may unpack to follows from what has come of it by then.
        (Ok((.., Err(fault))), _) | (_, Ok((.., Err(fault))))
            if fault.detail == Detail::Decompressed => {}
        (whole, cut) => assert_eq!(whole, cut),
    }
}

fn rules() -> Expectation {
    Expectation {
        headers: vec![
            ("x".into(), HeaderRule::Is("y".into())),
            ("server".into(), HeaderRule::Absent),
        ],
        ..Expectation::default()
    }
}

fn judged(parts: &[&[u8]], question: &Question<'_>) -> Judged {
    let mut answer = Answer::new();
    let mut need = Need::More;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        need = answer.feed(part, question)?;
        if need == Need::Nothing {
            break;
        }
    }
    if need == Need::More {
        answer.feed(&[], question)?;
    }
    assert!(answer.bytes() <= question.max_body && answer.status() <= 999);
    if let Some(told) = answer.take_told() {
        let mut facts = Facts::default();
        told.note(&mut facts);
        let headers = facts.data["response_headers"].as_object().map_or(0, serde_json::Map::len);
        assert!(headers <= 100);
    }
    let (status, bytes) = (answer.status(), answer.bytes());
    let mut received = answer.received();
    let (rows, fault) = received.content.weigh(question.expectation, received.is_cut);
    let judged = received.content.judge(question.expectation, received.is_cut);
    // The body of a redirect that is followed is nobody's concern.
    if judged.is_ok() && question.expectation.needs_body() && !question.follows {
        assert!(fault.is_none() && rows.iter().all(|row| row["holds"] == true));
    }
    Ok((status, bytes, received.is_cut, judged))
}

/// Heads of answers.
///
/// # Panics
/// A property does not hold.
pub fn head(data: &[u8]) {
    let Some((way, bytes)) = data.split_first() else { return };
    let method = if way & 1 == 0 { "GET" } else { "HEAD" };
    let keep = if way & 2 == 0 { Keep::Needed } else { Keep::All };
    let rules = rules().headers;
    let parse = |bytes| head::parse(bytes, method, &rules, keep);
    let (status, length) = match parse(bytes) {
        Ok(Parsed::Whole(head, length)) => (head.status, length),
        Ok(Parsed::Interim(length)) => (0, length),
        Ok(Parsed::Partial) | Err(_) => return,
    };
    let own = bytes.get(..length).expect("a head is a part of what came");
    assert!(status == 0 || (100..=999).contains(&status));
    assert!(head::has_end(own, length - 1), "the end of a head is not seen");
    match parse(own) {
        Ok(Parsed::Whole(head, again)) => assert_eq!((head.status, again), (status, length)),
        Ok(Parsed::Interim(again)) => assert_eq!((0, again), (status, length)),
        other => panic!("without what follows it, a head becomes {other:?}"),
    }
    for short in [length - 1, length / 2] {
        let whole = parse(own.get(..short).unwrap_or_default());
        assert!(!matches!(whole, Ok(Parsed::Whole(..))), "a head is whole before its end");
    }
    assert!(length <= HEAD_CAP || bytes.len() > HEAD_CAP);
}

/// Bodies, in whatever pieces they come.
///
/// # Panics
/// A property does not hold.
pub fn body(data: &[u8]) {
    let Some(([way, seed], bytes)) = data.split_first_chunk() else { return };
    let framing = match way & 3 {
        0 => Framing::Length(u64::from(way >> 2)),
        1 => Framing::Close,
        _ => Framing::Chunked,
    };
    let whole = payload(framing, &[bytes]);
    assert_eq!(whole, payload(framing, &pieces(bytes, *seed)));
    if let Ok((payload, used, is_whole)) = whole {
        assert!(payload.len() <= used && used <= bytes.len());
        assert!(is_whole || used == bytes.len());
    }
}

/// The payload of a body that comes in `parts`, how much of them it has, and whether it is whole.
fn payload(framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Fault> {
    let (mut body, mut payload, mut used) = (Body::new(framing), Vec::new(), 0);
    for part in parts {
        used += body.feed(part, &mut |bytes| payload.extend_from_slice(bytes))?;
    }
    let is_whole = body.is_done();
    assert_eq!(body.end().is_ok(), is_whole || framing == Framing::Close);
    Ok((payload, used, is_whole))
}

/// Compressed bodies, in whatever pieces they come.
///
/// # Panics
/// A property does not hold.
pub fn unpack(data: &[u8]) {
    let Some(([way, seed], bytes)) = data.split_first_chunk() else { return };
    if way & 1 != 0 {
        return packed(*way, *seed, bytes);
    }
    let coding = [Coding::Gzip, Coding::Deflate, Coding::Identity, Coding::Unknown]
        [usize::from(way >> 1 & 3)];
    let whole = unpacked(coding, &[bytes]);
    let cut = unpacked(coding, &pieces(bytes, *seed));
    assert_eq!(whole.ok(), cut.ok());
}

/// What has been packed is unpacked to what it was.
fn packed(way: u8, seed: u8, text: &[u8]) {
    let level = Compression::new(u32::from(way >> 3) % 10);
    let (coding, bytes) = match way >> 1 & 3 {
        0 => (Coding::Gzip, write(GzEncoder::new(Vec::new(), level), text, GzEncoder::finish)),
        1 => {
            (Coding::Deflate, write(ZlibEncoder::new(Vec::new(), level), text, ZlibEncoder::finish))
        }
        _ => {
            let encoder = DeflateEncoder::new(Vec::new(), level);
            (Coding::Deflate, write(encoder, text, DeflateEncoder::finish))
        }
    };
    // A bare stream that begins like zlib cannot be told from it.
    let is_bare = way >> 1 & 3 > 1;
    let is_like_zlib = bytes.first().is_some_and(|first| first & 0x0f == 8 && first >> 4 <= 7);
    if !(is_bare && is_like_zlib) {
        assert_eq!(unpacked(coding, &pieces(&bytes, seed)).ok().as_deref(), Some(text));
    }
}

fn write<W: Write>(mut encoder: W, text: &[u8], finish: fn(W) -> io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(text).expect("memory");
    finish(encoder).expect("memory")
}

fn unpacked(coding: Coding, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut unpack = Unpack::new(coding);
    let mut found = Vec::new();
    let mut take = |bytes: &[u8]| {
        found.extend_from_slice(bytes);
        if found.len() > UNPACKED { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    };
    for part in parts.iter().filter(|part| !part.is_empty()) {
        unpack.feed(part, &mut take)?;
    }
    unpack.finish(&mut take)?;
    Ok(found)
}

/// Where redirects lead.
///
/// # Panics
/// A property does not hold.
pub fn redirect(data: &[u8]) {
    let Some((way, location)) = data.split_first() else { return };
    let bases =
        ["http://a.example", "https://me:pw@[::1]:8443/b/c?d#e", "http://b\u{fc}r.example/x y"];
    let from = Address::parse(bases[usize::from(*way) % bases.len()]).expect("a good address");
    let status = [301, 302, 303, 307, 308][usize::from(way >> 2) % 5];
    let method = next_method(status, "POST");
    let mut trail = Trail::default();
    trail.note(method, &from);
    let Ok(next) = trail.next(&from, location, method) else { return };
    assert!(next.scheme().is_http());
    check_address(&next);
    let again = Address::parse(next.written()).expect("what a redirect names can be polled");
    assert_eq!(again, next);
    trail.note(method, &next);
    assert!(trail.next(&from, location, method).is_err(), "a loop is not seen");
}

/// How long a throttling answer asks us to wait.
///
/// # Panics
/// A property does not hold.
pub fn retry_after(data: &[u8]) {
    let now = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let late = judge::retry_after(data, now(u64::MAX));
    assert!(judge::retry_after(data, now(0)) >= late);
    judge::retry_after(data, now(1_795_000_000));
}

/// Expectations of a body: a pattern, texts, a JSON pointer and its value, each on a line of its
/// own, and then the body.
///
/// # Panics
/// A property does not hold.
pub fn expectation(data: &[u8]) {
    let Some(([way, seed], text)) = data.split_first_chunk() else { return };
    let mut lines = text.splitn(6, |byte| *byte == b'\n');
    let mut line = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let (pattern, wanted, unwanted, pointer) = (line(), line(), line(), line());
    let value = serde_json::from_str(line());
    let body = lines.next().unwrap_or_default();
    let texts = |text: &str| text.split(' ').filter(|t| !t.is_empty()).map(Box::from).collect();
    let expectation = Expectation {
        body_regex: Pattern::new(pattern).ok().filter(|_| way & 1 != 0),
        body_contains: texts(wanted),
        body_not_contains: texts(unwanted),
        json: value.into_iter().map(|value| (pointer.into(), JsonValue(value))).collect(),
        ..Expectation::default()
    };
    let whole = judge_body(&expectation, &[body]);
    assert_eq!(whole, judge_body(&expectation, &pieces(body, *seed)));
    let has = |text: &str| memchr::memmem::find(body, text.as_bytes()).is_some();
    let is_right = expectation.body_contains.iter().all(|text| has(text))
        && !expectation.body_not_contains.iter().any(|text| has(text));
    assert!(whole.is_err() || is_right);
}

fn judge_body(expectation: &Expectation, parts: &[&[u8]]) -> Result<(), Fault> {
    let mut content = Content::new(expectation, Coding::Identity, u64::MAX);
    for part in parts {
        content.feed(part);
    }
    let (rows, fault) = content.weigh(expectation, false);
    let judged = content.judge(expectation, false);
    let all_hold = fault.is_none() && rows.iter().all(|row| row["holds"] == true);
    assert_eq!(judged.is_ok(), all_hold, "rows and judgement differ: {rows:?}");
    judged
}
