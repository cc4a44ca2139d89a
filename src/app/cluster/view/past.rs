//! What is stored of the past of a cluster, as it is of one machine.

use super::View;
use super::places::{packed, unpacked};
use crate::api::{Parts, Past, PastError, Told};
use crate::app::past::PUBLIC_BADGES;
use crate::app::past::pages::incident as told_incident;
use crate::store::SampleKey;
use crate::store::postgres::read::{Incident as Row, IncidentPlace, Incidents, Line, PageQuery};
use crate::store::reader::Outage;
use crate::view::past::{
    Badge, BadgeKind, ChartSpan, CheckQuery, Endpoint, EndpointResult, ExportedPoll, ExportedTally,
    History, HistoryQuery, Incident, IncidentPage, IncidentQuery, LatencyChart, PollPage, PollSpan,
    ResultPage, ResultsSummary, SummaryPeriod, TallySpan, TargetDetail, endpoint_key, poll,
};

impl View {
    /// When the oldest samples fell due, in Unix milliseconds.
    pub(super) fn oldest_ms(&self) -> i64 {
        self.gathered.lock().slow.room.oldest_ms
    }

    fn incident_page(&self, query: &IncidentQuery) -> Told<IncidentPage> {
        let target = query.target.as_deref().map(|id| self.line(id)).transpose()?;
        let now_ms = self.now_ms();
        let last_ms = query.to_ms.map_or(i64::MAX >> 22, |to_ms| to_ms - 1);
        let (began_ms, passed) = query.after.map_or((last_ms, 0), unpacked);
        let wanted = Incidents {
            target: target.map(|line| line.number),
            lasting: query.open,
            from_ms: query.from_ms,
            place: IncidentPlace { began_ms, passed },
            most: query.limit,
        };
        let (rows, next) = self.ask(self.reader.incidents(&wanted))?;
        let numbers: Vec<u32> = rows.iter().map(|row| row.target).collect();
        let names = self.ask(self.reader.named(&numbers))?;
        let told = |row: &Row| {
            let called = names.get(&row.target).cloned().unwrap_or_default();
            incident(row, (&called.id, &called.url, called.name.as_deref()), now_ms)
        };
        Ok(IncidentPage {
            incidents: rows.iter().map(told).collect(),
            next: next.map(|place| packed(place.began_ms, place.passed).to_string()),
        })
    }

    fn endpoint_of(&self, line: &Line, passed: usize, most: usize) -> Told<Endpoint> {
        let (outcomes, _) =
            self.polls_of(line, (None, 0), passed.saturating_add(most), |_| true)?;
        let told = outcomes.iter().skip(passed);
        let mut results: Vec<EndpointResult> =
            told.map(|outcome| EndpointResult::from(&poll(outcome, "", ""))).collect();
        results.reverse();
        let group = line.group.clone().unwrap_or_default();
        let name = line.name.clone().unwrap_or_else(|| line.url.clone());
        Ok(Endpoint { key: endpoint_key(&group, &name), name, group, results })
    }

    /// The target with the key `key` of Gatus; all targets may have to be looked through.
    fn line_of_key(&self, key: &str) -> Told<Line> {
        let found = self.ask(self.reader.line_of_key(key))?;
        found.ok_or_else(|| PastError::Unknown(key.to_owned()))
    }
}

impl Past for View {
    fn detail(&self, id: &str) -> Told<TargetDetail> {
        self.target_detail(id)
    }

    fn history(&self, id: &str, query: &HistoryQuery) -> Told<History> {
        self.target_history(id, query)
    }

    fn checks(&self, query: &CheckQuery) -> Told<PollPage> {
        self.poll_page(query)
    }

    fn results(&self, query: &CheckQuery) -> Told<ResultPage> {
        self.result_page(query)
    }

    fn summed_up(&self, period: SummaryPeriod) -> Told<ResultsSummary> {
        self.sum_up(period)
    }

    fn incidents(&self, query: &IncidentQuery) -> Told<IncidentPage> {
        self.incident_page(query)
    }

    fn latency(&self, span: ChartSpan) -> Told<LatencyChart> {
        self.chart(span)
    }

    fn uptime(&self, id: &str, span_ms: i64) -> Told<Option<f64>> {
        let line = self.line(id)?;
        self.uptime_of(&line, self.now_ms(), [span_ms]).map(|[share]| share)
    }

    fn endpoints(&self, most: usize, polls: usize) -> Told<Vec<Endpoint>> {
        let asked = PageQuery { most, ..PageQuery::default() };
        let lines = self.ask(self.reader.page(&asked))?;
        lines.iter().map(|(_, line)| self.endpoint_of(line, 0, polls)).collect()
    }

    fn endpoint(&self, key: &str, passed: usize, most: usize) -> Told<Endpoint> {
        self.endpoint_of(&self.line_of_key(key)?, passed, most)
    }

    fn endpoint_id(&self, key: &str) -> Told<String> {
        self.line_of_key(key).map(|line| line.shown_id())
    }

    fn has_public_badges(&self, id: &str) -> bool {
        let (name, value) = PUBLIC_BADGES;
        self.line(id).is_ok_and(|line| line.labels.get(name).is_some_and(|given| given == value))
    }

    fn badge(&self, id: &str, kind: BadgeKind) -> Told<Badge> {
        self.target_badge(id, kind)
    }

    fn exported_polls(&self, span: &PollSpan) -> Told<Parts<ExportedPoll>> {
        self.poll_parts(span)
    }

    fn exported_tallies(&self, span: &TallySpan) -> Told<Parts<ExportedTally>> {
        self.tally_parts(span)
    }
}

/// The outage `row` as it is told, of the target with this id, address and name.
pub(super) fn incident(row: &Row, called: (&str, &str, Option<&str>), now_ms: i64) -> Incident {
    let Row { target, began_ms, ended_ms, cause, detail } = *row;
    let key = SampleKey::first_of(began_ms);
    told_incident(&Outage { key, target, began_ms, ended_ms, cause, detail }, called, now_ms)
}
