//! Following what changes of targets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::desk::Desk;
use super::gain::terms;
use super::troubles::Work;
use crate::store::postgres::targets::Known;
use crate::store::postgres::terms::TermsRow;

/// How often is asked what has changed.
const EVERY: Duration = Duration::from_secs(2);

/// Changes that are taken in at a time.
const PAGE: u32 = 2_000;

/// How far changes were taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learned {
    All,
    Some,
    /// The database does not say.
    Nothing,
}

/// How far the targets of our shards are known.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Behind what changes of each shard are not known.
    known: BTreeMap<u32, Known>,
    /// Numbers that nobody knew a moment ago.
    unheard_of: BTreeSet<u32>,
    asked_at: Option<Instant>,
}

impl Targets {
    pub(super) fn begin(&mut self, shard: u32, revision: i64) {
        self.known.insert(shard, Known::up_to(revision));
    }

    pub(super) fn forget(&mut self, shard: u32) {
        self.known.remove(&shard);
    }

    /// Whether `number` was not looked for a moment ago.
    pub(super) fn is_unheard_of(&self, number: u32) -> bool {
        !self.unheard_of.contains(&number)
    }
}

impl Desk {
    /// Asks what has changed of targets and locations, if it is time.
    pub(super) async fn follow_targets(&mut self) {
        let is_known = self.locations.are_known();
        let every = if is_known { EVERY } else { super::PAUSE };
        if self.targets.asked_at.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.targets.asked_at = Some(Instant::now());
        self.targets.unheard_of.clear();
        if let Some(rows) = self.ask(Work::Locations, self.parts.database.locations()).await {
            self.locations.learn(&rows);
            self.locations_changed();
            // The next ones are asked for as soon as the desk has looked around.
            if self.learn_targets().await == Learned::Some {
                self.targets.asked_at = None;
            }
        }
    }

    /// Looks for the targets `numbers`, of which nobody has heard; false when we are to stop before.
    pub(super) async fn look_for(&mut self, numbers: BTreeSet<u32>) -> bool {
        loop {
            match self.learn_targets().await {
                Learned::All => break,
                Learned::Nothing if self.is_stopped_after_a_pause().await => return false,
                Learned::Some | Learned::Nothing => {}
            }
        }
        self.targets.unheard_of.extend(numbers);
        true
    }

    /// Takes in some of what has changed of targets.
    async fn learn_targets(&mut self) -> Learned {
        let known: Vec<(u32, Known)> = self.targets.known.clone().into_iter().collect();
        let asked = self.parts.database.changes_since::<TermsRow>(&known, PAGE);
        let Some(rows) = self.ask(Work::Targets, asked).await else { return Learned::Nothing };
        let learned = if rows.len() < PAGE as usize { Learned::All } else { Learned::Some };
        let is_new = |row: &&TermsRow| {
            let docket = self.dockets.get(&row.shard);
            !row.is_removed && docket.is_some_and(|docket| !docket.knows(row.number))
        };
        let new: Vec<u32> = rows.iter().filter(is_new).map(|row| row.number).collect();
        let mut kept = BTreeMap::new();
        if new.is_empty() {
            self.parts.figures.troubles.is_over(Work::Records);
        } else {
            let asked = self.parts.database.records_of(&new);
            let Some(records) = self.ask(Work::Records, asked).await else {
                return Learned::Nothing;
            };
            kept = records.into_iter().map(|kept| (kept.record.target, kept)).collect();
        }
        let now_ms = self.now_ms();
        for row in rows {
            let Some(docket) = self.dockets.get_mut(&row.shard) else { continue };
            if row.is_removed {
                docket.retire(row.number, now_ms);
            } else {
                docket.enrol(row.number, terms(&row), kept.remove(&row.number));
                docket.note_pause(row.number, row.pause);
            }
            self.targets.known.insert(row.shard, Known::at(row.revision, row.number));
        }
        learned
    }
}
