//! `Ledger`: what is known of all targets, brought forward outcome by outcome.
//!
//! Everything that is stored follows from the stream of outcomes: the ledger turns each into its
//! sample and into whatever it changes, and notes both in one [`Batch`]. A batch is written whole
//! or not at all, so that the ledger can be rebuilt from the store at any time.

mod certificates;
mod changes;
mod figures;
mod pause;
mod records;
mod retired;
mod settle;
mod stream;
mod withdraw;

use std::collections::BTreeSet;

pub use certificates::EXPIRY_DAYS;
use certificates::{Certificates, USUAL_DAYS};
use changes::Changes;
pub use figures::{Fleet, Ranked};
use records::{Entry, NO_LAG, Records};
use retired::Retired;
use settle::Unsettled;

use crate::health::votes::Standing;
use crate::health::{Health, Transition};
use crate::outcome::{Cause, Outcome, SampleKind};
use crate::stats::{Recent, Tally, Window};
use crate::store::{
    Batch, ClosedHour, IncidentChange, Record, Restored, Sample, SampleKey, Totals,
};
use crate::target::State;

/// What is known of all targets.
#[derive(Debug, Default)]
pub struct Ledger {
    records: Records,
    retired: Retired,
    /// Records that changed since they were written.
    unsettled: Unsettled,
    newest: SampleKey,
    recent: Recent,
    fleet_hour: (u32, Tally),
    totals: Totals,
    since_start: Totals,
    states: [u64; 6],
    down: BTreeSet<(i64, u32)>,
    certificates: Certificates,
    changed_seconds: BTreeSet<i64>,
    changed_hours: Vec<(u32, Tally)>,
    batch: Batch,
    changes: Changes,
    /// How many batches were closed.
    batches: u64,
}

impl Ledger {
    /// The ledger as it was when `restored` was written. The targets of this run join it by
    /// [`Ledger::enrol`]; the others' records stay in the store.
    #[must_use]
    pub fn restore(restored: &Restored, now_ms: i64) -> Self {
        let mut ledger = Self {
            newest: restored.newest,
            totals: restored.totals.clone(),
            fleet_hour: restored.fleet_hour.clone().unwrap_or_default(),
            ..Self::default()
        };
        for (second, bytes) in &restored.seconds {
            // A window that cannot be read belongs to another version; it is gone in five minutes.
            if let Ok(window) = Window::decode(bytes) {
                ledger.recent.restore(*second, window);
            }
        }
        ledger.recent.expire(now_ms.div_euclid(1_000));
        ledger
    }

    /// Takes the target `number` in, with what the store holds of it.
    ///
    /// One that comes back is what it was before it was given up, except that nobody knows whether
    /// it is still down.
    pub fn enrol(&mut self, number: u32, stored: Option<Record>, now_ms: i64) {
        let is_newer = |own: &Record| stored.as_ref().is_none_or(|stored| own.last >= stored.last);
        let newer = self.retired.remove(number).filter(is_newer);
        let record = newer.or(stored).unwrap_or_else(|| pending(number, now_ms));
        let own = record.clone();
        self.records.put(Entry {
            record,
            before: SampleKey::default(),
            is_dirty: false,
            lag_us: NO_LAG,
            days: USUAL_DAYS,
        });
        self.rank(&own);
        self.changes.note(number);
    }

    /// Takes in again what was stored after its record was, as after a crash.
    pub fn settle(&mut self, sample: &Sample) {
        // A change of state is stored already, and so is its outage.
        let _ =
            self.settle_as(sample, Standing::Full, sample.outcome.finished_us.div_euclid(1_000));
    }

    fn settle_as(
        &mut self,
        sample: &Sample,
        standing: Standing,
        now_ms: i64,
    ) -> Option<(Transition, Option<IncidentChange>)> {
        self.newest = self.newest.max(sample.key);
        let entry = self.records.get_mut(sample.outcome.target)?;
        if sample.key <= entry.record.last {
            return None;
        }
        let before = entry.record.clone();
        let mut record = before.clone();
        let transition = observe(&mut record, sample, standing);
        let changed = transition.map(|change| (change, incident(&mut record, &change)));
        // The hour that this sample closed was written together with the record.
        count_in(&mut record, &sample.outcome);
        entry.before = before.last;
        entry.record = record.clone();
        self.unrank(&before);
        self.rank(&record);
        self.mark_dirty(sample.outcome.target, sample.key, now_ms);
        changed
    }

    /// Begins the counts since start anew, after what a former run left has been taken in.
    pub fn begin(&mut self) {
        self.since_start = Totals::default();
    }

