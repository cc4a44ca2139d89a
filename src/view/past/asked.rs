//! What is asked of the past; times are Unix milliseconds, from inclusive, to exclusive.

use crate::named::named;
use crate::outcome::Verdict;

/// The spans that uptime is told over, in the order of [`crate::store::reader::UPTIME_DAYS`].
pub const UPTIME_SPANS: [&str; 4] = ["24h", "7d", "30d", "90d"];

/// Which part of a target's history is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Its beginning; a day before its end without one.
    pub from_ms: Option<i64>,
    /// Its end; now without one.
    pub to_ms: Option<i64>,
    /// Seconds of each step at least; what gives 500 points at most without it.
    pub step_s: Option<u32>,
}

/// Which stored polls are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckQuery {
    /// Those of the target with this id.
    pub target: Option<String>,
    /// Those with this verdict.
    pub verdict: Option<Verdict>,
    /// Those that were recorded from then on.
    pub from_ms: i64,
    /// Those that were recorded before then.
    pub to_ms: Option<i64>,
    /// Those that follow this place, as `next` of a page named it.
    pub after: Option<i64>,
    /// So many at most.
    pub limit: usize,
}

/// Which outages are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Those of the target with this id.
    pub target: Option<String>,
    /// Those that last, or those that are over.
    pub open: Option<bool>,
    /// Those that began from then on.
    pub from_ms: i64,
    /// Those that began before then.
    pub to_ms: Option<i64>,
    /// Those that follow this place, as `next` of a page named it.
    pub after: Option<i64>,
    /// So many at most.
    pub limit: usize,
}

named! {
    /// The span of time of a chart of latencies.
    ChartSpan {
        /// Five minutes, second by second.
        FiveMinutes = 1 "5m",
        /// An hour, minute by minute.
        Hour = 2 "1h",
        /// A day, hour by hour.
        Day = 3 "24h",
        /// Seven days.
        Week = 4 "7d",
        /// Thirty days.
        Month = 5 "30d",
    }
}

impl ChartSpan {
    /// How long it is, in hours, where it is told in hours.
    #[must_use]
    pub const fn hours(self) -> Option<u32> {
        match self {
            Self::FiveMinutes | Self::Hour => None,
            Self::Day => Some(24),
            Self::Week => Some(7 * 24),
            Self::Month => Some(30 * 24),
        }
    }
}

named! {
    /// The period that results are summed up over.
    SummaryPeriod {
        /// The last 24 hours.
        Day = 1 "day",
        /// The last seven days (UTC), today among them.
        Week = 2 "week",
        /// The last thirty days (UTC), today among them.
        Month = 3 "month",
    }
}
