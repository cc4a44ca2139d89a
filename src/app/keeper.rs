//! `Keeper`: looks after a daemon that polls, until it ends: signals, reloads, the heartbeat.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::door::{Event, Events};
use super::engine::{Engine, share_of};
use super::list::Listing;
use super::live::Live;
use crate::api::Server;
use crate::config::Settings;
use crate::config::sources::Sources;
use crate::config::targets::diff::{Change, diff};
use crate::config::targets::source::Source;
use crate::daemon::Notifier;
use crate::lock::Lock;
use crate::log::Log;
use crate::signal::Signal;
use crate::stage::recorder::Recorder;
use crate::stage::scheduler;
use crate::store::{Record, StoreError};
use crate::target::Target;
use crate::view::{Lists, text};

/// How often the keeper looks around.
const ROUND: Duration = Duration::from_secs(1);
/// How often the summary is logged, and a list behind a URL is read again.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// How long a reload waits for a store that is busy.
const STORE_PATIENCE: Duration = Duration::from_secs(20);
/// How long the recorder may take to store the last samples.
const FLUSH: Duration = Duration::from_secs(10);

/// Looks after a daemon that polls.
pub struct Keeper {
    pub(super) settings: Settings,
    pub(super) sources: Sources,
    pub(super) listing: Listing,
    pub(super) live: Arc<Live>,
    pub(super) recorder: Recorder,
    pub(super) engine: Engine,
    pub(super) server: Server,
    pub(super) events: Events,
    pub(super) lock: Lock,
}

