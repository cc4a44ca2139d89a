//! Reloads: list and settings are read again while the daemon polls on, one reading at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::amend::{Amended, BUSY, STORE_PATIENCE, patiently};
use super::door::Event;
use super::edit::Edits;
use super::keeper::Keeper;
use super::list::Listing;
use super::own;
use crate::config::Settings;
use crate::config::modules::Modules;
use crate::config::rules::Rules;
use crate::config::sources::Sources;
use crate::config::targets::source::Source;
use crate::config::targets::{List, Rejects};
use crate::daemon::Notifier;
use crate::stage::recorder::Access;
use crate::target::Origin;
use crate::view::text;

/// Who waits to hear what came of a reload.
pub(super) type Reply = oneshot::Sender<Result<String, String>>;

/// Somebody wants the list read again.
#[derive(Debug)]
pub(super) struct Wish {
    what: What,
    replies: Vec<Reply>,
}

/// What is read again; the later one is the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The list, which may have changed where it comes from.
    List,
    /// Settings and list.
    All,
}

impl Wish {
    /// The list behind a URL is read again from time to time.
    pub(super) const fn of_heartbeat() -> Self {
        Self { what: What::List, replies: Vec::new() }
    }

    /// Nobody waits for an answer to a signal; what came of it is logged.
    pub(super) const fn of_signal() -> Self {
        Self { what: What::All, replies: Vec::new() }
    }

    /// Whoever asked by the socket is told.
    pub(super) fn of_visitor(reply: Reply) -> Self {
        Self { what: What::All, replies: vec![reply] }
    }

    /// Both wishes, which one reading fulfils.
    fn and(mut self, other: Self) -> Self {
        self.replies.extend(other.replies);
        Self { what: self.what.max(other.what), ..self }
    }
}

/// What was read, and what it was read with.
#[derive(Debug)]
pub(super) struct Reading {
    listing: Listing,
    settings: Settings,
    /// The change that it brings; none when it is still the same list.
    amended: Result<Option<Amended>, String>,
    /// The modules of probes, where they were read.
    modules: Option<Modules>,
}

/// How the last reading of list and settings went, for whoever watches the daemon.
#[derive(Debug)]
pub(super) struct Reloaded {
    /// Whether they could be used.
    pub is_good: AtomicBool,
    /// When they were last read and could be used, in Unix milliseconds.
    pub good_ms: AtomicI64,
}

impl Reloaded {
    /// What was read at `now_ms` (Unix milliseconds) could be used.
    pub(super) const fn at(now_ms: i64) -> Self {
        Self { is_good: AtomicBool::new(true), good_ms: AtomicI64::new(now_ms) }
    }

