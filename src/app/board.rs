//! `Board`: what the status page tells, from memory and from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::live::Live;
use super::services::Behind;
use crate::address::Host;
use crate::api::{self, BoardError};
use crate::clock::rfc3339;
use crate::config::settings::StatusSettings;
use crate::ledger::Ledger;
use crate::roster::Roster;
use crate::stage::recorder::Access;
use crate::stats::Tally;
use crate::store::reader::{Period, Reader};
use crate::store::{Announcement, Store, StoreError};
use crate::target::{State, Target};
use crate::view::{
    self, Announcements, StatusDay, StatusGroup, StatusOutage, StatusPage, StatusTarget,
};

/// How old the page may be, in microseconds.
pub(super) const FRESH_US: u64 = 5_000_000;
/// How old the days on it may be, in microseconds: they change once an hour.
const DAYS_FRESH_US: u64 = 300_000_000;
/// Targets that are told; further ones are counted.
pub(super) const TOLD: usize = 1_000;
/// Targets that are looked at while nobody else gets at the ledger.
const SLICE: usize = 500;
/// Days that are shown of a target.
pub(super) const DAYS: u32 = 90;
/// Outages that are told at most, and how far back they began, in milliseconds.
pub(super) const OUTAGES: usize = 30;
pub(super) const OUTAGES_MS: i64 = 14 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// How long days are read for one page; the others are read for the next.
const READING: Duration = Duration::from_secs(2);
/// How long a change waits for a store that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// The status page of a daemon.
pub(super) struct Board {
    settings: StatusSettings,
    live: Arc<Live>,
    reader: Reader,
    access: Access,
    /// The page as it was made last, and when (monotonic microseconds).
    made: Mutex<Option<(u64, Arc<StatusPage>)>>,
    /// The days of each target as they were read last, and when.
    days: Mutex<(u64, HashMap<u32, Vec<StatusDay>>)>,
}

/// A target that is told, with its number.
pub(super) struct Told {
    /// Its number.
    pub(super) number: u32,
    /// Its group, which may be empty.
    pub(super) group: String,
    /// What is told of it.
    pub(super) target: StatusTarget,
}

/// What is found while the targets are looked through.
#[derive(Default)]
struct Found {
    told: Vec<Told>,
    rest: usize,
    by_state: BTreeMap<&'static str, usize>,
}

impl Board {
    /// The board that `settings` describe, of the daemon that `behind` leads to.
    pub(super) fn new(settings: StatusSettings, behind: &Behind) -> Self {
        Self {
            settings,
            live: Arc::clone(&behind.live),
            reader: behind.reader.clone(),
            access: behind.access.clone(),
            made: Mutex::default(),
            days: Mutex::default(),
        }
    }

    fn make(&self, made_us: u64) -> StatusPage {
        let now_ms = self.live.clock.now_ms();
        let mut found = self.find();
        self.add_days(&mut found.told, now_ms, made_us);
        let names: HashMap<u32, String> =
            found.told.iter().map(|told| (told.number, told.target.name.clone())).collect();
        let outages = self.outages(&names, now_ms);
        let count = |state: State| found.by_state.get(state.as_str()).copied().unwrap_or(0);
        let (down, warning, up) = (count(State::Down), count(State::Warning), count(State::Up));
        StatusPage {
            title: self.settings.title.clone(),
            as_of_ms: now_ms,
            down,
            warning,
            up,
            told: found.told.len(),
            rest: found.rest,
            groups: grouped(found.told),
            outages,
            announcements: self.current_announcements(),
        }
    }

    /// The targets with the label, slice by slice.
    fn find(&self) -> Found {
        let mut found = Found::default();
        let Some(label) = &self.settings.label else { return found };
        let mut seen = Some(0);
        while let Some(after) = seen {
            seen = found.slice(label, after, &self.live.roster.read(), &self.live.ledger);
        }
        found
    }

    /// Adds the days of each target, which are read anew every few minutes.
    fn add_days(&self, told: &mut [Told], now_ms: i64, made_us: u64) {
        // Visitors who come while a slow store is read get the page without days.
        let Some(mut kept) = self.days.try_lock_for(READING) else { return };
        let began = Instant::now();
        let (read_us, days) = &mut *kept;
        if made_us.saturating_sub(*read_us) > DAYS_FRESH_US {
            days.clear();
            *read_us = made_us;
        }
        let today = u32::try_from(now_ms.div_euclid(DAY_MS)).unwrap_or(0);
        for Told { number, target, .. } in told {
            if began.elapsed() > READING && !days.contains_key(number) {
                continue;
            }
            let own = days.entry(*number).or_insert_with(|| self.read_days(*number, today));
            target.days.clone_from(own);
        }
    }

    fn read_days(&self, number: u32, today: u32) -> Vec<StatusDay> {
        let first = today.saturating_sub(DAYS - 1);
        // A store that cannot be read shows no days; the summary says why.
        let tallies = self.reader.tallies(number, Period::Day, (first, today)).unwrap_or_default();
        told_days(tallies, (first, today))
    }

    fn outages(&self, names: &HashMap<u32, String>, now_ms: i64) -> Vec<StatusOutage> {
        if names.is_empty() {
            return Vec::new();
        }
        let since = now_ms - OUTAGES_MS;
        let is_wanted = |number| names.contains_key(&number);
        let outages = self.reader.downtimes(since, OUTAGES, is_wanted).unwrap_or_default();
        let outages = outages.into_iter().map(|outage| StatusOutage {
            name: names.get(&outage.target).cloned().unwrap_or_default(),
            began_ms: outage.began_ms,
            ended_ms: outage.ended_ms,
        });
        outages.collect()
    }