impl Keeper {
    /// Looks after the daemon until it is told to stop, and stops it: polls in flight get their
    /// grace period, everything that was found is stored.
    pub fn run(mut self, signals: mpsc::Receiver<Signal>, log: &Log, notifier: Notifier) {
        forward(signals, self.events.sender.clone());
        notifier.ready();
        let mut rounds = Rounds::new();
        loop {
            match self.events.receiver.recv_timeout(ROUND) {
                // The keeper itself holds a sender: the way is never closed.
                Ok(Event::Signal(Signal::Drain | Signal::ExitNow))
                | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Event::Signal(Signal::DumpSummary)) => self.log_summary(),
                Ok(Event::Signal(Signal::Reload)) => {
                    log.reopen();
                    // It is logged; nobody waits for an answer.
                    let _ = self.reload_and_log(notifier);
                }
                Ok(Event::Reload(reply)) => {
                    let result = self.reload_and_log(notifier);
                    // Whoever asked may have left.
                    let _ = reply.send(result);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look_around(&mut rounds, notifier);
        }
        self.stop(notifier);
    }

    /// What is done once a second.
    fn look_around(&mut self, rounds: &mut Rounds, notifier: Notifier) {
        if let Some(drift_us) = self.live.clock.follow_wall() {
            let seconds = Duration::from_micros(drift_us.unsigned_abs()).as_secs();
            tracing::warn!(
                seconds,
                is_forward = drift_us > 0,
                "the clock was set, or the machine slept; every target takes its next slot from now on"
            );
        }
        if rounds.is_alive(&self.live) {
            notifier.alive();
        }
        if rounds.beats() {
            self.log_summary();
            notifier.summary(&self.live.summary(Lists::Short));
            if matches!(self.settings.urls, Source::Remote(_)) {
                self.refresh();
            }
        }
    }

    fn log_summary(&self) {
        tracing::info!("{}", text::one_line(&self.live.summary(Lists::Short)));
    }

    /// Reads a list behind a URL again.
    fn refresh(&mut self) {
        match self.read_list() {
            Ok(Some(word)) => tracing::info!("{word}"),
            Ok(None) => {}
            Err(reason) => tracing::warn!("the list stays as it is: {reason}"),
        }
    }

    fn reload_and_log(&mut self, notifier: Notifier) -> Result<String, String> {
        notifier.reloading();
        let result = self.reload();
        match &result {
            Ok(word) => tracing::info!("reloaded: {word}"),
            Err(reason) => tracing::error!("not reloaded, all stays as it is: {reason}"),
        }
        notifier.ready();
        result
    }

    fn reload(&mut self) -> Result<String, String> {
        let mut settings = self.sources.settings().map_err(|error| error.to_string())?;
        // Where things are kept stays as it was when the daemon started.
        settings.data.clone_from(&self.settings.data);
        let before = std::mem::replace(&mut self.settings, settings);
        if before.urls != self.settings.urls {
            self.listing = Listing::default();
        }
        match self.read_list() {
            Ok(word) => Ok(word.unwrap_or_else(|| "the list has not changed".to_owned())),
            Err(reason) => {
                self.settings = before;
                Err(reason)
            }
        }
    }

    /// Reads the list again and brings the daemon to it; `None` when it has not changed.
    fn read_list(&mut self) -> Result<Option<String>, String> {
        let old: Vec<_> = self.live.roster.read().iter().cloned().collect();
        let list = self.listing.read_again(&self.settings, old.len());
        let Some(list) = list.map_err(|error| error.to_string())? else { return Ok(None) };
        let rejects = super::boot::told_rejects(&list);
        let (unique, rejected) = (list.unique, list.rejects.total);
        let change = diff(&old, list.targets);
        let word = format!(
            "{} kept, {} added, {} changed, {} removed{rejects}",
            text::plural(change.kept.len() as u64, "target"),
            change.added.len(),
            change.changed.len(),
            change.removed.len()
        );
        self.bring_about(change)?;
        self.live.note_list(unique, rejected);
        Ok(Some(word))
    }

    fn bring_about(&mut self, change: Change) -> Result<(), String> {
        let Change { added, changed, removed, .. } = change;
        let gone: Vec<u32> = removed.iter().map(|target| target.number).collect();
        if added.is_empty() && changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let (numbers, first_changed) = (gone.clone(), added.len());
        let mut fresh: Vec<Target> = added;
        fresh.extend(changed);
        let amended = self.recorder.with_store(STORE_PATIENCE, move |store| {
            store.amend(&mut fresh, &numbers)?;
            let added = fresh.get(..first_changed).unwrap_or_default();
            let numbers: Vec<u32> = added.iter().map(|target| target.number).collect();
            Ok::<_, StoreError>((fresh, store.records(&numbers)?))
        });
        let (fresh, records) = amended
            .ok_or_else(|| "the store is busy; try again when it is not".to_owned())?
            .map_err(|error| error.to_string())?;
        let mut records: HashMap<u32, Record> =
            records.into_iter().map(|record| (record.target, record)).collect();
        let now_ms = self.live.clock.now_ms();
        let mut changes: Vec<Vec<scheduler::Change>> = Vec::new();
        // As many as when the daemon started, whatever the settings say by now.
        let shares = self.live.desks().count();
        changes.resize_with(shares, Vec::new);
        let mut hand = |target: &Target, change| {
            if let Some(own) = changes.get_mut(share_of(target.id, shares)) {
                own.push(change);
            }
        };
        let mut roster = self.live.roster.write();
        let mut ledger = self.live.ledger.lock();
        for target in removed {
            ledger.retire(target.number, now_ms);
            roster.vacate(target.number);
            hand(&target, scheduler::Change::Remove(target.number));
        }
        for (index, target) in fresh.into_iter().map(Arc::new).enumerate() {
            if index < first_changed {
                ledger.enrol(target.number, records.remove(&target.number), now_ms);
                hand(&target, scheduler::Change::Add(Arc::clone(&target)));
            } else {
                hand(&target, scheduler::Change::Replace(Arc::clone(&target)));
            }
            roster.seat(target);
        }
        drop((ledger, roster));
        for (desk, own) in self.live.desks().zip(changes) {
            desk.hand_in(own);
        }
        Ok(())
    }

    fn stop(self, notifier: Notifier) {
        let Self { live, recorder, engine, server, events, lock, settings, .. } = self;
        notifier.stopping();
        notifier.patience(settings.grace + FLUSH + Duration::from_secs(5));
        live.note_stopping();
        tracing::info!("stopping; polls in flight get {:?}", settings.grace);
        let (done, ended) = std::sync::mpsc::sync_channel(1);
        let stopper = std::thread::Builder::new().name("stopper".into()).spawn(move || {
            engine.stop();
            // The keeper may have lost patience.
            let _ = done.send(());
        });
        let give_up = Instant::now() + settings.grace + Duration::from_secs(1);
        while stopper.is_ok() && Instant::now() < give_up {
            if ended.recv_timeout(Duration::from_millis(20)).is_ok() {
                break;
            }
            if let Ok(Event::Signal(Signal::Drain | Signal::ExitNow)) = events.receiver.try_recv() {
                break;
            }
        }
        recorder.stop(FLUSH);
        tracing::info!("stopped: {}", text::one_line(&live.summary(Lists::Short)));
        drop(server);
        drop(lock);
    }
}

/// When what is done less often than every round was done last.
struct Rounds {
    beat: Instant,
    ticks: Vec<u64>,
}

impl Rounds {
    fn new() -> Self {
        Self { beat: Instant::now(), ticks: Vec::new() }
    }

    fn beats(&mut self) -> bool {
        let is_due = self.beat.elapsed() >= HEARTBEAT;
        if is_due {
            self.beat = Instant::now();
        }
        is_due
    }

    /// Whether every scheduler has looked at the time since the last round.
    fn is_alive(&mut self, live: &Live) -> bool {
        let ticks: Vec<u64> = live.desks().map(|desk| desk.ticks()).collect();
        let is_alive = ticks.iter().zip(&self.ticks).all(|(now, before)| now != before);
        self.ticks = ticks;
        is_alive
    }
}

/// Passes signals on to the keeper for as long as they come.
fn forward(mut signals: mpsc::Receiver<Signal>, events: SyncSender<Event>) {
    let pass = move || {
        while let Some(signal) = signals.blocking_recv() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("events".into()).spawn(pass) {
        tracing::error!(%error, "signals are not heard: the system gives no thread");
    }
}
