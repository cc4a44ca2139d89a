//! What a running daemon thinks of itself, as it is shown.

use crate::clock::{Clock, rfc3339};
use crate::health::jury::{Ground, Holding};
use crate::health::own_faults;
use crate::stage::recorder::Opinion;
use crate::view::text::count;
use crate::view::{Judgement, OwnFault, Summary};

/// Tells in `summary` whether it is probably us that fail, and what of ours went wrong lately.
pub(super) fn tell(summary: &mut Summary, opinion: &Opinion, clock: &Clock) {
    let state = if opinion.holding.is_some() { "held" } else { "given" };
    summary.judgement = Judgement {
        state: state.into(),
        since: opinion.holding.map(|holding| rfc3339(unix_ms(clock, holding.since_us))),
        reason: opinion.holding.as_ref().map(reason),
        held: opinion.times_held,
    };
    summary.own_faults = opinion.faults.iter().map(own_fault).collect();
}

/// The Unix time of a moment that has passed, in milliseconds.
fn unix_ms(clock: &Clock, at_us: u64) -> i64 {
    let ago_us = clock.monotonic_us().saturating_sub(at_us);
    clock.now_ms() - i64::try_from(ago_us / 1_000).unwrap_or(i64::MAX)
}

fn reason(holding: &Holding) -> String {
    let (failed, of) = (count(u64::from(holding.failed)), count(u64::from(holding.of)));
    match holding.ground {
        Ground::Targets => {
            format!("{failed} of the last {of} targets failed together by network causes")
        }
        Ground::Sentinels => format!("{failed} of {of} sentinels fail by network causes"),
    }
}

fn own_fault(fault: &own_faults::OwnFault) -> OwnFault {
    OwnFault {
        cause: fault.cause.as_str().into(),
        detail: fault.detail.as_str().into(),
        count: fault.count,
        last_at: rfc3339(fault.last_ms),
    }
}
