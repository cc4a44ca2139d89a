//! Runs that visitors ask for: checks beside all schedules, on a runtime of their own so that none
//! slows a poll.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use crate::api::{Answer, RunLimits, Runs, Unrun};
use crate::check::Checks;
use crate::clock::Clock;
use crate::config::checks::catalogue;
use crate::config::rules::Rules;
use crate::config::substitute::Origin;
use crate::config::targets::{Entry, Named};
use crate::outcome::{Outcome, SampleKind};
use crate::queue::local::Outbox;
use crate::run::{Listing, Placed, RunOptions, Runner};
use crate::target::Target;
use crate::view::result::{CheckResult, Identity, NotRun};
use crate::view::{Plugins, Ran};

/// Checks of all runs that go on at once at most.
const MOST_CHECKS: usize = 256;
/// Threads of the runtime of runs.
const THREADS: usize = 2;

/// Runs checks that visitors ask for.
pub(super) struct RunRoom {
    live: Arc<Live>,
    checks: Arc<Checks>,
    outbox: Arc<Outbox>,
    /// What may run at once.
    seats: Arc<Semaphore>,
    runtime: OnceLock<Option<Runtime>>,
}

/// A run, with what it holds until it ends.
struct Permit {
    workers: NonZeroUsize,
    _seats: OwnedSemaphorePermit,
}

/// The results of a run, in the order of its checks.
#[derive(Default)]
struct Results(Vec<Option<CheckResult>>);

impl Results {
    fn put(&mut self, index: usize, result: CheckResult) {
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        if let Some(place) = self.0.get_mut(index) {
            *place = Some(result);
        }
    }

    fn take(&mut self, (index, result): Placed) {
        self.put(index, Arc::unwrap_or_clone(result));
    }

    fn told(self) -> Ran {
        Ran { results: self.0.into_iter().flatten().map(Into::into).collect() }
    }
}

impl RunRoom {
    /// Runs checks as the daemon does that `live` tells of; what they find of its targets goes to
    /// `outbox`.
    pub(super) fn new(live: Arc<Live>, checks: Arc<Checks>, outbox: Arc<Outbox>) -> Self {
        // Polls go before: runs take no more than a quarter of what those have.
        let seats = Arc::new(Semaphore::new((live.places.most() / 4).clamp(1, MOST_CHECKS)));
        Self { live, checks, outbox, seats, runtime: OnceLock::new() }
    }

    /// A place for a run of so many checks by `limits`.
    fn admit(&self, checks: usize, limits: RunLimits) -> Result<Permit, Unrun> {
        let most = (self.live.places.most() / 4).clamp(1, MOST_CHECKS);
        let workers = limits.workers.get().min(checks.max(1)).min(most);
        let count = u32::try_from(workers).unwrap_or(u32::MAX);
        let seats = Arc::clone(&self.seats).try_acquire_many_owned(count).map_err(|_| {
            Unrun::Busy("too many checks are being run; try again when others have ended".into())
        })?;
        Ok(Permit {
            workers: NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN),
            _seats: seats,
        })
    }

    /// Does `work` on the runtime of runs; dropped before its end, it ends at once.
    async fn away(&self, work: impl Future<Output = Ran> + Send + 'static) -> Result<Ran, Unrun> {
        let runtime = self.runtime.get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(THREADS)
                .thread_name("run")
                .enable_all()
                .build()
                .inspect_err(|error| tracing::error!(%error, "no check can be run on demand"))
                .ok()
        });
        let failed = || Unrun::Busy("the system gives no thread for it; try again".to_owned());
        let handle = runtime.as_ref().ok_or_else(failed)?.handle();
        let mut owner = JoinSet::new();
        owner.spawn_on(work, handle);
        owner.join_next().await.and_then(Result::ok).ok_or_else(failed)
    }

    /// What becomes of an outcome of one of `targets`: it is kept as one that somebody asked for.
    fn keeping(&self, numbers: Vec<u32>) -> impl Fn(usize, &Outcome) + Send + Sync + 'static {
        let outbox = Arc::clone(&self.outbox);
        move |index, outcome| {
            if let Some(&target) = numbers.get(index) {
                let kind = SampleKind::Manual;
                outbox.put(Outcome { target, kind, is_provisional: false, ..*outcome });
            }
        }
    }

    fn rules(&self) -> Rules {
        Rules::clone(&self.live.annex.rules.read())
    }
}

