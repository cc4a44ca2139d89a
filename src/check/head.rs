//! `Head`: the status line and headers of an HTTP/1.1 answer, and what they say of its body.

use httparse::{EMPTY_HEADER, Error, Header, ParserConfig, Response, Status};

use crate::check::fault::Fault;
use crate::check::told::{Told, Version};
use crate::expectation::HeaderRule;
use crate::outcome::{Cause, Detail};

/// Bytes that a head may have at most.
pub(crate) const HEAD_CAP: usize = 64 << 10;
/// Headers that a head has usually at most, and those that it may have at most.
const HEADERS: [usize; 2] = [64, 256];

/// How the body of an answer ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// After this many bytes.
    Length(u64),
    /// With a chunk of no bytes.
    Chunked,
    /// With the connection.
    Close,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    #[default]
    Identity,
    Gzip,
    Deflate,
    /// In a way that we cannot undo.
    Unknown,
}

/// What is kept of the head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    /// Whether the connection may serve a further request.
    pub(crate) is_lasting: bool,
    pub(crate) fields: Fields,
    /// All of it, where somebody asks for it.
    pub(crate) told: Option<Box<Told>>,
}

/// How much is kept of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What is needed to judge it.
    Needed,
    /// All of it, to be told.
    All,
}

/// What is kept of the headers of an answer, whatever the HTTP version.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) coding: Coding,
    pub(crate) location: Option<Box<[u8]>>,
    pub(crate) retry_after: Option<Box<[u8]>>,
    /// Whether the headers are as they are expected to be.
    pub(crate) is_as_expected: bool,
}

/// The headers that are expected of an answer.
pub(crate) type HeaderRules = [(Box<str>, HeaderRule)];

/// What parsing the first bytes of an answer gave.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// More bytes are needed.
    Partial,
    /// An interim answer (1xx) of so many bytes.
    Interim(usize),
    /// A head of so many bytes.
    Whole(Head, usize),
}

/// Parses the head at the start of `bytes`, the answer to a request of `method`.
///
/// # Errors
/// It is no HTTP, malformed or over its caps.
pub(crate) fn parse(
    bytes: &[u8],
    method: &str,
    rules: &HeaderRules,
    keep: Keep,
) -> Result<Parsed, Fault> {
    if !starts_like_http(bytes) {
        return Err(Fault::protocol(Detail::NotHttp));
    }
    match parse_into(&mut [EMPTY_HEADER; HEADERS[0]], bytes, method, rules, keep) {
        Err(Error::TooManyHeaders) => {
            parse_into(&mut [EMPTY_HEADER; HEADERS[1]], bytes, method, rules, keep)
        }
        other => other,
    }
    .unwrap_or_else(|error| {
        Err(match error {
            Error::TooManyHeaders => Fault::new(Cause::TooLarge, Detail::Headers),
            Error::Version | Error::Status | Error::Token => Fault::protocol(Detail::NotHttp),
            _ => Fault::protocol(Detail::BadHead),
        })
    })
}

fn parse_into<'b>(
    headers: &mut [Header<'b>],
    bytes: &'b [u8],
    method: &str,
    rules: &HeaderRules,
    keep: Keep,
) -> Result<Result<Parsed, Fault>, Error> {
    let mut config = ParserConfig::default();
    config
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    let mut response = Response::new(headers);
    let Status::Complete(length) = config.parse_response(&mut response, bytes)? else {
        return Ok(Ok(Parsed::Partial));
    };
    // Three digits, and the first one tells a class (RFC 9110, section 15).
    let status = response.code.filter(|status| *status >= 100).ok_or(Error::Status)?;
    // 101 ends the exchange like a final answer: what follows is not HTTP any more.
    if (100..200).contains(&status) && status != 101 {
        return Ok(Ok(Parsed::Interim(length)));
    }
    let is_http_11 = response.version == Some(1);
    Ok(read_fields(response.headers, status, method, is_http_11).map(|mut head| {
        head.fields.is_as_expected = is_as_expected(rules, |name| find(response.headers, name));
        if keep == Keep::All {
            let version = if is_http_11 { Version::Http11 } else { Version::Http10 };
            let headers = response.headers.iter().map(|header| (header.name, header.value));
            let headers: Vec<_> = headers.collect();
            head.told = Some(Box::new(Told::of(version, &headers, rules)));
        }
        Parsed::Whole(head, length)
    }))
}

/// Whether `bytes` may be the beginning of an answer; empty lines before it do no harm.
fn starts_like_http(mut bytes: &[u8]) -> bool {
    while let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes == b"\r" || bytes.iter().zip(b"HTTP/1.").all(|(left, right)| left == right)
}

/// Whether `bytes` holds an empty line that ends at or after `from`: the end of a head.
pub(crate) fn has_end(bytes: &[u8], from: usize) -> bool {
    let recent = bytes.get(from.saturating_sub(3)..).unwrap_or_default();
    recent.windows(2).any(|pair| pair == b"\n\n") || recent.windows(3).any(|trio| trio == b"\n\r\n")
}

fn find<'b>(headers: &[Header<'b>], name: &str) -> Option<&'b [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Whether headers are as `rules` expect, where `find` gives the value of the first of a name.
pub(crate) fn is_as_expected<'b>(
    rules: &HeaderRules,
    find: impl Fn(&str) -> Option<&'b [u8]>,
) -> bool {
    rules.iter().all(|(name, rule)| holds(rule, find(name)))
}