    /// The key of the newest sample.
    #[must_use]
    pub const fn newest(&self) -> SampleKey {
        self.newest
    }

    /// Gives up the target `number`: an open outage of it ends now, and should it come back it
    /// has yet to be polled.
    pub fn retire(&mut self, number: u32, now_ms: i64) {
        let Some(mut record) = self.record(number).cloned() else { return };
        self.changes.note(number);
        self.unrank(&record);
        self.records.remove(number);
        if record.has_incident {
            record.has_incident = false;
            self.batch.incidents.push(IncidentChange::Ended { target: number, at_ms: now_ms });
        }
        if let Some(transition) = record.health.forget(number, now_ms) {
            self.batch.transitions.push(transition);
        }
        // Should it come back within its open hour, what is counted then is added to that.
        self.batch.hours.extend(close(&mut record));
        self.batch.records.push(record.clone());
        self.retired.insert(now_ms, record);
    }

    /// Takes in one outcome, and tells the change of state that it brought about.
    pub fn observe(&mut self, outcome: &Outcome) -> Option<Transition> {
        let at_ms = outcome.finished_us.div_euclid(1_000);
        self.take_in(self.newest.next(at_ms), outcome, Standing::Full, at_ms)
    }

    /// Takes in a sample that was noted down and not stored, under the key that it has there.
    pub fn observe_again(&mut self, sample: &Sample) -> Option<Transition> {
        let at_ms = sample.outcome.finished_us.div_euclid(1_000);
        let key = sample.key.max(SampleKey(self.newest.0 + 1));
        self.take_in(key, &sample.outcome, Standing::Full, at_ms)
    }

    /// Takes in one outcome at `now_ms`, under `key` and as far as `standing` lets it.
    fn take_in(
        &mut self,
        key: SampleKey,
        outcome: &Outcome,
        standing: Standing,
        now_ms: i64,
    ) -> Option<Transition> {
        self.newest = self.newest.max(key);
        self.count(outcome);
        let Some(entry) = self.records.get_mut(outcome.target) else {
            self.observe_retired(key, outcome);
            return None;
        };
        let sample = Sample { key, previous: entry.record.last, outcome: *outcome };
        let (state, since) = (entry.record.health.state, entry.record.health.since_ms);
        let until = entry.record.certificate_until;
        entry.before = sample.previous;
        let transition = observe(&mut entry.record, &sample, standing);
        let closed = count_in(&mut entry.record, outcome);
        if outcome.kind == SampleKind::Slot {
            entry.lag_us = outcome.lag_us.min(NO_LAG - 1);
        }
        self.changes.note(outcome.target);
        self.batch.samples.push(sample);
        if let Some(transition) = transition {
            let change = incident(&mut entry.record, &transition);
            self.batch.incidents.extend(change);
            self.batch.transitions.push(transition);
        }
        // Time brings certificates near their end as well: they are looked at every hour.
        if transition.is_some() || closed.is_some() || until != entry.record.certificate_until {
            let record = entry.record.clone();
            self.unrank_as(record.target, (state, since), until);
            self.rank(&record);
        }
        self.mark_dirty(outcome.target, key, now_ms);
        let must_be_written = closed.is_some() || transition.is_some();
        self.batch.hours.extend(closed);
        if must_be_written {
            self.write_record(outcome.target);
        }
        transition
    }

    /// Takes in an outcome whose target was given up while its poll ran: it is counted, and says
    /// nothing of the state.
    fn observe_retired(&mut self, key: SampleKey, outcome: &Outcome) {
        let mut sample = Sample { key, previous: SampleKey::default(), outcome: *outcome };
        if let Some(record) = self.retired.get_mut(outcome.target) {
            sample.previous = std::mem::replace(&mut record.last, key);
            record.last_code = outcome.code().to_stored();
            record.last_latency_us = outcome.latency_us;
            self.batch.hours.extend(count_in(record, outcome));
            self.batch.hours.extend(close(record));
            self.batch.records.push(record.clone());
        }
        self.batch.samples.push(sample);
    }

