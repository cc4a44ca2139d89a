//! Whether other name servers have come to give the same answer.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::Found;
use super::client::{Answer, Trouble};
use super::expected::missing;
use super::message::Question;
use super::servers::{Servers, of_trouble, shown};
use super::together::together;
use crate::outcome::Detail;
use crate::target::DnsProbe;

/// What the name servers say that a check compares.
#[derive(Debug)]
pub(super) struct Propagation {
    replies: Vec<Reply>,
    threshold: u8,
}

#[derive(Debug)]
struct Reply {
    server: SocketAddr,
    status: Status,
    found: Option<Found>,
    seconds: Option<f64>,
}

/// What a name server's answer is beside the one that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Agrees,
    Differs,
    Failed(Detail),
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::Failed(detail) => detail.as_str(),
        }
    }
}

/// The answers of all name servers that `probe` names, asked at once.
pub(super) async fn ask(
    servers: &Servers<'_>,
    probe: &DnsProbe,
    question: &Question,
    deadline: Instant,
) -> Vec<Result<Answer, Trouble>> {
    let asked = probe.resolvers.iter().map(|server| servers.ask_one(*server, question, deadline));
    together(asked).await
}

impl Propagation {
    /// Compares `answers` with what `probe` expects, else with `own`, the answer of our own name
    /// server; none where nothing is compared.
    pub(super) fn of(
        probe: &DnsProbe,
        question: &Question,
        answers: &[Result<Answer, Trouble>],
        own: Option<&Found>,
    ) -> Option<Self> {
        let agrees = |found: &Found| match own {
            _ if !probe.expected.is_empty() => {
                missing(probe.record, &probe.expected, &found.values).is_empty()
            }
            Some(own) => found.meanings(probe.record) == own.meanings(probe.record),
            None => false,
        };
        let reply = |(server, answer): (&SocketAddr, &Result<Answer, Trouble>)| {
            let server = *server;
            match answer {
                Ok(answer) => {
                    let found = Found::of(&answer.message, question);
                    let status = match found.result() {
                        Err(detail) => Status::Failed(detail),
                        Ok(()) if agrees(&found) => Status::Agrees,
                        Ok(()) => Status::Differs,
                    };
                    let seconds = Some(answer.took.as_secs_f64());
                    Reply { server, status, found: Some(found), seconds }
                }
                Err(trouble) => {
                    let status = Status::Failed(of_trouble(*trouble).detail);
                    Reply { server, status, found: None, seconds: None }
                }
            }
        };
        let replies: Vec<Reply> = probe.resolvers.iter().zip(answers).map(reply).collect();
        (!replies.is_empty()).then_some(Self { replies, threshold: probe.propagation_threshold })
    }

    fn agreeing(&self) -> usize {
        self.replies.iter().filter(|reply| reply.status == Status::Agrees).count()
    }

    /// Whether as many agree as must.
    pub(super) fn is_enough(&self) -> bool {
        self.agreeing() * 100 >= usize::from(self.threshold) * self.replies.len()
    }

    pub(super) fn words(&self) -> String {
        format!("{} of {} name servers agree", self.agreeing(), self.replies.len())
    }

    pub(super) fn shown(&self) -> Value {
        let (agreeing, total) = (self.agreeing(), self.replies.len());
        let tenths = u32::try_from(agreeing * 1_000 / total.max(1)).unwrap_or(1_000);
        let resolvers: Vec<Value> = self.replies.iter().map(Reply::shown).collect();
        json!({
            "percentage": f64::from(tenths) / 10.0,
            "threshold": self.threshold,
            "agreeing": agreeing,
            "total": total,
            "resolvers": resolvers,
        })
    }
}

impl Reply {
    fn shown(&self) -> Value {
        json!({
            "resolver": shown(self.server),
            "status": self.status.as_str(),
            "values": self.found.as_ref().map_or(&[][..], |found| &found.values),
            "response_time": self.seconds,
        })
    }
}
