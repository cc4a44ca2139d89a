//! What is told of stored polls: of one target, of the fleet, and what was counted of them.

mod asked;
mod badge;
mod detail;
mod endpoint;
mod export;
mod latency;
mod poll;
mod results;

pub use asked::{ChartSpan, CheckQuery, HistoryQuery, IncidentQuery, SummaryPeriod, UPTIME_SPANS};
pub use badge::{Badge, BadgeKind, Reading};
pub use detail::{Certificate, Day, Figures, History, HistoryPoint, Hour, TargetDetail};
pub use endpoint::{Endpoint, EndpointCondition, EndpointResult, endpoint_key};
pub use export::{ExportedPoll, ExportedTally, PollSpan, TallyPeriod, TallySpan};
pub use latency::{LatencyChart, LatencyPoint};
pub use poll::{Incident, IncidentPage, Poll, PollPage, PollPhases, poll};
pub use results::{
    Counts, PluginSummary, ResultEntry, ResultPage, ResultsSummary, StoredResult, result,
};
