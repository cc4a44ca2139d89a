//! `Listed`: a list of checks as the source of a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Done, Running};
use super::event::{Event, EventKind};
use super::resume::Resume;
use crate::clock::Clock;
use crate::config::targets::Entry;
use crate::outcome::Job;
use crate::queue::{Launch, Places, Source};
use crate::target::Target;
use crate::view::result::{CheckResult, Identity, NotRun};

/// Checks that are handed out at once at most.
const AT_ONCE: usize = 64;

/// The entries of a list as they come; who reads them waits when too many do.
pub(super) type Entries = Arc<Mutex<Incoming>>;

/// The entries of a list.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Whether it certainly ends, and soon, as a file does and a pipe may not.
    pub(super) is_bounded: bool,
    pub(super) entries: mpsc::Receiver<Entry>,
    /// One that has been taken out and is not handed out yet.
    pub(super) held: Option<Running>,
}

/// A list of checks as the source of a worker.
pub(super) struct Listed {
    pub(super) incoming: Entries,
    pub(super) desk: Arc<Desk>,
    pub(super) events: Option<mpsc::Sender<Event>>,
    pub(super) resume: Option<Arc<Resume>>,
    pub(super) read: Arc<AtomicU64>,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
}

/// Who an entry is.
pub(super) fn identity(entry: &Entry) -> Identity {
    let named = &entry.named;
    match &entry.target {
        Ok(target) => Identity {
            id: target.shown_id(),
            plugin_type: target.plan.probe.plugin_type().to_owned(),
        },
        Err(_) => Identity {
            id: named.id.clone().unwrap_or_else(|| format!("#{}", entry.index)),
            plugin_type: named.plugin_type.clone().unwrap_or_default(),
        },
    }
}

/// The reason why an entry is wrong, with its place.
pub(super) fn invalid(entry: &Entry, reason: &str) -> NotRun {
    NotRun::Invalid(format!("entry {} (line {}): {reason}", entry.index, entry.line))
}

/// The place of an entry, from 0.
pub(super) fn place(entry: &Entry) -> usize {
    usize::try_from(entry.index.saturating_sub(1)).unwrap_or(usize::MAX)
}

impl Source for Listed {
    async fn next(&mut self, places: &Places, launches: &mut Vec<Launch>) -> bool {
        self.desk.has_room().await;
        let incoming = Arc::clone(&self.incoming);
        let mut incoming = incoming.lock().await;
        if incoming.held.is_none() {
            let Some(entry) = incoming.entries.recv().await else { return false };
            self.read.fetch_add(1, Ordering::Relaxed);
            let told = self.events.is_some().then(|| (place(&entry), identity(&entry).id));
            incoming.held = self.accept(entry);
            if let Some((index, id)) = told {
                self.tell(index, &id, EventKind::Queued).await;
            }
        }
        if let Some(held) = &incoming.held {
            take_place(places).await;
            let (index, id) = (held.index, held.identity.id.clone());
            if let Some(held) = incoming.held.take() {
                launches.push(self.job(held).into());
            }
            if self.events.is_none() {
                self.take_more(&mut incoming, places, launches);
            }
            drop(incoming);
            self.tell(index, &id, EventKind::Started).await;
        }
        true
    }
}

impl Listed {
    /// Takes what has been read already, as far as there are places: every wait costs a wake-up.
    fn take_more(&self, incoming: &mut Incoming, places: &Places, launches: &mut Vec<Launch>) {
        while launches.len() < AT_ONCE && incoming.held.is_none() {
            let Ok(entry) = incoming.entries.try_recv() else { return };
            self.read.fetch_add(1, Ordering::Relaxed);
            match self.accept(entry) {
                Some(running) if places.take() => launches.push(self.job(running).into()),
                other => incoming.held = other,
            }
        }
    }

    /// The check of an entry, unless it has a result already.
    fn accept(&self, entry: Entry) -> Option<Running> {
        let (identity, index) = (identity(&entry), place(&entry));
        if let Some(result) = self.resume.as_ref().and_then(|resume| resume.result(&identity)) {
            self.desk.put(Done::Ready(index, Box::new(result)));
            return None;
        }
        match entry.target {
            Ok(target) => {
                // By its number the worker tells whose outcome it has.
                let number = u32::try_from(index).unwrap_or(u32::MAX);
                let target = Arc::new(Target { number, ..target });
                Some(Running { index, identity, target })
            }
            Err(ref reason) => {
                let result = CheckResult::not_run(
                    &identity,
                    None,
                    &invalid(&entry, reason),
                    self.clock.now_ms(),
                );
                self.desk.put(Done::Ready(index, Box::new(result)));
                None
            }
        }
    }

    fn job(&self, running: Running) -> Job {
        let target = Arc::clone(&running.target);
        self.desk.begin(running);
        // However it ends, it is not checked again.
        Job { target, due_ms: self.clock.now_ms(), tries: u8::MAX }
    }

    /// Tells those who follow, and waits for them while the run goes on.
    async fn tell(&self, index: usize, id: &str, kind: EventKind) {
        let Some(events) = &self.events else { return };
        let event = Event { index, id: id.to_owned(), kind };
        tokio::select! {
            biased;
            _ = events.send(event) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

async fn take_place(places: &Places) {
    loop {
        let mut freed = std::pin::pin!(places.freed());
        freed.as_mut().enable();
        if places.take() {
            return;
        }
        freed.await;
    }
}
