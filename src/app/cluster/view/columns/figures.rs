//! `Figures`: one column for each figure of the targets, by their numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::app::columns::Found;
use crate::app::columns::marks::Marks;
use crate::app::columns::select::page;
use crate::store::postgres::read::FigureRow;
use crate::target::State;
use crate::view::{Sort, TargetQuery};

/// The kind of a number that no target has.
const GONE: u32 = u32::MAX;
/// A latency that is not known.
const UNKNOWN: u32 = u32::MAX;
/// Kinds that are told apart at most; where there are more, the database is asked.
const KINDS: usize = 100_000;

/// One column for each figure, by the number of the target.
#[derive(Default)]
pub(super) struct Figures {
    /// Which of the kinds a target is of.
    kinds: Vec<u32>,
    states: Vec<u8>,
    causes: Vec<u8>,
    latency_us: Vec<u32>,
    known: Arc<Kinds>,
}

/// Groups and labels, equal ones once.
#[derive(Clone, Default)]
struct Kinds {
    all: Vec<Kind>,
    /// The places of kinds by their group and labels, as the database tells them.
    places: HashMap<(Option<Box<str>>, Box<str>), u32>,
    /// Whether there were too many.
    is_crowded: bool,
}

/// What targets that have the same group and labels are sought by.
#[derive(Clone)]
struct Kind {
    group: Option<Box<str>>,
    labels: BTreeMap<String, String>,
}

impl Figures {
    /// The same targets, of which nothing is known.
    pub(super) fn without_records(&self) -> Self {
        let known = Arc::clone(&self.known);
        let mut same = Self { kinds: self.kinds.clone(), known, ..Self::default() };
        same.widen(self.kinds.len());
        same
    }

    /// How many numbers there are room for.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Has a target of this group and these labels (JSON) at `number`, or none.
    pub(super) fn seat(&mut self, number: u32, kind: Option<(Option<&str>, &str)>) {
        let known = |(group, labels)| Arc::make_mut(&mut self.known).place(group, labels);
        let place = kind.map_or(GONE, known);
        self.widen(number as usize + 1);
        set(&mut self.kinds, number, place);
    }

    /// Takes in what is known of a target.
    pub(super) fn put(&mut self, row: FigureRow) {
        // What no target has is looked at nowhere.
        set(&mut self.states, row.number, row.state);
        set(&mut self.causes, row.number, row.cause);
        set(&mut self.latency_us, row.number, row.latency_us.unwrap_or(UNKNOWN));
    }

    fn widen(&mut self, width: usize) {
        if width > self.kinds.len() {
            self.kinds.resize(width, GONE);
        }
        if width > self.states.len() {
            self.states.resize(width, State::Pending.code());
            self.causes.resize(width, 0);
            self.latency_us.resize(width, UNKNOWN);
        }
    }

    /// The page that `query` asks for, but for its text; none where kinds are not told apart.
    pub(super) fn find(&self, query: &TargetQuery) -> Option<Found> {
        let marks = self.matching(query)?;
        Some(page(&marks, query, |number| self.key(query.sort, number)))
    }

    /// How many targets match `query`; none where kinds are not told apart.
    pub(super) fn count(&self, query: &TargetQuery) -> Option<u64> {
        Some(self.matching(query)?.count() as u64)
    }

    fn matching(&self, query: &TargetQuery) -> Option<Marks> {
        let mut marks = match query.state.map(State::code) {
            Some(wanted) => Marks::of(&self.states, |state| state == wanted),
            None => Marks::of(&self.states, |_| true),
        };
        if let Some(cause) = query.cause {
            // As with the database: what is up has none.
            let (wanted, up) = (cause.code(), State::Up.code());
            let has = |number: usize| self.causes.get(number) == Some(&wanted);
            marks.keep(|number| has(number) && self.states.get(number) != Some(&up));
        }
        let is_narrow = query.group.is_some() || !query.labels.is_empty();
        if is_narrow && self.known.is_crowded {
            return None;
        }
        let wanted: Vec<bool> =
            self.known.all.iter().map(|kind| !is_narrow || kind.is_wanted(query)).collect();
        let is_crowded = self.known.is_crowded;
        marks.keep(|number| match self.kinds.get(number) {
            None | Some(&GONE) => false,
            Some(&kind) => wanted.get(kind as usize).copied().unwrap_or(is_crowded),
        });
        Some(marks)
    }

    /// What `sort` orders a target by, a larger one first.
    fn key(&self, sort: Sort, number: usize) -> u64 {
        match (sort, self.latency_us.get(number)) {
            (Sort::Latency, Some(&us)) if us != UNKNOWN => u64::from(us) + 1,
            _ => 0,
        }
    }
}

