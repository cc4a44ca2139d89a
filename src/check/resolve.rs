//! `Resolver`: the addresses of a name, from a cache that asks once however many polls wait.

mod cache;
pub(crate) mod clients;
mod lanes;
pub(crate) mod lookup;
mod system;
pub(crate) mod way;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::check::fault::Fault;
use crate::target::IpVersion;
use cache::{Cache, Held};
use lookup::Job;

/// How long a poll waits at most for a fresh answer while an expired one is at hand (RFC 8767).
const PATIENCE: Duration = Duration::from_millis(1_800);
/// Look-ups that may wait for their turn.
const QUEUE: usize = 1 << 16;

/// The addresses of a name, in the order of the answer.
pub(crate) type Addresses = Arc<[IpAddr]>;

/// What is asked: a name, of whom, and for which families.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) name: Box<str>,
    pub(crate) server: Option<SocketAddr>,
    pub(crate) family: IpVersion,
}

/// A question without a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QuestionRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) server: Option<SocketAddr>,
    pub(crate) family: IpVersion,
}

/// What a look-up found, and how long that holds.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<Addresses, Fault>,
    pub(crate) until: Instant,
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
    /// How long a name server has to answer.
    pub(crate) limit: Duration,
}

/// Resolves names.
///
/// Look-ups run on a thread of their own, which starts with the first one: a poll that gives up
/// does not take the answer from the others, and it does not matter which runtime a poll is on.
#[derive(Debug)]
pub(crate) struct Resolver {
    cache: Arc<Cache>,
    options: ResolverOptions,
    jobs: OnceLock<Option<mpsc::Sender<Job>>>,
}

impl Resolver {
    pub(crate) fn new(options: ResolverOptions) -> Self {
        Self { cache: Arc::new(Cache::new(options.max_names)), options, jobs: OnceLock::new() }
    }

    /// What is remembered of the question's answer, without waiting.
    pub(crate) fn remembered(&self, question: QuestionRef<'_>) -> Option<Result<Addresses, Fault>> {
        match self.cache.find(question, Instant::now()) {
            Held::Fresh(answer) => Some(answer),
            Held::Stale(_) | Held::Nothing => None,
        }
    }

    /// Asks, or waits for the answer that somebody else has asked for; where an expired one is
    /// at hand, only for `patience`.
    ///
    /// # Errors
    /// The name does not resolve, or nobody says whether it does.
    pub(crate) async fn ask(
        &self,
        question: QuestionRef<'_>,
        patience: Duration,
    ) -> Result<Addresses, Fault> {
        let stale = match self.cache.find(question, Instant::now()) {
            Held::Fresh(answer) => return answer,
            Held::Stale(addresses) => Some(addresses),
            Held::Nothing => None,
        };
        let Some(stale) = stale else { return self.ask_fresh(question).await };
        match tokio::time::timeout(patience.min(PATIENCE), self.ask_fresh(question)).await {
            Ok(answer) => answer,
            Err(_) => Ok(stale),
        }
    }

    async fn ask_fresh(&self, question: QuestionRef<'_>) -> Result<Addresses, Fault> {
        let jobs = self.jobs.get_or_init(|| {
            lookup::start(self.options.clone(), Arc::clone(&self.cache))
                .inspect_err(|error| tracing::error!(%error, "cannot start the resolver's thread"))
                .ok()
        });
        let Some(jobs) = jobs else { return Err(Fault::unanswered()) };
        let Ok(place) = jobs.reserve().await else { return Err(Fault::unanswered()) };
        let mut answer = self.cache.join(question, |job| {
            place.send(job);
        });
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.result.clone(),
            _ => Err(Fault::unanswered()),
        }
    }
}

impl QuestionRef<'_> {
    fn to_owned(self) -> Question {
        Question { name: self.name.into(), server: self.server, family: self.family }
    }
}

impl Question {
    fn is(&self, other: QuestionRef<'_>) -> bool {
        *self.name == *other.name && self.server == other.server && self.family == other.family
    }
}

/// The end of a look-up where its answer is awaited.
pub(crate) type Awaited = watch::Receiver<Option<Answer>>;
