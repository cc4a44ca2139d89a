//! `RawServer`: a name server over UDP and TCP that sends the very bytes that its script says.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, OpCode};
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// By which way a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Udp,
    Tcp,
}

/// A question that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub bytes: Vec<u8>,
    pub message: Message,
    pub way: Way,
    pub peer: SocketAddr,
    /// Questions that came before it.
    pub number: usize,
}

/// What the server does with a question.
#[derive(Clone, Debug)]
pub enum Does {
    /// It sends these bytes, over TCP with their length before them.
    Send(Vec<u8>),
    /// It sends these bytes from another port.
    SendFromElsewhere(Vec<u8>),
    /// It sends these bytes over TCP as they are.
    SendRaw(Vec<u8>),
}

/// A name server that answers by a script; it ends when dropped.
pub struct RawServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

/// What a server does with a question.
pub trait Script: Fn(&Asked) -> Vec<Does> + Send + 'static {}

impl<S: Fn(&Asked) -> Vec<Does> + Send + 'static> Script for S {}

impl RawServer {
    /// Does with every question what `script` says; over TCP it hangs up then.
    pub async fn serve(script: impl Script) -> Self {
        Self::serve_together(Arc::new(Barrier::new(1)), script).await
    }

    /// The same once all have a question that `all_asked` waits for.
    pub async fn serve_together(all_asked: Arc<Barrier>, script: impl Script) -> Self {
        loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
            let address = udp.local_addr().expect("a bound socket has an address");
            // The port may be taken over TCP.
            if let Ok(tcp) = TcpListener::bind(address).await {
                return Self::start((udp, tcp), all_asked, script);
            }
        }
    }

    /// The same at `address`; none where this user may not bind its port.
    pub async fn serve_at(address: SocketAddr, script: impl Script) -> Option<Self> {
        let udp = match UdpSocket::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
            udp => udp.expect("an address that no other test has"),
        };
        let tcp = TcpListener::bind(address).await.expect("an address that no other test has");
        Some(Self::start((udp, tcp), Arc::new(Barrier::new(1)), script))
    }

    fn start(
        (udp, tcp): (UdpSocket, TcpListener),
        all_asked: Arc<Barrier>,
        script: impl Script,
    ) -> Self {
        let address = udp.local_addr().expect("a bound socket has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (udp, notes) = (Arc::new(udp), Arc::clone(&asked));
        let does = move |bytes: &[u8], way, peer| {
            let mut all = notes.lock().expect("nobody panics with it");
            let message = Message::from_vec(bytes).expect("a question");
            let asked = Asked { bytes: bytes.to_vec(), message, way, peer, number: all.len() };
            let does = script(&asked);
            all.push(asked);
            does
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut running = JoinSet::new();
            let mut buffer = [0; 2048];
            loop {
                let all_asked = Arc::clone(&all_asked);
                tokio::select! {
                    Ok((length, peer)) = udp.recv_from(&mut buffer) => {
                        let (udp, does) =
                            (Arc::clone(&udp), does(&buffer[..length], Way::Udp, peer));
                        running.spawn(async move {
                            all_asked.wait().await;
                            over_udp(&udp, peer, does).await;
                        });
                    }
                    Ok((mut stream, peer)) = tcp.accept() => {
                        let Some(bytes) = framed(&mut stream).await else { continue };
                        running.spawn(over_tcp(stream, does(&bytes, Way::Tcp, peer)));
                    }
                }
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// The questions that came so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

async fn framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn over_udp(udp: &UdpSocket, peer: SocketAddr, does: Vec<Does>) {
    for one in does {
        let _ = match one {
            Does::Send(bytes) | Does::SendRaw(bytes) => udp.send_to(&bytes, peer).await,
            Does::SendFromElsewhere(bytes) => {
                let other = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
                other.send_to(&bytes, peer).await
            }
        };
    }
}

async fn over_tcp(mut stream: TcpStream, does: Vec<Does>) {
    for one in does {
        let bytes = match one {
            Does::Send(bytes) => {
                let length = u16::try_from(bytes.len()).expect("a short message");
                [&length.to_be_bytes()[..], &bytes].concat()
            }
            Does::SendRaw(bytes) | Does::SendFromElsewhere(bytes) => bytes,
        };
        let _ = stream.write_all(&bytes).await;
    }
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

impl Asked {
    /// Name, without its last dot, and type of the question.
    pub fn question(&self) -> (String, u16) {
        let query = &self.message.queries[0];
        let name = query.name().to_ascii().to_ascii_lowercase();
        (name.trim_end_matches('.').to_owned(), query.query_type().into())
    }

    /// An answer without records.
    pub fn empty(&self) -> Message {
        let id = self.message.metadata.id;
        let mut answer = Message::new(id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_desired = self.message.metadata.recursion_desired;
        answer.add_query(self.message.queries[0].clone());
        answer
    }

    /// An answer with these records of the name asked for.
    pub fn with(&self, data: impl IntoIterator<Item = RData>) -> Message {
        let mut answer = self.empty();
        let name = self.message.queries[0].name();
        for data in data {
            answer.add_answer(Record::from_rdata(name.clone(), 300, data));
        }
        answer
    }

    /// The bytes of an answer with one address.
    pub fn address(&self, last: u8) -> Vec<u8> {
        bytes(&self.with([a(last)]))
    }
}

/// The bytes of `message`.
pub fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().expect("a good message")
}

/// The address 192.0.2.`last`.
pub fn a(last: u8) -> RData {
    RData::A(Ipv4Addr::new(192, 0, 2, last).into())
}

/// `text` as a name.
pub fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).expect("a good name")
}