/// Whether a header with this value, or none, is as `rule` expects.
pub(crate) fn holds(rule: &HeaderRule, value: Option<&[u8]>) -> bool {
    match (rule, value) {
        (HeaderRule::Is(wanted), Some(value)) => value.trim_ascii() == wanted.as_bytes(),
        (HeaderRule::Present, value) => value.is_some(),
        (HeaderRule::Absent, value) => value.is_none(),
        (HeaderRule::Is(_), None) => false,
    }
}

fn read_fields(
    headers: &[Header<'_>],
    status: u16,
    method: &str,
    is_http_11: bool,
) -> Result<Head, Fault> {
    let mut fields = Fields::default();
    let mut length = None;
    let mut is_chunked = None;
    let mut is_lasting = is_http_11;
    for header in headers {
        // The first letter rules out most headers without a comparison of texts.
        match header.name.as_bytes().first().map(u8::to_ascii_lowercase) {
            Some(b'c' | b't' | b'l' | b'r') => {}
            _ => continue,
        }
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            length = Some(content_length(header.value, length)?);
        } else if is("transfer-encoding") {
            is_chunked = Some(last_of_list(header.value).eq_ignore_ascii_case(b"chunked"));
        } else if is("connection") {
            is_lasting = lasts(header.value, is_lasting);
        } else {
            fields.take(header.name, header.value);
        }
    }
    let framing = match (is_chunked, length) {
        _ if method == "HEAD" || status < 200 || status == 204 || status == 304 => Framing::Empty,
        (Some(true), _) => Framing::Chunked,
        (Some(false), _) | (None, None) => Framing::Close,
        (None, Some(length)) => Framing::Length(length),
    };
    let is_lasting = is_lasting && framing != Framing::Close;
    Ok(Head { status, framing, is_lasting, fields, told: None })
}

impl Fields {
    /// Keeps the header if it is one that is asked for later.
    pub(crate) fn take(&mut self, name: &str, value: &[u8]) {
        if name.eq_ignore_ascii_case("location") {
            self.location = Some(value.into());
        } else if name.eq_ignore_ascii_case("retry-after") {
            self.retry_after = Some(value.into());
        } else if name.eq_ignore_ascii_case("content-encoding") {
            self.coding = coding(value, self.coding);
        }
    }
}

/// The length that `value` tells; a list of equal ones is lawful (RFC 9110, section 8.6).
fn content_length(value: &[u8], earlier: Option<u64>) -> Result<u64, Fault> {
    let mut length = earlier;
    for part in value.split(|&byte| byte == b',') {
        let part = part.trim_ascii();
        let is_number = !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(part).ok().filter(|_| is_number);
        match (number.and_then(|text| text.parse().ok()), length) {
            (Some(number), None) => length = Some(number),
            (Some(number), Some(earlier)) if number == earlier => {}
            _ => return Err(Fault::protocol(Detail::BadHead)),
        }
    }
    length.ok_or(Fault::protocol(Detail::BadHead))
}

fn last_of_list(value: &[u8]) -> &[u8] {
    value.rsplit(|&byte| byte == b',').next().unwrap_or_default().trim_ascii()
}

fn lasts(value: &[u8], before: bool) -> bool {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).fold(before, |lasts, option| {
        !option.eq_ignore_ascii_case(b"close")
            && (lasts || option.eq_ignore_ascii_case(b"keep-alive"))
    })
}

fn coding(value: &[u8], before: Coding) -> Coding {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).fold(before, |before, name| {
        let is = |text: &[u8]| name.eq_ignore_ascii_case(text);
        match before {
            before if name.is_empty() || is(b"identity") => before,
            Coding::Identity if is(b"gzip") || is(b"x-gzip") => Coding::Gzip,
            Coding::Identity if is(b"deflate") => Coding::Deflate,
            _ => Coding::Unknown,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, Fault> {
        match parse(text.as_bytes(), "GET", &[], Keep::Needed)? {
            Parsed::Whole(head, _) => Ok(head),
            other => panic!("no whole head: {other:?}"),
        }
    }

    fn framing(text: &str) -> Framing {
        head(text).expect("a good head").framing
    }

    #[test]
    fn the_end_of_a_body_is_found_as_rfc_9112_says() {
        assert_eq!(framing("HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n"), Framing::Empty);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n"), Framing::Length(5));
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n"), Framing::Close);
        let both =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";
        assert_eq!(framing(both), Framing::Chunked);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), Framing::Close);
    }

    #[test]
    fn lengths_that_contradict_each_other_are_a_bad_head() {
        for lines in ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: +5"] {
            let fault = head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n")).expect_err("a fault");
            assert_eq!(fault, Fault::protocol(Detail::BadHead));
        }
    }

    #[test]
    fn bare_line_feeds_and_folded_lines_are_tolerated() {
        assert_eq!(
            framing("HTTP/1.1 200 OK\nX: a\r\n  b\nContent-Length: 1\n\n"),
            Framing::Length(1)
        );
    }

    #[test]
    fn what_does_not_speak_http_1_is_told_at_its_first_byte() {
        for text in [
            "SSH-2.0-x\r\n",
            "I",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 020\r\n\r\n",
        ] {
            let fault = parse(text.as_bytes(), "GET", &[], Keep::Needed).expect_err("a fault");
            assert_eq!(fault, Fault::protocol(Detail::NotHttp), "{text:?}");
        }
    }

    #[test]
    fn a_few_hundred_headers_are_taken_and_more_are_too_many() {
        let text = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(count));
        assert!(head(&text(256)).is_ok());
        let fault = head(&text(257)).expect_err("a fault");
        assert_eq!(fault, Fault::new(Cause::TooLarge, Detail::Headers));
    }
}
