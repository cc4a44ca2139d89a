//! A fleet of targets to poll without the internet: HTTP, TLS and DNS servers on loopback.
//!
//! Every address of 127.0.0.0/8 answers on the fleet's ports, so there are as many distinct
//! targets as wanted. How a target behaves is written in the path of its URL, as in
//! `/d5-50/s404/b1024` ([`behaviour`] lists the words); whole parts of the fleet can be silenced
//! and its DNS server killed while it runs, also from another process by HTTP ([`control`]).
//! The fleet measures on its own how long its answers took.

#![allow(dead_code, reason = "each test, example and bench uses a part of the fleet")]
#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a fleet that cannot be set up ends the test that wants it"
)]

#[path = "fleet/address.rs"]
pub(crate) mod address;
#[path = "fleet/answer.rs"]
mod answer;
#[path = "fleet/behaviour.rs"]
pub(crate) mod behaviour;
#[path = "fleet/blackhole.rs"]
mod blackhole;
#[path = "fleet/certificate.rs"]
mod certificate;
#[path = "fleet/control.rs"]
mod control;
#[path = "fleet/converse.rs"]
mod converse;
#[path = "fleet/desk.rs"]
mod desk;
#[path = "fleet/dns.rs"]
mod dns;
#[path = "fleet/fault.rs"]
mod fault;
#[path = "fleet/harbour.rs"]
mod harbour;
#[path = "fleet/list.rs"]
pub(crate) mod list;
#[path = "fleet/standstill.rs"]
pub(crate) mod standstill;
#[path = "fleet/state.rs"]
mod state;
#[path = "fleet/statistics.rs"]
pub(crate) mod statistics;
#[path = "fleet/tls.rs"]
mod tls;
#[path = "fleet/visit.rs"]
mod visit;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;

use tokio::sync::watch;

pub(crate) use behaviour::Behaviour;
pub(crate) use certificate::Certificate;
pub(crate) use state::Silence;
pub(crate) use statistics::Snapshot;

use blackhole::BlackHole;
use certificate::Authority;
use harbour::Berth;
use standstill::Standstill;
use state::State;
use statistics::OfAddress;

/// How a fleet is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Threads that serve; each runs its own loop.
    pub(crate) threads: usize,
    /// How long DNS answers hold, in seconds.
    pub(crate) dns_ttl: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: 1, dns_ttl: 60 }
    }
}

/// The ports of a fleet.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    http: u16,
    six: Option<u16>,
    tls: [u16; Certificate::ALL.len()],
    dns: SocketAddr,
}

impl Ports {
    fn https(&self, kind: Certificate) -> u16 {
        self.tls[kind.index()]
    }
}

/// Servers on threads of their own; dropping it ends them.
pub(crate) struct Fleet {
    state: Arc<State>,
    ports: Ports,
    blackhole: BlackHole,
    ca_pem: String,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Binds every port and starts serving.
    ///
    /// # Errors
    /// When a port cannot be bound or a thread not started.
    pub(crate) fn start(options: Options) -> io::Result<Self> {
        let state = Arc::new(State::new(options.dns_ttl));
        let authority = Authority::new();
        let (ports, berths) = harbour::open(&authority, options.threads.max(1))?;
        state.ports.set(ports.clone()).expect("the ports are set once");
        let (stop, stopped) = watch::channel(false);
        let mut fleet = Self {
            state,
            ports,
            blackhole: BlackHole::new()?,
            ca_pem: authority.pem(),
            stop,
            threads: Vec::new(),
        };
        for berth in berths {
            fleet.spawn(berth, stopped.clone())?;
        }
        Ok(fleet)
    }

