//! `Resolver`: what there is of a name, from a cache that asks once however many polls wait.

mod cache;
mod counts;
mod exchange;
mod families;
mod find;
mod health;
mod lanes;
mod locate;
mod lookup;
mod panels;
mod records;
mod servers;
mod signs;
mod system;
pub(crate) mod way;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use crate::check::fault::Fault;
use crate::target::IpVersion;
use cache::{Cache, Held};
use counts::Counts;
pub use counts::NamesFacts;
pub use locate::Whereabouts;
use lookup::Job;
pub(crate) use records::{Addresses, Exchanger, Records};

/// How long a poll waits at most for a fresh answer while an expired one is at hand (RFC 8767).
const PATIENCE: Duration = Duration::from_millis(1_800);
/// Look-ups that may wait for their turn.
const QUEUE: usize = 1 << 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    Addresses(IpVersion),
    /// The hosts that take mail for it.
    Exchangers,
}

/// What is asked: a name, of whom, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) name: Box<str>,
    pub(crate) server: Option<SocketAddr>,
    pub(crate) wanted: Wanted,
}

/// A question without a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QuestionRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) server: Option<SocketAddr>,
    pub(crate) wanted: Wanted,
}

/// What a look-up found, and how long that holds.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<Records, Fault>,
    pub(crate) until: Instant,
    /// Whether it has expired, and serves for want of a better one.
    pub(crate) is_stale: bool,
}

/// How a resolver works.
#[derive(Clone, Debug)]
pub(crate) struct ResolverOptions {
    /// Name servers; none: the system's.
    pub(crate) servers: Vec<SocketAddr>,
    /// Look-ups in flight at most.
    pub(crate) max_lookups: usize,
    /// Names that are remembered at most.
    pub(crate) max_names: usize,
    /// How long name servers have to answer.
    pub(crate) limit: Duration,
}

/// What those who ask and those who look up have in common.
#[derive(Debug)]
struct Shared {
    cache: Cache,
    counts: Counts,
    /// Wakes who looks up to read the system's settings again.
    refresh: Notify,
    /// The name servers of the settings or the system, once they have been asked.
    usual: Mutex<Arc<[SocketAddr]>>,
}

/// Resolves names.
///
/// Look-ups run on a thread of their own, which starts with the first one: a poll that gives up
/// does not take the answer from the others, and it does not matter which runtime a poll is on.
#[derive(Debug)]
pub(crate) struct Resolver {
    shared: Arc<Shared>,
    options: ResolverOptions,
    jobs: OnceLock<Option<mpsc::Sender<Job>>>,
}

impl Resolver {
    pub(crate) fn new(options: ResolverOptions) -> Self {
        let cache = Cache::new(options.max_names);
        let shared = Shared {
            cache,
            counts: Counts::default(),
            refresh: Notify::new(),
            usual: Mutex::default(),
        };
        Self { shared: Arc::new(shared), options, jobs: OnceLock::new() }
    }

    /// What is remembered of the question's answer, without waiting.
    pub(crate) fn remembered(&self, question: QuestionRef<'_>) -> Option<Result<Records, Fault>> {
        match self.shared.cache.find(question, Instant::now()) {
            Held::Fresh(answer) => Some(self.tell(answer)),
            Held::Stale(_) | Held::Nothing => None,
        }
    }

    /// Asks, or waits for the answer that somebody else has asked for; where an expired one is
    /// at hand, only for `patience`. While name servers are known not to serve, nobody waits.
    ///
    /// # Errors
    /// The name does not resolve, or nobody says whether it does.
    pub(crate) async fn ask(
        &self,
        question: QuestionRef<'_>,
        patience: Duration,
    ) -> Result<Records, Fault> {
        let stale = match self.shared.cache.find(question, Instant::now()) {
            Held::Fresh(answer) => return self.tell(answer),
            Held::Stale(records) => Some(records),
            Held::Nothing => None,
        };
        let fresh = self.ask_fresh(question);
        let answer = if stale.is_some() {
            tokio::time::timeout(patience.min(PATIENCE), fresh).await.ok().flatten()
        } else {
            fresh.await
        };
        let or_stale = || {
            let result = stale.ok_or(Fault::unanswered());
            Answer { is_stale: result.is_ok(), result, until: Instant::now() }
        };
        self.tell(answer.unwrap_or_else(or_stale))
    }

    /// The answer to a question that is asked; none when nobody takes it.
    async fn ask_fresh(&self, question: QuestionRef<'_>) -> Option<Answer> {
        let place = self.jobs()?.reserve().await.ok()?;
        let mut answer = self.shared.cache.join(question, Instant::now(), |job| {
            place.send(job);
        });
        answer.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Where look-ups are handed in; none when the system gives no thread to make them.
    fn jobs(&self) -> Option<&mpsc::Sender<Job>> {
        let jobs = self.jobs.get_or_init(|| {
            lookup::start(self.options.clone(), Arc::clone(&self.shared))
                .inspect_err(|error| tracing::error!(%error, "cannot start the resolver's thread"))
                .ok()
        });
        jobs.as_ref()
    }

    fn tell(&self, answer: Answer) -> Result<Records, Fault> {
        if answer.is_stale {
            self.shared.counts.serve_stale();
        }
        answer.result
    }

    /// Whether this machine has no way to `server`; none: to those of the settings or the system.
    pub(crate) fn is_cut_off(&self, server: Option<SocketAddr>) -> bool {
        let servers = match server {
            Some(server) => Arc::from([server]),
            None => Arc::clone(&self.shared.usual.lock()),
        };
        way::is_cut_off(&servers.iter().map(SocketAddr::ip).collect::<Vec<_>>())
    }

    /// Has the system's settings be read again: whom it names as name servers, and which names it
    /// knows itself.
    pub(crate) fn refresh(&self) {
        self.shared.refresh.notify_one();
    }

    /// Drops what has not been used lately, for want of memory.
    pub(crate) fn shrink(&self) {
        self.shared.cache.shrink(Instant::now());
    }

    /// What is known of look-ups at this moment.
    pub(crate) fn facts(&self) -> NamesFacts {
        let queued = match self.jobs.get() {
            Some(Some(jobs)) => jobs.max_capacity().saturating_sub(jobs.capacity()),
            _ => 0,
        };
        let facts = self.shared.counts.facts();
        NamesFacts {
            lookups_waiting: facts.lookups_waiting + queued,
            lookups_limit: self.options.max_lookups.max(1),
            names_held: self.shared.cache.len(),
            ..facts
        }
    }
}

impl QuestionRef<'_> {
    fn to_owned(self) -> Question {
        Question { name: self.name.into(), server: self.server, wanted: self.wanted }
    }
}

impl Question {
    fn as_ref(&self) -> QuestionRef<'_> {
        QuestionRef { name: &self.name, server: self.server, wanted: self.wanted }
    }

    fn is(&self, other: QuestionRef<'_>) -> bool {
        self.as_ref() == other
    }
}

/// The end of a look-up where its answer is awaited.
pub(crate) type Awaited = watch::Receiver<Option<Answer>>;
