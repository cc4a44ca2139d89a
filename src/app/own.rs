//! The targets of the API and the pauses of a former run, taken up again.

use std::collections::HashSet;
use std::sync::Arc;

use super::annex::{Annex, Known};
use crate::config::Settings;
use crate::config::rules::Rules;
use crate::config::settings::ApiSettings;
use crate::config::targets::List;
use crate::config::targets::own::read_stored;
use crate::ledger::Ledger;
use crate::roster::Roster;
use crate::store::{OwnTarget, Store, StoreError};
use crate::target::{State, TargetId};

/// Targets that are told by name when they cannot be polled; the others are counted.
const TOLD: usize = 10;

/// What fills entries that come through the API, where `rules` fill those of the list.
pub(super) fn rules(rules: &Rules, api: &ApiSettings) -> Arc<Rules> {
    Arc::new(rules.for_api(api.policy()))
}

/// Takes up what `store` keeps for the API at `now_ms` (Unix milliseconds): its targets come to
/// those of `list`.
///
/// # Errors
/// The store cannot be read.
pub(super) fn take_up(
    store: &mut impl Store,
    settings: &Settings,
    list: &mut List,
    now_ms: i64,
) -> Result<Annex, StoreError> {
    let annex = Annex::default();
    *annex.rules.write() = rules(&settings.rules, &settings.api);
    let rows = store.own_targets(now_ms)?;
    {
        let mut own = annex.own.lock();
        for row in &rows {
            own.put(row.id, Known::of(row));
        }
        let mut pauses = annex.pauses.lock();
        for pause in store.pauses(now_ms)? {
            pauses.put(pause);
        }
    }
    add(list, rows, &annex.rules.read());
    Ok(annex)
}

/// Adds the targets of the API that `rows` keep to those of `list`. Where the list has the same id,
/// its own target is polled, and the other one waits until it has not.
pub(super) fn add(list: &mut List, rows: Vec<OwnTarget>, rules: &Rules) {
    if rows.is_empty() {
        return;
    }
    let listed: HashSet<TargetId> = list.targets.iter().map(|target| target.id).collect();
    let mut left_out = 0;
    let rows = rows.into_iter().map(|row| (row.id, row.entry));
    for (id, made) in read_stored(rows, rules) {
        let reason = match made {
            Ok(target) if !listed.contains(&id) => {
                list.targets.push(target);
                continue;
            }
            Ok(_) => "the list has a target with its id".to_owned(),
            Err(reason) => reason,
        };
        left_out += 1;
        if left_out <= TOLD {
            tracing::warn!("the target {id} of the API is not polled: {reason}");
        }
    }
    if left_out > TOLD {
        tracing::warn!("{} more targets of the API are not polled", left_out - TOLD);
    }
}

impl Annex {
    /// Brings states to the pauses at `now_ms` (Unix milliseconds): who is paused is told so, and
    /// who was paused and is not any more has yet to be polled.
    pub(super) fn settle(&self, roster: &Roster, ledger: &mut Ledger, now_ms: i64) {
        let pauses = self.pauses.lock();
        for target in roster.iter() {
            let was_paused =
                ledger.record(target.number).is_some_and(|one| one.health.state == State::Paused);
            match (pauses.of(target.id).is_some(), was_paused) {
                (true, false) => ledger.pause(target.number, now_ms),
                (false, true) => ledger.resume(target.number, now_ms),
                _ => None,
            };
            if let Some(record) = ledger.record(target.number) {
                target.flight().learn(record.health.state, record.health.since_ms);
            }
        }
    }
}
