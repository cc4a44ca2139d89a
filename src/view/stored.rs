//! The summary of a stopped daemon: what it said last, and what of it still holds.

use super::recent;
use super::summary::{InFlight, Process, Storage, Summary, Targets};
use crate::clock::rfc3339;
use crate::store::reader::Stored;
use crate::target::State;

/// The summary of what a stopped daemon left, as of `now_ms` (Unix milliseconds): its targets and
/// counts as it knew them last, the figures of the last five minutes as they are now.
#[must_use]
pub fn stored_summary(stored: &Stored, now_ms: i64) -> Summary {
    let summary = stored.summary.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let mut summary = summary.unwrap_or_else(|| Summary {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        targets: targets(&stored.states),
        ..Summary::default()
    });
    "stopped".clone_into(&mut summary.state);
    summary.pid = 0;
    summary.uptime_seconds = 0.0;
    summary.listen = None;
    summary.as_of = rfc3339(now_ms);
    summary.stopped_at = stored.watched_until_ms.map(rfc3339);
    summary.in_flight = InFlight::default();
    summary.process = Process::default();
    summary.storage = Storage {
        state: "ok".to_owned(),
        path: stored.path.display().to_string(),
        bytes: stored.bytes,
        samples: stored.samples,
        spilled: summary.storage.spilled,
        lost: summary.storage.lost,
        ..Storage::default()
    };
    summary.checks.total = stored.totals.checks;
    summary.top_codes = recent::top_codes(&stored.totals);
    let url = |number| stored.urls.get(&number).cloned().unwrap_or_default();
    recent::tell(&mut summary, &stored.recent, url, now_ms.div_euclid(1_000));
    summary
}

fn targets(states: &[(u8, u64)]) -> Targets {
    let mut targets = Targets::default();
    for &(state, count) in states {
        targets.total += count;
        match State::from_code(state).unwrap_or(State::Pending) {
            State::Pending => targets.pending += count,
            State::Up => targets.up += count,
            State::Warning => targets.warning += count,
            State::Down => targets.down += count,
            State::Unknown => targets.unknown += count,
            State::Paused => targets.paused += count,
        }
    }
    targets
}
