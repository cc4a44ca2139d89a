//! How a target answers, read from the path of its URL.

use std::fmt;
use std::str::FromStr;

/// What a target does with a request: segments of a path, in any order, as in `/d50/s404/b1024`.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// Bounds of the delay before the answer in milliseconds; equal for a fixed one.
    pub(crate) delay_ms: (u32, u32),
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    pub(crate) coding: Coding,
    pub(crate) connection: Connection,
    pub(crate) act: Act,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// So many bytes of plain text.
    Filler(usize),
    /// These bytes, of this media type.
    Bytes(Vec<u8>, &'static str),
    /// A gzip stream that unpacks to so many megabytes of zeros.
    Bomb(usize),
    /// The request itself, as it was received.
    Echo,
}

/// How the body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    Close,
    Keep,
}

/// What is done beyond a plain answer.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Answer,
    /// A redirect, to the value of `Location`.
    Redirect(String),
    /// A redirect to the same host's HTTPS port, with the good certificate.
    RedirectHttps,
    /// Status 500 at each so many-th request of an address.
    Flaky(u32),
    /// Status 405 for HEAD.
    NoHead,
    /// The next step of the script of this name.
    Script(String),
    /// Misbehaves.
    Fault(Fault),
}

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Reads and says nothing.
    Silent,
    /// Half a status line, then nothing.
    HangHead,
    /// The head, a byte a second.
    Drip,
    /// The head at once, the body a byte a second.
    DripBody,
    /// Header after header, for ever.
    EndlessHeaders,
    /// A body without an end, of no stated length.
    EndlessBody,
    /// A body without an end, in chunks.
    EndlessChunks,
    /// A reset instead of an answer.
    Reset,
    /// A reset in the middle of the body.
    ResetMid,
    /// A body shorter than its stated length, then the end of the connection.
    Short,
    /// The end of the connection instead of an answer.
    Close,
    /// Bytes that are not HTTP.
    Garbage,
    /// A chunk whose size is no number.
    BadChunk,
    /// A header line without a colon.
    BadHead,
}

/// Why a path names no behaviour.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoBehaviour(String);

impl fmt::Display for NoBehaviour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the fleet knows no behaviour \"{}\"", self.0)
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            delay_ms: (0, 0),
            status: 200,
            headers: Vec::new(),
            body: Body::Filler(2),
            coding: Coding::Identity,
            connection: Connection::Close,
            act: Act::Answer,
        }
    }
}

impl FromStr for Behaviour {
    type Err = NoBehaviour;

    /// Reads a path; a query is passed over.
    fn from_str(path: &str) -> Result<Self, NoBehaviour> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut behaviour = Self::default();
        let mut segments = Segments { rest: path, path };
        while let Some(segment) = segments.next() {
            if !behaviour.take(segment, &mut segments) && !behaviour.take_number(segment, &segments)
            {
                return Err(NoBehaviour(segment.to_owned()));
            }
        }
        Ok(behaviour)
    }
}

/// The segments of a path that are not read yet.
struct Segments<'a> {
    rest: &'a str,
    path: &'a str,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches('/');
        let (segment, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        self.rest = after;
        (!segment.is_empty()).then_some(segment)
    }
}

impl Segments<'_> {
    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn bytes(&mut self) -> Vec<u8> {
        decode(self.next().unwrap_or_default())
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }
}

impl Behaviour {
    /// Takes a segment that is a word; whether it is one.
    fn take(&mut self, word: &str, more: &mut Segments<'_>) -> bool {
        match word {
            "path" => drop(more.next()),
            "keep" => self.connection = Connection::Keep,
            "gz" => self.coding = Coding::Gzip,
            "echo" => self.body = Body::Echo,
            "text" => self.body = Body::Bytes(more.bytes(), "text/plain; charset=utf-8"),
            "json" => self.body = Body::Bytes(more.bytes(), "application/json"),
            "html" => self.body = Body::Bytes(more.bytes(), "text/html; charset=utf-8"),
            "h" => {
                let name = more.text();
                self.headers.push((name, more.text()));
            }
            "bomb" => self.body = Body::Bomb(more.number().unwrap_or(1)),
            "retry-after" => {
                self.status = 429;
                self.headers.push(("Retry-After".to_owned(), more.text()));
            }
            "loop" => self.redirect(more.path.to_owned()),
            "redirect-to" => {
                let location = more.text();
                self.redirect(location);
            }
            "elsewhere" => match more.next() {
                Some("ftp") => self.redirect("ftp://fleet.test/file".to_owned()),
                Some("https") => self.act = Act::RedirectHttps,
                _ => return false,
            },
            "flaky" => self.act = Act::Flaky(more.number().unwrap_or(2)),
            "nohead" => self.act = Act::NoHead,
            "script" => self.act = Act::Script(more.text()),
            word => match Fault::parse(word, more) {
                Some(fault) => self.act = Act::Fault(fault),
                None => return false,
            },
        }
        true
    }

    /// Takes a segment that is a letter and a number; whether it is one.
    fn take_number(&mut self, segment: &str, more: &Segments<'_>) -> bool {
        let Some((letter, number)) = segment.split_at_checked(1) else { return false };
        if letter == "d" {
            let (low, high) = number.split_once('-').unwrap_or((number, number));
            let (Ok(low), Ok(high)) = (low.parse(), high.parse()) else { return false };
            self.delay_ms = (low, high);
            return true;
        }
        let Ok(number) = number.parse::<u32>() else { return false };
        match (letter, number) {
            ("s", 100..=999) => self.status = u16::try_from(number).unwrap_or(200),
            ("b", bytes) => self.body = Body::Filler(bytes as usize),
            ("r", 0) => {}
            ("r", hops) => {
                let (from, to) = (format!("/r{hops}"), format!("/r{}", hops - 1));
                self.redirect(more.path.replacen(&from, &to, 1));
            }
            _ => return false,
        }
        true
    }

    fn redirect(&mut self, location: String) {
        self.act = Act::Redirect(location);
    }
}

impl Fault {
    fn parse(word: &str, more: &mut Segments<'_>) -> Option<Self> {
        Some(match word {
            "silent" => Self::Silent,
            "hang-head" => Self::HangHead,
            "drip" => Self::Drip,
            "drip-body" => Self::DripBody,
            "endless-headers" => Self::EndlessHeaders,
            "endless-body" if more.rest.starts_with("/chunked") => {
                more.next();
                Self::EndlessChunks
            }
            "endless-body" => Self::EndlessBody,
            "reset" => Self::Reset,
            "reset-mid" => Self::ResetMid,
            "short" => Self::Short,
            "close" => Self::Close,
            "garbage" => Self::Garbage,
            "bad-chunk" => Self::BadChunk,
            "bad-head" => Self::BadHead,
            _ => return None,
        })
    }
}

/// Undoes percent-encoding; what is no code stays as it is.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        if let Some(code) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            decoded.push(code);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}

/// Percent-encodes `text` so that it is one segment of a path.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
