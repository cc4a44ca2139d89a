//! `Gathered`: what looking at the database once a second has brought together.

use std::collections::{BTreeMap, HashMap};

use super::View;
use super::windows::Windows;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::members::MemberRow;
use crate::store::postgres::read::{
    ClusterRow, Expiring, GapRow, LeaseRow, Line, ListFacts, ProgressRow, Room,
};
use crate::store::postgres::targets::LocationRow;
use crate::store::reader::Named;
use crate::target::State;

/// How often is looked at what costs more: counts of targets, room, certificates.
const SLOW_MS: i64 = 60_000;
/// For how long a member that was lost is shown.
const LOST_MS: i64 = 600_000;
/// How far back gaps are told.
const GAPS_MS: i64 = 86_400_000;
/// Entries of the short lists.
pub(super) const SHOWN: usize = 20;
/// Names of targets that are kept.
const NAMES: usize = 1_000;

/// What is known of the cluster.
#[derive(Clone, Default)]
pub(super) struct Gathered {
    pub(super) cluster: ClusterRow,
    /// By how much the clock of the database is ahead of ours, in milliseconds.
    pub(super) ahead_ms: i64,
    pub(super) progress: Vec<ProgressRow>,
    pub(super) windows: Windows,
    pub(super) members: Vec<MemberRow>,
    pub(super) leases: Vec<LeaseRow>,
    pub(super) locations: Vec<LocationRow>,
    pub(super) down: Vec<Line>,
    pub(super) slow: Slow,
    /// What the targets are called that the last five minutes name.
    pub(super) names: HashMap<u32, Named>,
}

/// What is looked at rarely.
#[derive(Clone, Default)]
pub(super) struct Slow {
    /// When it was, in Unix milliseconds by the database.
    read_ms: i64,
    /// The revision of the targets that it is of.
    revision: i64,
    pub(super) list: ListFacts,
    pub(super) room: Room,
    pub(super) expiring: Vec<Expiring>,
    pub(super) expiring_total: u64,
    pub(super) gaps: Vec<GapRow>,
}

impl Gathered {
    /// Targets in `state`, as the recorders know them.
    pub(super) fn count(&self, state: State) -> u64 {
        let index = usize::from(state.code());
        self.progress.iter().filter_map(|one| one.states.get(index)).sum()
    }

    /// The sum of a figure of all shards.
    pub(super) fn sum(&self, figure: impl Fn(&ProgressRow) -> u64) -> u64 {
        self.progress.iter().map(figure).sum()
    }

    /// Samples by stored code.
    pub(super) fn codes(&self) -> BTreeMap<u16, u64> {
        let mut codes = BTreeMap::new();
        for (&code, &count) in self.progress.iter().flat_map(|one| &one.codes) {
            *codes.entry(code).or_default() += count;
        }
        codes
    }
}

impl View {
    /// Looks at what has changed, and makes the summary of it; when that fails the last one stays,
    /// and says so.
    pub(super) async fn look(&self) -> Result<(), DatabaseError> {
        let began_us = self.clock.monotonic_us();
        let done = Box::pin(self.gather()).await;
        match &done {
            Ok(()) => self.make_summary(),
            Err(error) => self.note_away(&error.to_string()),
        }
        let us = self.clock.monotonic_us().saturating_sub(began_us);
        tracing::trace!(ms = us / 1_000, "looked at the cluster");
        done
    }

    async fn gather(&self) -> Result<(), DatabaseError> {
        let cluster = self.reader.cluster().await?;
        let ahead_ms = cluster.now_ms - self.clock.now_ms();
        let now_ms = cluster.now_ms;
        let changes = self.keys.changes();
        // First and by itself: who may ask no more is not to wait for what is slow.
        self.keys.follow(self.reader.tokens().await?, changes);
        let (progress, members, leases, locations, down) = tokio::try_join!(
            self.reader.progress(),
            self.reader.members(now_ms - LOST_MS),
            self.reader.leases(),
            self.reader.locations(),
            self.reader.down(SHOWN),
        )?;
        let wanted = self.gathered.lock().windows.wanted(&progress, now_ms);
        let rows = match &wanted {
            Some(wanted) => self.reader.windows(&wanted.known, wanted.after_s).await?,
            None => Vec::new(),
        };
        self.take_windows(rows, &progress, now_ms);
        let slow = self.gather_slow(&cluster).await;
        let names = self.gather_names().await?;
        let mut own = self.gathered.lock();
        if let Some(slow) = slow {
            own.slow = slow;
        }
        (own.cluster, own.ahead_ms, own.names) = (cluster, ahead_ms, names);
        (own.progress, own.members, own.leases) = (progress, members, leases);
        (own.locations, own.down) = (locations, down);
        Ok(())
    }

    /// Takes windows in that were written since the last look.
    fn take_windows(
        &self,
        rows: Vec<crate::store::postgres::read::WindowRow>,
        progress: &[ProgressRow],
        now_ms: i64,
    ) {
        let second = now_ms.div_euclid(1_000);
        let changed = self.gathered.lock().windows.take(rows, progress, second);
        let mut recent = self.recent.lock();
        for (at, window) in changed {
            recent.restore(at, window);
        }
        recent.expire(second);
    }

    /// What is looked at rarely, when it is its time: sooner when the targets were changed, but not
    /// with every change of many.
    ///
    /// Of a database that is short of time, what it does not tell in time stays what it was.
    async fn gather_slow(&self, cluster: &ClusterRow) -> Option<Slow> {
        let before = self.gathered.lock().slow.clone();
        let age_ms = cluster.now_ms - before.read_ms;
        let is_changed = before.revision != cluster.revision;
        let patience_ms = if is_changed { SLOW_MS / 6 } else { SLOW_MS };
        if (0..patience_ms).contains(&age_ms) {
            return None;
        }
        let mut list = before.list;
        if is_changed || before.read_ms == 0 {
            let (counts, unique) = tokio::join!(self.reader.list_facts(), self.reader.unique());
            list = counts.unwrap_or(list);
            list.unique = unique.unwrap_or(before.list.unique);
        }
        let now_s = cluster.now_ms.div_euclid(1_000);
        let (room, expiring, gaps) = tokio::join!(
            self.reader.room(),
            self.reader.expiring(now_s, list.most_days, SHOWN),
            self.reader.gaps(cluster.now_ms - GAPS_MS),
        );
        let (expiring, expiring_total) =
            expiring.unwrap_or((before.expiring, before.expiring_total));
        Some(Slow {
            read_ms: cluster.now_ms,
            revision: cluster.revision,
            list,
            room: room.unwrap_or(before.room),
            expiring,
            expiring_total,
            gaps: gaps.unwrap_or(before.gaps),
        })
    }

    /// What the targets are called that the last five minutes name.
    async fn gather_names(&self) -> Result<HashMap<u32, Named>, DatabaseError> {
        let mut names = std::mem::take(&mut self.gathered.lock().names);
        if names.len() > NAMES {
            names.clear();
        }
        let told: Vec<u32> = {
            let recent = self.recent.lock();
            let largest = recent.largest().into_iter().chain(recent.largest_answered());
            largest.chain(recent.slowest()).map(|extreme| extreme.target).collect()
        };
        let unknown: Vec<u32> = told.into_iter().filter(|one| !names.contains_key(one)).collect();
        if !unknown.is_empty() {
            names.extend(self.reader.named(&unknown).await?);
        }
        Ok(names)
    }
}
