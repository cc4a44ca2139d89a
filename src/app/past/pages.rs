//! Pages of stored polls and of outages, the newest first.

use std::collections::HashMap;

use super::{Archive, unreadable};
use crate::api::Told;
use crate::clock::rfc3339;
use crate::store::reader::{Named, Outage, Outages, Scan};
use crate::store::{Sample, SampleKey};
use crate::view::past::{
    CheckQuery, Incident, IncidentPage, IncidentQuery, PollPage, ResultPage, poll, result,
};
use crate::view::result::Identity;

/// Samples of one target that are looked at for one page, however few of them are wanted.
const LOOKED: usize = 2_000;

/// Samples of a page, and where the next one goes on.
type Page = (Vec<Sample>, Option<i64>);

impl Archive {
    /// Stored polls.
    pub(super) fn polls(&self, query: &CheckQuery) -> Told<PollPage> {
        let (samples, next) = self.samples(query)?;
        let names = self.names(&samples)?;
        let nameless = Named::default();
        let told = |sample: &Sample| {
            let called = names.get(&sample.outcome.target).unwrap_or(&nameless);
            poll(&sample.outcome, &called.id, &called.url)
        };
        Ok(PollPage {
            checks: samples.iter().map(told).collect(),
            next: next.map(|place| place.to_string()),
        })
    }

    /// Stored polls as results of checks.
    pub(super) fn poll_results(&self, query: &CheckQuery) -> Told<ResultPage> {
        let (samples, next) = self.samples(query)?;
        let names = self.names(&samples)?;
        let told = |sample: &Sample| {
            let number = sample.outcome.target;
            let target = self.live.roster.read().target(number).cloned();
            let Named { id, url, .. } = names.get(&number).cloned().unwrap_or_default();
            let kind = target.as_ref().map_or("", |target| target.plan.probe.plugin_type());
            let identity = Identity { id, plugin_type: kind.to_owned() };
            result(&sample.outcome, target.as_deref(), (identity, &url))
        };
        Ok(ResultPage {
            results: samples.iter().map(told).collect(),
            next: next.map(|place| place.to_string()),
        })
    }

    /// Outages.
    pub(super) fn outages(&self, query: &IncidentQuery) -> Told<IncidentPage> {
        let target = query.target.as_deref().map(|id| self.number(id)).transpose()?;
        let wanted = Outages {
            target,
            lasting: query.open,
            from: SampleKey::first_of(query.from_ms),
            before: before(query.to_ms, query.after),
            most: query.limit,
        };
        let (outages, next) = self.reader.outages(&wanted).map_err(unreadable)?;
        let numbers = outages.iter().map(|outage| outage.target);
        let names = self.reader.named(numbers).map_err(unreadable)?;
        let (nameless, now_ms) = (Named::default(), self.live.clock.now_ms());
        let told = |outage: &Outage| {
            let called = names.get(&outage.target).unwrap_or(&nameless);
            incident(outage, (&called.id, &called.url, called.name.as_deref()), now_ms)
        };
        Ok(IncidentPage {
            incidents: outages.iter().map(told).collect(),
            next: next.map(|key| key.0.to_string()),
        })
    }

    /// The samples of a page.
    fn samples(&self, query: &CheckQuery) -> Told<Page> {
        let Some(id) = &query.target else {
            let scan = Scan {
                from: SampleKey::first_of(query.from_ms),
                before: before(query.to_ms, query.after),
                verdict: query.verdict,
                most: query.limit,
            };
            let part = self.reader.newest(&scan).map_err(unreadable)?;
            return Ok((part.samples, part.next.map(|key| key.0)));
        };
        let number = self.number(id)?;
        let first = match query.after {
            Some(place) => SampleKey(place),
            None => self.start(number, query.to_ms)?,
        };
        self.samples_of(number, first, query)
    }

    /// The samples of one target, from the one with the key `first` on.
    fn samples_of(&self, number: u32, first: SampleKey, query: &CheckQuery) -> Told<Page> {
        let is_wanted = |sample: &Sample| {
            query.to_ms.is_none_or(|to_ms| sample.key.at_ms() < to_ms)
                && query.verdict.is_none_or(|verdict| sample.outcome.finding.verdict == verdict)
        };
        let (mut page, mut next, mut looked) = (Vec::new(), Some(first), 0);
        while let Some(key) = next.filter(|_| page.len() < query.limit && looked < LOOKED) {
            let most = query.limit - page.len();
            let walk = self.reader.walk(number, key, query.from_ms, most).map_err(unreadable)?;
            looked += walk.samples.len();
            next = walk.next;
            page.extend(walk.samples.into_iter().filter(&is_wanted));
        }
        Ok((page, next.filter(|key| key.at_ms() >= query.from_ms).map(|key| key.0)))
    }

    /// What the targets of `samples` are called.
    fn names(&self, samples: &[Sample]) -> Told<HashMap<u32, Named>> {
        let numbers = samples.iter().map(|sample| sample.outcome.target);
        self.reader.named(numbers).map_err(unreadable)
    }
}

/// The key before which lies what was recorded before `to_ms`, and behind the place `after`.
fn before(to_ms: Option<i64>, after: Option<i64>) -> SampleKey {
    let to = to_ms.map_or(i64::MAX, |to_ms| SampleKey::first_of(to_ms).0);
    SampleKey(to.min(after.unwrap_or(i64::MAX)))
}

/// An outage as it is told, of the target with this id, address and name.
pub(in crate::app) fn incident(
    outage: &Outage,
    (id, url, name): (&str, &str, Option<&str>),
    now_ms: i64,
) -> Incident {
    let ms = outage.ended_ms.unwrap_or(now_ms).saturating_sub(outage.began_ms).max(0);
    Incident {
        target_id: id.to_owned(),
        url: url.to_owned(),
        name: name.map(str::to_owned),
        began: rfc3339(outage.began_ms),
        ended: outage.ended_ms.map(rfc3339),
        seconds: std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64(),
        cause: outage.cause.map_or("", |cause| cause.as_str()).to_owned(),
        detail: outage.detail.as_str().to_owned(),
    }
}
