//! `Window`: what finished within one second, over the whole fleet.

use super::sketch::{DecodeError, Grain, Sketch, put, take};
use crate::outcome::{Cause, Code, Outcome};

/// How many of the slowest polls a window keeps.
pub const SLOWEST: usize = 10;

/// One remarkable poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extreme {
    /// Number of its target.
    pub target: u32,
    /// How long it took, in microseconds.
    pub latency_us: u32,
    /// What it got.
    pub code: Code,
    /// When it finished, in Unix milliseconds.
    pub at_ms: i64,
}

/// Counts of the polls that finished within one second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Polls.
    pub checks: u32,
    /// Body bytes.
    pub bytes: u64,
    /// Polls by cause and by whether it is permanent.
    pub causes: Vec<((Cause, bool), u32)>,
    /// The longest poll, whatever its verdict.
    pub largest: Option<Extreme>,
    /// The longest poll that got an answer.
    pub largest_answered: Option<Extreme>,
    /// The slowest polls, the slowest first; of one target only its slowest.
    pub slowest: Vec<Extreme>,
    /// Latencies of the answered polls, fine.
    pub latency: Sketch,
    /// Durations of the phases, in the order of `Phases::NAMES`, fine.
    pub phases: [Sketch; 5],
    /// Lags of the polls that had a slot, fine.
    pub lag: Sketch,
    /// The longest lag, exact, in microseconds.
    pub lag_max_us: u32,
}

impl Window {
    /// Counts one poll.
    pub fn add(&mut self, outcome: &Outcome) {
        let finding = &outcome.finding;
        let extreme = Extreme {
            target: outcome.target,
            latency_us: outcome.latency_us,
            code: outcome.code(),
            at_ms: outcome.finished_us.div_euclid(1_000),
        };
        self.checks += 1;
        self.bytes += finding.bytes;
        if let Some(cause) = finding.cause {
            let key = (cause, finding.is_permanent());
            match self.causes.iter_mut().find(|(other, _)| *other == key) {
                Some((_, count)) => *count += 1,
                None => self.causes.push((key, 1)),
            }
        }
        keep_longer(&mut self.largest, extreme);
        if finding.is_answered() {
            keep_longer(&mut self.largest_answered, extreme);
            self.latency.add(Grain::Fine.bucket(outcome.latency_us));
        }
        add_slow(&mut self.slowest, extreme);
        for (sketch, phase) in self.phases.iter_mut().zip(finding.phases.all()) {
            if let Some(us) = phase.get() {
                sketch.add(Grain::Fine.bucket(us));
            }
        }
        if outcome.kind == crate::outcome::SampleKind::Slot {
            self.lag.add(Grain::Fine.bucket(outcome.lag_us));
            self.lag_max_us = self.lag_max_us.max(outcome.lag_us);
        }
    }

    /// Adds what `other` counted of the same second: of other targets, as every shard has its own.
    pub fn merge(&mut self, other: &Self) {
        self.checks += other.checks;
        self.bytes += other.bytes;
        for &(key, count) in &other.causes {
            match self.causes.iter_mut().find(|(own, _)| *own == key) {
                Some((_, sum)) => *sum += count,
                None => self.causes.push((key, count)),
            }
        }
        other.largest.iter().for_each(|one| keep_longer(&mut self.largest, *one));
        other.largest_answered.iter().for_each(|one| keep_longer(&mut self.largest_answered, *one));
        other.slowest.iter().for_each(|one| add_slow(&mut self.slowest, *one));
        self.latency.merge(&other.latency);
        for (own, other) in self.phases.iter_mut().zip(&other.phases) {
            own.merge(other);
        }
        self.lag.merge(&other.lag);
        self.lag_max_us = self.lag_max_us.max(other.lag_max_us);
    }

    /// The window as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        put(&mut bytes, u64::from(self.checks));
        put(&mut bytes, self.bytes);
        put(&mut bytes, self.causes.len() as u64);
        for &((cause, is_permanent), count) in &self.causes {
            bytes.extend([cause.code(), u8::from(is_permanent)]);
            put(&mut bytes, u64::from(count));
        }
        let extremes = [self.largest.as_slice(), self.largest_answered.as_slice(), &self.slowest];
        for list in extremes {
            put(&mut bytes, list.len() as u64);
            for extreme in list {
                encode_extreme(extreme, &mut bytes);
            }
        }
        self.latency.encode(&mut bytes);
        for sketch in &self.phases {
            sketch.encode(&mut bytes);
        }
        self.lag.encode(&mut bytes);
        put(&mut bytes, u64::from(self.lag_max_us));
        bytes
    }

    /// Reads what [`Window::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no window.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes = &mut bytes;
        let mut window = Self { checks: small(bytes)?, bytes: take(bytes)?, ..Self::default() };
        for _ in 0..take(bytes)? {
            let (&[cause, is_permanent], rest) = bytes.split_first_chunk().ok_or(DecodeError)?;
            *bytes = rest;
            let cause = Cause::from_code(cause).ok_or(DecodeError)?;
            window.causes.push(((cause, is_permanent != 0), small(bytes)?));
        }
        window.largest = decode_extremes(bytes)?.first().copied();
        window.largest_answered = decode_extremes(bytes)?.first().copied();
        window.slowest = decode_extremes(bytes)?;
        window.latency = Sketch::decode(bytes, Grain::Fine)?;
        for sketch in &mut window.phases {
            *sketch = Sketch::decode(bytes, Grain::Fine)?;
        }
        window.lag = Sketch::decode(bytes, Grain::Fine)?;
        window.lag_max_us = small(bytes)?;
        Ok(window)
    }
}

/// Puts `extreme` in the place of a shorter one.
pub(super) fn keep_longer(longest: &mut Option<Extreme>, extreme: Extreme) {
    if longest.is_none_or(|longest| extreme.latency_us > longest.latency_us) {
        *longest = Some(extreme);
    }
}

/// Keeps `extreme` if it is among the slowest, once for each target.
pub(super) fn add_slow(slowest: &mut Vec<Extreme>, extreme: Extreme) {
    if slowest.len() >= SLOWEST
        && slowest.last().is_some_and(|last| last.latency_us >= extreme.latency_us)
    {
        return;
    }
    if let Some(at) = slowest.iter().position(|other| other.target == extreme.target) {
        if slowest.get(at).is_some_and(|other| other.latency_us >= extreme.latency_us) {
            return;
        }
        slowest.remove(at);
    }
    let at = slowest.partition_point(|other| other.latency_us >= extreme.latency_us);
    slowest.insert(at, extreme);
    slowest.truncate(SLOWEST);
}

fn small(bytes: &mut &[u8]) -> Result<u32, DecodeError> {
    u32::try_from(take(bytes)?).map_err(|_| DecodeError)
}

fn encode_extreme(extreme: &Extreme, bytes: &mut Vec<u8>) {
    put(bytes, u64::from(extreme.target));
    put(bytes, u64::from(extreme.latency_us));
    put(bytes, u64::from(extreme.code.to_stored()));
    put(bytes, extreme.at_ms.cast_unsigned());
}

fn decode_extremes(bytes: &mut &[u8]) -> Result<Vec<Extreme>, DecodeError> {
    let length = take(bytes)?;
    if length > SLOWEST as u64 {
        return Err(DecodeError);
    }
    (0..length)
        .map(|_| {
            Ok(Extreme {
                target: small(bytes)?,
                latency_us: small(bytes)?,
                code: Code::from_stored(u16::try_from(take(bytes)?).map_err(|_| DecodeError)?),
                at_ms: take(bytes)?.cast_signed(),
            })
        })
        .collect()
}
