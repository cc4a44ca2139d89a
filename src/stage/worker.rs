//! The worker: turns jobs into outcomes, as many at once as there are places.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{Cause, Detail, Finding, Job, Outcome, SampleKind};
use crate::queue::{Launch, Pass, Places, Sink, Source};
use crate::stage::lateness::{Lateness, Mark};
use crate::stage::starved::excused;
use crate::stage::tended::tended;
use crate::target::{State, Target};

/// How long after a failed poll its first and its second recheck come.
const RECHECK_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The longest that a target is left alone because it asks for that: a check is not to be skipped
/// for ever.
const LONGEST_WISH: Duration = Duration::from_hours(1);
/// A target that asks to be left alone and does not say for how long is asked half as often each
/// time, so many times.
const MOST_DOUBLINGS: u8 = 4;

/// What a worker works with.
#[derive(Clone, Debug)]
pub struct Bench<C, K> {
    /// How a target is looked at.
    pub check: Arc<C>,
    /// Where outcomes go.
    pub sink: K,
    /// How many polls may run at once, over all workers.
    pub places: Arc<Places>,
    /// The time.
    pub clock: Clock,
    /// How late the runtime of this worker is.
    pub lateness: Arc<Lateness>,
}

/// Polls what `source` hands out until it ends or `stop` is cancelled, then waits for the polls in
/// flight, `grace` at most; what still runs then is given up with its runtime.
pub async fn run<C: Check, K: Sink<C::Facts>>(
    mut source: impl Source,
    bench: Bench<C, K>,
    stop: CancellationToken,
    grace: Duration,
) {
    let bench = Arc::new(bench);
    let polls = TaskTracker::new();
    let mut launches = Vec::new();
    loop {
        let goes_on = tokio::select! {
            biased;
            () = stop.cancelled() => false,
            goes_on = source.next(&bench.places, &mut launches) => goes_on,
        };
        if !goes_on {
            break;
        }
        for launch in launches.drain(..) {
            let poll = Poll::begin(Arc::clone(&bench), launch);
            polls.spawn(poll.run());
        }
    }
    polls.close();
    // What outlives the grace period is the caller's to count: its flight is still up.
    let _ = tokio::time::timeout(grace, polls.wait()).await;
}

/// A poll in flight. Dropped before its end, for instance by a panic, it still leaves an outcome.
struct Poll<C: Check, K: Sink<C::Facts>> {
    bench: Arc<Bench<C, K>>,
    job: Option<Job>,
    pass: Option<Pass>,
    started: Instant,
    /// When it started, in Unix microseconds.
    started_us: i64,
    /// When it started, for what counts the standstills of the runtime.
    mark: Mark,
}

impl<C: Check, K: Sink<C::Facts>> Poll<C, K> {
    fn begin(bench: Arc<Bench<C, K>>, Launch { job, pass }: Launch) -> Self {
        let (started, started_us) = (Instant::now(), bench.clock.now_us());
        let mark = bench.lateness.mark(started);
        Self { bench, job: Some(job), pass, started, started_us, mark }
    }

    async fn run(mut self) {
        let Some(target) = self.job.as_ref().map(|job| Arc::clone(&job.target)) else { return };
        self.started = Instant::now();
        self.mark = self.bench.lateness.mark(self.started);
        target.flight().begin_running(self.bench.clock.monotonic_us());
        self.bench.places.note_begun(target.number);
        self.started_us = self.bench.clock.now_us();
        let (found, left_lying) = {
            let checked = pin!(self.bench.check.check(target));
            tended(checked).await
        };
        self.finish(found, left_lying);
    }

    /// Tells what was `found`, by a poll that its thread left lying for so long.
    fn finish(&mut self, (finding, facts): (Finding, C::Facts), left_lying: Duration) {
        let Some(job) = self.job.take() else { return };
        let now = Instant::now();
        let latency = now.saturating_duration_since(self.started);
        let latency_us = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        // One thread may stand still while the others of its runtime go on.
        let stood_still = || self.bench.lateness.since(self.mark, now).max(left_lying);
        let finding = excused(finding, &job.target, stood_still);
        let finished_us = self.started_us + i64::from(latency_us);
        let recheck = recheck_after(&job, &finding, self.bench.clock.now_ms());
        self.note_wish(&job.target, &finding);
        drop(self.pass.take());
        self.bench.places.note_ended(job.target.number);
        self.bench.places.free();
        let outcome = Outcome {
            target: job.target.number,
            due_ms: job.due_ms,
            finished_us,
            lag_us: saturate(self.started_us - job.due_ms * 1_000),
            latency_us,
            kind: if job.tries == 0 { SampleKind::Slot } else { SampleKind::Recheck },
            is_provisional: recheck.is_some(),
            finding,
        };
        self.bench.sink.put(outcome, facts);
        match recheck {
            Some(after) => {
                let tries = job.tries + 1;
                job.target.flight().wait_again();
                self.bench.sink.again(Job { tries, ..job }, after);
            }
            None => job.target.flight().end(),
        }
    }
}

impl<C: Check, K: Sink<C::Facts>> Poll<C, K> {
    /// Notes how long `target` asks us to wait, if it does.
    fn note_wish(&self, target: &Target, finding: &Finding) {
        let flight = target.flight();
        let is_throttled = finding.cause == Some(Cause::Throttled);
        if !is_throttled && finding.retry_after_s == 0 {
            return flight.note_welcome();
        }
        let times = flight.note_throttled();
        let asked = Duration::from_secs(finding.retry_after_s.into());
        // Who does not say for how long is asked half as often each time.
        let usual =
            Duration::from_millis(target.every_ms.into()) * (1 << times.min(MOST_DOUBLINGS));
        let wait = if asked.is_zero() { usual } else { asked };
        flight.wait_until(self.bench.clock.monotonic_us(), wait.min(LONGEST_WISH));
    }
}

impl<C: Check, K: Sink<C::Facts>> Drop for Poll<C, K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let finding = Finding::default().with_cause(Cause::Internal, Detail::Panic);
            self.finish((finding, C::Facts::default()), Duration::ZERO);
        } else if let Some(job) = self.job.take() {
            // Given up when the daemon stops: no answer, and nobody's fault.
            self.bench.places.note_ended(job.target.number);
            self.bench.places.free();
            job.target.flight().end();
        }
    }
}

/// How long after it a poll that ended at `now_ms` (Unix milliseconds) is made again, if it is:
/// after a temporary failure that would change the state, and only when the recheck ends before
/// the target's next due time.
fn recheck_after(job: &Job, finding: &Finding, now_ms: i64) -> Option<Duration> {
    let target = &job.target;
    let is_temporary = finding.cause.is_some() && !finding.is_permanent();
    if !is_temporary
        || finding.cause == Some(Cause::Throttled)
        || job.tries >= target.plan.retries
        || target.flight().known() == State::from(finding.verdict)
    {
        return None;
    }
    let after = *RECHECK_AFTER.get(usize::from(job.tries)).or(RECHECK_AFTER.last())?;
    if Duration::from_secs(finding.retry_after_s.into()) > after {
        return None;
    }
    let takes_ms = i64::try_from((after + target.timeout()).as_millis()).unwrap_or(i64::MAX);
    let next_due_ms = target.due_at_or_after(now_ms + 1);
    (takes_ms <= next_due_ms - now_ms).then_some(after)
}

fn saturate(us: i64) -> u32 {
    u32::try_from(us.max(0)).unwrap_or(u32::MAX)
}
