//! `poller db status`: what the database says of its cluster.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::store::postgres::members::MemberRow;
use crate::store::postgres::status::{GapSpan, Share, Status};
use crate::store::postgres::targets::LocationRow;
use crate::store::postgres::{Database, DatabaseError};
use crate::view::table;
use crate::view::text::{count, duration, plural};

/// What the database says of its cluster, for people or as JSON.
///
/// # Errors
/// There is no cluster, or the database cannot be reached.
pub(super) async fn status(database: &Database, as_json: bool) -> Result<String, DatabaseError> {
    let status = database.status().await?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = if as_json { writeln!(text, "{:#}", told(&status)) } else { tell(&mut text, &status) };
    Ok(text)
}

fn tell(text: &mut String, status: &Status) -> std::fmt::Result {
    let Status { version, shards, revision, targets, removed, .. } = status;
    let shards = plural(u64::from(*shards), "shard");
    writeln!(text, "database    version {version}, {shards}, revision {revision}")?;
    let removed = match removed {
        0 => String::new(),
        removed => format!(", {} removed", count(*removed)),
    };
    writeln!(text, "targets     {}{removed}", count(*targets))?;
    let locations: Vec<String> = status.locations.iter().map(location).collect();
    let locations = if locations.is_empty() { "none yet".to_owned() } else { locations.join(", ") };
    writeln!(text, "locations   {locations}")?;
    for lease in &status.leases {
        writeln!(text, "{:<12}{}", lease.role, shared(lease))?;
    }
    if status.gaps.is_empty() {
        writeln!(text, "gaps        none")?;
    }
    for gap in &status.gaps {
        writeln!(text, "gap         {}", span(gap))?;
    }
    if !status.members.is_empty() {
        let columns =
            ["role", "name", "location", "host", "pid", "version", "seen", "clock", "shards"];
        let rows: Vec<Vec<String>> = status.members.iter().map(row).collect();
        write!(text, "\n{}", table::plain(&columns.map(str::to_owned), &rows))?;
    }
    Ok(())
}

fn location(location: &LocationRow) -> String {
    let is_retired = if location.is_retired { " (retired)" } else { "" };
    format!("{}{is_retired}", location.name)
}

fn shared(lease: &Share) -> String {
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let held = plural(number(lease.held), "shard");
    let free = match lease.free {
        0 => String::new(),
        free => format!(", {} with nobody", count(number(free))),
    };
    format!("{held} with {}{free}", plural(number(lease.owners), "member"))
}

fn span(gap: &GapSpan) -> String {
    let shards = plural(u64::try_from(gap.shards).unwrap_or(0), "shard");
    format!("{} to {}, {shards}: {}", rfc3339(gap.began_ms), rfc3339(gap.ended_ms), gap.reason)
}

/// Seconds of `ms` milliseconds.
fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an age or a clock's fault, not a time")]
    let ms = ms as f64;
    ms / 1e3
}

fn row(member: &MemberRow) -> Vec<String> {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let shards = if member.shards == 0 { "-".to_owned() } else { member.shards.to_string() };
    vec![
        member.role.clone(),
        member.name.clone(),
        or_none(&member.location),
        member.host.clone(),
        member.pid.to_string(),
        member.version.clone(),
        format!("{} ago", duration(seconds(member.seen_ms_ago.max(0)))),
        format!("{:+.3} s", seconds(member.ahead_ms)),
        shards,
    ]
}

fn told(status: &Status) -> Value {
    let locations = status.locations.iter().map(|location| {
        json!({"name": location.name, "seen_at": rfc3339(location.seen_at_ms),
            "retired": location.is_retired})
    });
    let members = status.members.iter().map(|member| {
        json!({"name": member.name, "role": member.role, "location": member.location,
            "host": member.host, "pid": member.pid, "version": member.version,
            "seen_seconds_ago": seconds(member.seen_ms_ago),
            "clock_ahead_seconds": seconds(member.ahead_ms), "shards": member.shards})
    });
    let roles = status.leases.iter().map(|lease| {
        json!({"role": lease.role, "held": lease.held, "free": lease.free,
            "members": lease.owners, "epoch": lease.epoch})
    });
    let gaps = status.gaps.iter().map(|gap| {
        json!({"shards": gap.shards, "began": rfc3339(gap.began_ms),
            "ended": rfc3339(gap.ended_ms), "reason": gap.reason})
    });
    json!({"schema": 1, "version": status.version, "shards": status.shards,
        "revision": status.revision, "targets": status.targets, "removed": status.removed,
        "locations": locations.collect::<Vec<_>>(), "members": members.collect::<Vec<_>>(),
        "roles": roles.collect::<Vec<_>>(), "gaps": gaps.collect::<Vec<_>>()})
}
