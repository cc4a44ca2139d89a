//! `Runner`: runs the checks of a list and hands out every result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::desk::{Collector, Desk, Done, Running, Witness};
use super::event::{Event, EventKind, Messages};
use super::options::{OnError, RunOptions};
use super::resume::Resume;
use super::source::{Incoming, Listed, identity, invalid, place};
use super::stoppable::{Stoppable, Told};
use crate::check::{Checks, HttpOptions, Plugin, SetupError, Telling};
use crate::clock::Clock;
use crate::config::rules::Rules;
use crate::config::targets::Entry;
use crate::outcome::Outcome;
use crate::queue::Places;
use crate::stage::worker::{self, Bench};
use crate::view::result::{CheckResult, Identity, NotRun, Status};

/// Milliseconds that a check may take that names no time.
const TIMEOUT_MS: u32 = 30_000;
/// How long checks that were told to end get for it.
const GRACE: Duration = Duration::from_millis(200);
/// Longer than any check takes: what still runs when the list has ended is waited for.
const LONGEST: Duration = Duration::from_hours(24);
/// How long a list may take to show its next entry once the deadline has passed.
const PATIENCE: Duration = Duration::from_millis(200);

/// Runs checks; it keeps what they share (names, roots), so one serves many runs.
#[derive(Debug)]
pub struct Runner {
    checks: Arc<Checks>,
    pub(super) rules: Rules,
    witness: Option<Witness>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every check has its result.
    Whole,
    /// Its deadline passed: the checks that did not finish have a result that says so.
    AtDeadline,
    /// It was cancelled, or stopped on an error: what did not finish has no result.
    Early,
}

/// A result, and its place in the list, from 0.
pub type Placed = (usize, Arc<CheckResult>);

impl Runner {
    /// A runner of the built-in kinds with the usual settings.
    ///
    /// # Errors
    /// The system gives no roots or settings that can be used.
    pub fn new() -> Result<Self, SetupError> {
        Ok(Self::with(Checks::new(HttpOptions::default())?, Rules::default()))
    }

    /// A runner of `checks`, whose entries are filled by `rules`.
    #[must_use]
    pub fn with(checks: Checks, rules: Rules) -> Self {
        Self::over(Arc::new(checks), rules)
    }

    /// The same over checks that others use as well. Where `rules` are those for the API
    /// ([`Rules::for_api`]), entries are held to its policy.
    #[must_use]
    pub fn over(checks: Arc<Checks>, mut rules: Rules) -> Self {
        rules.once_timeout_ms = Some(TIMEOUT_MS);
        rules.usual.others = checks.plugin_types().map(str::to_owned).collect();
        Self { checks, rules, witness: None }
    }

    /// The same, which shows `witness` every outcome of a check that ran to its end, and its place
    /// in the list, from 0.
    #[must_use]
    pub(crate) fn seen_by(self, witness: impl Fn(usize, &Outcome) + Send + Sync + 'static) -> Self {
        Self { witness: Some(Witness(Arc::new(witness))), ..self }
    }

    /// The same with a further kind of check.
    ///
    /// # Errors
    /// The system gives no roots or settings that can be used.
    pub fn with_plugin(self, plugin: impl Plugin) -> Result<Self, SetupError> {
        let checks = match Arc::try_unwrap(self.checks) {
            Ok(checks) => checks,
            Err(_) => Checks::new(HttpOptions::default())?,
        };
        Ok(Self::with(checks.with_plugin(Arc::new(plugin)), self.rules))
    }

