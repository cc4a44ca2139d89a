//! `Works`: the parts of a checker that run, put together and taken down.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::acks::Acks;
use super::catalogue::Catalogue;
use super::figures::{Figures, read};
use super::relay::{self, Ends};
use crate::app::boot::{http_options, limits, shares as file_shares};
use crate::app::cluster::Member;
use crate::app::engine::{self, Engine, shares};
use crate::app::governing::{Governed, Governing, Standing, kept_within};
use crate::app::pulse::Pulse;
use crate::app::role::RoleError;
use crate::check::Checks;
use crate::clock::Clock;
use crate::config::Settings;
use crate::process::MemoryLimit;
use crate::queue::kafka::consumer::{Consumer, Membership};
use crate::queue::kafka::letters::Letters;
use crate::queue::kafka::producer::Producer;
use crate::queue::kafka::{Connection, Topic};
use crate::queue::local::Outbox;
use crate::queue::{Feed, Places};
use crate::stage::scheduler::Desk;

/// Jobs in hand for each place from which on no further one is taken, and at least and at most.
const PER_PLACE: usize = 4;
const MOST_OPEN: std::ops::RangeInclusive<usize> = 1_024..=131_072;
/// How long a member of the group may be silent, whatever a lease is: brokers allow no less.
const SHORTEST_SESSION: Duration = Duration::from_secs(6);

/// The parts of a checker that run.
pub(super) struct Works {
    engine: Engine,
    governing: Governing,
    relay: JoinHandle<Result<(), String>>,
    ends: Ends,
    places: Arc<Places>,
    clock: Clock,
    figures: Arc<Figures>,
    standing: Arc<Mutex<Standing>>,
    pulse: Mutex<Pulse>,
    /// What was counted when the log was written last.
    logged: Mutex<(u64, u64)>,
}

impl Works {
    /// Starts them; `ended` is told when the relay ends before it is to.
    ///
    /// # Errors
    /// Checks cannot be set up, or the system gives no thread.
    pub(super) fn start(
        member: &Member,
        connection: &Connection,
        (producer, acks, clock): (Producer, Acks, Clock),
        ended: oneshot::Sender<String>,
    ) -> Result<Self, RoleError> {
        let settings = &member.settings;
        let files = file_shares(settings);
        let check = Checks::new(http_options(settings, files));
        let check = Arc::new(check.map_err(|error| failed(2, &error))?);
        let places = Arc::new(Places::new(files.places));
        let outbox = Arc::<Outbox>::default();
        let feeds: Vec<Arc<Feed>> =
            (0..shares(settings.threading)).map(|_| Arc::default()).collect();
        let parts = engine::Parts {
            check: Arc::clone(&check),
            outbox: Arc::clone(&outbox),
            places: Arc::clone(&places),
            limits: limits(settings, &check),
            feeds: feeds.clone(),
            clock: clock.clone(),
            grace: settings.grace,
        };
        let consumer = join(member, connection, &clock)?;
        let no_thread =
            |error: std::io::Error| failed(1, &format!("cannot start a thread: {error}"));
        let engine = Engine::start(settings.threading, &parts, &[]).map_err(no_thread)?;
        let memory_limit = kept_within(MemoryLimit::find(settings.max_memory));
        let (governing, standing) =
            govern(settings, memory_limit, &engine, parts).map_err(no_thread)?;
        let figures = Arc::<Figures>::default();
        let parts = relay::Parts {
            consumer,
            producer,
            letters: letters(connection, &acks)?,
            acks,
            feeds,
            desks: engine.desks().to_vec(),
            outbox,
            catalogue: Catalogue::new(Catalogue::fits(memory_limit)),
            clock: clock.clone(),
            figures: Arc::clone(&figures),
            location: settings.cluster.location.clone(),
            most: (places.most() * PER_PLACE).clamp(*MOST_OPEN.start(), *MOST_OPEN.end()),
        };
        let ends = Ends::default();
        let relay = start_relay(parts, ends.clone(), ended).map_err(no_thread)?;
        let (pulse, logged) = (Mutex::default(), Mutex::default());
        Ok(Self { engine, governing, relay, ends, places, clock, figures, standing, pulse, logged })
    }

    /// Polls that may run at once while all is well.
    pub(super) fn places(&self) -> usize {
        self.places.most()
    }

    /// A refusal of the group's that waiting does not mend.
    pub(super) fn refusal(&self) -> Option<String> {
        self.figures.refusal.lock().clone()
    }

    /// Follows the time of the brokers when it was set.
    pub(super) fn follow_time(&self) {
        if let Some(drift_us) = self.clock.follow_wall() {
            tracing::debug!(drift_us, "the time of the brokers is followed");
        }
    }

    /// Whether all that must not stand still moves.
    pub(super) fn moves(&self) -> bool {
        let relay = read(&self.figures.ticks);
        let ticks = self.engine.desks().iter().map(|desk| desk.ticks()).chain([relay]);
        self.pulse.lock().look(ticks, self.clock.monotonic_us()).is_none()
    }

