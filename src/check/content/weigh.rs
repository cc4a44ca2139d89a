//! What came of every expectation about a body, for those who ask.

use serde_json::Value;

use super::{Content, Needle, Search};
use crate::check::fault::Fault;
use crate::check::told::{bounded, row};
use crate::expectation::Expectation;

/// What is known of a body.
struct Seen<'a> {
    search: Option<&'a Search>,
    /// Whether the rest of the body was not read, or could not be.
    is_cut: bool,
}

/// Whether a text must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    There,
    Absent,
}

impl Content {
    /// A row for each expectation, and what kept the body from being read.
    pub(crate) fn weigh(
        &mut self,
        expectation: &Expectation,
        is_cut: bool,
    ) -> (Vec<Value>, Option<Fault>) {
        let Self::Watched(watched) = self else { return (unseen(expectation), None) };
        watched.finish(is_cut);
        let is_cut = is_cut || watched.fault.is_some();
        let seen = Seen { search: Some(&watched.search), is_cut };
        (seen.rows(expectation), watched.fault)
    }
}

/// A row for each expectation about a body of which nothing is known.
pub(crate) fn unseen(expectation: &Expectation) -> Vec<Value> {
    Seen { search: None, is_cut: true }.rows(expectation)
}

impl Seen<'_> {
    fn rows(&self, expectation: &Expectation) -> Vec<Value> {
        let wanted = self.search.map(|search| &*search.wanted);
        let unwanted = self.search.map(|search| &*search.unwanted);
        let mut rows = self.texts("body_contains", &expectation.body_contains, wanted, Wish::There);
        let texts = &expectation.body_not_contains;
        rows.extend(self.texts("body_not_contains", texts, unwanted, Wish::Absent));
        let held = self.held();
        if let Some(pattern) = &expectation.body_regex {
            let is_match = held.map(|held| pattern.is_match(held));
            rows.push(row("body_regex", pattern.as_str(), is_match, is_match));
        }
        if let Some(patterns) = expectation.patterns.as_deref().filter(|all| !all.is_empty()) {
            let holds = held.map(|held| patterns.hold(held));
            rows.push(row("body_patterns", true, holds, holds));
        }
        if !expectation.json.is_empty() {
            let document = held.map(|held| serde_json::from_slice::<Value>(held).ok());
            rows.extend(expectation.json.iter().map(|(pointer, wanted)| {
                let found = document.as_ref().map(|document| document.as_ref()?.pointer(pointer));
                let holds = found.map(|found| found == Some(&wanted.0));
                let shown = found.flatten().map(bounded);
                row(format!("json {pointer}"), bounded(&wanted.0), shown, holds)
            }));
        }
        rows
    }

    /// A row for each of `texts`, which must all be there or all be absent.
    fn texts<'t>(
        &self,
        name: &'static str,
        texts: &'t [Box<str>],
        needles: Option<&'t [Needle]>,
        wish: Wish,
    ) -> Vec<Value> {
        let is_found = |place: usize| match needles?.get(place)?.is_found {
            false if self.is_cut => None,
            is_found => Some(is_found),
        };
        let row = |(place, text)| {
            let is_found = is_found(place);
            row(name, text, is_found, is_found.map(|is_found| is_found == (wish == Wish::There)))
        };
        texts.iter().map(|text| &**text).enumerate().map(row).collect()
    }

    /// All of the body, where it was held.
    fn held(&self) -> Option<&[u8]> {
        let search = self.search.filter(|search| !self.is_cut && !search.is_overfull)?;
        search.held.as_deref()
    }
}
