//! `Jury`: whether what polls find is held against their targets, or it is probably us that fail.

mod mark;
mod sentinels;
mod window;

pub use mark::is_of_network;
use mark::{Mark, Sign, Standing};
use sentinels::Sentinels;
use window::{Count, Voice, Window};

use crate::outcome::{Outcome, SampleKind, Verdict};
use crate::target::{Role, State};

/// A tick of its time, in microseconds.
const TICK_US: u64 = 100_000;
/// Different targets that must have been polled before nearly all of them can be said to fail.
const LEAST: u32 = 20;
/// Targets that must have been polled lately before judgement is given again.
const HANDFUL: u32 = 5;
/// Ticks of the short window.
const SHORT: u32 = 50;
/// Ticks of the long window at least and at most: 5 seconds and a day.
const LONG: (u32, u32) = (SHORT, 864_000);
/// Buckets of the long window.
const LONG_BUCKETS: u32 = 32;
/// Microseconds by which an outcome may come to us later than it ended.
const LATE_US: u64 = 200_000;

/// A target, as far as the jury has to know it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its number.
    pub number: u32,
    /// Milliseconds from one poll to the next.
    pub every_ms: u32,
    /// Whether it stands for the network.
    pub role: Role,
}

/// What is known of a target before a poll of it is taken in.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its state.
    pub state: State,
    /// Whether an outage of it is open.
    pub has_incident: bool,
}

/// What the jury came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// From now on nothing is held against targets that fail by causes of the network, nor against
    /// those that [`Jury::suspects`] tells.
    Held(Holding),
    /// From now on they are judged again, after so many microseconds.
    Given(u64),
}

/// Why judgement is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Nearly all targets fail together.
    Targets,
    /// All sentinels fail.
    Sentinels,
}

impl Ground {
    /// The name in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Targets => "targets",
            Self::Sentinels => "sentinels",
        }
    }
}

/// That judgement is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Why.
    pub ground: Ground,
    /// So many of them failed in their last poll.
    pub failed: u32,
    /// Of so many that were polled lately.
    pub of: u32,
    /// Since when they fail, in microseconds of the monotonic clock.
    pub since_us: u64,
}

/// Sees every outcome before anything follows from it, and tells when nearly all targets fail
/// together: then it is probably us.
///
/// Two windows count the targets by their last polls: one of 5 seconds and one of a typical
/// interval of the list. Targets that were known to be down before do not count, nor do those that
/// never answered, as long as anything answers at all.
#[derive(Debug)]
pub struct Jury {
    marks: Vec<Mark>,
    seats: u32,
    sentinels: Sentinels,
    short: Window,
    long: Window,
    /// Now.
    now: u32,
    /// Since when all is counted.
    since: Option<u32>,
    /// When anything answered last.
    answered: Option<u32>,
    /// Why judgement is held, and since which tick in doubt and held, in that order.
    held: Option<(Ground, u32, u32)>,
    /// When judgement was given again last, in microseconds.
    given_us: Option<u64>,
    times_held: u64,
}

impl Default for Jury {
    fn default() -> Self {
        Self {
            marks: Vec::new(),
            seats: 0,
            sentinels: Sentinels::default(),
            short: Window::new(SHORT, 5),
            long: Window::new(LONG.0, LONG_BUCKETS),
            now: 0,
            since: None,
            answered: None,
            held: None,
            given_us: None,
            times_held: 0,
        }
    }
}

impl Jury {
    /// Brings it to the targets that are polled from `now_us` on, in microseconds of the monotonic
    /// clock as everywhere here.
    pub fn convene(&mut self, seats: impl Iterator<Item = Seat>, now_us: u64) {
        self.marks.iter_mut().for_each(|mark| mark.is_seated = false);
        self.seats = 0;
        // Polls in 10¹⁵ milliseconds.
        let (mut rate, mut sentinels) = (0_u128, Vec::new());
        for seat in seats {
            let index = seat.number as usize;
            if index >= self.marks.len() {
                self.marks.resize(index + 1, Mark::default());
            }
            if let Some(mark) = self.marks.get_mut(index) {
                mark.is_seated = true;
            }
            self.seats += 1;
            rate += 1_000_000_000_000_000 / u128::from(seat.every_ms.max(1));
            if seat.role == Role::Sentinel {
                sentinels.push((seat.number, ticks(u64::from(seat.every_ms))));
            }
        }
        let typical_ms = u128::from(self.seats) * 1_000_000_000_000_000 / rate.max(1);
        let typical = ticks(u64::try_from(typical_ms).unwrap_or(u64::MAX));
        self.sentinels.convene(sentinels.into_iter());
        self.advance(tick(now_us));
        self.count_anew(typical.clamp(LONG.0, LONG.1));
    }

