//! Pages of targets, each as one machine shows it.

use std::collections::HashMap;

use super::View;
use crate::api::Told;
use crate::app::columns::Found;
use crate::app::pages::told_detail;
use crate::clock::rfc3339;
use crate::outcome::Code;
use crate::store::postgres::import;
use crate::store::postgres::read::{Known, Line, Order, PageQuery, Place};
use crate::target::State;
use crate::view::recent::seconds;
use crate::view::{Cursor, Origin, Sort, TargetPage, TargetQuery, TargetRow};

/// For how long it is known how many targets a question matches, and which are the slowest, in
/// milliseconds.
const COUNTED_MS: i64 = 5_000;
/// Questions of which that is known.
const QUESTIONS: usize = 64;
/// Pages in the order of latency that are known.
const PAGES: usize = 16;
const DAY_S: i64 = 86_400;

/// How many targets questions matched lately, and when (Unix milliseconds).
pub(super) type Counts = HashMap<PageQuery, (i64, u64)>;

/// Pages in the order of latency that were asked for lately, and when (Unix milliseconds).
pub(super) type Pages = HashMap<PageQuery, (i64, Vec<(u64, Line)>)>;

impl View {
    /// The targets that `query` asks for.
    pub(super) fn target_page(&self, query: &TargetQuery) -> Told<TargetPage> {
        self.first_columns(query);
        let asked_ms = self.monotonic_ms();
        if let Some(found) = self.columns.find(query, asked_ms) {
            return self.found_page(query, &found);
        }
        let limit = query.limit.max(1);
        let asked = PageQuery { most: limit + 1, ..asked(query) };
        let total = match self.columns.count(query, asked_ms) {
            Some(total) => total,
            None => self.total(&asked)?,
        };
        if total == 0 {
            return Ok(TargetPage::default());
        }
        let mut lines = self.lines(&asked)?;
        let has_more = lines.len() > limit;
        lines.truncate(limit);
        let place = |(key, line): &(u64, Line)| {
            Cursor { sort: query.sort, key: *key, number: line.number }.to_string()
        };
        let now_s = self.now_ms().div_euclid(1_000);
        Ok(TargetPage {
            next: lines.last().filter(|_| has_more).map(place),
            targets: lines.iter().map(|(_, line)| row(line, now_s)).collect(),
            total,
        })
    }

    /// The page of the targets that were `found`, those left out that do not match any more.
    fn found_page(&self, query: &TargetQuery, found: &Found) -> Told<TargetPage> {
        let lines = self.ask(self.reader.lines(&found.numbers))?;
        let now_s = self.now_ms().div_euclid(1_000);
        let is_wanted = |line: &&Line| {
            let health = line.health(0);
            query.state.is_none_or(|state| state == health.state)
                && query.cause.is_none_or(|cause| Some(cause) == health.cause)
        };
        Ok(TargetPage {
            next: found.next.map(|next| next.to_string()),
            targets: lines.iter().filter(is_wanted).map(|line| row(line, now_s)).collect(),
            total: found.total,
        })
    }

    /// The targets that are asked for. Those in the order of latency cost a look at all records: they
    /// are known for some seconds, whoever asks.
    fn lines(&self, asked: &PageQuery) -> Told<Vec<(u64, Line)>> {
        if asked.order != Order::Latency {
            return self.ask(self.reader.page(asked));
        }
        let now_ms = self.now_ms();
        // Whoever else asks meanwhile waits, and may get the same.
        let mut known = self.slowest.lock();
        known.retain(|_, (at_ms, _)| (0..COUNTED_MS).contains(&(now_ms - *at_ms)));
        if let Some((_, lines)) = known.get(asked) {
            return Ok(lines.clone());
        }
        let lines = self.ask(self.reader.page(asked))?;
        if known.len() < PAGES {
            known.insert(asked.clone(), (now_ms, lines.clone()));
        }
        Ok(lines)
    }

    /// How many targets are asked for, wherever the page begins: by what is known already where all
    /// are asked for or those in a state, else counted, and then known for some seconds.
    fn total(&self, asked: &PageQuery) -> Told<u64> {
        if !is_narrow(asked) {
            return Ok(self.known_total(asked.state));
        }
        let question = PageQuery { after: None, most: 0, order: Order::Number, ..asked.clone() };
        let now_ms = self.now_ms();
        if let Some((at_ms, count)) = self.counts.lock().get(&question)
            && (0..COUNTED_MS).contains(&(now_ms - at_ms))
        {
            return Ok(*count);
        }
        let count = self.ask(self.reader.count(&question))?;
        let mut counts = self.counts.lock();
        if counts.len() >= QUESTIONS {
            counts.clear();
        }
        counts.insert(question, (now_ms, count));
        Ok(count)
    }

    fn known_total(&self, state: Option<State>) -> u64 {
        let targets = &self.summary.read().targets;
        match state {
            None => targets.total,
            Some(State::Pending) => targets.pending,
            Some(State::Up) => targets.up,
            Some(State::Warning) => targets.warning,
            Some(State::Down) => targets.down,
            Some(State::Unknown) => targets.unknown,
            Some(State::Paused) => targets.paused,
        }
    }
}

/// Whether more is asked for than a state.
fn is_narrow(asked: &PageQuery) -> bool {
    let PageQuery { text, labels, cause, group, .. } = asked;
    text.is_some() || cause.is_some() || group.is_some() || !labels.is_empty()
}

/// `query` as the database is asked it. How late the last polls began is not kept there: by that,
/// targets are in the order of their numbers.
pub(super) fn asked(query: &TargetQuery) -> PageQuery {
    PageQuery {
        state: query.state,
        text: query.text.clone().filter(|text| !text.is_empty()),
        labels: query.labels.clone(),
        cause: query.cause,
        group: query.group.clone(),
        order: match query.sort {
            Sort::Number | Sort::Lag => Order::Number,
            Sort::Latency => Order::Latency,
            Sort::Downtime => Order::Downtime,
        },
        after: query.after.map(|after| Place { key: after.key, number: after.number }),
        most: query.limit,
    }
}

/// The target `line` as lists show it at `now_s` (Unix seconds).
pub(super) fn row(line: &Line, now_s: i64) -> TargetRow {
    let health = line.health(0);
    let last = line.known.as_ref().and_then(|known| known.last);
    let until = line.known.as_ref().map_or(0, |known: &Known| known.certificate_until);
    let until = Some(until).filter(|until| *until != 0);
    TargetRow {
        id: line.shown_id(),
        url: line.url.clone(),
        name: line.name.clone(),
        state: health.state.as_str().into(),
        since: (health.state != State::Pending).then(|| rfc3339(health.since_ms)),
        code: last.map(|last| Code::from_stored(last.code).to_string()),
        latency_seconds: last.map(|last| seconds(last.latency_us.into())),
        interval_seconds: seconds(u64::from(line.every_ms) * 1_000),
        labels: line.labels.clone(),
        group: line.group.clone(),
        cause: health.cause.map(|cause| cause.as_str().into()),
        detail: told_detail(health.detail),
        last_at: last.map(|last| rfc3339(last.at_ms)),
        certificate_days: until.map(|until| (until - now_s).div_euclid(DAY_S)),
        origin: match line.origin {
            import::Origin::List => Origin::List,
            import::Origin::Api => Origin::Api,
        },
        paused_until: line.paused_until_ms.map(rfc3339),
        ..TargetRow::default()
    }
}
