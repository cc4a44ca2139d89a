//! `Event`: what goes on while checks run, for those who follow.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::check::Listener;
use crate::target::Target;
use crate::view::result::CheckResult;

/// Something that happened to a check.
#[derive(Clone, Debug)]
pub struct Event {
    /// Place of the check in the list, from 0.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a check.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// It was read and waits for its turn.
    Queued,
    /// It runs.
    Started,
    /// It has something to say.
    Message(String),
    /// It came to its end.
    Finished(Arc<CheckResult>),
    /// How far the run has come with it; follows every `Finished`.
    Progress {
        /// Checks that came to their end.
        done: u64,
        /// Those of them that found an error.
        failed: u64,
        /// Checks that have been read so far, or all of them once the list has ended.
        total: u64,
    },
}

/// Passes what checks say to those who follow; what finds no room is not worth a wait.
pub(super) struct Messages(pub(super) mpsc::Sender<Event>);

impl Listener for Messages {
    fn message(&self, target: &Target, text: &str) {
        let (index, id) = (target.number as usize, target.shown_id());
        let _ = self.0.try_send(Event { index, id, kind: EventKind::Message(text.to_owned()) });
    }
}