    /// Counts all targets that are seated in new windows, the long one of so many ticks.
    fn count_anew(&mut self, span: u32) {
        (self.short, self.long) = (Window::new(SHORT, 5), Window::new(span, LONG_BUCKETS));
        self.advance(self.now);
        for mark in &mut self.marks {
            if !mark.is_seated {
                *mark = Mark::default();
            }
            if let Some(voice) = mark.voice {
                self.short.put(mark.tick, voice);
                self.long.put(mark.tick, voice);
            }
        }
    }

    /// Takes in an outcome that came at `now_us`, and what was `known` of its target before.
    pub fn hear(&mut self, outcome: &Outcome, known: Known, now_us: u64) {
        let (sign, tick) = (Sign::of(&outcome.finding), tick(now_us));
        let is_stale = sign == Sign::Failed && self.began_in_doubt(outcome, now_us);
        if outcome.kind == SampleKind::Manual || is_stale {
            return;
        }
        self.since.get_or_insert(tick);
        self.advance(tick);
        self.sentinels.hear(outcome.target, sign, outcome.is_provisional, tick);
        let mark = self.marks.get_mut(outcome.target as usize).filter(|mark| mark.is_seated);
        let Some(mark) = mark else { return };
        let (standing, voice) = match sign {
            Sign::Silent => return,
            Sign::Answered => (Standing::Proven, Some(Voice::Answered)),
            Sign::Failed => match mark.standing.after_failure(known) {
                // It turned down just now, perhaps together with all others.
                Standing::Down if mark.is_failure() && self.long.covers(mark.tick) => return,
                Standing::Down => (Standing::Down, None),
                Standing::Proven => (Standing::Proven, Some(Voice::Failed)),
                standing => (standing, Some(Voice::Unproven)),
            },
        };
        if voice == Some(Voice::Answered) {
            self.answered = Some(tick);
        }
        let before = std::mem::replace(mark, Mark { tick, voice, standing, is_seated: true });
        for window in [&mut self.short, &mut self.long] {
            if let Some(voice) = before.voice {
                window.take(before.tick, voice);
            }
            if let Some(voice) = voice {
                window.put(tick, voice);
            }
        }
    }

    /// Looks at what has been heard until `now_us`, and tells the change that this brings.
    pub fn deliberate(&mut self, now_us: u64) -> Option<Ruling> {
        let tick = tick(now_us);
        self.advance(tick);
        match self.held {
            None => {
                let ground = self.ground(tick)?;
                let doubtful = self.doubtful_since(ground);
                self.held = Some((ground, doubtful, tick));
                self.times_held += 1;
                self.holding().map(Ruling::Held)
            }
            Some((_, _, held)) if self.is_over(tick) => {
                self.held = None;
                self.given_us = Some(now_us);
                self.since = Some(tick);
                for mark in self.marks.iter_mut().filter(|mark| mark.is_failure()) {
                    mark.voice = None;
                }
                self.count_anew(self.long.span());
                Some(Ruling::Given(u64::from(tick - held) * TICK_US))
            }
            Some(_) => None,
        }
    }

    /// Whether an outcome that came at `now_us` is not held against its target.
    #[must_use]
    pub fn doubts(&self, outcome: &Outcome, now_us: u64) -> bool {
        outcome.finding.verdict == Verdict::Down
            && is_of_network(outcome.finding.cause, outcome.finding.detail)
            && (self.held.is_some() || self.began_in_doubt(outcome, now_us))
    }

