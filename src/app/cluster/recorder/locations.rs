//! `Locations`: the numbers of locations, by name.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::troubles::Work;
use crate::store::postgres::targets::LocationRow;

/// The numbers of locations, by name.
#[derive(Debug, Default)]
pub(super) struct Locations {
    numbers: BTreeMap<String, u16>,
    /// Those from which nobody polls any more.
    retired: BTreeSet<u16>,
    is_learned: bool,
}

impl Locations {
    /// The number of the location `name`.
    pub(super) fn number(&self, name: &str) -> Option<u16> {
        self.numbers.get(name).copied()
    }

    /// Whether the database has told which there are.
    pub(super) const fn are_known(&self) -> bool {
        self.is_learned
    }

    /// All from which targets are polled; 0, which is none, where there are none yet.
    pub(super) fn all(&self) -> Vec<u16> {
        let all = self.numbers.values().copied().filter(|number| !self.retired.contains(number));
        let all: Vec<u16> = all.collect();
        if all.is_empty() { vec![0] } else { all }
    }

    /// How many these are.
    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.numbers.len() - self.retired.len()).unwrap_or(u16::MAX)
    }

    /// Takes in what the database says.
    pub(super) fn learn(&mut self, rows: &[LocationRow]) {
        self.is_learned = true;
        for row in rows {
            self.add(&row.name, row.id);
            let number = u16::try_from(row.id).unwrap_or(0);
            if row.is_retired {
                self.retired.insert(number);
            } else {
                self.retired.remove(&number);
            }
        }
    }

    fn add(&mut self, name: &str, number: i16) {
        self.numbers.insert(name.to_owned(), u16::try_from(number).unwrap_or(0));
    }
}

impl Desk {
    /// Sees to it that the location `name` has a number, if it can be the name of one; false when we
    /// are to stop before.
    pub(super) async fn learn_location(&mut self, name: &str) -> bool {
        if self.locations.numbers.contains_key(name) {
            return true;
        }
        if crate::config::given::location_name(name).is_err() {
            return true;
        }
        loop {
            if let Some(number) =
                self.ask(Work::Locations, self.parts.database.location(name)).await
            {
                self.locations.add(name, number);
                self.locations_changed();
                return true;
            }
            if self.is_stopped_after_a_pause().await {
                return false;
            }
        }
    }

    pub(super) fn locations_changed(&mut self) {
        let count = self.locations.count();
        self.dockets.values_mut().for_each(|docket| docket.locations_are(count));
    }

    /// Waits a moment; tells whether we are to stop.
    pub(super) async fn is_stopped_after_a_pause(&self) -> bool {
        tokio::select! {
            () = self.parts.stop.cancelled() => true,
            () = tokio::time::sleep(super::PAUSE) => false,
        }
    }
}
