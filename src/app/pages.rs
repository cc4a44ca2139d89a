//! Pages of targets: which targets a query asks for, and each as a row.

use std::sync::Arc;

use super::columns::{Found, Origin as Known, SLICE};
use super::live::Live;
use crate::clock::rfc3339;
use crate::health::Health;
use crate::ledger::Ledger;
use crate::outcome::{Code, Detail};
use crate::target::{self, FlightState, State, Target};
use crate::view::recent::seconds;
use crate::view::{Cursor, Origin, Sort, TargetPage, TargetQuery, TargetRow};

/// Seconds of a day.
const DAY_S: i64 = 86_400;

impl Live {
    /// Where figures of targets come from, now.
    pub(super) fn known(&self) -> Known<'_> {
        let now_us = self.clock.monotonic_us();
        Known { roster: &self.roster, ledger: &self.ledger, now_us }
    }

    /// The targets that `query` asks for, each as it is now.
    pub(super) fn page(&self, query: &TargetQuery) -> TargetPage {
        let found = if query.is_plain() {
            self.in_order(query)
        } else {
            self.columns.find(self.known(), query)
        };
        TargetPage {
            targets: self.rows(&found.numbers, query),
            next: found.next.map(|next| next.to_string()),
            total: found.total,
        }
    }

    /// All targets in the order of their numbers, for which the roster is enough.
    fn in_order(&self, query: &TargetQuery) -> Found {
        let limit = query.limit.max(1);
        let mut numbers: Vec<u32> = Vec::new();
        let mut seen = query.after.map_or(0, |after| after.number);
        loop {
            let roster = self.roster.read();
            let before = numbers.len();
            let wanted = SLICE.min(limit + 1 - before);
            numbers.extend(roster.after(seen).take(wanted).map(|target| target.number));
            let total = roster.len() as u64;
            drop(roster);
            let is_over = numbers.len() - before < SLICE || numbers.len() > limit;
            seen = numbers.last().copied().unwrap_or(seen);
            if is_over {
                let has_more = numbers.len() > limit;
                numbers.truncate(limit);
                let last = numbers.last().filter(|_| has_more);
                let place = |&number| Cursor { sort: Sort::Number, key: 0, number };
                return Found { next: last.map(place), numbers, total };
            }
        }
    }

    /// The targets with these numbers, those left out that do not match any more.
    fn rows(&self, numbers: &[u32], query: &TargetQuery) -> Vec<TargetRow> {
        let (now_us, today_s) = (self.clock.monotonic_us(), self.clock.now_ms().div_euclid(1_000));
        let mut rows = Vec::with_capacity(numbers.len());
        for slice in numbers.chunks(SLICE) {
            // What is copied is put into words when nobody is held up.
            let copied: Vec<Copied> = {
                let roster = self.roster.read();
                let ledger = self.ledger.lock();
                let known = slice.iter().filter_map(|&number| roster.target(number));
                known.map(|target| copy(target, &ledger)).collect()
            };
            let wanted = copied.iter().filter(|copied| copied.is_wanted(query));
            rows.extend(wanted.map(|copied| self.told(copied, now_us, today_s)));
        }
        rows
    }
}

impl Live {
    /// The target `target` as lists show it.
    pub(super) fn row(&self, target: &Arc<Target>) -> TargetRow {
        let (now_us, today_s) = (self.clock.monotonic_us(), self.clock.now_ms().div_euclid(1_000));
        let copied = copy(target, &self.ledger.lock());
        self.told(&copied, now_us, today_s)
    }

    fn told(&self, copied: &Copied, now_us: u64, today_s: i64) -> TargetRow {
        let row = copied.row(now_us, today_s);
        if copied.health.state != State::Paused {
            return row;
        }
        let until = self.annex.paused_until(copied.target.id);
        TargetRow { paused_until: until.map(rfc3339), ..row }
    }
}

/// What is known of a target at one moment.
struct Copied {
    target: Arc<Target>,
    health: Health,
    /// Its last poll, when there was one.
    last: Option<Last>,
    lag_us: Option<u32>,
    certificate_until: i64,
}

#[derive(Clone, Copy)]
struct Last {
    at_ms: i64,
    code: u16,
    latency_us: u32,
}

fn copy(target: &Arc<Target>, ledger: &Ledger) -> Copied {
    let record = ledger.record(target.number);
    Copied {
        target: Arc::clone(target),
        health: record.map_or_else(|| Health::pending(0), |record| record.health),
        last: record.filter(|record| record.is_polled()).map(|record| Last {
            at_ms: record.last.at_ms(),
            code: record.last_code,
            latency_us: record.last_latency_us,
        }),
        lag_us: ledger.lag_us(target.number),
        certificate_until: record.map_or(0, |record| record.certificate_until),
    }
}

impl Copied {
    /// Whether it still is as `query` wants it.
    fn is_wanted(&self, query: &TargetQuery) -> bool {
        query.state.is_none_or(|state| state == self.health.state)
            && query.cause.is_none_or(|cause| Some(cause) == self.health.cause)
    }

    fn row(&self, now_us: u64, today_s: i64) -> TargetRow {
        let Self { target, health, last, lag_us, certificate_until } = self;
        let until = Some(certificate_until).filter(|until| **until != 0);
        let labels = target.labels.pairs.iter();
        TargetRow {
            id: target.shown_id(),
            url: target.address.to_string(),
            name: target.name.as_deref().map(Into::into),
            state: health.state.as_str().into(),
            since: (health.state != State::Pending).then(|| rfc3339(health.since_ms)),
            code: last.map(|last| Code::from_stored(last.code).to_string()),
            latency_seconds: last.map(|last| seconds(last.latency_us.into())),
            interval_seconds: seconds(u64::from(target.every_ms) * 1_000),
            labels: labels.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            group: target.labels.group.as_deref().map(Into::into),
            cause: health.cause.map(|cause| cause.as_str().into()),
            detail: told_detail(health.detail),
            last_at: last.map(|last| rfc3339(last.at_ms)),
            lag_seconds: lag_us.map(|lag_us| seconds(lag_us.into())),
            certificate_days: until.map(|until| (until - today_s).div_euclid(DAY_S)),
            in_flight_seconds: in_flight_seconds(target, now_us),
            origin: target.origin.into(),
            ..TargetRow::default()
        }
    }
}

/// Where a target comes from, as it is shown.
impl From<target::Origin> for Origin {
    fn from(origin: target::Origin) -> Self {
        match origin {
            target::Origin::List => Self::List,
            target::Origin::Api => Self::Api,
        }
    }
}

fn in_flight_seconds(target: &Target, now_us: u64) -> Option<f64> {
    match target.flight().state() {
        FlightState::Running(since_us) => Some(seconds(now_us.saturating_sub(since_us))),
        FlightState::Idle | FlightState::Waiting => None,
    }
}

/// The name of a detail that says something.
pub(super) fn told_detail(detail: Detail) -> Option<String> {
    Some(detail.as_str()).filter(|name| !name.is_empty()).map(Into::into)
}
