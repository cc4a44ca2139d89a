//! `NameServer`: a scripted DNS server on a loopback address.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
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
    /// This, after a while.
    Late(Duration, Box<Says>),
}

/// A DNS server that answers by a script; it ends when dropped.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// Answers by `script`, which gets the name, without its last dot, and the question's number.
    pub async fn serve(script: impl Fn(&str, usize) -> Says + Send + 'static) -> Self {
        Self::serve_at("127.0.0.1:0", script).await
    }

    /// The same, at this address.
    pub async fn serve_at(
        address: &str,
        script: impl Fn(&str, usize) -> Says + Send + 'static,
    ) -> Self {
        let socket = Arc::new(UdpSocket::bind(address).await.expect("a port is free"));
        let address = socket.local_addr().expect("a bound socket has an address");
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let noted = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 2048];
            let mut late = JoinSet::new();
            loop {
                let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
                let question = Message::from_vec(&buffer[..length]).expect("a question");
                let query = question.queries[0].clone();
                let name = query.name().to_string().trim_end_matches('.').to_owned();
                let number = {
                    let mut noted = noted.lock();
                    noted.push((name.clone(), query.query_type()));
                    noted.len() - 1
                };
                let (delay, says) = match script(&name, number) {
                    Says::Late(delay, says) => (delay, *says),
                    says => (Duration::ZERO, says),
                };
                let Some(bytes) = answer(&question, says) else { continue };
                let socket = Arc::clone(&socket);
                late.spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = socket.send_to(&bytes, peer).await;
                });
                while late.try_join_next().is_some() {}
            }
        });
        Self { address, asked, _tasks: tasks }
    }

    /// The questions that came so far.
    pub fn asked(&self) -> usize {
        self.asked.lock().len()
    }

    /// Those for records of this type.
    pub fn asked_for(&self, kind: RecordType) -> usize {
        self.asked.lock().iter().filter(|(_, asked)| *asked == kind).count()
    }

    /// The most questions that came for one name and type.
    pub fn most_of_one(&self) -> usize {
        let mut counts = HashMap::new();
        self.asked.lock().iter().for_each(|asked| *counts.entry(asked.clone()).or_insert(0) += 1);
        counts.into_values().max().unwrap_or(0)
    }
}

/// The message that says this to `question`; none when nothing is said.
fn answer(question: &Message, says: Says) -> Option<Vec<u8>> {
    let query = question.queries[0].clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    fill(&mut answer, query.name(), query.query_type(), says)
        .then(|| answer.to_vec().expect("a good answer"))
}

/// Writes what is said into `answer`; false when nothing is.
fn fill(answer: &mut Message, name: &Name, kind: RecordType, says: Says) -> bool {
    match says {
        Says::Nothing | Says::Late(..) => return false,
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
