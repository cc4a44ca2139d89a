//! `Badge`: one figure of one target, for a small picture.

use super::asked::ChartSpan;
use crate::target::State;

/// What a badge tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadgeKind {
    /// The state.
    Status,
    /// The share of time that it was up, over a span of `UPTIME_SPANS`.
    Uptime(usize),
    /// How long half of the answered polls took, over a span.
    Latency(ChartSpan),
}

/// One figure of one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Its state.
    Status(State),
    /// The share of time that it was up; `None` when that is not known.
    Uptime(Option<f64>),
    /// Seconds; `None` when no poll was answered.
    Latency(Option<f64>),
}

/// What a badge is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Badge {
    /// What people call the target: its name, else its address.
    pub name: String,
    /// The figure.
    pub reading: Reading,
}