    fn spawn(&mut self, berth: Berth, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let state = Arc::clone(&self.state);
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = harbour::serve(berth, Arc::clone(&state)) => {}
                    () = state.standstills.watch() => {}
                    _ = stopped.changed() => {}
                }
            });
        };
        self.threads.push(std::thread::Builder::new().name("fleet".to_owned()).spawn(serve)?);
        Ok(())
    }

    /// The port of plain HTTP, on every address of 127.0.0.0/8.
    pub(crate) fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// A port of plain HTTP on `::1` and on every address of 127.0.0.0/8; nothing without IPv6.
    /// On every other port of the fleet nothing listens at `::1`.
    pub(crate) fn six_port(&self) -> Option<u16> {
        self.ports.six
    }

    /// The port with this kind of certificate, on every address of 127.0.0.0/8.
    pub(crate) fn https_port(&self, kind: Certificate) -> u16 {
        self.ports.https(kind)
    }

    /// A port that answers no SYN, on every address of 127.0.0.0/8.
    pub(crate) fn blackhole_port(&self) -> u16 {
        self.blackhole.port()
    }

    /// Where the DNS server for `fleet.test` listens, on UDP and TCP.
    pub(crate) fn dns_address(&self) -> SocketAddr {
        self.ports.dns
    }

    /// The root certificate of the fleet as PEM text.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The URL of target `number` by its address, as `http://127.1.0.1:PORT/d50`.
    pub(crate) fn url(&self, number: u32, path: &str) -> String {
        format!("http://{}:{}{path}", address::address(number), self.ports.http)
    }

    /// The URL of target `number` by its name, as `http://t0.fleet.test:PORT/d50`.
    pub(crate) fn named_url(&self, number: u32, path: &str) -> String {
        format!("http://t{number}.fleet.test:{}{path}", self.ports.http)
    }

    /// The URL of target `number` by its name, over TLS with this kind of certificate.
    pub(crate) fn https_url(&self, number: u32, kind: Certificate, path: &str) -> String {
        format!("https://t{number}.fleet.test:{}{path}", self.https_port(kind))
    }

    /// As [`Self::https_url`], by address; the certificates name those of the first eight.
    pub(crate) fn https_address_url(&self, number: u32, kind: Certificate, path: &str) -> String {
        format!("https://{}:{}{path}", address::address(number), self.https_port(kind))
    }

    /// The URL of an address that answers no SYN.
    pub(crate) fn blackhole_url(&self, number: u32) -> String {
        format!("http://{}:{}/", address::address(number), self.blackhole_port())
    }

    /// The figures of this moment.
    pub(crate) fn statistics(&self) -> Snapshot {
        self.state.statistics.snapshot()
    }

    /// When its threads stood still, as far as that was noticed: for 100 ms and longer.
    pub(crate) fn standstills(&self) -> Vec<Standstill> {
        self.state.standstills.told()
    }

    /// What is known of target `number`.
    pub(crate) fn target_statistics(&self, number: u32) -> OfAddress {
        self.address_statistics(address::address(number))
    }

    /// What is known of an address.
    pub(crate) fn address_statistics(&self, address: Ipv4Addr) -> OfAddress {
        self.state.statistics.of_address(address)
    }

    /// How often the DNS server was asked for `name`, in lower case without a final dot.
    pub(crate) fn queries_of(&self, name: &str) -> u64 {
        self.state.statistics.queries_of(name)
    }

    /// Forgets all figures but what is in flight.
    pub(crate) fn reset(&self) {
        self.state.statistics.reset();
    }

    /// Lets `/script/NAME` take `steps`, one a request, the last repeated.
    pub(crate) fn script(&self, name: &str, steps: Vec<Behaviour>) {
        self.state.script(name, steps);
    }

    /// As [`Self::script`], with the steps as paths.
    ///
    /// # Panics
    /// When a path names no behaviour.
    pub(crate) fn script_paths(&self, name: &str, paths: &[&str]) {
        let steps = paths.iter().map(|path| path.parse().expect("a path that names a behaviour"));
        self.state.script(name, steps.collect());
    }

    /// How many steps of the script `name` were taken.
    pub(crate) fn script_taken(&self, name: &str) -> usize {
        self.state.script_taken(name)
    }

    /// Silences a part of the fleet, or nobody; what waits in silence already goes on waiting.
    pub(crate) fn silence(&self, silence: Silence) {
        self.state.silence(silence);
    }

    /// Lets the DNS server say nothing to anybody, or speak again.
    pub(crate) fn dns_dead(&self, dead: bool) {
        self.state.dns_dead.store(dead, Relaxed);
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
