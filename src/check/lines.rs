//! `Lines`: a conversation by lines over a connection, of which nothing is lost and little is held.

use std::io::Read;
use std::net::SocketAddr;

use socket2::{SockRef, Socket};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::check::counted::Counted;
use crate::check::fault::Fault;
use crate::check::meter::Held;
use crate::check::stream::Stream;
use crate::outcome::Detail;

/// Bytes that a line may have.
const LINE: usize = 8 << 10;
/// Bytes of a line that is too long that are passed over at most.
const PASSED_OVER: usize = 4 << 20;
/// Bytes of a peer's words that are shown at most.
const SHOWN: usize = 512;
/// What is read at once of what is thrown away, and how often at most.
const DRAIN: (usize, usize) = (1 << 10, 64);

/// A conversation by lines.
#[derive(Debug)]
pub(crate) struct Lines {
    /// None while TLS begins, and when that has failed.
    stream: Option<Stream>,
    /// What came and was not taken: a line and what is read at once, at most.
    held: Vec<u8>,
    memory: Held,
    /// Bytes that came in all.
    received: u64,
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection ended before one began.
    Closed,
    /// The connection ended within one.
    Cut,
    /// It is longer than may be; what came of it is still held.
    TooLong,
    /// The connection broke.
    Failed(Fault),
}

impl Lines {
    pub(crate) const fn new(stream: Stream) -> Self {
        Self { stream: Some(stream), held: Vec::new(), memory: Held::none(), received: 0 }
    }

    /// The next line, without its end: LF, with or without CR.
    ///
    /// # Errors
    /// None comes, or one that is too long.
    pub(crate) async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            let fresh = self.held.get(searched..).unwrap_or_default();
            let end = memchr::memchr(b'\n', fresh).map(|at| searched + at);
            searched = self.held.len();
            match end {
                Some(end) if end <= LINE => {
                    let mut line: Vec<u8> = self.held.drain(..=end).collect();
                    line.pop();
                    line.pop_if(|last| *last == b'\r');
                    return Ok(line);
                }
                None if searched <= LINE => self.fill().await?,
                _ => return Err(Broken::TooLong),
            }
        }
    }

    /// The next `length` bytes, of which the caller has seen that they are not too many.
    ///
    /// # Errors
    /// They do not come.
    pub(crate) async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        while self.held.len() < length {
            self.fill().await?;
        }
        Ok(self.held.drain(..length).collect())
    }

    /// Passes over the rest of a line that is too long, as far as it comes and is not endless.
    pub(crate) async fn pass_over(&mut self) {
        let mut passed = 0;
        while passed < PASSED_OVER {
            if let Some(end) = memchr::memchr(b'\n', &self.held) {
                self.held.drain(..=end);
                return;
            }
            passed += self.held.len();
            self.held.clear();
            if self.fill().await.is_err() {
                return;
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        let Some(stream) = &mut self.stream else { return Err(Broken::Closed) };
        let held = &mut self.held;
        let read = stream.read_with(|bytes| {
            held.extend_from_slice(bytes);
            bytes.len()
        });
        let read = read.await;
        self.memory.set(self.held.capacity());
        match read {
            Ok(0) if self.held.is_empty() => Err(Broken::Closed),
            Ok(0) => Err(Broken::Cut),
            Ok(length) => {
                self.received += length as u64;
                Ok(())
            }
            Err(error) => Err(Broken::Failed(Fault::of_stream(&error, Detail::Waiting))),
        }
    }

    /// Sends `bytes` as they are.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(stream) = &mut self.stream else { return Err(Fault::protocol(Detail::NoAnswer)) };
        let sent = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| Fault::of_stream(&error, Detail::Sending))
    }

    /// The connection below, for TLS to begin on, and whether anything came that was not taken.
    ///
    /// It is thrown away: whoever stands between the two could have sent it, and what comes
    /// before TLS must not be read as what comes inside of it (CVE-2011-0411).
    pub(crate) fn take_plain(&mut self) -> Option<(Counted, bool)> {
        match self.stream.take() {
            Some(Stream::Plain(tcp)) => {
                let is_held = !std::mem::take(&mut self.held).is_empty();
                let is_there = drain(&tcp);
                Some((tcp, is_held || is_there))
            }
            other => {
                self.stream = other;
                None
            }
        }
    }

    /// Goes on over `stream`.
    pub(crate) fn go_on(&mut self, stream: Stream) {
        self.stream = Some(stream);
    }

    /// Whether TLS is spoken.
    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self.stream, Some(Stream::Tls(_)))
    }

    /// What came of the next line so far.
    pub(crate) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Bytes that came in all.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Our own end of the connection.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.stream.as_ref()?.tcp().local_addr().ok()
    }
}

