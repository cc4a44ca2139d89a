//! `Facts`: what a check saw, told beside its finding to those who ask for it.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};
use tokio::net::TcpStream;

use crate::check::fault::Fault;
use crate::outcome::{Micros, Phases};

/// What a check saw, by names that users and scripts rely on; empty where nobody asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A sentence for people; empty where the finding says it all.
    pub message: String,
    /// The data of the result.
    pub data: Map<String, Value>,
}

impl Facts {
    /// Notes `value` under `name`, in the place of what was noted before.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.data.insert(name.to_owned(), value.into());
    }

    /// Adds `value` to the list `name`.
    pub fn push(&mut self, name: &str, value: impl Into<Value>) {
        let list = self.data.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value.into());
        }
    }

    /// Notes where the time went.
    pub(crate) fn put_phases(&mut self, phases: &Phases) {
        self.put("phases", seconds(phases));
    }

    /// Notes which addresses there are to connect to.
    pub(crate) fn tries(&mut self, addresses: &[IpAddr]) {
        let shown: Vec<Value> = addresses.iter().map(|one| one.to_string().into()).collect();
        self.put("addresses", shown);
    }

    /// Notes which addresses were there to connect to, and what came of it.
    pub(crate) fn connected(
        &mut self,
        addresses: &[IpAddr],
        port: u16,
        result: &Result<TcpStream, Fault>,
    ) {
        self.tries(addresses);
        let peer = match (result, addresses) {
            (Ok(_), [address]) => Some(SocketAddr::new(*address, port)),
            (Ok(tcp), _) => tcp.peer_addr().ok(),
            (Err(_), _) => None,
        };
        self.put("remote_address", peer.map(|peer| peer.to_string()));
    }
}

/// Phases in seconds, by their names; null where there was none.
pub(crate) fn seconds(phases: &Phases) -> Map<String, Value> {
    let of = |time: Micros| time.get().map(|us| f64::from(us) / 1e6).into();
    Phases::NAMES
        .iter()
        .zip(phases.all())
        .map(|(name, time)| ((*name).to_owned(), of(time)))
        .collect()
}