impl Drop for RunRoom {
    fn drop(&mut self) {
        if let Some(Some(runtime)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn options(permit: &Permit, limits: RunLimits, cancel: CancellationToken) -> RunOptions {
    let (max_workers, deadline) = (permit.workers, Some(limits.timeout));
    RunOptions { max_workers, deadline, cancel, ..RunOptions::default() }
}

/// The targets that are run, as entries of a list, and in the results those that there are not.
fn entries(
    ids: Vec<String>,
    found: Vec<Option<Arc<Target>>>,
    results: &mut Results,
) -> (Vec<Entry>, Vec<u32>) {
    let now_ms = Clock::system().now_ms();
    let (mut entries, mut numbers) = (Vec::new(), Vec::new());
    for (index, (id, target)) in ids.into_iter().zip(found).enumerate() {
        numbers.push(target.as_ref().map_or(0, |target| target.number));
        let Some(target) = target else {
            let identity = Identity { id, plugin_type: String::new() };
            results.put(index, CheckResult::not_run(&identity, None, &NotRun::Unknown, now_ms));
            continue;
        };
        let index = index as u64 + 1;
        let named = Named { id: Some(id), plugin_type: None };
        entries.push(Entry { index, line: index, named, target: Ok(target.apart()) });
    }
    (entries, numbers)
}

impl Runs for RunRoom {
    fn run_stored(&self, ids: Vec<String>, limits: RunLimits) -> Answer<'_, Result<Ran, Unrun>> {
        Box::pin(async move {
            let permit = self.admit(ids.len(), limits)?;
            let live = Arc::clone(&self.live);
            let look = move || {
                let found = live.annex.find(&live.roster, &ids);
                let mut results = Results::default();
                let (entries, numbers) = entries(ids, found, &mut results);
                (entries, numbers, results)
            };
            let failed = |_| Unrun::Busy("the daemon stops".to_owned());
            let looked = tokio::task::spawn_blocking(look).await.map_err(failed)?;
            let (entries, numbers, mut results) = looked;
            let runner = Runner::over(Arc::clone(&self.checks), self.rules());
            let runner = runner.seen_by(self.keeping(numbers));
            let cancel = CancellationToken::new();
            let _guard = cancel.clone().drop_guard();
            let options = options(&permit, limits, cancel);
            self.away(async move {
                let (sender, receiver) = mpsc::channel(entries.len().max(1));
                for entry in entries {
                    // There is room for all of them.
                    let _ = sender.try_send(entry);
                }
                drop(sender);
                let take = &mut |placed| results.take(placed);
                runner.run((receiver, true), &options, None, take).await;
                drop(permit);
                results.told()
            })
            .await
        })
    }

    fn run_ad_hoc(&self, checks: Vec<Value>, limits: RunLimits) -> Answer<'_, Result<Ran, Unrun>> {
        Box::pin(async move {
            let permit = self.admit(checks.len(), limits)?;
            let runner = Runner::over(Arc::clone(&self.checks), self.rules());
            let cancel = CancellationToken::new();
            let _guard = cancel.clone().drop_guard();
            let options = options(&permit, limits, cancel);
            self.away(async move {
                let first = checks.into_iter().map(in_full).collect();
                let origin = Origin::remote();
                let listing = Listing { first, source: None, origin, is_bounded: true };
                let mut results = Results::default();
                let take = &mut |placed| results.take(placed);
                if let Err(error) = runner.run_listing(listing, &options, None, take).await {
                    tracing::warn!(%error, "checks were not run to their end");
                }
                drop(permit);
                results.told()
            })
            .await
        })
    }

    fn plugins(&self) -> Plugins {
        catalogue::plugins()
    }
}

/// A check that is named in full, as an entry of its own: one without a kind has none, and is no
/// target of a list.
fn in_full(check: Value) -> Value {
    let Value::Object(mut keys) = check else {
        return Value::Object(Map::from_iter([("plugin_type".to_owned(), Value::from(""))]));
    };
    // So begins a group of targets, which is none here.
    if keys.remove("targets").is_some() || !keys.contains_key("plugin_type") {
        keys.insert("plugin_type".to_owned(), Value::from(""));
    }
    Value::Object(keys)
}
