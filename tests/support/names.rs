//! `NameServer`: a scripted DNS server on a loopback address.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What the server says to a question.
#[derive(Clone, Debug)]
pub enum Says {
    /// These addresses, those of the family asked for, and the seconds they hold.
    Addresses(Vec<IpAddr>, u32),
    /// These records, those of the type asked for.
    Records(Vec<RData>),
    /// This code; without a name or an address, that this holds for so many seconds.
    Code(ResponseCode, u32),
    /// Nothing.
    Nothing,
}

/// A DNS server that answers by a script; it ends when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// Answers by `script`, which gets the name, without its last dot, and the question's number.
    pub async fn serve(script: impl Fn(&str, usize) -> Says + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 2048];
            loop {
                let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                let query = question.queries[0].clone();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let name = query.name().to_string();
                let says = script(name.trim_end_matches('.'), number);
                let mut answer =
                    Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
                answer.metadata.recursion_desired = true;
                answer.metadata.recursion_available = true;
                answer.add_query(query.clone());
                if fill(&mut answer, query.name(), query.query_type(), says) {
                    let bytes = answer.to_vec().expect("a good answer");
                    let _ = socket.send_to(&bytes, peer).await;
                }
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// The questions that came so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Writes what is said into `answer`; false when nothing is.
fn fill(answer: &mut Message, name: &Name, kind: RecordType, says: Says) -> bool {
    match says {
        Says::Nothing => return false,
        Says::Addresses(addresses, seconds) => {
            for address in addresses {
                let data = match (address, kind) {
                    (IpAddr::V4(address), RecordType::A) => RData::A(address.into()),
                    (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(address.into()),
                    _ => continue,
                };
                answer.add_answer(Record::from_rdata(name.clone(), seconds, data));
            }
        }
        Says::Records(records) => {
            for data in records.into_iter().filter(|data| data.record_type() == kind) {
                answer.add_answer(Record::from_rdata(name.clone(), 60, data));
            }
        }
        Says::Code(code, seconds) => {
            answer.metadata.response_code = code;
            let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, seconds);
            answer.add_authority(Record::from_rdata(name.clone(), seconds, RData::SOA(soa)));
        }
    }
    true
}
