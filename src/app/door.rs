//! `Door`: what visitors of the socket are told, from memory, and what they may ask for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::edit::{Edit, Edited};
use super::keeper::CLOSING;
use super::live::Live;
use super::pauses::PauseOrder;
use super::reload::{Reading, Reply};
use crate::api::{Answer, Facts, Feed};
use crate::clock::rfc3339;
use crate::ledger::Ledger;
use crate::outcome::Code;
use crate::roster::Roster;
use crate::signal::Signal;
use crate::store::Record;
use crate::target::State;
use crate::target::Target;
use crate::view::{InFlight, Lists, Summary, TargetPage, TargetQuery, TargetRow, Uptime};

/// Events that may wait for the keeper.
const WAITING: usize = 32;

/// What somebody wants of the daemon.
#[derive(Debug)]
pub(super) enum Event {
    /// A signal of the system, or what is like one.
    Signal(Signal),
    /// Read list and settings again, and say what came of it.
    Reload(Reply),
    /// The list was read again.
    Read(Box<Reading>),
    /// Change the targets of the API.
    Edit(Box<Edit>),
    /// A change of theirs was read, and the store has taken it over.
    Edited(Box<Edited>),
    /// Have targets be paused or resumed.
    Pause(Box<PauseOrder>),
}

/// Both ends of the way to the keeper.
#[derive(Debug)]
pub(super) struct Events {
    /// Where events are put in.
    pub sender: SyncSender<Event>,
    /// Where they come out.
    pub receiver: Receiver<Event>,
}

/// The daemon, as visitors of its socket see it.
pub(super) struct Door {
    live: Arc<Live>,
    feed: Arc<Feed>,
    events: SyncSender<Event>,
}

impl Door {
    /// The door of a daemon, and the events that come through it.
    pub(super) fn new(live: Arc<Live>, feed: Arc<Feed>) -> (Self, Events) {
        let (sender, receiver) = sync_channel(WAITING);
        (Self { live, feed, events: sender.clone() }, Events { sender, receiver })
    }
}

impl Facts for Door {
    fn summary(&self, lists: Lists) -> Summary {
        self.live.summary(lists)
    }

    fn in_flight(&self, lists: Lists) -> InFlight {
        self.live.in_flight(lists)
    }

    fn targets(&self, query: &TargetQuery) -> TargetPage {
        let after: u32 = query.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0);
        let mut search = Search { query, page: TargetPage::default(), seen: after, shown: after };
        while !search.slice(&self.live.roster.read(), &self.live.ledger) {}
        search.page
    }

    fn reload(&self) -> Answer<'_, Result<String, String>> {
        Box::pin(async {
            let (reply, answer) = oneshot::channel();
            if self.events.try_send(Event::Reload(reply)).is_err() {
                return Err("the daemon is busy or stops; try again".to_owned());
            }
            answer.await.unwrap_or_else(|_| Err("the daemon stops".to_owned()))
        })
    }

    fn stop(&self) -> Duration {
        // A daemon that has that many events waiting is told again by whoever wants it to end.
        let _ = self.events.try_send(Event::Signal(Signal::Drain));
        self.live.grace + CLOSING
    }

    fn readiness(&self) -> Result<(), String> {
        if self.live.is_stopping() {
            return Err("the daemon stops".to_owned());
        }
        self.liveness()
    }

    fn liveness(&self) -> Result<(), String> {
        match self.live.standstill() {
            None => Ok(()),
            Some(still) => {
                Err(format!("a scheduler stands still since {} s; restart it", still.as_secs()))
            }
        }
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }
}

/// Targets that are looked at while nobody else gets at the ledger.
const SLICE: usize = 500;

/// A look through the targets, slice by slice.
struct Search<'a> {
    query: &'a TargetQuery,
    page: TargetPage,
    /// The last target that was looked at.
    seen: u32,
    /// The last target on the page.
    shown: u32,
}

