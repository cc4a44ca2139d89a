//! The summary of a cluster, in the words of that of one machine.

use std::sync::Arc;

use super::View;
use super::gathered::Gathered;
use crate::clock::rfc3339;
use crate::store::Totals;
use crate::store::postgres::members::MemberRow;
use crate::store::postgres::read::{Expiring as Row, Line};
use crate::target::State;
use crate::view::cluster::{Cluster, Delays, Known, Member, Seen};
use crate::view::recent::{self, seconds};
use crate::view::{Checks, Down, Expiring, InFlight, MissedBy, Process, Storage, Summary, Targets};

/// Entries of a whole list at most.
const WHOLE: usize = 100_000;

impl View {
    /// Makes the summary of what was gathered.
    pub(super) fn make_summary(&self) {
        let mut summary = {
            let own = self.gathered.lock();
            let mut summary = of(&own, self.patience_ms, &self.place);
            let now_s = own.cluster.now_ms.div_euclid(1_000);
            let url = |number| match own.names.get(&number) {
                Some(named) => named.url.clone(),
                None => format!("target {number} (removed)"),
            };
            recent::tell(&mut summary, &self.recent.lock(), url, now_s);
            summary
        };
        tell_waiting(&mut summary);
        *self.summary.write() = Arc::new(summary);
    }

    /// Notes in the last summary that the database cannot be read now.
    pub(super) fn note_away(&self, reason: &str) {
        let mut summary = (**self.summary.read()).clone();
        if !summary.storage.is_degraded() {
            tracing::warn!("the cluster is shown as it was: {reason}");
        }
        tell_away(&mut summary, &self.place, reason);
        *self.summary.write() = Arc::new(summary);
    }

    /// Puts whole lists into `summary`, as far as the database tells them now.
    pub(super) fn tell_all(&self, summary: &mut Summary) {
        let now_s = self.now_ms().div_euclid(1_000);
        let most_days = self.gathered.lock().slow.list.most_days;
        if let Ok(lines) = self.ask(self.reader.down(WHOLE)) {
            summary.down = lines.iter().map(down).collect();
        }
        if let Ok((rows, total)) = self.ask(self.reader.expiring(now_s, most_days, WHOLE)) {
            summary.certificates_expiring = rows.iter().map(|row| expiring(row, now_s)).collect();
            summary.certificates_expiring_total = total;
        }
    }
}

/// Says in `summary` that its database, which is at `place`, cannot be read.
pub(super) fn tell_away(summary: &mut Summary, place: &str, reason: &str) {
    "degraded".clone_into(&mut summary.storage.state);
    place.clone_into(&mut summary.storage.path);
    summary.storage.reason = Some(reason.to_owned());
}

