//! What a poll found while its runtime stood still: that its time ran out is then our fault.

use std::time::Duration;

use crate::outcome::{Cause, Detail, Finding};
use crate::target::Target;

/// A standstill within a poll that may be what its time went on.
const SHORTEST: Duration = Duration::from_millis(200);
/// The part of a time limit that a standstill has to take of it, as a divisor.
const PART: u32 = 5;
/// A standstill in which others lose patience with us.
const OF_OTHERS: Duration = Duration::from_secs(1);

/// What a finding may be owed to, other than its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excuse {
    /// Time ran out that was ours to use, so much of it.
    OutOfTime(Duration),
    /// The other side ended it, as it would when we say nothing for long.
    GivenUp,
}

/// `finding` of a poll of `target`; or that we did not get the processor in time, when its runtime
/// stood still for as long as `stood_still` says and that may be why. Asks that of few findings.
pub(super) fn excused(
    finding: Finding,
    target: &Target,
    stood_still: impl FnOnce() -> Duration,
) -> Finding {
    let least = match excuse(&finding, target) {
        None => return finding,
        Some(Excuse::OutOfTime(limit)) => SHORTEST.max(limit / PART),
        Some(Excuse::GivenUp) => OF_OTHERS,
    };
    if stood_still() < least {
        return finding;
    }
    finding.with_cause(Cause::NoResources, Detail::Processor)
}

fn excuse(finding: &Finding, target: &Target) -> Option<Excuse> {
    match (finding.cause?, finding.detail) {
        (Cause::Timeout, _)
        | (Cause::Dns, Detail::Unanswered)
        | (Cause::Assertion, Detail::Loss) => Some(Excuse::OutOfTime(target.timeout())),
        (Cause::Assertion, Detail::Latency) => {
            let expected_ms = target.plan.expect.latency_under_ms;
            let expected = expected_ms.map(|ms| Duration::from_millis(ms.into()));
            Some(Excuse::OutOfTime(expected.unwrap_or_else(|| target.timeout())))
        }
        // A refusal is an answer, however late it is read.
        (Cause::Connect, Detail::Refused) => None,
        (Cause::Connect | Cause::Reset | Cause::Body, _) | (Cause::Protocol, Detail::NoAnswer) => {
            Some(Excuse::GivenUp)
        }
        _ => None,
    }
}