impl Search<'_> {
    /// Looks at the next targets; true when there is no more to do.
    fn slice(&mut self, roster: &Roster, ledger: &Mutex<Ledger>) -> bool {
        let ledger = ledger.lock();
        let mut looked = 0;
        for target in roster.after(self.seen).take(SLICE) {
            looked += 1;
            self.seen = target.number;
            let record = ledger.record(target.number);
            if !is_wanted(target, record, self.query) {
                continue;
            }
            if self.page.targets.len() == self.query.limit.max(1) {
                self.page.next = Some(self.shown.to_string());
                return true;
            }
            self.shown = target.number;
            self.page.targets.push(row(target, record));
        }
        looked < SLICE
    }
}

fn state_of(record: Option<&Record>) -> State {
    record.map_or(State::Pending, |record| record.health.state)
}

fn is_wanted(target: &Target, record: Option<&Record>, query: &TargetQuery) -> bool {
    query.state.as_deref().is_none_or(|state| state == state_of(record).as_str())
        && query.labels.iter().all(|(name, value)| {
            target.labels.pairs.get(name.as_str()).map(|value| &**value) == Some(value.as_str())
        })
}

fn row(target: &Target, record: Option<&Record>) -> TargetRow {
    let polled = record.filter(|record| record.last_code != 0 || record.last.0 != 0);
    TargetRow {
        id: target.shown_id(),
        url: target.address.to_string(),
        name: target.name.as_deref().map(Into::into),
        state: state_of(record).as_str().into(),
        since: record
            .filter(|record| record.health.state != State::Pending)
            .map(|record| rfc3339(record.health.since_ms)),
        code: polled.map(|record| Code::from_stored(record.last_code).to_string()),
        latency_seconds: polled.map(|record| f64::from(record.last_latency_us) / 1e6),
        interval_seconds: f64::from(target.every_ms) / 1e3,
        labels: target
            .labels
            .pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        uptime: Uptime::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::target::{Origin, Priority, Seat, TargetId};

    fn target(number: u32) -> Arc<Target> {
        Arc::new(Target {
            number,
            id: TargetId(u64::from(number)),
            given_id: None,
            name: None,
            address: Address::parse("http://a.example/").expect("a good address"),
            every_ms: 1_000,
            timeout_ms: 1_000,
            priority: Priority::Normal,
            plan: Arc::default(),
            labels: Arc::default(),
            origin: Origin::default(),
            seat: Seat::default(),
        })
    }

    /// The ids of a page, how many slices it took, and what follows it.
    fn search(query: &TargetQuery, after: u32) -> (Vec<String>, usize, Option<String>) {
        let numbers = (1..=3_000_u32).filter(|number| !number.is_multiple_of(3));
        let roster = Roster::new(numbers.map(target));
        let mut search = Search { query, page: TargetPage::default(), seen: after, shown: after };
        let mut slices = 1;
        while !search.slice(&roster, &Mutex::default()) {
            slices += 1;
        }
        let ids = search.page.targets.into_iter().map(|row| row.id).collect();
        (ids, slices, search.page.next)
    }

    #[test]
    fn a_page_goes_on_where_the_last_one_ended_slice_by_slice() {
        let query = TargetQuery { limit: 1_500, ..TargetQuery::default() };
        let (first, slices, next) = search(&query, 0);
        assert_eq!((first.len(), slices, next.as_deref()), (1_500, 4, Some("2249")));
        let (second, slices, next) = search(&query, 2_249);
        assert_eq!((second.len(), slices, next), (500, 2, None));
        assert_eq!((first.last(), second.first()), (Some(&id(2_249)), Some(&id(2_251))));
        let none = TargetQuery { state: Some("down".into()), ..query };
        assert_eq!(search(&none, 0), (Vec::new(), 5, None));
    }

    fn id(number: u32) -> String {
        target(number).shown_id()
    }
}
