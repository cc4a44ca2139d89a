//! The summary of a stopped daemon: what it said last, and what of it still holds.

use super::recent;
use super::summary::{Down, Expiring, InFlight, Process, Storage, Summary, Targets};
use super::{Places, Resources};
use crate::clock::rfc3339;
use crate::expectation::CERTIFICATE_DAYS;
use crate::store::reader::{DownTarget, Stored, Worst};
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
    summary.places = Places::default();
    summary.resources = Resources::default();
    summary.own_faults.clear();
    summary.storage = Storage {
        state: if stored.spilled > 0 { "degraded" } else { "ok" }.to_owned(),
        path: stored.path.display().to_string(),
        bytes: stored.bytes,
        samples: stored.samples,
        spilled: stored.spilled,
        reason: (stored.spilled > 0).then(|| "the next start takes in what was spilled".to_owned()),
        lost: summary.storage.lost,
        ..Storage::default()
    };
    let passed_ms = stored.watched_until_ms.map_or(0, |until_ms| now_ms - until_ms);
    for expiring in &mut summary.certificates_expiring {
        expiring.days -= passed_ms.div_euclid(86_400_000);
    }
    summary.checks.total = stored.totals.checks;
    summary.top_codes = recent::top_codes(&stored.totals);
    let url = |number| stored.urls.get(&number).cloned().unwrap_or_default();
    recent::tell(&mut summary, &stored.recent, url, now_ms.div_euclid(1_000));
    summary
}

/// Lists in `summary`, that of a stopped daemon, every target that `worst` names. Which certificates
/// an entry wants earlier or later than the others is known of those that are listed already.
pub fn tell_worst(summary: &mut Summary, worst: &Worst, now_ms: i64) {
    summary.down = worst.down.iter().map(down).collect();
    let listed = std::mem::take(&mut summary.certificates_expiring);
    if listed.len() as u64 >= summary.certificates_expiring_total {
        summary.certificates_expiring = listed;
        return;
    }
    let is_listed = |url: &str| listed.iter().any(|one| one.url == url);
    summary.certificates_expiring = worst
        .certificates
        .iter()
        .map(|(url, until_s)| Expiring {
            url: url.clone(),
            days: (until_s - now_ms.div_euclid(1_000)).div_euclid(86_400),
        })
        .filter(|one| one.days < i64::from(CERTIFICATE_DAYS) || is_listed(&one.url))
        .collect();
    let listed = summary.certificates_expiring.len() as u64;
    summary.certificates_expiring_total = summary.certificates_expiring_total.max(listed);
}

fn down(target: &DownTarget) -> Down {
    Down {
        url: target.url.clone(),
        name: target.name.clone(),
        since: rfc3339(target.since_ms),
        cause: target.cause.map_or("", |cause| cause.as_str()).into(),
        detail: target.detail.as_str().into(),
    }
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
