//! Which targets a query asks for: those that match, and of these the first in its order.

use std::cmp::Reverse;

use super::figures::{Figures, GONE};
use super::marks::Marks;
use super::texts::Texts;
use crate::target::Labels;
use crate::view::{Cursor, Sort, TargetQuery};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The numbers of this page, in their order.
    pub numbers: Vec<u32>,
    /// How many match in all.
    pub total: u64,
    /// Where the next page begins, when there is one.
    pub next: Option<Cursor>,
}

/// The place of a target in an order; a lesser one comes first.
type Rank = (Reverse<u64>, u32);

/// The targets that `query` asks for.
pub(super) fn find(figures: &Figures, texts: Option<&Texts>, query: &TargetQuery) -> Found {
    page(&matching(figures, texts, query), query, |number| figures.key(query.sort, number))
}

/// The page of the marked targets that `query` asks for, in the order of what `key` tells of each.
pub(in crate::app) fn page(
    marks: &Marks,
    query: &TargetQuery,
    key: impl Fn(usize) -> u64,
) -> Found {
    let limit = query.limit.max(1);
    let mut ranks = first(marks, query, key, limit + 1);
    let has_more = ranks.len() > limit;
    ranks.truncate(limit);
    let last = ranks.last().filter(|_| has_more);
    Found {
        next: last.map(|&(Reverse(key), number)| Cursor { sort: query.sort, key, number }),
        numbers: ranks.into_iter().map(|(_, number)| number).collect(),
        total: marks.count() as u64,
    }
}

fn matching(figures: &Figures, texts: Option<&Texts>, query: &TargetQuery) -> Marks {
    let mut marks = match query.state.map(crate::target::State::code) {
        Some(wanted) => Marks::of(&figures.states, |state| state == wanted),
        None => Marks::of(&figures.states, |state| state != GONE),
    };
    if let Some(cause) = query.cause {
        marks.keep(|number| figures.has_cause(number, cause));
    }
    if query.group.is_some() || !query.labels.is_empty() {
        marks.keep(figures.by_labels(|labels| is_wanted(labels, query)));
    }
    if let (Some(text), Some(texts)) = (&query.text, texts) {
        texts.keep(&mut marks, text);
    }
    marks
}

fn is_wanted(labels: &Labels, query: &TargetQuery) -> bool {
    let has = |(name, value): &(String, String)| {
        labels.pairs.get(name.as_str()).is_some_and(|own| **own == **value)
    };
    let is_of_group = query.group.is_none() || query.group.as_deref() == labels.group.as_deref();
    is_of_group && query.labels.iter().all(has)
}

/// The first `most` of the marked targets behind the place where the page before ended.
fn first(marks: &Marks, query: &TargetQuery, key: impl Fn(usize) -> u64, most: usize) -> Vec<Rank> {
    let after = query.after.map(|Cursor { key, number, .. }| (Reverse(key), number));
    if query.sort == Sort::Number {
        let start = after.map_or(0, |(_, number)| number as usize + 1);
        let numbers = marks.from(start).filter_map(|number| u32::try_from(number).ok());
        return numbers.take(most).map(|number| (Reverse(0), number)).collect();
    }
    let mut best = Best { ranks: Vec::new(), most, bound: None };
    for number in marks.from(0) {
        let key = key(number);
        let Ok(number) = u32::try_from(number) else { break };
        let rank = (Reverse(key), number);
        if after.is_none_or(|after| rank > after) {
            best.offer(rank);
        }
    }
    best.into_sorted()
}

/// The first of many in an order, without sorting them all.
struct Best {
    ranks: Vec<Rank>,
    most: usize,
    /// None that comes behind this one is among the first.
    bound: Option<Rank>,
}

impl Best {
    fn offer(&mut self, rank: Rank) {
        if self.bound.is_some_and(|bound| rank >= bound) {
            return;
        }
        self.ranks.push(rank);
        if self.ranks.len() >= self.most * 2 {
            let (_, &mut last, _) = self.ranks.select_nth_unstable(self.most - 1);
            self.ranks.truncate(self.most);
            self.bound = Some(last);
        }
    }

    fn into_sorted(mut self) -> Vec<Rank> {
        self.ranks.sort_unstable();
        self.ranks.truncate(self.most);
        self.ranks
    }
}
