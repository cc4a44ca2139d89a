//! `MemoryStore`: a store without a disk, for tests.

use std::collections::BTreeMap;

use super::{
    Batch, IncidentChange, OwnChange, OwnStore, OwnTarget, Pause, Record, Restored, Sample,
    SampleKey, Store, StoreError, Totals, Trimmed,
};
use crate::health::Transition;
use crate::outcome::{Cause, Detail};
use crate::stats::{SPAN_S, Tally};
use crate::target::{Target, TargetId};

/// An outage of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Number of the target.
    pub target: u32,
    /// When it began, in Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, in Unix milliseconds; `None` while it lasts.
    pub ended_ms: Option<i64>,
    /// Why.
    pub cause: Cause,
    /// What exactly went wrong.
    pub detail: Detail,
}

/// A store in memory, whose content tests can look at.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    /// Numbers by id, and whether the target is in the list.
    pub targets: BTreeMap<TargetId, (u32, bool)>,
    /// Samples by key.
    pub samples: BTreeMap<SampleKey, Sample>,
    /// Windows by Unix second.
    pub seconds: BTreeMap<i64, Vec<u8>>,
    /// Changes of state.
    pub transitions: Vec<Transition>,
    /// Outages, in the order in which they began.
    pub incidents: Vec<Incident>,
    /// Records by target.
    pub records: BTreeMap<u32, Record>,
    /// Hours that are over, by hour and target.
    pub hours: BTreeMap<(u32, u32), Tally>,
    /// Days, by day and target.
    pub days: BTreeMap<(u32, u32), Tally>,
    /// The fleet's hours.
    pub fleet_hours: BTreeMap<u32, Tally>,
    /// The counts.
    pub totals: Totals,
    /// The number of the last batch of this run.
    pub batch: u64,
    /// Up to where samples are in the records.
    pub settled: SampleKey,
    /// The summary as JSON.
    pub summary: Option<String>,
    /// When daemons watched: begin and end, in Unix milliseconds.
    pub runs: Vec<(i64, i64)>,
    /// How long samples are kept, in milliseconds; `None` for ever.
    pub keep_samples_ms: Option<i64>,
    /// Why nothing is taken at the moment, for tests of a store that stalls.
    pub stalled: Option<String>,
    /// Targets that came through the API.
    pub own: BTreeMap<TargetId, OwnTarget>,
    /// Pauses.
    pub paused: BTreeMap<TargetId, Pause>,
}

impl MemoryStore {
    fn ready(&self) -> Result<(), StoreError> {
        match &self.stalled {
            None => Ok(()),
            Some(reason) => Err(StoreError::Stalled { reason: reason.clone() }),
        }
    }

    fn change_incident(&mut self, change: &IncidentChange) {
        match *change {
            IncidentChange::Began { target, at_ms: began_ms, cause, detail } => {
                let is_known = self.incidents.iter().any(|incident| {
                    incident.target == target
                        && (incident.ended_ms.is_none() || incident.began_ms == began_ms)
                });
                if !is_known {
                    let ended_ms = None;
                    self.incidents.push(Incident { target, began_ms, ended_ms, cause, detail });
                }
            }
            IncidentChange::Ended { target, at_ms } => {
                let open = self.incidents.iter_mut().find(|incident| {
                    incident.target == target
                        && incident.ended_ms.is_none()
                        && incident.began_ms <= at_ms
                });
                if let Some(open) = open {
                    open.ended_ms = Some(at_ms);
                }
            }
            IncidentChange::Withdrawn { target, began_ms } => {
                let is_it = |incident: &Incident| {
                    (incident.target, incident.began_ms) == (target, began_ms)
                };
                self.incidents.retain(|incident| !is_it(incident));
            }
        }
    }
}

impl OwnStore for MemoryStore {
    fn amend_own(
        &mut self,
        targets: &mut [Target],
        removed: &[u32],
        change: &OwnChange,
    ) -> Result<(), StoreError> {
        self.amend(targets, removed)?;
        for target in &change.put {
            let before = self.own.get(&target.id).map(|before| before.added_ms);
            let added_ms = before.unwrap_or(target.added_ms);
            self.own.insert(target.id, OwnTarget { added_ms, ..target.clone() });
        }
        for id in &change.gone {
            self.own.remove(id);
            self.paused.remove(id);
        }
        Ok(())
    }

    fn own_targets(&mut self, now_ms: i64) -> Result<Vec<OwnTarget>, StoreError> {
        self.ready()?;
        self.own.retain(|_, target| target.expires_ms.is_none_or(|at_ms| at_ms > now_ms));
        Ok(self.own.values().cloned().collect())
    }

    fn pauses(&mut self, now_ms: i64) -> Result<Vec<Pause>, StoreError> {
        self.ready()?;
        self.paused.retain(|_, pause| pause.until_ms.is_none_or(|at_ms| at_ms > now_ms));
        Ok(self.paused.values().cloned().collect())
    }

