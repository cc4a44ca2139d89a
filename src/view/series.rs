//! `Family`: figures of one name for monitoring systems, as plain values.

use crate::stats::Histogram;

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only ever grows while the process runs.
    Counter,
    /// It is counted in buckets.
    Histogram,
    /// It is always 1, and its labels tell.
    Info,
}

/// Figures of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, without its unit and the `_total` or `_info` of its kind.
    pub name: &'static str,
    /// The unit, which ends the name.
    pub unit: Option<Unit>,
    /// What the figures do over time.
    pub kind: Kind,
    /// What they say, in a sentence.
    pub help: &'static str,
    /// The figures.
    pub samples: Vec<Sample>,
}

/// A unit of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// Labels, as names and values.
pub type Labels = Vec<(&'static str, String)>;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What tells it from others of its name.
    pub labels: Labels,
    /// The figure.
    pub value: Value,
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number.
    Count(u64),
    /// Times in buckets.
    Times(Box<Histogram>),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Count(u64::from(is_so))
    }
}

impl From<&Histogram> for Value {
    fn from(times: &Histogram) -> Self {
        Self::Times(Box::new(times.clone()))
    }
}

impl Family {
    const fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, unit: None, kind, help, samples: Vec::new() }
    }

    /// Figures that go up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Gauge, name, help)
    }

    /// Figures that only grow.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Counter, name, help)
    }

    /// Times in buckets, in seconds.
    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Histogram, name, help).in_unit(Unit::Seconds)
    }

    /// What labels alone tell.
    #[must_use]
    pub const fn info(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Info, name, help)
    }

    /// The same in this unit.
    #[must_use]
    pub const fn in_unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// The same with a figure that has no labels.
    #[must_use]
    pub fn of(self, value: impl Into<Value>) -> Self {
        self.with(Labels::new(), value)
    }

    /// The same with a further figure.
    #[must_use]
    pub fn with(mut self, labels: Labels, value: impl Into<Value>) -> Self {
        self.samples.push(Sample { labels, value: value.into() });
        self
    }

    /// The same with a figure for each value of the label `name`.
    #[must_use]
    pub fn by<T: Into<Value>>(
        mut self,
        name: &'static str,
        figures: impl IntoIterator<Item = (impl Into<String>, T)>,
    ) -> Self {
        for (value, figure) in figures {
            self = self.with(vec![(name, value.into())], figure);
        }
        self
    }

    /// Adds a figure.
    pub fn push(&mut self, labels: Labels, value: impl Into<Value>) {
        self.samples.push(Sample { labels, value: value.into() });
    }
}