/// Throws away what came and was not read; whether there was any.
fn drain(tcp: &TcpStream) -> bool {
    let socket = SockRef::from(tcp);
    let mut socket: &Socket = &socket;
    let mut space = [0; DRAIN.0];
    let mut was_any = false;
    for _ in 0..DRAIN.1 {
        match socket.read(&mut space) {
            Ok(length) if length > 0 => was_any = true,
            _ => break,
        }
    }
    was_any
}

/// A peer's words as they can be shown: of bounded length, without anything that moves a cursor.
pub(crate) fn shown(words: &[u8]) -> String {
    // Whatever is beyond is not looked at, however long it is.
    let words = words.get(..SHOWN).unwrap_or(words);
    let text = String::from_utf8_lossy(words).replace("\r\n", "\n");
    let mut shown = String::with_capacity(text.len());
    for character in text.trim_end_matches(['\r', '\n']).chars() {
        let character = match character {
            '\t' | '\r' | '\n' => ' ',
            // Controls, and what turns the direction of text round.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
                '\u{fffd}'
            }
            other if other.is_control() => '\u{fffd}',
            other => other,
        };
        if shown.len() + character.len_utf8() > SHOWN {
            break;
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Lines from a peer that sends `bytes` and hangs up.
    async fn from(bytes: Vec<u8>) -> (Lines, tokio::task::JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let there = listener.local_addr().expect("a bound listener has an address");
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let (mut peer, _) = listener.accept().await.expect("a connection");
            let _ = peer.write_all(&bytes).await;
        });
        let tcp = Counted::new(TcpStream::connect(there).await.expect("it listens"));
        (Lines::new(Stream::Plain(tcp)), tasks)
    }

    #[tokio::test]
    async fn lines_and_bytes_come_as_they_were_sent_and_in_their_order() {
        let (mut lines, _tasks) = from(b"one\r\ntwo\n\r\nabc\ndefthree\r\nfour".to_vec()).await;
        assert_eq!(lines.line().await, Ok(b"one".to_vec()));
        assert_eq!(lines.line().await, Ok(b"two".to_vec()));
        assert_eq!(lines.line().await, Ok(Vec::new()));
        assert_eq!(lines.exactly(7).await, Ok(b"abc\ndef".to_vec()));
        assert_eq!(lines.line().await, Ok(b"three".to_vec()));
        assert_eq!(lines.line().await, Err(Broken::Cut));
        assert_eq!(lines.received(), 29);
    }

    #[tokio::test]
    async fn a_line_has_8_kilobytes_at_most() {
        let mut bytes = vec![b'a'; LINE - 1];
        bytes.extend(b"\r\n");
        bytes.extend(vec![b'b'; LINE + 1]);
        bytes.extend(b"\nc\n");
        let (mut lines, _tasks) = from(bytes).await;
        assert_eq!(lines.line().await.map(|line| line.len()), Ok(LINE - 1));
        assert_eq!(lines.line().await, Err(Broken::TooLong));
        lines.pass_over().await;
        assert_eq!(lines.line().await, Ok(b"c".to_vec()));
        assert_eq!(lines.line().await, Err(Broken::Closed));
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_held() {
        let (mut lines, _tasks) = from(vec![b'a'; 8 << 20]).await;
        assert_eq!(lines.line().await, Err(Broken::TooLong));
        lines.pass_over().await;
        assert!(lines.received() >= PASSED_OVER as u64, "{}", lines.received());
        assert!(lines.held.capacity() <= 128 << 10, "{}", lines.held.capacity());
    }

    #[tokio::test]
    async fn what_came_before_tls_is_thrown_away() {
        let (mut lines, mut tasks) = from(b"go on\r\nsmuggled\r\n".to_vec()).await;
        assert_eq!(lines.line().await, Ok(b"go on".to_vec()));
        let _ = tasks.join_next().await;
        let (tcp, was_any) = lines.take_plain().expect("a plain connection");
        assert!(was_any);
        lines.go_on(Stream::Plain(tcp));
        assert_eq!(lines.line().await, Err(Broken::Closed));
    }

    #[test]
    fn words_are_shown_without_what_moves_a_cursor() {
        assert_eq!(
            shown(b"a\tb\r\nb\x1b[2Jc\x00\xff\xe2\x80\xae\r\n"),
            "a b b\u{fffd}[2Jc\u{fffd}\u{fffd}\u{fffd}"
        );
        assert!(shown(&[0xff; 4_000]).len() <= SHOWN);
        assert_eq!(shown(&[b'a'; 4_000]).len(), SHOWN);
    }
}
