//! `Archive`: what is stored of the past, with what the daemon knows beside its store.

mod chain;
pub(super) mod detail;
mod directory;
mod endpoints;
pub(super) mod export;
pub(super) mod fleet;
pub(super) mod history;
pub(super) mod pages;

use std::sync::Arc;

use parking_lot::Mutex;

use self::directory::Directory;
use self::endpoints::Keys;
use super::live::Live;
use crate::api::{Parts, Past, PastError, Told};
use crate::store::Record;
use crate::store::reader::{ReadError, Reader};
use crate::target::Target;
use crate::view::past::{
    Badge, BadgeKind, ChartSpan, CheckQuery, Endpoint, ExportedPoll, ExportedTally, History,
    HistoryQuery, IncidentPage, IncidentQuery, LatencyChart, PollPage, PollSpan, ResultPage,
    ResultsSummary, SummaryPeriod, TallySpan, TargetDetail,
};

/// Name and value of the label of targets whose badges everybody may see.
pub(super) const PUBLIC_BADGES: (&str, &str) = ("badge", "public");

/// What is stored of the past, and what the daemon knows of it.
#[derive(Clone)]
pub(super) struct Archive {
    live: Arc<Live>,
    reader: Reader,
    directory: Arc<Mutex<Directory>>,
    keys: Arc<Mutex<Keys>>,
}

impl Archive {
    /// What `reader` finds beside what is in `live`.
    pub(super) fn new(live: Arc<Live>, reader: Reader) -> Self {
        Self { live, reader, directory: Arc::default(), keys: Arc::default() }
    }

    /// The number of the target with the id `id`, also of one that was removed.
    fn number(&self, id: &str) -> Told<u32> {
        let found = self.directory.lock().find(&self.reader, id).map_err(unreadable)?;
        found.ok_or_else(|| PastError::Unknown(id.to_owned()))
    }

    /// The target with the id `id`, which is polled now, and its number.
    fn target(&self, id: &str) -> Told<(u32, Arc<Target>)> {
        let found = self.live.annex.find(&self.live.roster, &[id.to_owned()]);
        let target = found.into_iter().flatten().next();
        let target = target.ok_or_else(|| PastError::Unknown(id.to_owned()))?;
        Ok((target.number, target))
    }

    /// What is known of a target, and what `read` finds of its hours that are over: the open hour
    /// did not pass from one to the other meanwhile.
    fn counted<T>(
        &self,
        number: u32,
        read: impl Fn() -> Result<T, ReadError>,
    ) -> Told<(Option<Record>, T)> {
        let known = || self.live.ledger.lock().record(number).cloned();
        loop {
            let record = known();
            let stored = read().map_err(unreadable)?;
            // Once an hour at most.
            if known().map(|record| record.hour) == record.as_ref().map(|record| record.hour) {
                return Ok((record, stored));
            }
        }
    }
}

impl Past for Archive {
    fn detail(&self, id: &str) -> Told<TargetDetail> {
        self.told_detail(id)
    }

    fn history(&self, id: &str, query: &HistoryQuery) -> Told<History> {
        self.told_history(id, query)
    }

    fn checks(&self, query: &CheckQuery) -> Told<PollPage> {
        self.polls(query)
    }

    fn results(&self, query: &CheckQuery) -> Told<ResultPage> {
        self.poll_results(query)
    }

    fn summed_up(&self, period: SummaryPeriod) -> Told<ResultsSummary> {
        self.sum_up(period)
    }

    fn incidents(&self, query: &IncidentQuery) -> Told<IncidentPage> {
        self.outages(query)
    }

    fn latency(&self, span: ChartSpan) -> Told<LatencyChart> {
        self.chart(span)
    }

    fn uptime(&self, id: &str, span_ms: i64) -> Told<Option<f64>> {
        self.uptime_over(id, span_ms)
    }

    fn endpoints(&self, most: usize, polls: usize) -> Told<Vec<Endpoint>> {
        self.first_endpoints(most, polls)
    }

    fn endpoint(&self, key: &str, passed: usize, most: usize) -> Told<Endpoint> {
        self.endpoint_of(key, passed, most)
    }

    fn endpoint_id(&self, key: &str) -> Told<String> {
        self.id_of_key(key)
    }

    fn has_public_badges(&self, id: &str) -> bool {
        let (name, value) = PUBLIC_BADGES;
        self.target(id).is_ok_and(|(_, target)| {
            target.labels.pairs.get(name).is_some_and(|given| &**given == value)
        })
    }

    fn badge(&self, id: &str, kind: BadgeKind) -> Told<Badge> {
        self.told_badge(id, kind)
    }

    fn exported_polls(&self, span: &PollSpan) -> Told<Parts<ExportedPoll>> {
        self.poll_parts(span)
    }

    fn exported_tallies(&self, span: &TallySpan) -> Told<Parts<ExportedTally>> {
        self.tally_parts(span)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreadable(error: ReadError) -> PastError {
    PastError::Unreadable(error.to_string())
}