    fn note(&self, is_good: bool, now_ms: i64) {
        self.is_good.store(is_good, Ordering::Relaxed);
        if is_good {
            self.good_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

/// Readings: the one that is under way, and the wish for one after it.
#[derive(Debug)]
pub(super) struct Reloads {
    sources: Sources,
    /// Where the targets in use come from; none while it is being read.
    listing: Option<Listing>,
    current: Option<(Wish, CancellationToken)>,
    next: Option<Wish>,
    /// Changes of the targets of the API: one at a time, and none while the list is read.
    pub(super) edits: Edits,
}

impl Reloads {
    /// Readings of `sources`, after the first one of `listing`.
    pub(super) const fn new(sources: Sources, listing: Listing) -> Self {
        Self { sources, listing: Some(listing), current: None, next: None, edits: Edits::new() }
    }

    /// Whether the targets are about to become others.
    pub(super) const fn is_busy(&self) -> bool {
        self.current.is_some() || self.edits.is_running
    }

    /// Ends the reading that is under way; who waits for it hears that the daemon ends.
    pub(super) fn give_up(self) {
        if let Some((_, cancelled)) = self.current {
            cancelled.cancel();
        }
    }
}

impl Keeper {
    /// Begins to read again, at the latest when the reading that is under way has ended.
    pub(super) fn read_again(&mut self, wish: Wish, notifier: Notifier) {
        if self.reloads.is_busy() {
            let next = self.reloads.next.take();
            self.reloads.next = Some(match next {
                Some(next) => next.and(wish),
                None => wish,
            });
            return;
        }
        let settings = match wish.what {
            What::List => Ok(self.settings.clone()),
            What::All => {
                notifier.reloading();
                self.check.refresh_names();
                self.server.renew_certificate();
                self.reloads.sources.settings().map_err(|error| error.to_string())
            }
        };
        match settings.and_then(|settings| self.begin(settings)) {
            Ok(cancelled) => self.reloads.current = Some((wish, cancelled)),
            Err(reason) => self.answer(wish, &Err(reason), notifier),
        }
    }

    /// Reads the list that `settings` name on a thread of its own: its server may be slow, and the
    /// keeper must hear of other things meanwhile.
    fn begin(&mut self, settings: Settings) -> Result<CancellationToken, String> {
        let is_same = settings.urls == self.settings.urls && settings.rules == self.settings.rules;
        if !is_same
            && [&settings.urls, &self.settings.urls].iter().all(|urls| **urls == Source::Standard)
        {
            return Err(
                "the list came from standard input, which cannot be read again; restart to \
                        poll it by other settings"
                    .to_owned(),
            );
        }
        let known = if is_same { self.reloads.listing.take() } else { None };
        let mut listing = known.unwrap_or_default();
        let cancelled = listing.cancelled().clone();
        // Nobody else changes the targets until this reading is taken over.
        let old: Vec<_> = self.live.roster.read().iter().cloned().collect();
        let (access, events) = (self.recorder.access(), self.events.sender.clone());
        let shelved = Arc::clone(&self.live);
        // As it was when the daemon started, whatever the settings say by now.
        let (api, now_ms) = (self.settings.api.clone(), self.live.clock.now_ms());
        let read = move || {
            let modules = shelved.shelf.read_again().map_err(|error| error.to_string());
            let before = old.iter().filter(|target| target.origin == Origin::List).count();
            let list = modules.and_then(|modules| {
                let list = listing.read_again(&settings, before);
                list.map(|list| (list, modules)).map_err(|error| error.to_string())
            });
            let (list, modules) = match list {
                Ok((list, modules)) => (Ok(list), Some(modules)),
                Err(error) => (Err(error), None),
            };
            let amended = list.and_then(|list| {
                let all = list
                    .map(|list| with_own(list, &access, &own::rules(&settings.rules, &api), now_ms))
                    .transpose();
                let amended = all
                    .and_then(|list| list.map(|list| Amended::by(list, &old, &access)).transpose());
                // The next reading must not be told that this list is in use.
                amended.inspect_err(|_| listing.forget())
            });
            // A keeper that has ended wants no list.
            let _ =
                events.send(Event::Read(Box::new(Reading { listing, settings, amended, modules })));
        };
        let begun = std::thread::Builder::new().name("list".into()).spawn(read);
        begun.map(|_| cancelled).map_err(|error| format!("the system gives no thread: {error}"))
    }

    /// Brings the daemon to what was read.
    pub(super) fn take_over(&mut self, reading: Reading, notifier: Notifier) {
        let Reading { listing, settings, amended, modules } = reading;
        let Some((wish, _)) = self.reloads.current.take() else { return };
        let result = match amended {
            Ok(amended) => {
                if let Some(modules) = modules {
                    self.live.shelf.replace(modules);
                }
                self.reloads.listing = Some(listing);
                let restart = self.settings.renew(settings);
                *self.live.annex.rules.write() =
                    own::rules(&self.settings.rules, &self.settings.api);
                let word = tell(&wish, amended.as_ref(), &restart);
                if let Some(amended) = amended {
                    self.note(&amended);
                    self.bring_about(amended);
                }
                Ok(word)
            }
            Err(reason) => {
                self.reloads.listing.get_or_insert(listing);
                Err(reason)
            }
        };
        self.answer(wish, &result, notifier);
        self.go_on(notifier);
    }

    /// Does what waits until the targets are no more about to become others.
    pub(super) fn go_on(&mut self, notifier: Notifier) {
        if let Some(next) = self.reloads.next.take() {
            self.read_again(next, notifier);
        }
        self.next_edit();
    }

    /// Logs and tells what came of a reading.
    fn answer(&self, wish: Wish, result: &Result<String, String>, notifier: Notifier) {
        if wish.what == What::All {
            self.live.reloaded.note(result.is_ok(), self.live.clock.now_ms());
        }
        answer(wish, result, notifier);
    }

    fn note(&self, amended: &Amended) {
        let rejected = amended.rejects.total;
        if amended.is_change() || rejected != self.live.rejected.load(Ordering::Relaxed) {
            log_rejects(&amended.rejects);
        }
        self.live.note_list(amended.unique, rejected);
    }
}

/// `list` with the targets of the API.
fn with_own(mut list: List, access: &Access, rules: &Rules, now_ms: i64) -> Result<List, String> {
    let rows = access
        .with_store(STORE_PATIENCE, move |store| patiently(|| store.own_targets(now_ms)))
        .ok_or_else(|| BUSY.to_owned())?
        .map_err(|error| error.to_string())?;
    own::add(&mut list, rows, rules);
    Ok(list)
}

/// What is said of a reading that went well; nothing when there is nothing new to say.
fn tell(wish: &Wish, amended: Option<&Amended>, restart: &[&str]) -> String {
    let mut word = match amended {
        Some(amended) if amended.is_change() || wish.what == What::All => amended.word(),
        None if wish.what == What::All => "the list has not changed".to_owned(),
        _ => String::new(),
    };
    if !restart.is_empty() {
        word = format!("{word}; a restart puts into force: {}", restart.join(", "));
    }
    word
}

/// Logs what came of a reading, and tells it to those who wait for it.
fn answer(wish: Wish, result: &Result<String, String>, notifier: Notifier) {
    match (wish.what, result) {
        (What::List, Ok(word)) if word.is_empty() => {}
        (What::List, Ok(word)) => tracing::info!("{word}"),
        (What::List, Err(reason)) => tracing::warn!("the list stays as it is: {reason}"),
        (What::All, Ok(word)) => tracing::info!("reloaded: {word}"),
        (What::All, Err(reason)) => {
            tracing::error!("not reloaded, all stays as it is: {reason}");
        }
    }
    if wish.what == What::All {
        notifier.ready();
    }
    for reply in wish.replies {
        // Whoever asked may have left.
        let _ = reply.send(result.clone());
    }
}

/// Logs the entries that cannot be polled, as many as are kept.
pub(super) fn log_rejects(rejects: &Rejects) {
    for reject in &rejects.first {
        tracing::warn!("rejected: {reject}");
    }
    let more = rejects.total.saturating_sub(rejects.first.len() as u64);
    if more > 0 {
        tracing::warn!("rejected: {} more entries", text::count(more));
    }
}
