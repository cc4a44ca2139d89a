//! What a cluster can be asked by whoever asks one machine.

use std::sync::Arc;

use super::View;
use super::targets::asked;
use crate::api::{Discovery, Found};
use crate::app::cluster::face::Shown;
use crate::store::postgres::read::{PageQuery, Place};
use crate::target::State;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery};

/// Targets that are found for service discovery at once.
const SLICE: usize = 500;

impl Shown for View {
    const RELOAD: &str =
        "the targets of a cluster are in its database: poller db import changes them";

    fn summary(&self, lists: Lists) -> Summary {
        self.told(lists)
    }

    fn in_flight(&self) -> InFlight {
        self.summary.read().in_flight.clone()
    }

    fn targets(&self, query: &TargetQuery) -> Result<TargetPage, String> {
        self.target_page(query).map_err(|error| error.to_string())
    }
}

impl Discovery for View {
    fn some(&self, query: &TargetQuery, after: u32) -> Result<Found, String> {
        let after = Some(Place { key: 0, number: after });
        let asked = PageQuery { most: SLICE, after, ..asked(query) };
        let mut found = Found { targets: Vec::new(), next: None };
        let lines = self.ask(self.reader.page(&asked)).map_err(|error| error.to_string())?;
        let numbers: Vec<u32> = lines.iter().map(|(_, line)| line.number).collect();
        let entries = self.ask(self.reader.entries(&numbers));
        let entries = entries.map_err(|error| error.to_string())?;
        found.next = numbers.last().copied().filter(|_| numbers.len() == SLICE);
        for (_, line) in lines {
            let state = line.known.as_ref().map_or(State::Pending, |known| known.health.state);
            let entry = entries.get(&line.number).map_or("", String::as_str);
            if let Some(target) = super::detail::target(&line, entry) {
                found.targets.push((Arc::new(target), state));
            }
        }
        Ok(found)
    }
}
