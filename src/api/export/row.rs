//! `ExportRow`: a row as cells of named columns, whatever format they are written in.

use serde::Serialize;

use crate::view::past::{ExportedPoll, ExportedTally, Poll};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text; or none, where the column may be empty.
    Text,
    /// A time, in Unix milliseconds.
    Time,
    /// A number of things.
    Count,
    /// Seconds, or none.
    Seconds,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether a row may have nothing in it.
    pub may_be_empty: bool,
}

/// What stands in a column of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// A text.
    Text(Option<&'a str>),
    /// A time: as RFC 3339, and in Unix milliseconds.
    Time(&'a str, i64),
    /// A number of things.
    Count(u64),
    /// Seconds.
    Seconds(Option<f64>),
}

/// A row of an export.
pub(super) trait ExportRow: Send + 'static {
    /// The columns, in their order.
    const COLUMNS: &'static [Column];

    /// What stands in the column with this place.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// What is written of it as JSON.
    fn object(&self) -> &(impl Serialize + ?Sized);
}

const fn full(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, may_be_empty: false }
}

const fn sparse(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, may_be_empty: true }
}

impl ExportRow for ExportedPoll {
    const COLUMNS: &'static [Column] = &[
        full("at", Kind::Time),
        full("target_id", Kind::Text),
        full("url", Kind::Text),
        full("verdict", Kind::Text),
        full("code", Kind::Text),
        sparse("cause", Kind::Text),
        sparse("detail", Kind::Text),
        full("latency_seconds", Kind::Seconds),
        sparse("resolve_seconds", Kind::Seconds),
        sparse("connect_seconds", Kind::Seconds),
        sparse("tls_seconds", Kind::Seconds),
        sparse("first_byte_seconds", Kind::Seconds),
        sparse("transfer_seconds", Kind::Seconds),
        full("bytes", Kind::Count),
        full("lag_seconds", Kind::Seconds),
        full("kind", Kind::Text),
    ];

    fn cell(&self, column: usize) -> Cell<'_> {
        let poll = &self.poll;
        let phases = &poll.phases;
        match column {
            0 => Cell::Time(&poll.at, self.at_ms),
            1 => Cell::Text(Some(&poll.target_id)),
            2 => Cell::Text(Some(&poll.url)),
            3 => Cell::Text(Some(&poll.verdict)),
            4 => Cell::Text(Some(&poll.code)),
            5 => Cell::Text(poll.cause.as_deref()),
            6 => Cell::Text(poll.detail.as_deref()),
            7 => Cell::Seconds(Some(poll.latency_seconds)),
            8 => Cell::Seconds(phases.resolve),
            9 => Cell::Seconds(phases.connect),
            10 => Cell::Seconds(phases.tls),
            11 => Cell::Seconds(phases.first_byte),
            12 => Cell::Seconds(phases.transfer),
            13 => Cell::Count(poll.bytes),
            14 => Cell::Seconds(Some(poll.lag_seconds)),
            _ => Cell::Text(Some(&poll.kind)),
        }
    }

    fn object(&self) -> &(impl Serialize + ?Sized) {
        let poll: &Poll = &self.poll;
        poll
    }
}

impl ExportRow for ExportedTally {
    const COLUMNS: &'static [Column] = &[
        full("at", Kind::Time),
        full("target_id", Kind::Text),
        full("url", Kind::Text),
        full("checks", Kind::Count),
        full("up", Kind::Count),
        full("unknown", Kind::Count),
        sparse("p50_seconds", Kind::Seconds),
        sparse("p99_seconds", Kind::Seconds),
        sparse("max_seconds", Kind::Seconds),
    ];

    fn cell(&self, column: usize) -> Cell<'_> {
        let figures = &self.figures;
        match column {
            0 => Cell::Time(&self.at, self.at_ms),
            1 => Cell::Text(Some(&self.target_id)),
            2 => Cell::Text(Some(&self.url)),
            3 => Cell::Count(figures.checks),
            4 => Cell::Count(figures.up),
            5 => Cell::Count(figures.unknown),
            6 => Cell::Seconds(figures.p50),
            7 => Cell::Seconds(figures.p99),
            _ => Cell::Seconds(figures.max),
        }
    }

    fn object(&self) -> &(impl Serialize + ?Sized) {
        self
    }
}
