//! `Relay`: the thread that takes jobs in, hands them to the schedulers, and reports what became of
//! each. A job is done when brokers have all that is to be said of it.

mod blamed;
mod intake;
mod judge;
mod reports;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::acks::{Acks, TAKEN_BACK};
use super::catalogue::Catalogue;
use super::figures::Figures;
use super::opens::Opens;
use crate::app::engine::share_of;
use crate::clock::Clock;
use crate::outcome::Outcome;
use crate::queue::kafka::Ticket;
use crate::queue::kafka::consumer::Consumer;
use crate::queue::kafka::letters::Letters;
use crate::queue::kafka::producer::Producer;
use crate::queue::local::Outbox;
use crate::queue::{Fed, Feed, Return};
use crate::stage::scheduler;
use crate::target::TargetId;

use judge::Judge;
use reports::Reports;

/// How long the relay waits for jobs until it looks for outcomes.
const ROUND: Duration = Duration::from_millis(5);
/// Jobs that are taken in one go at most.
const AT_ONCE: usize = 512;
/// How often it is told how many jobs wait on their topic.
const BEHIND: Duration = Duration::from_secs(1);
/// How long reports may take to be sent when everything else has ended.
const LAST: Duration = Duration::from_secs(5);

/// What a relay works with.
pub(super) struct Parts {
    /// Where jobs come from.
    pub(super) consumer: Consumer,
    /// Where reports go.
    pub(super) producer: Producer,
    /// What becomes of them.
    pub(super) acks: Acks,
    /// Where jobs go that nobody can read.
    pub(super) letters: Letters,
    /// The ways to the schedulers, in the order of their shares.
    pub(super) feeds: Vec<Arc<Feed>>,
    /// The schedulers, in the same order.
    pub(super) desks: Vec<Arc<scheduler::Desk>>,
    /// Where workers put outcomes.
    pub(super) outbox: Arc<Outbox>,
    /// The targets.
    pub(super) catalogue: Catalogue,
    /// The time.
    pub(super) clock: Clock,
    /// What is counted.
    pub(super) figures: Arc<Figures>,
    /// Where we poll from.
    pub(super) location: String,
    /// Jobs in hand from which on no further one is taken; those that wait for their host are none.
    pub(super) most: usize,
}

/// What tells a relay to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// Take no further job.
    pub(super) hold: CancellationToken,
    /// Nothing more will come: send what is left, and leave the group.
    pub(super) finish: CancellationToken,
}

/// The state of a relay.
struct Relay {
    parts: Parts,
    opens: Opens,
    reports: Reports,
    judge: Judge,
    /// What goes to each scheduler next.
    fed: Vec<Vec<Fed>>,
    /// Records that are done already.
    done: Vec<Ticket>,
    told_entry: Option<Instant>,
    told_behind: Option<Instant>,
    outcomes: Vec<Outcome>,
    returns: Vec<Return>,
    tokens: Vec<usize>,
}

/// Relays until `ends` says that it is over.
///
/// # Errors
/// Brokers do not take reports any more; the process has to begin anew, and what was not reported is
/// polled again.
pub(super) fn run(parts: Parts, ends: &Ends) -> Result<(), String> {
    let fed = parts.feeds.iter().map(|_| Vec::new()).collect();
    let reports = Reports::new(&parts.location);
    let mut relay = Relay {
        parts,
        opens: Opens::default(),
        reports,
        judge: Judge::default(),
        fed,
        done: Vec::new(),
        told_entry: None,
        told_behind: None,
        outcomes: Vec::new(),
        returns: Vec::new(),
        tokens: Vec::new(),
    };
    while !ends.finish.is_cancelled() {
        relay.hold(ends);
        relay.take_jobs(ROUND);
        relay.go_round()?;
    }
    relay.finish()
}

impl Relay {
    /// Everything but taking jobs.
    fn go_round(&mut self) -> Result<(), String> {
        self.parts.figures.ticks.fetch_add(1, Ordering::Relaxed);
        self.withdraw_lost();
        self.hand_in();
        self.take_returns();
        self.take_outcomes();
        self.hand_in();
        self.reports.send(&self.parts.producer)?;
        self.take_acks();
        match self.parts.acks.failure() {
            Some(reason) => Err(format!("Kafka does not take reports any more: {reason}")),
            None => Ok(()),
        }
    }

