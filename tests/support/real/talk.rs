//! Raw conversations with a real server: lines over TCP or TLS, and questions of DNS.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

const PATIENCE: Duration = Duration::from_secs(30);

/// A TCP connection to a port of 127.0.0.1 on which nothing takes for ever.
pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Whether what listens on `port` greets with `greeting`.
pub(crate) fn greets(port: u16, greeting: &str) -> bool {
    let read = |mut stream: TcpStream| {
        let mut start = vec![0; greeting.len()];
        stream.read_exact(&mut start).map(|()| start)
    };
    connect(port).and_then(read).is_ok_and(|start| start == greeting.as_bytes())
}

/// Makes a handshake as a client that asks for `name`.
pub(crate) fn handshake<S: Read + Write>(
    mut stream: S,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<StreamOwned<ClientConnection, S>> {
    let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
    let config = Arc::clone(config);
    let mut connection = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A conversation by lines.
pub(crate) struct Lines<S: Read + Write> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Lines<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line in time");
        assert!(line.ends_with("\r\n"), "no whole line: {line:?}");
        line.trim_end().to_owned()
    }

    /// Lines up to the one that `last` holds for, joined.
    pub(crate) fn until(&mut self, last: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&line);
            text.push('\n');
            if last(&line) {
                return text;
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("a peer that listens");
        stream.flush().expect("a peer that listens");
    }

    /// Says `line` and reads an answer of IMAP with the tag `line` begins with.
    pub(crate) fn imap(&mut self, line: &str) -> String {
        let tag = format!("{} ", line.split(' ').next().expect("a tag"));
        self.say(line);
        self.until(|answer| answer.starts_with(&tag))
    }

    /// Says `line` and reads an answer of SMTP.
    pub(crate) fn smtp(&mut self, line: &str) -> String {
        self.say(line);
        self.reply()
    }

    /// An answer of SMTP, of one line or several.
    pub(crate) fn reply(&mut self) -> String {
        self.until(|answer| answer.as_bytes().get(3) != Some(&b'-'))
    }

    /// Says `line` and reads one line.
    pub(crate) fn pop(&mut self, line: &str) -> String {
        self.say(line);
        self.line()
    }

    /// The connection below.
    pub(crate) fn into_stream(self) -> S {
        self.stream.into_inner()
    }
}

/// Numbers of record types.
pub(crate) mod kind {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const CAA: u16 = 257;
}

/// Answer codes.
pub(crate) mod code {
    pub(crate) const NOERROR: u8 = 0;
    pub(crate) const SERVFAIL: u8 = 2;
    pub(crate) const NXDOMAIN: u8 = 3;
    pub(crate) const REFUSED: u8 = 5;
}

/// A question of DNS.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u16,
    /// Bits beside recursion desired, as `Answer::AD` or `Answer::CD`.
    pub(crate) flags: u16,
}

impl<'a> Question<'a> {
    pub(crate) fn new(name: &'a str, kind: u16) -> Self {
        Self { name, kind, flags: 0 }
    }

    fn bytes(self) -> Vec<u8> {
        let flags = 0x0100 | self.flags;
        let mut bytes = vec![0x51, 0x7e];
        bytes.extend(flags.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            bytes.push(u8::try_from(label.len()).expect("a short label"));
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    /// Asks over UDP.
    pub(crate) fn udp(self, port: u16) -> std::io::Result<Answer> {
        self.udp_within(port, PATIENCE)
    }

    /// Asks over UDP, and waits no longer than `limit`.
    pub(crate) fn udp_within(self, port: u16, limit: Duration) -> std::io::Result<Answer> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(limit))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.send(&self.bytes())?;
        let mut bytes = vec![0; 65_535];
        let length = socket.recv(&mut bytes)?;
        bytes.truncate(length);
        Ok(Answer { bytes })
    }

    /// Asks over TCP.
    pub(crate) fn tcp(self, port: u16) -> std::io::Result<Answer> {
        let mut stream = connect(port)?;
        let question = self.bytes();
        let length = u16::try_from(question.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &question].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut bytes)?;
        Ok(Answer { bytes })
    }
}

/// What a name server sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) const AUTHORITATIVE: u16 = 0x0400;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const AD: u16 = 0x0020;
    pub(crate) const CD: u16 = 0x0010;

    fn number(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Whether it has the bit `flag`.
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.number(2) & flag != 0
    }

    pub(crate) fn code(&self) -> u8 {
        self.bytes[3] & 0x0f
    }

    /// How many records answer.
    pub(crate) fn records(&self) -> u16 {
        self.number(6)
    }

    /// Whether `part` occurs in it.
    pub(crate) fn holds(&self, part: &[u8]) -> bool {
        self.bytes.windows(part.len()).any(|window| window == part)
    }
}
