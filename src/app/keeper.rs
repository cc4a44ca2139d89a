//! `Keeper`: looks after a daemon that polls, until it ends: signals, reloads, the heartbeat.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::door::{Event, Events};
use super::engine::Engine;
use super::governing::Governing;
use super::heartbeat::Heartbeat;
use super::live::Live;

use super::reload::{Reloads, Wish};
use crate::api::Server;
use crate::check::Checks;
use crate::config::Settings;
use crate::config::targets::source::Source;
use crate::daemon::Notifier;
use crate::lock::Lock;
use crate::log::Log;
use crate::signal::Signal;
use crate::stage::recorder::Recorder;
use crate::view::{Lists, text};

/// How often the keeper looks around.
const ROUND: Duration = Duration::from_secs(1);
/// How often the summary is logged, and a list behind a URL is read again.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// How long the recorder may take to store the last samples.
const FLUSH: Duration = Duration::from_secs(10);
/// How long the end may take beyond the grace period.
pub(super) const CLOSING: Duration = FLUSH.saturating_add(Duration::from_secs(5));

/// Looks after a daemon that polls.
pub struct Keeper {
    pub(super) settings: Settings,
    pub(super) reloads: Reloads,
    pub(super) live: Arc<Live>,
    pub(super) check: Arc<Checks>,
    pub(super) recorder: Recorder,
    pub(super) engine: Engine,
    pub(super) governing: Governing,
    pub(super) server: Server,
    pub(super) events: Events,
    pub(super) lock: Lock,
}

impl Keeper {
    /// Looks after the daemon until it is told to stop, and stops it: polls in flight get their
    /// grace period, everything that was found is stored.
    pub fn run(mut self, signals: mpsc::Receiver<Signal>, log: &Log, notifier: Notifier) {
        forward(signals, self.events.sender.clone());
        let heartbeat = Heartbeat::start(Arc::clone(&self.live), notifier);
        if let Err(error) = &heartbeat {
            tracing::error!(%error, "the watchdog is not fed: the system gives no thread");
        }
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
                    self.read_again(Wish::of_signal(), notifier);
                }
                Ok(Event::Reload(reply)) => self.read_again(Wish::of_visitor(reply), notifier),
                Ok(Event::Read(reading)) => self.take_over(*reading, notifier),
                Ok(Event::Edit(edit)) => self.edit(*edit),
                Ok(Event::Edited(edited)) => self.take_over_edit(*edited, notifier),
                Ok(Event::Pause(order)) => self.change_pauses(*order),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look_around(&mut rounds, notifier);
        }
        drop(heartbeat);
        self.stop(notifier);
    }

    /// What is done once a second.
    fn look_around(&mut self, rounds: &mut Rounds, notifier: Notifier) {
        self.look_after_ends();
        if rounds.beats() {
            self.log_summary();
            notifier.summary(&self.live.summary(Lists::Short));
            if matches!(self.settings.urls, Source::Remote(_)) {
                self.read_again(Wish::of_heartbeat(), notifier);
            }
        }
    }

    fn log_summary(&self) {
        tracing::info!("{}", text::one_line(&self.live.summary(Lists::Short)));
    }

    fn stop(self, notifier: Notifier) {
        let Self { live, recorder, engine, server, events, lock, settings, reloads, .. } = self;
        drop(self.governing);
        reloads.give_up();
        notifier.stopping();
        notifier.patience(settings.grace + CLOSING);
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
}

impl Rounds {
    fn new() -> Self {
        Self { beat: Instant::now() }
    }

    fn beats(&mut self) -> bool {
        let is_due = self.beat.elapsed() >= HEARTBEAT;
        if is_due {
            self.beat = Instant::now();
        }
        is_due
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