    fn change_pauses(&mut self, put: &[Pause], gone: &[TargetId]) -> Result<(), StoreError> {
        self.ready()?;
        self.paused.extend(put.iter().map(|pause| (pause.id, pause.clone())));
        self.paused.retain(|id, _| !gone.contains(id));
        Ok(())
    }
}

impl Store for MemoryStore {
    fn enrol(&mut self, targets: &mut [Target]) -> Result<(), StoreError> {
        self.ready()?;
        self.targets.values_mut().for_each(|(_, is_listed)| *is_listed = false);
        for target in targets {
            let next = u32::try_from(self.targets.len()).unwrap_or(u32::MAX).saturating_add(1);
            let (number, is_listed) = self.targets.entry(target.id).or_insert((next, true));
            *is_listed = true;
            target.number = *number;
        }
        Ok(())
    }

    fn amend(&mut self, targets: &mut [Target], removed: &[u32]) -> Result<(), StoreError> {
        let was_listed = self.targets.clone();
        self.enrol(targets)?;
        for (id, (number, is_listed)) in &mut self.targets {
            let was_listed = was_listed.get(id).is_some_and(|&(_, was_listed)| was_listed);
            *is_listed = (*is_listed || was_listed) && !removed.contains(number);
        }
        Ok(())
    }

    fn records(&mut self, numbers: &[u32]) -> Result<Vec<Record>, StoreError> {
        self.ready()?;
        Ok(numbers.iter().filter_map(|number| self.records.get(number)).cloned().collect())
    }

    fn restore(&mut self, now_ms: i64) -> Result<Restored, StoreError> {
        self.ready()?;
        self.runs.push((now_ms, now_ms));
        self.batch = 0;
        let is_listed = |record: &&Record| {
            self.targets.values().any(|&(number, is_listed)| is_listed && number == record.target)
        };
        let second = now_ms.div_euclid(1_000) - SPAN_S + 1;
        let newest = self.samples.last_key_value().map_or(SampleKey::default(), |(&key, _)| key);
        let behind = SampleKey(self.settled.0 + 1);
        Ok(Restored {
            records: self.records.values().filter(is_listed).cloned().collect(),
            seconds: self.seconds.range(second..).map(|(&at, w)| (at, w.clone())).collect(),
            fleet_hour: self.fleet_hours.last_key_value().map(|(&hour, t)| (hour, t.clone())),
            totals: self.totals.clone(),
            unsettled: self.samples.range(behind..).map(|(_, &sample)| sample).collect(),
            newest: newest.max(self.settled),
            samples: self.samples.len() as u64,
        })
    }

    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.ready()?;
        if batch.number > 0 && batch.number <= self.batch {
            return Ok(());
        }
        self.batch = batch.number.max(self.batch);
        for &sample in &batch.samples {
            self.samples.entry(sample.key).or_insert(sample);
        }
        self.seconds.extend(batch.seconds.iter().cloned());
        for transition in &batch.transitions {
            if !self.transitions.contains(transition) {
                self.transitions.push(*transition);
            }
        }
        batch.incidents.iter().for_each(|change| self.change_incident(change));
        self.records.extend(batch.records.iter().map(|record| (record.target, record.clone())));
        for closed in &batch.hours {
            let (hour, target) = (closed.hour, closed.target);
            self.hours.entry((hour, target)).or_default().merge(&closed.tally);
            self.days.entry((hour / 24, target)).or_default().merge(&closed.tally);
        }
        self.fleet_hours.extend(batch.fleet_hours.iter().cloned());
        self.totals = batch.totals.clone();
        self.settled = self.settled.max(batch.settled);
        if batch.summary.is_some() {
            self.summary.clone_from(&batch.summary);
        }
        let since_ms = batch.watched_since_ms;
        if since_ms > 0 && self.runs.iter().all(|&(begun_ms, _)| begun_ms != since_ms) {
            self.runs.push((since_ms, since_ms));
        }
        if let Some((_, until_ms)) = self.runs.last_mut() {
            *until_ms = batch.watched_until_ms.max(*until_ms);
        }
        Ok(())
    }

    fn trim(&mut self, now_ms: i64) -> Result<Trimmed, StoreError> {
        self.ready()?;
        let Some(keep_ms) = self.keep_samples_ms else { return Ok(Trimmed::default()) };
        let bound = SampleKey::first_of(now_ms - keep_ms).min(self.settled);
        let kept = self.samples.split_off(&bound);
        let dropped = std::mem::replace(&mut self.samples, kept);
        Ok(Trimmed { samples: dropped.len() as u64, ..Trimmed::default() })
    }

    fn bytes(&self) -> u64 {
        0
    }
}