    /// How many samples wait in the batch that is being filled.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.batch.samples.len()
    }

    /// Whether the batch that is being filled says more than that nothing happened.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let Batch { samples, records, incidents, transitions, hours, .. } = &self.batch;
        let is_still = incidents.is_empty() && transitions.is_empty() && hours.is_empty();
        !is_still || !samples.is_empty() || !records.is_empty()
    }

    fn close_batch(&mut self, now_ms: i64) -> Batch {
        self.retired.expire(now_ms);
        let mut batch = std::mem::take(&mut self.batch);
        for second in std::mem::take(&mut self.changed_seconds) {
            if let Some(window) = self.recent.window(second) {
                batch.seconds.push((second, window.encode()));
            }
        }
        batch.fleet_hours = std::mem::take(&mut self.changed_hours);
        if !batch.samples.is_empty() && self.fleet_hour.1.checks > 0 {
            batch.fleet_hours.push(self.fleet_hour.clone());
        }
        batch.totals = self.totals.clone();
        batch.settled = self.unsettled.settled().unwrap_or(self.newest);
        batch.watched_until_ms = now_ms;
        self.batches += 1;
        batch.number = self.batches;
        batch
    }

    fn count(&mut self, outcome: &Outcome) {
        self.recent.add(outcome);
        self.changed_seconds.insert(outcome.finished_us.div_euclid(1_000_000));
        for totals in [&mut self.totals, &mut self.since_start] {
            totals.checks += 1;
            totals.bytes += outcome.finding.bytes;
            totals.rechecks += u64::from(outcome.kind == SampleKind::Recheck);
        }
        *self.totals.codes.entry(outcome.code().to_stored()).or_default() += 1;
        if outcome.kind == SampleKind::Manual {
            return;
        }
        let hour = hour_of(outcome);
        if begins(hour, self.fleet_hour.0) {
            let closed = std::mem::replace(&mut self.fleet_hour, (hour, Tally::default()));
            if closed.0 > 0 {
                self.changed_hours.push(closed);
            }
        }
        self.fleet_hour.1.add(outcome);
    }
}

fn pending(number: u32, now_ms: i64) -> Record {
    Record {
        target: number,
        health: Health::pending(now_ms),
        has_incident: false,
        last: SampleKey::default(),
        last_code: 0,
        last_latency_us: 0,
        certificate_until: 0,
        hour: 0,
        tally: Tally::default(),
    }
}

fn hour_of(outcome: &Outcome) -> u32 {
    u32::try_from(outcome.finished_us.div_euclid(3_600_000_000)).unwrap_or(0)
}

/// Brings state and last sample of `record` forward, as far as `standing` lets `sample`.
fn observe(record: &mut Record, sample: &Sample, standing: Standing) -> Option<Transition> {
    let outcome = &sample.outcome;
    record.last = record.last.max(sample.key);
    if standing == Standing::Late {
        return None;
    }
    record.last_code = outcome.code().to_stored();
    record.last_latency_us = outcome.latency_us;
    if outcome.finding.certificate_until != 0 {
        record.certificate_until = outcome.finding.certificate_until;
    }
    match standing {
        Standing::Full => record.health.observe(outcome),
        Standing::Provisional => {
            record.health.observe(&Outcome { is_provisional: true, ..*outcome })
        }
        Standing::Silent | Standing::Late => None,
    }
}

/// Whether the tally of the hour `open` is closed by an outcome of `hour`.
///
/// An hour that is over stays closed. What finishes after it and comes late, or after the clock was
/// set back, counts in the hour that is open by then, so that every outcome is counted exactly once.
/// Only when the clock is set back by more than a day was the open hour a mistake: it is closed, and
/// hours go on from the true one; what is counted in one that was kept already is added to it.
const fn begins(hour: u32, open: u32) -> bool {
    hour > open || hour + 24 < open
}

/// Counts `outcome` in its hour, unless somebody asked for it; gives back the hour before when that
/// is over.
fn count_in(record: &mut Record, outcome: &Outcome) -> Option<ClosedHour> {
    if outcome.kind == SampleKind::Manual {
        return None;
    }
    let hour = hour_of(outcome);
    let mut closed = None;
    if begins(hour, record.hour) {
        closed = close(record);
        record.hour = hour;
    }
    record.tally.add(outcome);
    closed
}

/// Ends the open hour of `record`; gives it back if something was counted in it.
fn close(record: &mut Record) -> Option<ClosedHour> {
    let tally = std::mem::take(&mut record.tally);
    let over = ClosedHour { target: record.target, hour: record.hour, tally };
    (over.tally.checks > 0).then_some(over)
}

/// The beginning or end of an outage that `transition` brings about.
fn incident(record: &mut Record, transition: &Transition) -> Option<IncidentChange> {
    let (target, at_ms) = (record.target, transition.at_ms);
    match transition.to {
        State::Down if !record.has_incident => {
            record.has_incident = true;
            let cause = transition.cause.unwrap_or(Cause::Internal);
            Some(IncidentChange::Began { target, at_ms, cause, detail: transition.detail })
        }
        State::Up | State::Warning if record.has_incident => {
            record.has_incident = false;
            Some(IncidentChange::Ended { target, at_ms })
        }
        _ => None,
    }
}
