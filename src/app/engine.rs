//! `Engine`: the runtimes that poll, one for all cores or one for each.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::check::Check;
use crate::clock::Clock;
use crate::config::given::Threading;
use crate::queue::local::{LocalSink, Outbox};
use crate::queue::{Feed, Places, Rechecks};
use crate::stage::lateness::Lateness;
use crate::stage::scheduler::{Desk, Limits, Scheduler};
use crate::stage::worker::{self, Bench};
use crate::target::{Target, TargetId};

/// What the engine polls with.
#[derive(Debug)]
pub(super) struct Parts<C> {
    /// How a target is looked at.
    pub check: Arc<C>,
    /// Where outcomes go.
    pub outbox: Arc<Outbox>,
    /// How many polls may run at once.
    pub places: Arc<Places>,
    /// What holds polls back that are due.
    pub limits: Limits,
    /// The ways of jobs from elsewhere, one for each scheduler; none: each has its own schedule alone.
    pub feeds: Vec<Arc<Feed>>,
    /// The time.
    pub clock: Clock,
    /// How long polls in flight may go on when the daemon stops.
    pub grace: Duration,
}

/// The runtimes that poll.
#[derive(Debug)]
pub(super) struct Engine {
    desks: Vec<Arc<Desk>>,
    lateness: Vec<Arc<Lateness>>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

/// How many cores polls are spread over.
#[must_use]
pub(super) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How many schedulers there are.
#[must_use]
pub(super) fn shares(threading: Threading) -> usize {
    match threading {
        Threading::Shared => 1,
        Threading::PerCore => cores().get(),
    }
}

/// Which of `shares` schedulers a target belongs to, for ever.
#[must_use]
pub(super) fn share_of(id: TargetId, shares: usize) -> usize {
    // The phase is taken from the id's upper bits; these are the others.
    usize::try_from(id.0 % (shares.max(1) as u64)).unwrap_or(0)
}

impl Engine {
    /// Starts polling `targets`.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub(super) fn start<C: Check<Facts = ()>>(
        threading: Threading,
        parts: &Parts<C>,
        targets: &[Arc<Target>],
    ) -> io::Result<Self> {
        let shares = shares(threading);
        let mut engine = Self {
            desks: Vec::new(),
            lateness: Vec::new(),
            threads: Vec::new(),
            stop: CancellationToken::new(),
        };
        for share in 0..shares {
            let rechecks = Arc::<Rechecks>::default();
            let own = targets.iter().filter(|target| share_of(target.id, shares) == share).cloned();
            let scheduler = Scheduler::new(
                parts.clock.clone(),
                Arc::clone(&rechecks),
                parts.limits.clone(),
                own,
            );
            let feed = parts.feeds.get(share).cloned().unwrap_or_default();
            let scheduler = scheduler.fed_by(feed);
            engine.desks.push(scheduler.desk());
            let bench = Bench {
                check: Arc::clone(&parts.check),
                sink: LocalSink { outbox: Arc::clone(&parts.outbox), rechecks },
                places: Arc::clone(&parts.places),
                clock: parts.clock.clone(),
                lateness: Arc::default(),
            };
            engine.lateness.push(Arc::clone(&bench.lateness));
            let (runtime, stop) = (runtime(threading)?, engine.stop.clone());
            let grace = parts.grace;
            let run = move || {
                runtime.block_on(async {
                    let (mut owner, mut watch) = (JoinSet::new(), JoinSet::new());
                    watch.spawn(Arc::clone(&bench.lateness).watch());
                    owner.spawn(worker::run(scheduler, bench, stop, grace));
                    owner.join_all().await;
                });
                // What outlived the grace period is dropped here, without waiting for it.
                runtime.shutdown_background();
            };
            let name = format!("worker-{share}");
            engine.threads.push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(engine)
    }

    /// The schedulers, in the order of their shares.
    #[must_use]
    pub(super) fn desks(&self) -> &[Arc<Desk>] {
        &self.desks
    }

    /// How late each runtime is, in the order of the shares.
    #[must_use]
    pub(super) fn lateness(&self) -> &[Arc<Lateness>] {
        &self.lateness
    }

    /// Stops polling and waits for the polls in flight, for the grace period at most.
    pub(super) fn stop(self) {
        self.stop.cancel();
        for thread in self.threads {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

fn runtime(threading: Threading) -> io::Result<Runtime> {
    match threading {
        Threading::Shared => Builder::new_multi_thread()
            .worker_threads(cores().get())
            .thread_name("poll")
            .enable_all()
            .build(),
        Threading::PerCore => Builder::new_current_thread().enable_all().build(),
    }
}