    fn current_announcements(&self) -> Vec<view::Announcement> {
        let told = api::Board::announcements(self);
        told.map(|told| told.announcements).unwrap_or_default()
    }

    fn told(&self, announcement: Announcement) -> view::Announcement {
        let Announcement { id, title, text, kind, from_ms, until_ms } = announcement;
        view::Announcement {
            id,
            title,
            text,
            kind: kind.as_str().to_owned(),
            from: rfc3339(from_ms),
            until: until_ms.map(rfc3339),
            is_current: from_ms <= self.live.clock.now_ms(),
        }
    }

    /// Has the store do `work`; the page is made anew afterwards.
    fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, BoardError> {
        let done = self.access.with_store(PATIENCE, work);
        *self.made.lock() = None;
        done.ok_or_else(|| BoardError("the store is busy; try again".to_owned()))?
            .map_err(|error| BoardError(error.to_string()))
    }
}

impl api::Board for Board {
    fn page(&self) -> Arc<StatusPage> {
        // Whoever comes meanwhile waits, and gets the same.
        let mut made = self.made.lock();
        let now_us = self.live.clock.monotonic_us();
        if let Some((at_us, page)) = &*made
            && now_us.saturating_sub(*at_us) < FRESH_US
        {
            return Arc::clone(page);
        }
        let page = Arc::new(self.make(now_us));
        *made = Some((now_us, Arc::clone(&page)));
        page
    }

    fn is_public(&self) -> bool {
        self.settings.is_public
    }

    fn announcements(&self) -> Result<Announcements, BoardError> {
        let kept = self.reader.announcements(self.live.clock.now_ms());
        let kept = kept.map_err(|error| BoardError(error.to_string()))?;
        let announcements = kept.into_iter().map(|kept| self.told(kept)).collect();
        Ok(Announcements { announcements })
    }

    fn announce(&self, announcement: Announcement) -> Result<view::Announcement, BoardError> {
        let kept = announcement.clone();
        let id = self.change(move |store| store.announce(&kept))?;
        Ok(self.told(Announcement { id, ..announcement }))
    }

    fn withdraw(&self, id: i64) -> Result<bool, BoardError> {
        self.change(move |store| store.withdraw(id))
    }
}

impl Found {
    /// Looks at the targets that follow `after`; returns the last one while there are more.
    fn slice(
        &mut self,
        (name, value): &(String, String),
        after: u32,
        roster: &Roster,
        ledger: &Mutex<Ledger>,
    ) -> Option<u32> {
        let ledger = ledger.lock();
        let (mut looked, mut last) = (0, after);
        for target in roster.after(after).take(SLICE) {
            looked += 1;
            last = target.number;
            if target.labels.pairs.get(name.as_str()).map(|own| &**own) == Some(value.as_str()) {
                self.add(target, &ledger);
            }
        }
        (looked == SLICE).then_some(last)
    }

    fn add(&mut self, target: &Target, ledger: &Ledger) {
        let record = ledger.record(target.number);
        let state = record.map_or(State::Pending, |record| record.health.state);
        *self.by_state.entry(state.as_str()).or_default() += 1;
        if self.told.len() == TOLD {
            self.rest += 1;
            return;
        }
        let since_ms = record.map(|record| record.health.since_ms);
        self.told.push(Told {
            number: target.number,
            group: target.labels.group.as_deref().unwrap_or_default().to_owned(),
            target: StatusTarget {
                name: target
                    .name
                    .as_deref()
                    // The rest of an address may be nobody else's business.
                    .map_or_else(|| host_of(target), Into::into),
                state: state.as_str(),
                since_ms: since_ms.filter(|_| state != State::Pending),
                days: Vec::new(),
            },
        });
    }
}

/// The days from `first` to `today` as the page tells them; none when there is no tally of any.
pub(super) fn told_days(tallies: Vec<(u32, Tally)>, (first, today): (u32, u32)) -> Vec<StatusDay> {
    let tallies: HashMap<u32, StatusDay> = tallies
        .into_iter()
        .map(|(day, tally)| {
            let checks = tally.checks.saturating_sub(tally.unknown);
            (day, StatusDay { checks, up: tally.up })
        })
        .collect();
    if tallies.is_empty() {
        return Vec::new();
    }
    (first..=today).map(|day| tallies.get(&day).copied().unwrap_or_default()).collect()
}

/// The host that `target` is polled at.
fn host_of(target: &Target) -> String {
    match target.address.host() {
        Host::Ip(ip) => ip.to_string(),
        Host::Name(name) => name.to_owned(),
    }
}

/// The targets by group, in the order of the groups' names; those without one come last.
pub(super) fn grouped(told: Vec<Told>) -> Vec<StatusGroup> {
    let mut groups: BTreeMap<(bool, String), Vec<StatusTarget>> = BTreeMap::new();
    for Told { group, target, .. } in told {
        groups.entry((group.is_empty(), group)).or_default().push(target);
    }
    let groups = groups.into_iter();
    groups.map(|((_, name), targets)| StatusGroup { name, targets }).collect()
}