    /// The targets that failed since it is probably us that fail, and answered before.
    pub fn suspects(&self) -> impl Iterator<Item = u32> + '_ {
        let since = self.held.map_or(u32::MAX, |(_, doubtful, _)| doubtful);
        let is_suspect = move |mark: &Mark| mark.is_failure() && mark.tick >= since;
        (0..).zip(&self.marks).filter(move |(_, mark)| is_suspect(mark)).map(|(number, _)| number)
    }

    /// Why judgement is held, while it is.
    #[must_use]
    pub fn holding(&self) -> Option<Holding> {
        let (ground, doubtful, _) = self.held?;
        let since_us = u64::from(doubtful) * TICK_US;
        let (failed, of) = match ground {
            Ground::Sentinels => (self.sentinels.failed(), self.sentinels.len()),
            Ground::Targets => {
                let (failed, of) = self.failing(self.long.sum());
                if is_share(failed, of) { (failed, of) } else { self.failing(self.short.sum()) }
            }
        };
        Some(Holding { ground, failed, of, since_us })
    }

    /// How often judgement was held.
    #[must_use]
    pub const fn times_held(&self) -> u64 {
        self.times_held
    }

    fn advance(&mut self, tick: u32) {
        self.now = tick;
        self.short.advance(tick);
        self.long.advance(tick);
    }

    /// Whether a poll began before judgement was given again: it may have waited in vain since then.
    fn began_in_doubt(&self, outcome: &Outcome, now_us: u64) -> bool {
        let began_us = now_us.saturating_sub(u64::from(outcome.latency_us) + LATE_US);
        self.given_us.is_some_and(|given_us| began_us <= given_us)
    }

    /// Why judgement has to be held now, if it has.
    fn ground(&self, tick: u32) -> Option<Ground> {
        if self.sentinels.all_fail() {
            return Some(Ground::Sentinels);
        }
        let watched = tick - self.since?;
        let (short, long) = (self.failing(self.short.sum()), self.failing(self.long.sum()));
        let is_so = watched >= self.short.span() && is_beyond_chance(short.0, short.1)
            || watched >= self.long.span() && is_share(long.0, long.1);
        (is_so && !self.sentinels.any_answers(tick)).then_some(Ground::Targets)
    }

    /// Since when what fails may fail by us.
    fn doubtful_since(&self, ground: Ground) -> u32 {
        match ground {
            Ground::Targets => self.long.failing_since(),
            Ground::Sentinels => {
                let oldest = self.long.oldest();
                self.sentinels.answered().map_or(oldest, |answered| oldest.max(answered))
            }
        }
    }

    /// Whether we are probably well again.
    fn is_over(&self, tick: u32) -> bool {
        if self.sentinels.all_fail() {
            return false;
        }
        if self.sentinels.any_answers(tick) {
            return true;
        }
        match self.held {
            Some((Ground::Sentinels, ..)) => self.sentinels.is_empty(),
            _ => self.seats < LEAST || self.is_majority_back(),
        }
    }

    /// Whether fewer than half of those that were polled last fail.
    fn is_majority_back(&self) -> bool {
        let short = Some(self.short.sum()).filter(|count| count.heard() >= HANDFUL);
        let last = short.or_else(|| self.long.trailing(HANDFUL));
        last.is_some_and(|count| count.failed < count.answered)
    }

    /// How many of so many targets fail.
    fn failing(&self, count: Count) -> (u32, u32) {
        let lately = self.now.saturating_sub(self.long.span().saturating_mul(2));
        let anything_answers = self.answered.is_some_and(|at| at >= lately);
        let failed = count.failed + if anything_answers { 0 } else { count.unproven };
        (failed, count.answered + failed)
    }
}

/// The tick of the time `us`.
fn tick(us: u64) -> u32 {
    u32::try_from(us / TICK_US).unwrap_or(u32::MAX)
}

/// The ticks of so many milliseconds.
fn ticks(ms: u64) -> u32 {
    tick(ms.saturating_mul(1_000))
}

/// Whether nearly all of them failed.
const fn is_share(failed: u32, of: u32) -> bool {
    of >= LEAST && failed as u64 * 5 >= of as u64 * 4
}

/// Whether nearly all of a sample failed, and more of it than chance may bring where fewer do.
const fn is_beyond_chance(failed: u32, of: u32) -> bool {
    // Two standard deviations of a share of 80 %: in fifths, (5f - 4n)² >= 4² n.
    let excess = (failed as u64 * 5).saturating_sub(of as u64 * 4);
    of >= LEAST && excess * excess >= of as u64 * 16
}

#[cfg(test)]
mod tests;
