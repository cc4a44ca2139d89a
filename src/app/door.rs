//! `Door`: what visitors of the socket are told, from memory, and what they may ask for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::edit::{Edit, Edited};
use super::keeper::CLOSING;
use super::live::Live;
use super::pauses::PauseOrder;
use super::reload::{Reading, Reply};
use crate::api::{Answer, Facts, Feed};
use crate::signal::Signal;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// Events that may wait for the keeper.
const WAITING: usize = 32;

/// What somebody wants of the daemon.
#[derive(Debug)]
pub(super) enum Event {
    /// A signal of the system, or what is like one.
    Signal(Signal),
    /// Read list and settings again, and say what came of it.
    Reload(Reply),
    /// The list was read again.
    Read(Box<Reading>),
    /// Change the targets of the API.
    Edit(Box<Edit>),
    /// A change of theirs was read, and the store has taken it over.
    Edited(Box<Edited>),
    /// Have targets be paused or resumed.
    Pause(Box<PauseOrder>),
}

/// Both ends of the way to the keeper.
#[derive(Debug)]
pub(super) struct Events {
    /// Where events are put in.
    pub sender: SyncSender<Event>,
    /// Where they come out.
    pub receiver: Receiver<Event>,
}

/// The daemon, as visitors of its socket see it.
pub(super) struct Door {
    live: Arc<Live>,
    feed: Arc<Feed>,
    events: SyncSender<Event>,
}

impl Door {
    /// The door of a daemon, and the events that come through it.
    pub(super) fn new(live: Arc<Live>, feed: Arc<Feed>) -> (Self, Events) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self { live, feed, events: sender.clone() }, Events { sender, receiver })
    }
}

impl Facts for Door {
    fn summary(&self, lists: Lists) -> Summary {
        self.live.summary(lists)
    }

    fn told_summary(&self) -> Bytes {
        self.live.told_summary()
    }

    fn in_flight(&self, lists: Lists) -> InFlight {
        self.live.in_flight(lists)
    }

    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String> {
        Ok(self.live.page(query))
    }

    fn reload(&self) -> Answer<'_, Result<String, String>> {
        Box::pin(async {
            let (reply, answer) = oneshot::channel();
            if self.events.try_send(Event::Reload(reply)).is_err() {
                return Err("the daemon is busy or stops; try again".to_owned());
            }
            answer.await.unwrap_or_else(|_| Err("the daemon stops".to_owned()))
        })
    }

    fn stop(&self) -> Duration {
        // A daemon that has that many events waiting is told again by whoever wants it to end.
        let _ = self.events.try_send(Event::Signal(Signal::Drain));
        self.live.grace + CLOSING
    }

    fn readiness(&self) -> Result<(), String> {
        if self.live.is_stopping() {
            return Err("the daemon stops".to_owned());
        }
        self.liveness()
    }

    fn liveness(&self) -> Result<(), String> {
        match self.live.standstill() {
            None => Ok(()),
            Some(still) => {
                Err(format!("a scheduler stands still since {} s; restart it", still.as_secs()))
            }
        }
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }
}