    /// Runs the checks of `entries` and hands each result to `take` when it is there.
    pub(crate) async fn run(
        &self,
        (entries, is_bounded): (mpsc::Receiver<Entry>, bool),
        options: &RunOptions,
        resume: Option<Resume>,
        take: &mut (dyn FnMut(Placed) + Send),
    ) -> Ended {
        let (stop, clock) = (options.cancel.child_token(), Clock::system());
        let resume = resume.map(Arc::new);
        let run = Run {
            resume: resume.clone(),
            desk: Arc::default(),
            read: Arc::default(),
            stop: stop.clone(),
            options,
            ends: options.deadline.map(|deadline| Instant::now() + deadline),
            clock: clock.clone(),
            done: 0,
            failed: 0,
        };
        let incoming = Arc::new(Mutex::new(Incoming { is_bounded, entries, held: None }));
        let source = Listed {
            incoming: Arc::clone(&incoming),
            desk: Arc::clone(&run.desk),
            events: options.events.clone(),
            resume,
            read: Arc::clone(&run.read),
            clock: clock.clone(),
            stop: stop.clone(),
        };
        let mut checks = Telling::new(Arc::clone(&self.checks));
        if let Some(events) = &options.events {
            checks = checks.to(Arc::new(Messages(events.clone())));
        }
        let bench = Bench {
            check: Arc::new(Stoppable { checks, stop: stop.clone() }),
            sink: Collector { desk: Arc::clone(&run.desk), witness: self.witness.clone() },
            places: Arc::new(Places::new(options.max_workers)),
            clock,
            lateness: Arc::default(),
        };
        let (mut workers, mut watch) = (JoinSet::new(), JoinSet::new());
        watch.spawn(Arc::clone(&bench.lateness).watch());
        workers.spawn(worker::run(source, bench, stop, LONGEST));
        run.follow(workers, &incoming, take).await
    }
}

/// A run that goes on.
struct Run<'o> {
    desk: Arc<Desk>,
    /// Entries that were read so far.
    read: Arc<AtomicU64>,
    stop: CancellationToken,
    options: &'o RunOptions,
    ends: Option<Instant>,
    resume: Option<Arc<Resume>>,
    clock: Clock,
    done: u64,
    failed: u64,
}

