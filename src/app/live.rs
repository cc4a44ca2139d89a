//! `Live`: what a running daemon knows of itself, summed up when somebody asks.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use super::annex::Annex;
use super::columns::Columns;
use super::gauges::Gauges;
use super::governing::Standing;
use super::judgement;
use super::probe::Shelf;
use super::pulse::Pulse;
use super::reload::Reloaded;
use crate::api::Broadcast;
use crate::clock::{Clock, rfc3339};
use crate::ledger::{Ledger, Ranked};
use crate::outcome::Outcome;
use crate::queue;
use crate::roster::Roster;
use crate::stage::recorder::{Court, StorageFacts};
use crate::stage::scheduler::{self, Miss};
use crate::stats::Counters;
use crate::target::{FlightState, State, Target};
use crate::view::recent::{self, seconds};
use crate::view::{
    Checks, Down, Expiring, Flying, InFlight, Lists, MissedBy, Places, Storage, Summary, Targets,
};

/// Entries of the list of polls in flight, unless all are asked for.
const FLIGHTS_SHOWN: usize = 100;
/// Entries of the other lists, unless all are asked for.
const SHOWN: usize = 20;
/// Microseconds for which a summary that was told is told again.
const TOLD_US: u64 = 100_000;

/// Everything that the summary is made of.
pub(super) struct Live {
    /// The targets.
    pub roster: Arc<RwLock<Roster>>,
    /// What is known of them.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What is thought of the daemon itself.
    pub court: Arc<Mutex<Court>>,
    /// The schedulers, one for each worker.
    pub desks: OnceLock<Vec<Arc<scheduler::Desk>>>,
    /// How many polls may run.
    pub places: Arc<queue::Places>,
    /// The time.
    pub clock: Clock,
    /// How the store is, once it is open.
    pub storage: OnceLock<Box<dyn Fn() -> StorageFacts + Send + Sync>>,
    /// The store's file.
    pub store_path: String,
    /// When the daemon started, in Unix milliseconds.
    pub started_ms: i64,
    /// Entries of the list that could not be used.
    pub rejected: AtomicU64,
    /// Different addresses in the list.
    pub unique: AtomicU64,
    /// Whether the daemon is about to end.
    pub stopping: AtomicBool,
    /// How long polls in flight may go on when the daemon stops.
    pub grace: Duration,
    /// When the schedulers were seen to move last.
    pub pulse: Mutex<Pulse>,
    /// Why there are fewer places than usual, if there are.
    pub standing: Arc<Mutex<Standing>>,
    /// What the daemon uses of its machine.
    pub gauges: Gauges,
    /// What became of polls since the start.
    pub counters: Mutex<Counters>,
    /// The modules of probes.
    pub shelf: Shelf,
    /// How the last reload went.
    pub reloaded: Reloaded,
    /// Where the API is on the network, once it is there.
    pub listen: OnceLock<String>,
    /// The figures of all targets, for questions about many of them.
    pub columns: Columns,
    /// Where events are told.
    pub broadcast: Broadcast,
    /// The short summary that was told last.
    pub told: Told,
    /// What is kept beside the list.
    pub annex: Annex,
}

/// A short summary as JSON, and when it was made in monotonic microseconds.
pub(super) type Told = Mutex<Option<(u64, Bytes)>>;

/// How many entries of a list are shown that has `usual` in short.
const fn shown(lists: Lists, usual: usize) -> usize {
    match lists {
        Lists::Short => usual,
        Lists::All => usize::MAX,
    }
}

