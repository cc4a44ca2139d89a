//! `Health`: whether name servers serve, told from what comes of the look-ups that they get.

use std::time::{Duration, Instant};

use super::lanes::Standing;
use crate::check::fault::Fault;
use crate::outcome::{Cause, Detail};

/// Look-ups in a row without an answer, each of another name, that make servers silent: a name may
/// be to blame for its own.
const FEW: usize = 3;
/// How long nothing must have been heard: twice as long as an answer takes, within these bounds.
const SILENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(5));
/// Names in a row for which a failure is reported that make servers fail, and for how long it must
/// have gone on.
const FAILING: (usize, Duration) = (5, Duration::from_secs(1));
/// How often servers that do not serve are asked, for a name that did not fail before and for one
/// that did.
const PROBE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Look-ups in flight at most when servers serve again; each answer allows one more.
const AGAIN: usize = 8;

/// What a look-up tells of those who were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// They know the name, or know that there is none.
    Served,
    /// They report a failure, or refuse.
    Failed(Fault),
    /// They said nothing in time.
    Silent,
    /// Nobody is there who would.
    Absent,
    /// Nothing: the fault is ours.
    Nothing,
}

impl Sign {
    /// What is told by a look-up that ended by `fault` after `took` of at most `limit`.
    pub(super) fn of(fault: Fault, took: Duration, limit: Duration) -> Self {
        match (fault.cause, fault.detail) {
            (Cause::Resolver, Detail::Unanswered) if took < limit => Self::Absent,
            (Cause::Resolver, Detail::Unanswered) => Self::Silent,
            (Cause::Resolver, _) | (Cause::Dns, Detail::ServerFailure) => Self::Failed(fault),
            (Cause::Dns, _) => Self::Served,
            _ => Self::Nothing,
        }
    }
}

/// What is done with a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is made.
    Ask,
    /// It is not: nobody serves.
    Refuse(Fault),
}

/// How the state of name servers has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// They do not serve any more, which shows by this fault.
    Closed(Fault),
    /// They serve again.
    Opened,
}

/// Whether name servers serve.
#[derive(Debug)]
pub(super) struct Health {
    /// Look-ups in a row without an answer.
    silent: usize,
    /// Whether nobody was there for the last of them.
    is_absent: bool,
    /// Names in a row for which they report a failure, and since when.
    failed: Option<(usize, Instant)>,
    closed: Option<Closed>,
    allowed: usize,
}

/// What name servers do not serve by, and when they are asked next: for a name that did not fail
/// before, and for one that did.
#[derive(Clone, Copy, Debug)]
struct Closed {
    fault: Fault,
    next: (Instant, Instant),
}

impl Health {
    pub(super) const fn new() -> Self {
        Self { silent: 0, is_absent: false, failed: None, closed: None, allowed: usize::MAX }
    }

    /// Whether they are known not to serve.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Look-ups that may be in flight at most.
    pub(super) const fn allowed(&self) -> usize {
        // While they do not serve, nothing is in flight but what finds out.
        if self.is_closed() { usize::MAX } else { self.allowed }
    }

    /// What is done with a look-up.
    pub(super) fn turn(&mut self, standing: Standing, now: Instant) -> Turn {
        let Some(closed) = &mut self.closed else { return Turn::Ask };
        let (next, every) = match standing {
            Standing::Good => (&mut closed.next.0, PROBE.0),
            Standing::Suspect => (&mut closed.next.1, PROBE.1),
        };
        if *next > now {
            return Turn::Refuse(closed.fault);
        }
        *next = now + every;
        Turn::Ask
    }

    /// How long nothing must have been heard of servers whose answers take `usual`.
    pub(super) fn patience(usual: Duration) -> Duration {
        (usual * 2).clamp(SILENCE.0, SILENCE.1)
    }

    /// Notes what the end of a look-up tells.
    pub(super) fn note(&mut self, sign: Sign, standing: Standing, now: Instant) -> Change {
        match sign {
            Sign::Nothing => Change::None,
            Sign::Served => {
                let was_closed = self.closed.is_some();
                let allowed = if was_closed { AGAIN } else { self.allowed.saturating_add(1) };
                *self = Self { allowed, ..Self::new() };
                if was_closed { Change::Opened } else { Change::None }
            }
            Sign::Failed(fault) => {
                (self.silent, self.is_absent) = (0, false);
                let (count, since) = self.failed.unwrap_or((0, now));
                // A name that fails again says nothing new, but how long it goes on.
                self.failed = Some((count + usize::from(standing == Standing::Good), since));
                if self.is_failing() && now.saturating_duration_since(since) >= FAILING.1 {
                    return self.close(ours(fault), now);
                }
                Change::None
            }
            Sign::Silent | Sign::Absent if standing == Standing::Suspect => Change::None,
            Sign::Silent | Sign::Absent => {
                self.silent += 1;
                self.is_absent = sign == Sign::Absent;
                if self.is_absent && self.silent >= FEW {
                    return self.close(Fault::unanswered(), now);
                }
                Change::None
            }
        }
    }

    /// Closes where nothing was heard for as long as the patience allows, and `waiting` look-ups of
    /// names in good standing wait for longer.
    pub(super) fn weigh_silence(&mut self, waiting: usize, now: Instant) -> Change {
        if self.silent + waiting < FEW || self.is_closed() {
            return Change::None;
        }
        self.close(Fault::unanswered(), now)
    }

    /// Whether they report a failure whatever they are asked.
    pub(super) fn is_failing(&self) -> bool {
        self.is_closed() || self.failed.is_some_and(|(count, _)| count >= FAILING.0)
    }

    /// What they do not serve by, if they do not.
    pub(super) fn closed_by(&self) -> Option<Fault> {
        self.closed.map(|closed| closed.fault)
    }

    /// Has what they do not serve by be `fault`, if they do not and it is of that kind.
    pub(super) fn blame(&mut self, fault: Fault) {
        if let (Some(closed), Cause::Resolver | Cause::NoNetwork) = (&mut self.closed, fault.cause)
        {
            closed.fault = fault;
        }
    }

    fn close(&mut self, fault: Fault, now: Instant) -> Change {
        let is_new = self.closed.is_none();
        let next = self.closed.map_or((now + PROBE.0, now + PROBE.1), |closed| closed.next);
        self.closed = Some(Closed { fault, next });
        if is_new { Change::Closed(fault) } else { Change::None }
    }
}

/// A failure that is reported whatever is asked says nothing of a name.
pub(super) const fn ours(fault: Fault) -> Fault {
    Fault::new(Cause::Resolver, fault.detail)
}

#[cfg(test)]
mod tests;
