//! What the serving threads share and what may be changed while the fleet runs.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use super::Ports;
use super::address::{fraction, number};
use super::behaviour::{Act, Behaviour};
use super::standstill::Standstills;
use super::statistics::{Statistics, lock};

/// Which addresses of the fleet accept and read, but say nothing.
#[derive(Clone)]
pub(crate) enum Silence {
    /// None of them.
    Nobody,
    /// A share (0 to 1) of all, always the same ones.
    Share(f64),
    /// The targets from the first to the last number, both included.
    Targets(u32, u32),
    /// Those for which this holds.
    Where(Arc<dyn Fn(Ipv4Addr) -> bool + Send + Sync>),
}

impl fmt::Debug for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => formatter.write_str("Nobody"),
            Self::Share(share) => write!(formatter, "Share({share})"),
            Self::Targets(first, last) => write!(formatter, "Targets({first}, {last})"),
            Self::Where(_) => formatter.write_str("Where(_)"),
        }
    }
}

impl Silence {
    fn holds(&self, address: Ipv4Addr) -> bool {
        match self {
            Self::Nobody => false,
            Self::Share(share) => fraction(u64::from(u32::from(address)), 0) < *share,
            Self::Targets(first, last) => {
                number(address).is_some_and(|number| (*first..=*last).contains(&number))
            }
            Self::Where(holds) => holds(address),
        }
    }
}

/// The steps of a script and how many of them were taken.
#[derive(Debug, Default)]
struct Script {
    steps: Vec<Behaviour>,
    taken: usize,
}

/// The shared state of a fleet.
pub(crate) struct State {
    pub(crate) statistics: Statistics,
    pub(crate) standstills: Standstills,
    pub(crate) ports: OnceLock<Ports>,
    pub(crate) dns_dead: AtomicBool,
    pub(crate) dns_ttl: u32,
    silent: AtomicBool,
    silence: Mutex<Silence>,
    scripts: Mutex<HashMap<String, Script>>,
    bombs: Mutex<HashMap<usize, Arc<[u8]>>>,
}

impl State {
    pub(crate) fn new(dns_ttl: u32) -> Self {
        Self {
            statistics: Statistics::new(),
            standstills: Standstills::default(),
            ports: OnceLock::new(),
            dns_dead: AtomicBool::new(false),
            dns_ttl,
            silent: AtomicBool::new(false),
            silence: Mutex::new(Silence::Nobody),
            scripts: Mutex::default(),
            bombs: Mutex::default(),
        }
    }

    /// Sets who is silent; what waits in silence already goes on waiting.
    pub(crate) fn silence(&self, silence: Silence) {
        self.silent.store(!matches!(silence, Silence::Nobody), Relaxed);
        *lock(&self.silence) = silence;
    }

    /// Whether `address` says nothing at the moment.
    pub(crate) fn is_silent(&self, address: Ipv4Addr) -> bool {
        self.silent.load(Relaxed) && lock(&self.silence).holds(address)
    }

    /// Gives the script `name` new steps; the last is repeated.
    pub(crate) fn script(&self, name: &str, steps: Vec<Behaviour>) {
        lock(&self.scripts).insert(name.to_owned(), Script { steps, taken: 0 });
    }

    /// How many steps of the script `name` were taken.
    pub(crate) fn script_taken(&self, name: &str) -> usize {
        lock(&self.scripts).get(name).map_or(0, |script| script.taken)
    }

    /// The behaviour that `path` asks for with the `count`-th request of an address.
    pub(crate) fn behaviour(&self, path: &str, count: u32) -> Behaviour {
        let mut behaviour = path.parse().unwrap_or_else(|unknown| Behaviour {
            status: 400,
            body: super::behaviour::Body::Bytes(format!("{unknown}\n").into_bytes(), "text/plain"),
            ..Behaviour::default()
        });
        if let Act::Script(name) = &behaviour.act {
            behaviour = self.step(name);
        }
        if let Act::Flaky(each) = behaviour.act {
            behaviour.act = Act::Answer;
            if count.is_multiple_of(each.max(1)) {
                behaviour.status = 500;
            }
        }
        behaviour
    }

    fn step(&self, name: &str) -> Behaviour {
        let mut scripts = lock(&self.scripts);
        let Some(script) = scripts.get_mut(name) else {
            return Behaviour { status: 400, ..Behaviour::default() };
        };
        let step = script.steps.get(script.taken).or(script.steps.last());
        script.taken += 1;
        step.cloned().unwrap_or_default()
    }

    /// A gzip stream that unpacks to `megabytes` of zeros; packed once.
    pub(crate) fn bomb(&self, megabytes: usize) -> Arc<[u8]> {
        let mut bombs = lock(&self.bombs);
        Arc::clone(bombs.entry(megabytes).or_insert_with(|| super::answer::zeros(megabytes).into()))
    }
}
