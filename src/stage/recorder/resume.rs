//! Resuming: what the store and the journal hold of former runs, as a ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::roster::Roster;
use crate::store::{Journal, Record, Restored, Store, StoreError};
use crate::target::Target;

/// Samples of the journal that are taken in at a time.
const REPLAYED_AT_ONCE: usize = 5_000;

/// What former runs left.
#[derive(Debug)]
pub struct Resumed {
    /// What is known of all targets.
    pub ledger: Ledger,
    /// The targets of this run, with their numbers and the states that they are known to be in.
    pub roster: Roster,
    /// Samples that the store holds.
    pub samples: u64,
}

/// Enrols `targets`, reads what `store` holds of them, and takes in what a crash or a store that
/// stood still left in `journal`, which is empty afterwards.
///
/// # Errors
/// Store or journal cannot be read or written.
pub fn resume(
    store: &mut impl Store,
    journal: &mut impl Journal,
    mut targets: Vec<Target>,
    clock: &Clock,
) -> Result<Resumed, StoreError> {
    store.enrol(&mut targets)?;
    let now_ms = clock.now_ms();
    let restored = store.restore(now_ms)?;
    let roster = Roster::new(targets.into_iter().map(Arc::new));
    let mut samples = restored.samples;
    let mut ledger = rebuild(&roster, restored, now_ms);
    samples += replay(&mut ledger, store, journal, clock)?;
    ledger.begin();
    for target in roster.iter() {
        if let Some(record) = ledger.record(target.number) {
            target.flight().learn(record.health.state, record.health.since_ms);
        }
    }
    Ok(Resumed { ledger, roster, samples })
}

/// The ledger as the store holds it, what it took after the last records included.
fn rebuild(roster: &Roster, mut restored: Restored, now_ms: i64) -> Ledger {
    let mut ledger = Ledger::restore(&restored, now_ms);
    let mut records: Vec<Option<Record>> = Vec::new();
    for record in std::mem::take(&mut restored.records) {
        let index = record.target as usize;
        if index >= records.len() {
            records.resize(index + 1, None);
        }
        if let Some(place) = records.get_mut(index) {
            *place = Some(record);
        }
    }
    for target in roster.iter() {
        let stored = records.get_mut(target.number as usize).and_then(Option::take);
        ledger.enrol(target.number, stored, now_ms);
        ledger.expect_certificate(target.number, target.certificate_days());
    }
    // Targets that were given up since have to be settled as well, for when they come back.
    let mut gone = BTreeSet::new();
    for sample in &restored.unsettled {
        let number = sample.outcome.target;
        if ledger.record(number).is_none() {
            let stored = records.get_mut(number as usize).and_then(Option::take);
            ledger.enrol(number, stored, now_ms);
            gone.insert(number);
        }
        ledger.settle(sample);
    }
    for number in gone {
        ledger.retire(number, now_ms);
    }
    ledger
}

/// Takes in what the journal holds and the store does not, and tells how many samples that were.
fn replay(
    ledger: &mut Ledger,
    store: &mut impl Store,
    journal: &mut impl Journal,
    clock: &Clock,
) -> Result<u64, StoreError> {
    let mut count = 0;
    loop {
        let samples = journal.read(ledger.newest(), REPLAYED_AT_ONCE)?;
        if samples.is_empty() {
            break;
        }
        count += samples.len() as u64;
        for sample in &samples {
            ledger.observe_again(sample);
        }
        store.append(&ledger.take_batch(clock.now_ms()))?;
    }
    if count > 0 {
        tracing::info!(samples = count, "took in what the last run had left in the spill file");
    }
    if journal.count() > 0 {
        let damaged = journal.damaged()?;
        if damaged > 0 {
            tracing::error!(samples = damaged, "the spill file is damaged; its samples are lost");
        }
        journal.clear()?;
    }
    Ok(count)
}
