//! What comes to the relay: jobs from their topic, and those of them that come back without a poll.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::reports::Reports;
use super::{AT_ONCE, Relay};
use crate::app::cluster::checker::catalogue::Found;
use crate::app::cluster::checker::opens::Open;
use crate::queue::kafka::Ticket;
use crate::queue::kafka::consumer::Taken;
use crate::queue::kafka::letters::Letter;
use crate::queue::kafka::messages::{JobMessage, MessageError, Reason};
use crate::queue::{Fed, Offer, Return};
use crate::target::{Target, TargetId};

/// How often it is told at most that an entry cannot be polled.
const QUIET: Duration = Duration::from_secs(10);

impl Relay {
    /// Takes jobs, for which it waits so long at most.
    pub(super) fn take_jobs(&mut self, limit: Duration) {
        let mut taken = Vec::new();
        self.parts.consumer.poll(limit, AT_ONCE, |one: Taken<'_>| {
            let read = JobMessage::read(one.payload);
            let read = read.map_err(|error| (error, one.payload.to_vec()));
            taken.push((one.ticket, read));
        });
        for (ticket, read) in taken {
            self.parts.figures.jobs.fetch_add(1, Ordering::Relaxed);
            match read {
                Ok(job) => self.take_job(ticket, &job),
                Err((error, payload)) => self.bury(ticket, &error, &payload),
            }
        }
    }

    fn take_job(&mut self, ticket: Ticket, job: &JobMessage) {
        let (location, figures) = (&self.parts.location, &self.parts.figures);
        if !job.locations.is_empty() && !job.locations.contains(location) {
            figures.elsewhere.fetch_add(1, Ordering::Relaxed);
            return self.done.push(ticket);
        }
        let fed = &mut self.fed;
        let mut forget = |target: &Target| Self::feed(fed, target.id, Fed::Forget(target.number));
        match self.parts.catalogue.find(job, &mut forget) {
            Found::Target(target) => self.offer(ticket, job, &target),
            Found::Bad(reason) => self.refuse(ticket, job, &reason),
        }
    }

    /// Has `target` be polled for `job`, unless that is so already.
    fn offer(&mut self, ticket: Ticket, job: &JobMessage, target: &Arc<Target>) {
        let slot = target.number;
        if self.parts.catalogue.is_settled(slot, job.due_ms) {
            self.parts.figures.repeated.fetch_add(1, Ordering::Relaxed);
            return self.done.push(ticket);
        }
        let known = self.opens.of(slot, job.due_ms);
        if let Some(known) = known.and_then(|token| self.opens.get(token)) {
            // The record that came last stands for the job: the ones before are done when it is.
            self.parts.figures.repeated.fetch_add(1, Ordering::Relaxed);
            let before = std::mem::replace(&mut known.ticket, ticket);
            return self.done.push(before);
        }
        self.parts.catalogue.open(slot);
        self.opens.add(Open { slot: Some(slot), ..open(ticket, job) });
        let offer = Offer {
            target: Arc::clone(target),
            due_ms: job.due_ms,
            valid_until_ms: job.valid_until_ms,
            offered_us: self.parts.clock.monotonic_us(),
        };
        Self::feed(&mut self.fed, target.id, Fed::Offer(offer));
    }

    /// Reports that `job` cannot be polled, because its entry is no good.
    fn refuse(&mut self, ticket: Ticket, job: &JobMessage, reason: &str) {
        if self.told_entry.is_none_or(|at| at.elapsed() >= QUIET) {
            self.told_entry = Some(Instant::now());
            let id = TargetId(job.id);
            tracing::warn!(%id, reason, "a target cannot be polled: its entry is no good here");
        }
        let token = self.opens.add(open(ticket, job));
        self.miss(token, Reason::Entry);
    }

    /// Puts a record that nobody can read aside.
    fn bury(&mut self, ticket: Ticket, error: &MessageError, payload: &[u8]) {
        self.parts.figures.dead.fetch_add(1, Ordering::Relaxed);
        let nobody = JobMessage::default();
        let token =
            self.opens.add(Open { unacknowledged: 1, is_ended: true, ..open(ticket, &nobody) });
        let reason = error.to_string();
        let (partition, offset) = (ticket.partition(), ticket.offset());
        let letter = Letter { partition, offset, bytes: payload, reason: &reason };
        self.parts.letters.send(token, &letter);
    }

    /// Takes in what comes back without a poll.
    pub(super) fn take_returns(&mut self) {
        let mut returns = std::mem::take(&mut self.returns);
        for index in 0..self.parts.feeds.len() {
            if let Some(feed) = self.parts.feeds.get(index) {
                feed.exchange(&mut returns);
            }
            for one in &returns {
                self.take_return(*one);
            }
        }
        self.returns = returns;
    }

    fn take_return(&mut self, one: Return) {
        let Some(token) = self.opens.of(one.target, one.due_ms) else { return };
        if let Some(reason) = Reason::of(one.reason) {
            return self.miss(token, reason);
        }
        let Some(job) = self.opens.get(token) else { return };
        if !self.parts.consumer.is_ours(job.ticket) {
            return self.close(token);
        }
        // It came back to us while it was on its way back.
        let (due_ms, valid_until_ms) = (job.due_ms, job.valid_until_ms);
        if let Some(target) = self.parts.catalogue.target(one.target) {
            let target = Arc::clone(target);
            let offered_us = self.parts.clock.monotonic_us();
            let id = target.id;
            let offer = Offer { target, due_ms, valid_until_ms, offered_us };
            Self::feed(&mut self.fed, id, Fed::Offer(offer));
        }
    }

    /// Reports that the job that is known by `token` is not polled.
    fn miss(&mut self, token: usize, reason: Reason) {
        let Some(job) = self.opens.get(token) else { return };
        (job.is_ended, job.unacknowledged) = (true, job.unacknowledged + 1);
        self.parts.figures.note_missed(reason);
        let job = *job;
        self.reports.miss(token, &job, reason);
    }

    /// Takes in what workers found.
    pub(super) fn take_outcomes(&mut self) {
        use crate::queue::Outlet as _;
        let mut outcomes = std::mem::take(&mut self.outcomes);
        self.parts.outbox.exchange(&mut outcomes);
        let now_us = self.parts.clock.monotonic_us();
        let blamed = self.judge.sit(&self.parts.catalogue, &mut outcomes, now_us);
        // Behind what it is about, and before what is known to be doubtful.
        self.reports.take_back(&blamed);
        let lags = outcomes.iter().map(|outcome| outcome.lag_us);
        self.parts.figures.note_lags(lags);
        let count = outcomes.len() as u64;
        self.parts.figures.outcomes.fetch_add(count, Ordering::Relaxed);
        for outcome in &outcomes {
            let token = self.opens.of(outcome.target, outcome.due_ms);
            let Some((token, job)) = token.and_then(|token| Some((token, self.opens.get(token)?)))
            else {
                continue;
            };
            let told = *job;
            job.tries = job.tries.saturating_add(1);
            job.unacknowledged += 1;
            job.is_ended = !outcome.is_provisional;
            if let Some(target) = self.parts.catalogue.target(outcome.target) {
                Reports::learn(target, outcome);
            }
            self.judge.note((told.number, told.ticket.partition()), outcome);
            self.reports.tell(token, &told, outcome);
        }
        self.outcomes = outcomes;
    }
}

/// `job`, which came by the record of `ticket`.
fn open(ticket: Ticket, job: &JobMessage) -> Open {
    Open {
        ticket,
        slot: None,
        number: job.target,
        id: job.id,
        due_ms: job.due_ms,
        valid_until_ms: job.valid_until_ms,
        epoch: job.epoch,
        tries: 0,
        unacknowledged: 0,
        is_ended: false,
    }
}