impl Kinds {
    fn place(&mut self, group: Option<&str>, labels: &str) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(GONE - 1);
        let key = (group.map(Box::from), Box::from(labels));
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        if self.all.len() >= KINDS {
            self.is_crowded = true;
            return GONE - 1;
        }
        let labels = serde_json::from_str(labels).unwrap_or_default();
        self.all.push(Kind { group: key.0.clone(), labels });
        self.places.insert(key, next);
        next
    }
}

impl Kind {
    fn is_wanted(&self, query: &TargetQuery) -> bool {
        let has = |(name, value): &(String, String)| self.labels.get(name) == Some(value);
        let is_of_group = query.group.is_none() || query.group.as_deref() == self.group.as_deref();
        is_of_group && query.labels.iter().all(has)
    }
}

fn set<T>(column: &mut [T], number: u32, value: T) {
    if let Some(place) = column.get_mut(number as usize) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Cause;
    use crate::view::Cursor;

    /// Of 100 numbers every seventh is of no target, and every tenth target was never polled.
    fn figures() -> Figures {
        let mut figures = Figures::default();
        for number in (0..100_u32).filter(|number| number % 7 != 0) {
            let labels = if number % 3 == 0 { r#"{"team": "web"}"# } else { "{}" };
            figures.seat(number, Some(((number % 2 == 0).then_some("even"), labels)));
        }
        for number in (0..120_u32).filter(|number| number % 10 != 0) {
            let state = if number % 5 == 1 { State::Down } else { State::Up };
            let cause = if number % 5 == 1 { Cause::Timeout.code() } else { 0 };
            let latency_us = Some(number * 1_000);
            figures.put(FigureRow { number, state: state.code(), cause, latency_us });
        }
        figures
    }

    fn numbers(query: &TargetQuery) -> Vec<u32> {
        let found = figures().find(query).expect("kinds are told apart");
        assert!(found.numbers.len() as u64 <= found.total);
        found.numbers
    }

    fn those(is_wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        (0..100).filter(|number| number % 7 != 0 && is_wanted(*number)).collect()
    }

    #[test]
    fn every_filter_finds_the_targets_that_match() {
        let all = TargetQuery { limit: 1_000, ..TargetQuery::default() };
        assert_eq!(numbers(&all), those(|_| true));
        let pending = TargetQuery { state: Some(State::Pending), ..all.clone() };
        assert_eq!(numbers(&pending), those(|number| number % 10 == 0));
        let timeout = TargetQuery { cause: Some(Cause::Timeout), ..all.clone() };
        assert_eq!(numbers(&timeout), those(|number| number % 5 == 1 && number % 10 != 0));
        let team = vec![("team".to_owned(), "web".to_owned())];
        let narrow = TargetQuery { group: Some("even".into()), labels: team, ..all };
        assert_eq!(numbers(&narrow), those(|number| number % 6 == 0));
    }

    #[test]
    fn pages_in_the_order_of_latency_hold_each_target_once() {
        let mut query = TargetQuery { sort: Sort::Latency, limit: 9, ..TargetQuery::default() };
        let mut all = Vec::new();
        loop {
            let found = figures().find(&query).expect("a page");
            all.extend(found.numbers);
            query.after = found.next;
            if query.after.is_none() {
                break;
            }
        }
        let (polled, rest): (Vec<u32>, Vec<u32>) =
            all.iter().partition(|number| **number % 10 != 0);
        assert_eq!(all, [polled.clone(), rest.clone()].concat());
        assert!(polled.is_sorted_by(|one, next| one > next) && rest.is_sorted());
        all.sort_unstable();
        assert_eq!(all, those(|_| true));
        let place = Cursor { sort: Sort::Latency, key: 50_001, number: 50 };
        let query = TargetQuery { after: Some(place), limit: 1, ..query };
        assert_eq!(figures().find(&query).expect("a page").numbers, [48]);
    }

    #[test]
    fn what_changes_moves_only_what_it_is_about() {
        let mut newer = figures().without_records();
        newer.seat(1, None);
        newer.seat(140, Some((Some("even"), "{}")));
        let even = TargetQuery { group: Some("even".into()), ..TargetQuery::default() };
        let before = figures().count(&even).expect("a count");
        assert_eq!(newer.count(&even), Some(before + 1));
        let all = those(|_| true).len() as u64;
        let pending = TargetQuery { state: Some(State::Pending), ..TargetQuery::default() };
        assert_eq!(newer.count(&pending), Some(all));
    }
}