impl Live {
    /// What is going on now.
    #[must_use]
    pub(super) fn summary(&self, lists: Lists) -> Summary {
        let now_us = self.clock.now_us();
        let second = now_us.div_euclid(1_000_000);
        let in_flight = self.in_flight(lists);
        let process = crate::process::facts(self.places.limit() as u64);
        let monotonic_us = self.clock.monotonic_us();
        let resources = self.gauges.resources(monotonic_us, process.cpu_seconds);
        let opinion = self.court.lock().opinion(self.clock.monotonic_us());
        let storage = self.storage();
        let roster = self.roster.read();
        let mut ledger = self.ledger.lock();
        ledger.expire(second);
        let uptime_us = u64::try_from(now_us - self.started_ms * 1_000).unwrap_or(0);
        let most = shown(lists, SHOWN);
        let soon = ledger.expiring_soon().take(most);
        let soon = soon.map(|ranked| expiring(&roster, &ranked, second));
        let mut summary = Summary {
            schema: 1,
            state: "running".into(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            started_at: Some(rfc3339(self.started_ms)),
            uptime_seconds: seconds(uptime_us),
            as_of: rfc3339(now_us.div_euclid(1_000)),
            listen: self.listen.get().cloned(),
            targets: self.targets(&roster, &ledger),
            checks: self.checks(&ledger),
            top_codes: recent::top_codes(ledger.fleet().totals),
            down: ledger.down().take(most).map(|ranked| down(&roster, &ranked)).collect(),
            certificates_expiring: soon.collect(),
            certificates_expiring_total: ledger.count_expiring_soon(),
            in_flight,
            storage,
            places: self.places(),
            process,
            resources,
            ..Summary::default()
        };
        let url = |number| url_of(&roster, number);
        recent::tell(&mut summary, ledger.fleet().recent, url, second);
        drop(ledger);
        judgement::tell(&mut summary, &opinion, &self.clock);
        self.tell_waiting(&mut summary);
        summary
    }

    /// The polls that run now.
    #[must_use]
    pub(super) fn in_flight(&self, lists: Lists) -> InFlight {
        let now_us = self.clock.monotonic_us();
        let roster = self.roster.read();
        let running = self.places.running().filter_map(|number| {
            let target = roster.target(number)?;
            match target.flight().state() {
                FlightState::Running(since_us) => Some((since_us, target)),
                FlightState::Idle | FlightState::Waiting => None,
            }
        });
        let mut polls: Vec<(u64, &Arc<Target>)> = running.collect();
        let count = polls.len() as u64;
        let most = shown(lists, FLIGHTS_SHOWN);
        if most < polls.len() {
            polls.select_nth_unstable_by_key(most, |&(since_us, _)| since_us);
            polls.truncate(most);
        }
        polls.sort_by_key(|&(since_us, _)| since_us);
        InFlight {
            count,
            limit: self.places.limit() as u64,
            urls: polls
                .iter()
                .map(|(since_us, target)| Flying {
                    url: target.address.to_string(),
                    for_seconds: seconds(now_us.saturating_sub(*since_us)),
                })
                .collect(),
        }
    }

    /// The short summary as JSON, of now or of a moment ago.
    pub(super) fn told_summary(&self) -> Bytes {
        // Whoever else asks meanwhile waits for the same one.
        let mut told = self.told.lock();
        let now_us = self.clock.monotonic_us();
        match &*told {
            Some((at_us, text)) if now_us - at_us < TOLD_US => text.clone(),
            _ => {
                let text = serde_json::to_vec(&self.summary(Lists::Short)).unwrap_or_default();
                told.insert((now_us, text.into())).1.clone()
            }
        }
    }

    /// The targets that are not paused.
    pub(super) fn polled(&self) -> Vec<Arc<Target>> {
        let is_polled = |target: &&Arc<Target>| !self.annex.is_paused(target.id);
        self.roster.read().iter().filter(is_polled).cloned().collect()
    }

    /// Notes what the list that is in use from now on is like.
    pub(super) fn note_list(&self, unique: u64, rejected: u64) {
        self.unique.store(unique, Ordering::Relaxed);
        self.rejected.store(rejected, Ordering::Relaxed);
    }

    /// Counts polls that finished.
    pub(super) fn note(&self, outcomes: &[Outcome]) {
        let mut counters = self.counters.lock();
        for outcome in outcomes {
            counters.add(outcome);
        }
    }

    /// Notes that the daemon is about to end.
    pub(super) fn note_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the daemon is about to end.
    #[must_use]
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The schedulers, once they run.
    pub(super) fn desks(&self) -> impl Iterator<Item = &Arc<scheduler::Desk>> {
        self.desks.get().into_iter().flatten()
    }

    /// How long a scheduler has stood still, when that is too long.
    pub(super) fn standstill(&self) -> Option<Duration> {
        let ticks = self.desks().map(|desk| desk.ticks());
        self.pulse.lock().look(ticks, self.clock.monotonic_us())
    }

    /// Slots since start that came round while the target's last one still waited or ran.
    #[must_use]
    pub(super) fn missed(&self) -> u64 {
        self.desks().map(|desk| desk.missed()).sum()
    }

    /// The same by what that was due to.
    fn missed_by(&self) -> MissedBy {
        let by = |reason| self.desks().map(|desk| desk.missed_by(reason)).sum();
        MissedBy {
            running: by(Miss::Running),
            saturated: by(Miss::Saturated),
            politeness: by(Miss::Politeness),
            standstill: by(Miss::Standstill),
        }
    }

    fn targets(&self, roster: &Roster, ledger: &Ledger) -> Targets {
        let count = |state| ledger.count_in_state(state);
        Targets {
            total: roster.len() as u64,
            unique: self.unique.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            up: count(State::Up),
            warning: count(State::Warning),
            down: count(State::Down),
            unknown: count(State::Unknown),
            pending: count(State::Pending),
            paused: count(State::Paused),
        }
    }

    /// The counts since start; those of the last five minutes are told elsewhere.
    fn checks(&self, ledger: &Ledger) -> Checks {
        let fleet = ledger.fleet();
        Checks {
            total: fleet.totals.checks,
            since_start: fleet.since_start.checks,
            missed: self.missed(),
            missed_by: self.missed_by(),
            backed_off: self.desks().map(|desk| desk.backed_off()).sum(),
            rechecks: fleet.since_start.rechecks,
            bytes: fleet.since_start.bytes,
            ..Checks::default()
        }
    }

    fn tell_waiting(&self, summary: &mut Summary) {
        summary.schedule.waiting = self.desks().map(|desk| desk.waiting()).sum();
        summary.schedule.polite = self.desks().map(|desk| desk.parked()).sum();
        if summary.schedule.waiting > 0
            && self.places.taken() + self.places.reserve() >= self.places.limit()
        {
            summary.schedule.state = "saturated".into();
        }
    }

    /// The places of polls, and why they are fewer than usual.
    fn places(&self) -> Places {
        let (limit, most) = (self.places.limit(), self.places.most());
        let state = match limit {
            _ if self.places.is_held() => "held",
            limit if limit < most => "shrunk",
            _ => "ok",
        };
        let (limit, most) = (limit as u64, most as u64);
        let Standing { reason, shrunk, moved_ms } = self.standing.lock().clone();
        let moved_at = moved_ms.map(rfc3339);
        Places { state: state.into(), limit, most, reason, shrunk, moved_at }
    }

    fn storage(&self) -> Storage {
        let facts = self.storage.get().map(|facts| facts()).unwrap_or_default();
        Storage {
            state: if facts.fault.is_some() { "degraded" } else { "ok" }.into(),
            path: self.store_path.clone(),
            bytes: facts.bytes,
            samples: facts.samples,
            queued: facts.queued,
            spilled: facts.spilled,
            lost: facts.lost,
            commit_max_seconds: seconds(facts.commit_max_us),
            reason: facts.fault,
        }
    }
}

fn url_of(roster: &Roster, number: u32) -> String {
    roster
        .target(number)
        .map_or_else(|| format!("target {number} (removed)"), |target| target.address.to_string())
}

fn down(roster: &Roster, ranked: &Ranked) -> Down {
    Down {
        url: url_of(roster, ranked.target),
        name: roster
            .target(ranked.target)
            .and_then(|target| target.name.as_deref().map(Into::into)),
        since: rfc3339(ranked.health.since_ms),
        cause: ranked.health.cause.map_or("", |cause| cause.as_str()).into(),
        detail: ranked.health.detail.as_str().into(),
    }
}

fn expiring(roster: &Roster, ranked: &Ranked, now_s: i64) -> Expiring {
    let days = (ranked.certificate_until - now_s).div_euclid(86_400);
    Expiring { url: url_of(roster, ranked.target), days }
}
