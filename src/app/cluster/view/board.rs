//! The status page of a cluster.

use std::collections::HashMap;
use std::sync::Arc;

use super::View;
use crate::address::{Address, Host};
use crate::api::{self, BoardError, Told as Answer};
use crate::app::board::{DAYS, FRESH_US, OUTAGES, OUTAGES_MS, TOLD, Told, grouped, told_days};
use crate::store::Announcement;
use crate::store::postgres::read::{IncidentPlace, Incidents, Line, PageQuery, Place};
use crate::store::reader::Period;
use crate::target::State;
use crate::view::{Announcements, StatusOutage, StatusPage, StatusTarget};

/// Targets that are read at once, and how many are looked at.
const PART: usize = 1_000;
const LOOKED: usize = 20_000;

impl View {
    fn make_page(&self) -> Answer<StatusPage> {
        let now_ms = self.now_ms();
        let mut page = StatusPage {
            title: self.status.title.clone(),
            as_of_ms: now_ms,
            ..StatusPage::default()
        };
        let Some((name, value)) = self.status.label.clone() else { return Ok(page) };
        let mut told: Vec<Told> = Vec::new();
        let (mut after, mut looked) = (None, 0);
        while looked < LOOKED {
            let labels = vec![(name.clone(), value.clone())];
            let asked = PageQuery { labels, after, most: PART, ..PageQuery::default() };
            let part = self.ask(self.reader.page(&asked))?;
            looked += part.len();
            for (_, line) in &part {
                note(&mut page, &mut told, line);
            }
            let Some((_, last)) = part.last().filter(|_| part.len() == PART) else { break };
            after = Some(Place { key: 0, number: last.number });
        }
        self.add_days(&mut told, now_ms)?;
        page.outages = self.status_outages(&told, now_ms)?;
        page.told = told.len();
        page.groups = grouped(told);
        Ok(page)
    }

    fn add_days(&self, told: &mut [Told], now_ms: i64) -> Answer<()> {
        let today = Period::Day.of(now_ms);
        let first = today.saturating_sub(DAYS - 1);
        for one in told {
            let asked = self.reader.tallies(one.number, Period::Day, (first, today));
            one.target.days = told_days(self.ask(asked)?, (first, today));
        }
        Ok(())
    }

    fn status_outages(&self, told: &[Told], now_ms: i64) -> Answer<Vec<StatusOutage>> {
        /// Outages that are looked at, however few of them are of targets on the page.
        const LOOKED: usize = 2_000;
        let names: HashMap<u32, &str> =
            told.iter().map(|told| (told.number, told.target.name.as_str())).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let place = IncidentPlace { began_ms: now_ms, passed: 0 };
        let from_ms = now_ms - OUTAGES_MS;
        let wanted = Incidents { from_ms, place, most: LOOKED, ..Incidents::default() };
        let (rows, _) = self.ask(self.reader.incidents(&wanted))?;
        let outages = rows.iter().filter_map(|row| {
            let name = (*names.get(&row.target)?).to_owned();
            Some(StatusOutage { name, began_ms: row.began_ms, ended_ms: row.ended_ms })
        });
        Ok(outages.take(OUTAGES).collect())
    }
}

/// Takes the target `line` up into the page.
fn note(page: &mut StatusPage, told: &mut Vec<Told>, line: &Line) {
    let health = line.health(0);
    match health.state {
        State::Down => page.down += 1,
        State::Warning => page.warning += 1,
        State::Up => page.up += 1,
        State::Pending | State::Unknown | State::Paused => {}
    }
    if told.len() == TOLD {
        page.rest += 1;
        return;
    }
    told.push(Told {
        number: line.number,
        group: line.group.clone().unwrap_or_default(),
        target: StatusTarget {
            // The rest of an address may be nobody else's business.
            name: line.name.clone().unwrap_or_else(|| host(&line.url)),
            state: health.state.as_str(),
            since_ms: Some(health.since_ms).filter(|_| health.state != State::Pending),
            days: Vec::new(),
        },
    });
}

/// The host of `url`.
fn host(url: &str) -> String {
    Address::parse(url).map_or_else(
        |_| "target".to_owned(),
        |address| match address.host() {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.to_owned(),
        },
    )
}

impl api::Board for View {
    fn page(&self) -> Arc<StatusPage> {
        // Whoever comes meanwhile waits, and gets the same.
        let mut made = self.page.lock();
        let now_us = self.clock.monotonic_us();
        if let Some((at_us, page)) = &*made
            && now_us.saturating_sub(*at_us) < FRESH_US
        {
            return Arc::clone(page);
        }
        let before = made.as_ref().map(|(_, page)| Arc::clone(page));
        // While the database is away the page stays what it was, and tells its age.
        let page = match self.make_page() {
            Ok(page) => Arc::new(page),
            Err(_) => before.unwrap_or_default(),
        };
        *made = Some((now_us, Arc::clone(&page)));
        page
    }

    fn is_public(&self) -> bool {
        self.status.is_public
    }

    fn announcements(&self) -> Result<Announcements, BoardError> {
        Ok(Announcements::default())
    }

    fn announce(&self, _: Announcement) -> Result<crate::view::Announcement, BoardError> {
        Err(BoardError("a cluster keeps no announcements yet".to_owned()))
    }

    fn withdraw(&self, _: i64) -> Result<bool, BoardError> {
        Ok(false)
    }
}
