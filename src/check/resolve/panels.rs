//! `Panels`: the name servers that are asked together, and how they have done so far.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::health::{self, Change, Health};
use super::servers::Servers;
use super::signs::Signs;
use crate::check::fault::Fault;
use crate::outcome::Detail;

/// Where the system names its name servers, and how often that is looked at.
const SETTINGS: &str = "/etc/resolv.conf";
const LOOK: Duration = Duration::from_secs(5);
/// How long name servers that nobody wants asked count for: their entry may have gone.
const FORGOTTEN: Duration = Duration::from_mins(10);
/// Name servers of entries of which something is known.
const SPECIAL: usize = 256;

/// Name servers that are asked together.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) servers: Servers,
    pub(super) signs: Arc<Signs>,
    pub(super) health: Health,
    /// Ends when they turn out not to serve, and with it what waits for them.
    pub(super) era: CancellationToken,
    /// When somebody wanted them asked last.
    wanted: Instant,
}

/// All of them: one panel for what the settings or the system name, one for each of an entry.
#[derive(Debug)]
pub(super) struct Panels {
    /// Name servers of the settings; none: the system's.
    chosen: Vec<SocketAddr>,
    usual: Option<Panel>,
    /// When the system's settings were looked at, and when they had changed.
    looked: Option<Instant>,
    changed: Option<SystemTime>,
    special: HashMap<SocketAddr, Panel>,
    /// How often the system has come to name others.
    pub(super) generation: u64,
}

impl Panel {
    fn new(servers: Servers, now: Instant) -> Self {
        let (signs, era) = (Arc::new(Signs::new(now)), CancellationToken::new());
        Self { servers, signs, health: Health::new(), era, wanted: now }
    }

    const fn want(&mut self, now: Instant) -> &mut Self {
        self.wanted = now;
        self
    }

    /// Has what waits for them end when they do not serve any more, and says so.
    pub(super) fn heed(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Closed(fault) => {
                let fault = self.servers.blame(fault);
                self.health.blame(fault);
                let (servers, cause) = (self.servers.shown(), fault.cause.as_str());
                let detail = fault.detail.as_str();
                tracing::warn!(%servers, cause, detail, "name servers do not serve");
                self.era.cancel();
                self.era = CancellationToken::new();
            }
            Change::Opened => {
                tracing::info!(servers = %self.servers.shown(), "name servers serve again");
            }
        }
    }

    /// `fault`, or ours if that is behind it: our network's, or that of servers which report a
    /// failure whatever they are asked.
    pub(super) fn blame(&self, fault: Fault) -> Fault {
        match self.servers.blame(fault) {
            fault if fault.detail == Detail::ServerFailure && self.health.is_failing() => {
                health::ours(fault)
            }
            fault => fault,
        }
    }
}

impl Panels {
    pub(super) fn new(chosen: Vec<SocketAddr>) -> Self {
        Self {
            chosen,
            usual: None,
            looked: None,
            changed: None,
            special: HashMap::new(),
            generation: 0,
        }
    }

    /// The panel of `server`; none: of the servers of the settings or the system.
    pub(super) fn of(&mut self, server: Option<SocketAddr>, now: Instant) -> Option<&mut Panel> {
        let Some(server) = server else {
            if self.usual.is_none() {
                let _ = self.follow(now);
            }
            return self.usual.as_mut().map(|panel| panel.want(now));
        };
        if self.special.len() >= SPECIAL && !self.special.contains_key(&server) {
            self.special.clear();
        }
        let new = || Panel::new(Servers::chosen(&[server]), now);
        Some(self.special.entry(server).or_insert_with(new).want(now))
    }

    /// Follows the system's settings when they have changed; whether it names other servers now.
    pub(super) fn follow_when_due(&mut self, now: Instant) -> bool {
        let is_recent = self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK);
        if is_recent || !self.chosen.is_empty() {
            return false;
        }
        let changed = std::fs::metadata(SETTINGS).and_then(|meta| meta.modified()).ok();
        self.looked = Some(now);
        self.changed != changed && self.follow(now)
    }

    /// Reads the system's settings; whether it names other servers now than it did.
    pub(super) fn follow(&mut self, now: Instant) -> bool {
        let servers = if self.chosen.is_empty() {
            self.looked = Some(now);
            self.changed = std::fs::metadata(SETTINGS).and_then(|meta| meta.modified()).ok();
            Servers::of_system()
        } else {
            Some(Servers::chosen(&self.chosen))
        };
        let before = self.usual.as_ref().map(|panel| &panel.servers);
        if before == servers.as_ref() {
            return false;
        }
        let is_first = before.is_none();
        self.usual = servers.map(|servers| Panel::new(servers, now));
        self.generation += 1;
        !is_first
    }

    /// Look-ups of `server` that may be in flight at most.
    pub(super) fn allowed(&self, server: Option<SocketAddr>) -> usize {
        let panel = match server {
            None => self.usual.as_ref(),
            Some(server) => self.special.get(&server),
        };
        panel.map_or(usize::MAX, |panel| panel.health.allowed())
    }

    /// Whether any that are wanted do not serve.
    pub(super) fn is_any_closed(&mut self, now: Instant) -> bool {
        let is_wanted = |panel: &Panel| now.saturating_duration_since(panel.wanted) < FORGOTTEN;
        self.all().any(|(_, panel)| panel.health.is_closed() && is_wanted(panel))
    }

    /// All panels, with the server of an entry that each is for.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (Option<SocketAddr>, &mut Panel)> {
        let usual = self.usual.iter_mut().map(|panel| (None, panel));
        usual.chain(self.special.iter_mut().map(|(server, panel)| (Some(*server), panel)))
    }
}
