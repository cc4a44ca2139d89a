//! `Lines`: lines over a connection that is handed on later, so that not one byte too many is read.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::outcome::Detail;

/// Bytes of a line, its end included.
const LINE: usize = 8 << 10;
/// Lines of a reply.
const REPLY: usize = 100;
/// Bytes that are thrown away before TLS begins.
const DRAINED: usize = 64 << 10;
/// Bytes of those that are told.
const TOLD: usize = 256;

/// Lines that are said and heard.
pub(super) struct Lines<'a> {
    tcp: &'a mut Counted,
}

/// A reply of SMTP.
pub(super) struct Reply {
    pub(super) code: u16,
    /// What follows the code, line by line.
    pub(super) lines: Vec<String>,
}

impl<'a> Lines<'a> {
    pub(super) const fn new(tcp: &'a mut Counted) -> Self {
        Self { tcp }
    }

    /// Our address, as SMTP writes names that are addresses.
    pub(super) fn own_name(&self) -> Result<String, Fault> {
        let own = self.tcp.local_addr().map_err(|error| broken(&error))?;
        Ok(match own.ip().to_canonical() {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        })
    }

    pub(super) async fn say(&mut self, line: &str) -> Result<(), Fault> {
        let line = format!("{line}\r\n");
        self.tcp.write_all(line.as_bytes()).await.map_err(|error| broken(&error))
    }

    /// Takes leave with `line`: the server offers no TLS.
    pub(super) async fn refused(&mut self, line: &str) -> Result<(), Fault> {
        // Whether it is heard changes nothing.
        let _ = self.say(line).await;
        Err(Fault::tls(Detail::NoStartTls))
    }

    /// The next line, without its end.
    pub(super) async fn next(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut some = [0; 512];
            // What is only looked at stays for whoever reads after us.
            let seen = self.tcp.peek(&mut some).await.map_err(|error| broken(&error))?;
            let some = some.get_mut(..seen).unwrap_or_default();
            if some.is_empty() {
                return Err(Fault::protocol(Detail::NoAnswer));
            }
            let wanted = memchr::memchr(b'\n', some).map_or(seen, |end| end + 1);
            let some = some.get_mut(..wanted).unwrap_or_default();
            self.tcp.read_exact(some).await.map_err(|error| broken(&error))?;
            line.extend_from_slice(some);
            if line.len() > LINE {
                return Err(Fault::protocol(Detail::BadReply));
            }
        }
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        line.truncate(end.map_or(0, |end| end + 1));
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// A reply of SMTP, of one line or several (RFC 5321, section 4.2).
    pub(super) async fn reply(&mut self) -> Result<Reply, Fault> {
        let mut lines = Vec::new();
        while lines.len() < REPLY {
            let line = self.next().await?;
            let Some((code, rest)) = line.split_at_checked(3) else { break };
            let Some(code) = number(code) else { break };
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            match rest.as_bytes().first() {
                None | Some(b' ') => return Ok(Reply { code, lines }),
                Some(b'-') => {}
                Some(_) => break,
            }
        }
        Err(Fault::protocol(Detail::BadReply))
    }

    /// Whether the reply of IMAP with `tag` is positive; `take` gets the lines before it.
    pub(super) async fn tagged(
        &mut self,
        tag: &str,
        mut take: impl FnMut(&str),
    ) -> Result<bool, Fault> {
        for _ in 0..REPLY {
            let line = self.next().await?;
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("*") => take(&line),
                Some(first) if first == tag => {
                    return Ok(words.next().is_some_and(|word| word.eq_ignore_ascii_case("OK")));
                }
                _ => break,
            }
        }
        Err(Fault::protocol(Detail::BadReply))
    }

    /// Whether a reply of POP3 is positive.
    pub(super) async fn status(&mut self) -> Result<bool, Fault> {
        let line = self.next().await?;
        match line.split_ascii_whitespace().next() {
            Some("+OK") => Ok(true),
            Some("-ERR") => Ok(false),
            _ => Err(Fault::protocol(Detail::BadReply)),
        }
    }

    /// Whether a list of POP3 holds `wanted`.
    pub(super) async fn listed(&mut self, wanted: &str) -> Result<bool, Fault> {
        let mut is_there = false;
        for _ in 0..REPLY {
            let line = self.next().await?;
            if line == "." {
                return Ok(is_there);
            }
            is_there |= is_word(&line, wanted);
        }
        Err(Fault::protocol(Detail::BadReply))
    }

    /// Throws away what has come and was not read, and gives the beginning of it.
    pub(super) fn drain(&mut self) -> Result<Vec<u8>, Fault> {
        let mut told = Vec::new();
        let mut some = [0; 4 << 10];
        let mut drained = 0;
        while drained < DRAINED {
            match self.tcp.try_read(&mut some) {
                Ok(0) => return Ok(told),
                Ok(count) => {
                    drained += count;
                    let room = TOLD - told.len();
                    told.extend(some.iter().take(count.min(room)));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(told),
                Err(error) => return Err(broken(&error)),
            }
        }
        Err(Fault::protocol(Detail::BadReply))
    }
}

/// Whether the first word of `line` is `word`.
pub(super) fn is_word(line: &str, word: &str) -> bool {
    line.split_ascii_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case(word))
}

fn number(code: &str) -> Option<u16> {
    code.bytes().all(|byte| byte.is_ascii_digit()).then(|| code.parse().ok()).flatten()
}

fn broken(error: &std::io::Error) -> Fault {
    Fault::of_stream(error, Detail::Waiting)
}