    /// What a sign of life tells.
    pub(super) fn facts(&self) -> Value {
        let mut facts = self.shown();
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("lag_p99_ms".into(), json!(self.figures.take_lag_p99_ms()));
        }
        facts
    }

    /// Whether jobs are taken; why not.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn readiness(&self) -> Result<(), String> {
        if let Some(reason) = self.refusal() {
            return Err(reason);
        }
        match read(&self.figures.partitions) {
            0 => Err("the group has given it no partition".to_owned()),
            _ => Ok(()),
        }
    }

    /// How it goes, for whoever asks.
    pub(super) fn shown(&self) -> Value {
        let sum = |figure: fn(&Desk) -> u64| {
            self.engine.desks().iter().map(|desk| figure(desk)).sum::<u64>()
        };
        let mut facts = self.figures.told();
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("in_flight".into(), json!(self.places.taken()));
            facts.insert("limit".into(), json!(self.places.limit()));
            facts.insert("short_of".into(), json!(self.standing.lock().reason));
            facts.insert("waiting".into(), json!(sum(Desk::waiting)));
            facts.insert("parked".into(), json!(sum(Desk::parked)));
        }
        facts
    }

    /// How it goes, in one line.
    pub(super) fn line(&self) -> String {
        let (outcomes, missed) = (read(&self.figures.outcomes), self.figures.missed());
        let before = std::mem::replace(&mut *self.logged.lock(), (outcomes, missed));
        let held = if read(&self.figures.held) == 1 { "; no further job is taken" } else { "" };
        let behind = self.figures.behind().filter(|behind| *behind > 0);
        let behind = behind.map_or_else(String::new, |behind| format!(" and {behind} on Kafka"));
        format!(
            "{} polls and {} slots missed in the last minute; {} of {} places taken, {} jobs in \
             hand{behind}, {} targets, {} partitions{held}",
            outcomes - before.0,
            missed - before.1,
            self.places.taken(),
            self.places.limit(),
            read(&self.figures.open),
            read(&self.figures.targets),
            read(&self.figures.partitions),
        )
    }

    /// Takes no further job, waits for the polls in flight, for the grace period at most, reports what
    /// they found, commits and leaves the group.
    ///
    /// # Errors
    /// Brokers do not take reports any more.
    pub(super) fn end(self) -> Result<(), String> {
        self.ends.hold.cancel();
        drop(self.governing);
        self.engine.stop();
        self.ends.finish.cancel();
        let ended = self.relay.join().unwrap_or_else(|_| Err("the relay of jobs broke".to_owned()));
        let polls = read(&self.figures.outcomes);
        tracing::info!(polls, missed = self.figures.missed(), "no further job is polled here");
        ended
    }
}

fn start_relay(
    parts: relay::Parts,
    ends: Ends,
    ended: oneshot::Sender<String>,
) -> std::io::Result<JoinHandle<Result<(), String>>> {
    std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
        let result = relay::run(parts, &ends);
        if let Err(reason) = &result {
            // Whoever is told may be gone already.
            let _ = ended.send(reason.clone());
        }
        result
    })
}

/// Has the number of places follow how this machine is, and tells where is said why they are fewer.
fn govern(
    settings: &Settings,
    memory_limit: u64,
    engine: &Engine,
    parts: engine::Parts<Checks>,
) -> std::io::Result<(Governing, Arc<Mutex<Standing>>)> {
    let standing = Arc::<Mutex<Standing>>::default();
    let check = parts.check;
    let governing = Governing::start(Governed {
        places: parts.places,
        standing: Arc::clone(&standing),
        desks: engine.desks().to_vec(),
        clock: parts.clock,
        lateness: engine.lateness().to_vec(),
        outbox: parts.outbox,
        memory_limit,
        adaptive: settings.adaptive,
        shrink: Box::new(move || check.shrink_caches()),
    })?;
    Ok((governing, standing))
}

/// The way for jobs that nobody can read: with the end of its letter, such a one is done.
fn letters(connection: &Connection, acks: &Acks) -> Result<Letters, RoleError> {
    let acks = acks.clone();
    Ok(Letters::new(connection, Topic::Jobs, move |token| acks.note(token))?)
}

/// Joins the group of the checkers at our location.
fn join(member: &Member, connection: &Connection, clock: &Clock) -> Result<Consumer, RoleError> {
    let (cluster, clock) = (&member.settings.cluster, clock.clone());
    let membership = Membership {
        location: cluster.location.clone(),
        session: cluster.lease.max(SHORTEST_SESSION),
        now_ms: Box::new(move || clock.now_ms()),
    };
    Ok(Consumer::join(connection, membership)?)
}

fn failed(code: u8, error: &impl std::fmt::Display) -> RoleError {
    RoleError { code, reason: error.to_string() }
}
