//! Events of a cluster: its summary each second, and changes of state as recorders write them.

use std::collections::{BTreeSet, HashMap};

use super::View;
use crate::api::{Broadcast, Events};
use crate::app::pages::told_detail;
use crate::clock::rfc3339;
use crate::health::Transition;
use crate::store::postgres::DatabaseError;
use crate::store::postgres::read::{Change, Changes};
use crate::store::reader::Named;
use crate::view::ToldTransition;

/// Changes that are read at once: more than are told in a second.
const CHANGES: usize = 20_000;
/// Changes whose targets are looked up.
const NAMED: usize = 2_000;

/// Which changes were told, by the transactions that wrote them.
#[derive(Debug, Default)]
pub(super) struct ToldChanges {
    /// All that lower transactions wrote was told; none: nothing was looked at yet.
    first: Option<i64>,
    /// What was told of others: transaction, time, target, and state.
    told: BTreeSet<(i64, i64, u32, u8)>,
}

impl ToldChanges {
    /// Those of `changes` that were not told; none of those that were there when nobody looked.
    fn take(&mut self, changes: &Changes) -> Vec<Transition> {
        let fresh = changes.all.iter().filter(|Change { transition, written }| {
            let to = transition.to.code();
            self.told.insert((*written, transition.at_ms, transition.target, to))
        });
        let mut fresh: Vec<Transition> = fresh.map(|change| change.transition).collect();
        let last = changes.all.last().map_or(0, |change| change.written);
        // Of very many the rest is read the next time. Whoever writes one of them later than all
        // these is not waited for.
        let is_cut = changes.all.len() >= CHANGES;
        let first = match self.first {
            // One transaction wrote more than are read: what else it did is more than is ever told.
            Some(first) if is_cut && first == last => last + 1,
            _ if is_cut => last,
            _ => changes.complete_until,
        };
        if self.first.replace(first).is_none() {
            fresh.clear();
        }
        self.told = self.told.split_off(&(first, i64::MIN, 0, 0));
        fresh
    }
}

impl View {
    /// Tells the summary, and what has changed since it was told last, to whoever reads.
    pub(super) async fn tell_events(&self) {
        if !self.broadcast.has_readers() {
            *self.told_changes.lock() = ToldChanges::default();
            return;
        }
        // What is wrong with the database is in the summary.
        let _ = self.tell_changes().await;
        self.broadcast
            .summary(|| serde_json::to_vec(&**self.summary.read()).unwrap_or_default().into());
    }

    async fn tell_changes(&self) -> Result<(), DatabaseError> {
        let first = self.told_changes.lock().first.unwrap_or(i64::MAX);
        let changes = self.reader.changes(first, CHANGES).await?;
        let fresh = self.told_changes.lock().take(&changes);
        if fresh.is_empty() {
            return Ok(());
        }
        // More than these are told in no second.
        let numbers: Vec<u32> = fresh.iter().take(NAMED).map(|change| change.target).collect();
        let names = self.reader.named(&numbers).await?;
        for change in &fresh {
            self.broadcast.transition(change.target, || told(&names, change));
        }
        Ok(())
    }
}

fn told(names: &HashMap<u32, Named>, change: &Transition) -> Option<ToldTransition> {
    let called = names.get(&change.target)?;
    Some(ToldTransition {
        at: rfc3339(change.at_ms),
        target_id: called.id.clone(),
        url: called.url.clone(),
        name: called.name.clone(),
        from: change.from.as_str().into(),
        to: change.to.as_str().into(),
        cause: change.cause.map(|cause| cause.as_str().into()),
        detail: told_detail(change.detail),
    })
}

impl Events for View {
    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn number_of(&self, id: &str) -> Option<u32> {
        self.line(id).ok().map(|line| line.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Detail;
    use crate::target::State;

    fn change(written: i64, at_ms: i64, target: u32) -> Change {
        let (from, to) = (State::Up, State::Down);
        let (cause, detail) = (None, Detail::None);
        Change { transition: Transition { target, from, to, at_ms, cause, detail }, written }
    }

    fn told(own: &mut ToldChanges, all: &[Change], complete_until: i64) -> Vec<u32> {
        // As the database tells them.
        let first = own.first.unwrap_or(i64::MAX);
        let all = all.iter().filter(|one| one.written >= first).copied().collect();
        own.take(&Changes { all, complete_until }).iter().map(|one| one.target).collect()
    }

    #[test]
    fn what_is_written_late_is_told_once_whatever_its_time() {
        let mut own = ToldChanges::default();
        let mut all = vec![change(5, 9_000, 1)];
        assert_eq!(told(&mut own, &all, 6), [0; 0], "it was there before anybody looked");
        // The transaction 7 is seen, while 6 still runs.
        all.push(change(7, 9_100, 2));
        assert_eq!(told(&mut own, &all, 6), [2]);
        assert_eq!(told(&mut own, &all, 6), [0; 0]);
        // What 6 wrote is of long ago.
        all.push(change(6, 1_000, 3));
        assert_eq!(told(&mut own, &all, 8), [3]);
        assert_eq!(told(&mut own, &all, 8), [0; 0]);
        assert!(own.told.is_empty(), "nothing is kept of what is told for good");
        all.push(change(8, 500, 1));
        assert_eq!(told(&mut own, &all, 9), [1]);
    }
    #[test]
    fn a_transaction_of_very_many_changes_holds_up_no_others() {
        let mut own = ToldChanges { first: Some(5), ..ToldChanges::default() };
        let many = |count| (0..count).map(|target| change(5, 9_000, target)).collect();
        let read = Changes { all: many(20_000), complete_until: 7 };
        assert_eq!(own.take(&read).len(), CHANGES);
        assert_eq!(told(&mut own, &[change(6, 9_100, 1)], 7), [1]);
    }
}