impl Run<'_> {
    /// Hands out results until the worker has ended.
    async fn follow(
        mut self,
        mut workers: JoinSet<()>,
        incoming: &Mutex<Incoming>,
        take: &mut (dyn FnMut(Placed) + Send),
    ) -> Ended {
        let mut ended = Ended::Whole;
        let mut came = Vec::new();
        let mut given_up: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let ends = given_up.or(self.ends).unwrap_or(now + LONGEST);
            tokio::select! {
                biased;
                _ = workers.join_next() => break,
                () = self.options.cancel.cancelled(), if given_up.is_none() => {
                    (ended, given_up) = (Ended::Early, Some(now + GRACE));
                }
                () = tokio::time::sleep_until(ends) => {
                    if given_up.is_some() {
                        break;
                    }
                    if self.ends.is_some_and(|ends| ends <= Instant::now()) {
                        (ended, given_up) = (Ended::AtDeadline, Some(Instant::now() + GRACE));
                        self.stop.cancel();
                    }
                }
                () = self.desk.take(&mut came) => {
                    for done in came.drain(..) {
                        let is_error = self.hand_out(done, ended, take).await;
                        if is_error && self.options.on_error == OnError::Stop && given_up.is_none()
                        {
                            (ended, given_up) = (Ended::Early, Some(now + GRACE));
                            self.stop.cancel();
                        }
                    }
                }
            }
        }
        // The worker may hear of it first.
        if ended == Ended::Whole && self.options.cancel.is_cancelled() {
            ended = Ended::Early;
        }
        for done in self.desk.rest() {
            self.hand_out(done, ended, take).await;
        }
        // What an earlier run has found is kept, however this one ends.
        if ended == Ended::AtDeadline || (ended == Ended::Early && self.resume.is_some()) {
            self.give_up_rest(incoming, ended, take).await;
        }
        ended
    }

    /// Hands out the result of a check, unless the run ended before it did; says whether it is
    /// an error.
    async fn hand_out(
        &mut self,
        done: Done,
        ended: Ended,
        take: &mut (dyn FnMut(Placed) + Send),
    ) -> bool {
        let (index, result) = match done {
            Done::Ready(index, result) => (index, *result),
            Done::Ran(outcome, told) => {
                let Some(running) = self.desk.end(outcome.target) else { return false };
                let result = match told {
                    Told::Facts(facts) => {
                        CheckResult::of(&running.identity, &running.target, &outcome, facts)
                    }
                    Told::Stopped if ended == Ended::AtDeadline => {
                        let target = Some(running.target.address.to_string());
                        self.too_late(&running.identity, target)
                    }
                    Told::Stopped => return false,
                };
                (running.index, result)
            }
        };
        let is_error = result.status == Status::Error;
        self.done += 1;
        self.failed += u64::from(is_error);
        let result = Arc::new(result);
        take((index, Arc::clone(&result)));
        self.tell(index, result).await;
        is_error
    }

    /// Tells those who follow that a check has finished.
    async fn tell(&self, index: usize, result: Arc<CheckResult>) {
        let Some(events) = &self.options.events else { return };
        let id = result.id.clone();
        let total = self.read.load(Ordering::Relaxed).max(self.done);
        let progress = EventKind::Progress { done: self.done, failed: self.failed, total };
        for kind in [EventKind::Finished(result), progress] {
            let event = Event { index, id: id.clone(), kind };
            let ends = self.ends.unwrap_or_else(|| Instant::now() + LONGEST);
            tokio::select! {
                biased;
                _ = events.send(event) => {}
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep_until(ends) => {}
            }
        }
    }

    /// The result of a check that the deadline cut off.
    fn too_late(&self, identity: &Identity, target: Option<String>) -> CheckResult {
        let reason = NotRun::Deadline(self.options.deadline.unwrap_or_default());
        CheckResult::not_run(identity, target, &reason, self.clock.now_ms())
    }

    /// A result for every check that did not finish, or not even begin: that of an earlier run, else
    /// after a deadline one that tells of it.
    async fn give_up_rest(
        &mut self,
        incoming: &Mutex<Incoming>,
        ended: Ended,
        take: &mut (dyn FnMut(Placed) + Send),
    ) {
        let mut incoming = incoming.lock().await;
        let unfinished = self.desk.clear().into_iter().chain(incoming.held.take());
        for Running { index, identity, target } in unfinished {
            let target = Some(target.address.to_string());
            self.give_up(index, &identity, target, (ended, &mut *take)).await;
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            let more = tokio::select! {
                biased;
                () = self.options.cancel.cancelled(), if ended == Ended::AtDeadline => None,
                () = tokio::time::sleep_until(patience), if !incoming.is_bounded => None,
                entry = incoming.entries.recv() => entry,
            };
            let Some(entry) = more else { break };
            let (index, who) = (place(&entry), identity(&entry));
            match &entry.target {
                Ok(target) => {
                    let target = Some(target.address.to_string());
                    self.give_up(index, &who, target, (ended, &mut *take)).await;
                }
                Err(reason) if ended == Ended::AtDeadline => {
                    let reason = invalid(&entry, reason);
                    let result = CheckResult::not_run(&who, None, &reason, self.clock.now_ms());
                    self.hand_out(Done::Ready(index, Box::new(result)), ended, take).await;
                }
                Err(_) => {}
            }
        }
    }

    async fn give_up(
        &mut self,
        index: usize,
        identity: &Identity,
        target: Option<String>,
        (ended, take): (Ended, &mut (dyn FnMut(Placed) + Send)),
    ) {
        let earlier = self.resume.as_ref().and_then(|resume| resume.result(identity));
        let result = match earlier {
            Some(result) => result,
            None if ended == Ended::AtDeadline => self.too_late(identity, target),
            None => return,
        };
        self.hand_out(Done::Ready(index, Box::new(result)), ended, take).await;
    }
}
