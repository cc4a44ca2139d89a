//! `Sd`: the targets of a running daemon, for service discovery.

use std::sync::Arc;

use super::live::Live;
use crate::api::{Discovery, Found};
use crate::target::{State, Target};
use crate::view::TargetQuery;

/// Targets that are looked at while nobody else gets at the ledger.
const SLICE: usize = 500;

/// The targets of a running daemon.
pub(super) struct Sd(pub(super) Arc<Live>);

impl Discovery for Sd {
    fn some(&self, query: &TargetQuery, after: u32) -> Result<Found, String> {
        let mut found = Found { targets: Vec::new(), next: None };
        let roster = self.0.roster.read();
        let ledger = self.0.ledger.lock();
        let mut looked = 0;
        for target in roster.after(after).take(SLICE) {
            (looked, found.next) = (looked + 1, Some(target.number));
            let record = ledger.record(target.number);
            let state = record.map_or(State::Pending, |record| record.health.state);
            if is_wanted(target, state, query) {
                found.targets.push((Arc::clone(target), state));
            }
        }
        drop((ledger, roster));
        found.next = found.next.filter(|_| looked == SLICE);
        Ok(found)
    }
}

fn is_wanted(target: &Target, state: State, query: &TargetQuery) -> bool {
    let has = |(name, value): &(String, String)| {
        target.labels.pairs.get(name.as_str()).is_some_and(|own| **own == **value)
    };
    query.state.is_none_or(|wanted| wanted == state) && query.labels.iter().all(has)
}
