//! `Source`: a thread that asks the daemon, so that keys are heard while it takes its time.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::api::client::{AskError, Client};
use crate::view::{Lists, Summary, TargetPage};

/// What is asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// The query of the page of targets, when one is wanted.
    pub page: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Told {
    /// The summary.
    pub summary: Result<Summary, AskError>,
    /// The query and its page.
    pub page: Option<(String, Result<TargetPage, AskError>)>,
}

/// The thread that asks; it ends when this is dropped and its last answer has come.
#[derive(Debug)]
pub(super) struct Source {
    asks: SyncSender<Ask>,
    answers: Receiver<Told>,
}

impl Source {
    /// Begins to ask `client`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(client: Client) -> io::Result<Self> {
        let (asks, asked) = sync_channel::<Ask>(1);
        let (tell, answers) = sync_channel(1);
        let ask = move || {
            while let Ok(Ask { page }) = asked.recv() {
                let summary = client.summary(Lists::Short);
                let page = page.filter(|_| summary.is_ok()).map(|query| {
                    let page = client.targets(&query);
                    (query, page)
                });
                if tell.send(Told { summary, page }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("top".into()).spawn(ask)?;
        Ok(Self { asks, answers })
    }

    /// Asks, unless a question waits already.
    pub(super) fn ask(&self, ask: Ask) {
        // Whoever asks too often is answered a moment later.
        let _ = self.asks.try_send(ask);
    }

    /// An answer, if one is there.
    pub(super) fn next(&self) -> Option<Told> {
        self.answers.try_recv().ok()
    }
}