/// What `own` tells, but for the last five minutes.
fn of(own: &Gathered, patience_ms: i64, place: &str) -> Summary {
    let now_ms = own.cluster.now_ms;
    let second = now_ms.div_euclid(1_000);
    let cluster = known(own, patience_ms).shown(now_ms);
    let records = cluster.recorders.members > 0;
    let up_ms = u64::try_from(now_ms - own.cluster.created_ms).unwrap_or(0);
    let totals = Totals { codes: own.codes(), ..Totals::default() };
    Summary {
        schema: 1,
        state: if records { "running" } else { "stopped" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Some(rfc3339(own.cluster.created_ms)),
        uptime_seconds: seconds(up_ms.saturating_mul(1_000)),
        as_of: rfc3339(now_ms),
        stopped_at: stopped_at(own).filter(|_| !records),
        targets: targets(own),
        checks: checks(own, &cluster),
        top_codes: recent::top_codes(&totals),
        down: own.down.iter().map(down).collect(),
        certificates_expiring: own.slow.expiring.iter().map(|row| expiring(row, second)).collect(),
        certificates_expiring_total: own.slow.expiring_total,
        in_flight: in_flight(&cluster),
        storage: Storage {
            state: "ok".to_owned(),
            path: place.to_owned(),
            bytes: own.slow.room.bytes,
            samples: own.slow.room.samples,
            ..Storage::default()
        },
        process: process(&cluster),
        cluster: Some(cluster),
        ..Summary::default()
    }
}

/// Until when states are known.
fn stopped_at(own: &Gathered) -> Option<String> {
    let written = own.progress.iter().filter(|one| one.step > 0).map(|one| one.written_ms);
    written.max().map(rfc3339)
}

fn targets(own: &Gathered) -> Targets {
    let known: u64 = State::ALL.iter().map(|state| own.count(*state)).sum();
    // What could not be counted is as many as recorders know.
    let total = if own.slow.list.total == 0 { known } else { own.slow.list.total };
    Targets {
        total,
        unique: own.slow.list.unique,
        rejected: 0,
        up: own.count(State::Up),
        warning: own.count(State::Warning),
        down: own.count(State::Down),
        unknown: own.count(State::Unknown),
        // What no recorder knows yet has not been polled.
        pending: own.count(State::Pending) + total.saturating_sub(known),
        paused: own.count(State::Paused),
    }
}

fn checks(own: &Gathered, cluster: &Cluster) -> Checks {
    let missed = |reason: &str| -> u64 {
        let told =
            cluster.alive("checker").filter_map(|one| one.figures.get("missed")?.get(reason));
        told.filter_map(serde_json::Value::as_u64).sum()
    };
    let total = own.sum(|one| one.checks);
    Checks {
        total,
        since_start: total,
        missed: own.sum(|one| one.missed),
        missed_by: MissedBy {
            running: missed("running"),
            saturated: missed("saturated"),
            politeness: missed("politeness"),
            standstill: missed("late"),
        },
        rechecks: own.sum(|one| one.rechecks),
        bytes: own.sum(|one| one.bytes),
        ..Checks::default()
    }
}

fn in_flight(cluster: &Cluster) -> InFlight {
    let count = cluster.of_checkers("in_flight");
    InFlight { count, limit: cluster.of_checkers("limit"), urls: Vec::new() }
}

/// What all members take together, as far as they tell.
fn process(cluster: &Cluster) -> Process {
    let alive = || cluster.members.iter().filter(|member| member.is_alive());
    let sum = |name: &str| alive().filter_map(|member| member.figure(name)).sum();
    let cpu = alive().filter_map(|member| member.figures.get("cpu_seconds")?.as_f64()).sum();
    Process {
        rss_bytes: sum("rss_bytes"),
        cpu_seconds: cpu,
        open_files: sum("open_files"),
        open_files_limit: sum("open_files_limit"),
        workers_limit: cluster.of_checkers("limit"),
    }
}

fn tell_waiting(summary: &mut Summary) {
    let Some(cluster) = &summary.cluster else { return };
    summary.schedule.waiting = cluster.of_checkers("waiting");
    summary.schedule.polite = cluster.of_checkers("parked");
    let is_held = |member: &Member| member.figures.get("held").and_then(serde_json::Value::as_bool);
    if cluster.alive("checker").any(|member| is_held(member) == Some(true)) {
        "saturated".clone_into(&mut summary.schedule.state);
    }
}

/// What the cluster is shown by.
fn known(own: &Gathered, patience_ms: i64) -> Known {
    let held = own.leases.iter().filter(|lease| lease.is_held);
    let held = held.filter_map(|lease| {
        // Behind the name stands what tells a process from another one of that name.
        let owner = lease.owner.as_deref()?.split('#').next()?;
        Some(((lease.role.clone(), lease.shard), owner.to_owned()))
    });
    let gaps = own.slow.gaps.iter();
    Known {
        shards: own.cluster.shards,
        members: own.members.iter().map(seen).collect(),
        held: held.collect(),
        locations: own.locations.iter().map(|one| (one.name.clone(), one.seen_at_ms)).collect(),
        delay: delays(own),
        gaps: gaps.map(|gap| (gap.shard, gap.began_ms, gap.ended_ms, gap.reason.clone())).collect(),
        patience_ms,
    }
}

fn seen(row: &MemberRow) -> Seen {
    let member = Member {
        name: row.name.clone(),
        role: row.role.clone(),
        location: Some(row.location.clone()).filter(|location| !location.is_empty()),
        host: row.host.clone(),
        version: row.version.clone(),
        started_at: rfc3339(row.started_ms),
        ahead_seconds: signed_seconds(row.ahead_ms),
        figures: serde_json::from_str(&row.facts).unwrap_or_default(),
        ..Member::default()
    };
    Seen { member, seen_ms: row.seen_ms }
}

/// The longest delays of the shards that were written lately.
fn delays(own: &Gathered) -> Delays {
    /// What was written before that says nothing of now.
    const LATELY_MS: i64 = 60_000;
    let now_ms = own.cluster.now_ms;
    let lately = || own.progress.iter().filter(move |one| now_ms - one.written_ms < LATELY_MS);
    let most = |pick: fn(&[u64; 3]) -> u64| {
        let longest = lately().map(|one| pick(&one.delay_ms)).max().unwrap_or(0);
        seconds(longest.saturating_mul(1_000))
    };
    let newest = own.progress.iter().filter_map(|one| one.newest_ms).max();
    let newest = newest.map_or(0, |newest| u64::try_from(now_ms - newest).unwrap_or(0));
    Delays {
        p50: most(|[p50, _, _]| *p50),
        p99: most(|[_, p99, _]| *p99),
        max: most(|[_, _, max]| *max),
        newest: seconds(newest.saturating_mul(1_000)),
    }
}

fn signed_seconds(ms: i64) -> f64 {
    let length = seconds(ms.unsigned_abs().saturating_mul(1_000));
    if ms < 0 { -length } else { length }
}

fn down(line: &Line) -> Down {
    let health = line.health(0);
    Down {
        url: line.url.clone(),
        name: line.name.clone(),
        since: rfc3339(health.since_ms),
        cause: health.cause.map_or("", |cause| cause.as_str()).into(),
        detail: health.detail.as_str().into(),
    }
}

fn expiring(row: &Row, now_s: i64) -> Expiring {
    Expiring { url: row.url.clone(), days: (row.until_s - now_s).div_euclid(86_400) }
}
