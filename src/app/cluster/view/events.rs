//! Events of a cluster: its summary each second, and changes of state as recorders write them.

use std::collections::HashMap;

use super::View;
use crate::api::{Broadcast, Events};
use crate::app::pages::told_detail;
use crate::clock::rfc3339;
use crate::health::Transition;
use crate::store::postgres::DatabaseError;
use crate::store::reader::Named;
use crate::view::ToldTransition;

/// Changes that are read at once: more than are told in a second.
const CHANGES: usize = 1_001;
/// How far a change may lie before others that were seen: shards are written one after the other.
const LATE_MS: i64 = 30_000;
/// Changes that are known to be told.
const KNOWN: usize = 20_000;

/// Which changes were told.
#[derive(Default)]
pub(super) struct ToldChanges {
    /// Time and target of each, and the time until which they are known.
    told: std::collections::BTreeSet<(i64, u32)>,
}

impl View {
    /// Tells the summary, and what has changed since it was told last, to whoever reads.
    pub(super) async fn tell_events(&self) {
        if !self.broadcast.has_readers() {
            self.told_changes.lock().told.clear();
            return;
        }
        // What is wrong with the database is in the summary.
        let _ = self.tell_changes().await;
        self.broadcast
            .summary(|| serde_json::to_vec(&**self.summary.read()).unwrap_or_default().into());
    }

    async fn tell_changes(&self) -> Result<(), DatabaseError> {
        let now_ms = self.now_ms();
        let is_first = self.told_changes.lock().told.is_empty();
        let changes = self.reader.changes((now_ms - LATE_MS, 0), CHANGES).await?;
        let fresh: Vec<Transition> = {
            let mut own = self.told_changes.lock();
            let fresh = changes.iter().filter(|change| own.told.insert(change.place));
            let fresh = fresh.map(|change| change.transition).collect();
            while own.told.len() > KNOWN {
                own.told.pop_first();
            }
            // So that it is not taken for the first time again.
            own.told.insert((0, 0));
            fresh
        };
        if is_first || fresh.is_empty() {
            return Ok(());
        }
        let numbers: Vec<u32> = fresh.iter().map(|change| change.target).collect();
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