    /// Takes jobs or takes none, by how many are in hand.
    fn hold(&mut self, ends: &Ends) {
        let parked: u64 = self.parts.desks.iter().map(|desk| desk.parked()).sum();
        let busy = self.opens.len().saturating_sub(usize::try_from(parked).unwrap_or(0));
        let is_held = self.parts.consumer.is_held();
        let most = if is_held { self.parts.most / 2 } else { self.parts.most };
        let is_full = busy >= most.max(1) || self.reports.are_held_up();
        if is_full && !is_held {
            self.parts.figures.pauses.fetch_add(1, Ordering::Relaxed);
        }
        self.parts.consumer.hold(is_full || ends.hold.is_cancelled());
        let figures = &self.parts.figures;
        let tell = |figure: &std::sync::atomic::AtomicU64, value: usize| {
            figure.store(value as u64, Ordering::Relaxed);
        };
        tell(&figures.open, self.opens.len());
        tell(&figures.targets, self.parts.catalogue.len());
        tell(&figures.partitions, self.parts.consumer.partitions());
        *figures.refusal.lock() = self.parts.consumer.refusal();
        tell(&figures.held, usize::from(self.parts.consumer.is_held()));
        if self.told_behind.is_none_or(|at| at.elapsed() >= BEHIND) {
            self.told_behind = Some(Instant::now());
            figures.gone.store(self.parts.consumer.gone(), Ordering::Relaxed);
            figures.set_behind(self.parts.consumer.behind());
        }
    }

    /// Hands in what is for the schedulers.
    fn hand_in(&mut self) {
        for (feed, fed) in self.parts.feeds.iter().zip(&mut self.fed) {
            feed.hand_in(fed);
        }
    }

    /// Has the scheduler be told `fed` that the target with this id belongs to.
    fn feed(fed: &mut [Vec<Fed>], id: TargetId, one: Fed) {
        let share = share_of(id, fed.len());
        if let Some(fed) = fed.get_mut(share) {
            fed.push(one);
        }
    }

    /// Takes back what waits of partitions that are somebody else's now, who will poll it.
    fn withdraw_lost(&mut self) {
        if !self.parts.consumer.take_lost() {
            return;
        }
        for job in self.opens.iter().filter(|job| !job.is_ended && job.tries == 0) {
            if let Some(slot) = job.slot.filter(|_| !self.parts.consumer.is_ours(job.ticket)) {
                let one = Fed::Withdraw(slot, job.due_ms);
                Self::feed(&mut self.fed, TargetId(job.id), one);
            }
        }
    }

    /// Takes in which reports brokers have, and notes the jobs that are done by that.
    fn take_acks(&mut self) {
        let mut tokens = std::mem::take(&mut self.tokens);
        self.parts.acks.exchange(&mut tokens);
        for token in tokens.drain(..) {
            let Some(job) = self.opens.get(token) else {
                if token == TAKEN_BACK {
                    self.reports.note_taken_back();
                }
                continue;
            };
            job.unacknowledged = job.unacknowledged.saturating_sub(1);
            if job.is_ended && job.unacknowledged == 0 {
                if let Some((slot, due_ms)) = job.slot.map(|slot| (slot, job.due_ms)) {
                    self.parts.catalogue.settle(slot, due_ms);
                }
                self.close(token);
            }
        }
        self.tokens = tokens;
        for ticket in self.done.drain(..) {
            self.parts.consumer.done(ticket);
        }
    }

    /// Gives up the job that is known by `token`: there is nothing left to do of it.
    fn close(&mut self, token: usize) {
        let Some(job) = self.opens.remove(token) else { return };
        if let Some(slot) = job.slot {
            self.parts.catalogue.close(slot);
        }
        self.done.push(job.ticket);
    }

    /// Sends what is left, and leaves the group.
    fn finish(mut self) -> Result<(), String> {
        self.parts.consumer.hold(true);
        let deadline = Instant::now() + LAST;
        loop {
            self.go_round()?;
            let left = self.opens.iter().filter(|job| job.unacknowledged > 0).count();
            let left = left + self.reports.taken_back();
            let is_over = left == 0 && !self.reports.are_held_up() && self.parts.consumer.commit();
            if is_over {
                return Ok(());
            }
            if Instant::now() >= deadline {
                tracing::warn!(
                    left,
                    "Kafka did not take all in time; what it lacks is polled again"
                );
                return Ok(());
            }
            self.take_jobs(ROUND);
        }
    }
}
