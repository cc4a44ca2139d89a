//! `Cluster`: who works in the distributed mode, who has which shard, and what is wrong with that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339;

/// Numbers of shards that are named in one complaint.
const NAMED: usize = 8;
/// Time from due to recorded, in seconds, from which on recorders lag.
const LATE_S: f64 = 5.0;
/// By how much a clock may be ahead, in seconds.
const AHEAD_S: f64 = 1.0;

/// How the distributed mode works. Durations are seconds, times RFC 3339 in UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Cluster {
    /// What is wrong with it, the worst first.
    pub troubles: Vec<String>,
    /// Into how many shards the targets are shared.
    pub shards: u32,
    /// Its schedulers, which have shards.
    pub schedulers: Owners,
    /// Its recorders, which have shards.
    pub recorders: Owners,
    /// Where it polls from.
    pub locations: Vec<Location>,
    /// From due to recorded, lately, of the slowest shard.
    pub delay: Delays,
    /// Outcomes that are reported and not recorded yet; `None` when nobody tells.
    pub outcomes_behind: Option<u64>,
    /// Spans of the last day that nobody made jobs for, the newest first, 20 at most.
    pub gaps: Vec<Gap>,
    /// Its members, the lost ones among them for some minutes.
    pub members: Vec<Member>,
}

/// The members of a role that have shards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Owners {
    /// Members that are alive.
    pub members: u64,
    /// Shards that nobody has.
    pub unowned: Vec<u32>,
}

/// A place that targets are polled from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Location {
    /// Its name.
    pub name: String,
    /// Checkers there that are alive.
    pub members: u64,
    /// How long ago one of them was heard of.
    pub seen_seconds: f64,
    /// Jobs that its checkers have not taken yet; `None` when they do not tell.
    pub jobs_behind: Option<u64>,
    /// How late polls begin there lately, of the slowest checker: 99 of 100 no later; `None` when they
    /// do not tell.
    pub lag_seconds: Option<f64>,
}

/// How long it takes from due to recorded, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the quantiles speak for themselves")]
pub struct Delays {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    /// Since the newest of what is recorded finished.
    pub newest: f64,
}

/// A span of time that nobody made jobs for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Gap {
    /// Its shard.
    pub shard: u32,
    /// Its beginning.
    pub from: String,
    /// Its end.
    pub until: String,
    /// Why.
    pub reason: String,
}

/// A member of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// `scheduler`, `checker` or `recorder`.
    pub role: String,
    /// Where it polls from, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Its host.
    pub host: String,
    /// Its version.
    pub version: String,
    /// When it began.
    pub started_at: String,
    /// How long ago it was heard of.
    pub seen_seconds: f64,
    /// `alive`, or `lost` when it was not heard of for longer than shards stay with who is silent.
    pub state: String,
    /// Shards that it has.
    pub shards: u64,
    /// By how much its clock is ahead of the others', in seconds.
    pub ahead_seconds: f64,
    /// What else it says of itself.
    #[schema(value_type = Object)]
    pub figures: serde_json::Value,
}

impl Member {
    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.state == "alive"
    }

    /// The figure `name` of what it says of itself.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<u64> {
        self.figures.get(name)?.as_u64()
    }
}

impl Cluster {
    /// The members of `role` that are alive.
    pub fn alive<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a Member> + 'a {
        self.members.iter().filter(move |member| member.role == role && member.is_alive())
    }

    /// The sum of a figure of all checkers that are alive.
    #[must_use]
    pub fn of_checkers(&self, name: &str) -> u64 {
        self.alive("checker").filter_map(|member| member.figure(name)).sum()
    }

    /// Finds out what is wrong, as `troubles` tell it.
    pub fn judge(&mut self) {
        let mut told = Vec::new();
        for (role, owners) in [("scheduler", &self.schedulers), ("recorder", &self.recorders)] {
            told.extend(unowned(role, owners, self.shards));
        }
        if self.locations.is_empty() {
            told.push("no checker has ever polled: start poller checker".to_owned());
        }
        let silent = self.locations.iter().filter(|location| location.members == 0);
        told.extend(silent.map(|location| {
            let seen = crate::view::text::duration(location.seen_seconds);
            format!("no checker at location {} since {seen}", location.name)
        }));
        for scheduler in self.alive("scheduler") {
            let ms = scheduler.figure("lag_ms").max(scheduler.figure("unkept_ms")).unwrap_or(0);
            let late = seconds(i64::try_from(ms).unwrap_or(i64::MAX));
            if late > LATE_S {
                let late = crate::view::text::duration(late);
                told.push(format!("scheduler {} is {late} late with its jobs", scheduler.name));
            }
        }
        if self.delay.p99 > LATE_S {
            let late = crate::view::text::duration(self.delay.p99);
            told.push(format!("recorders lag: 99 of 100 polls are recorded {late} after due"));
        }
        let off =
            self.members.iter().filter(|one| one.is_alive() && one.ahead_seconds.abs() > AHEAD_S);
        told.extend(off.map(|member| {
            let off = crate::view::text::duration(member.ahead_seconds.abs());
            let way = if member.ahead_seconds > 0.0 { "ahead" } else { "behind" };
            format!("the clock of {} is {off} {way}", member.name)
        }));
        self.troubles = told;
    }
}

/// Complains of shards that no member of `role` has.
fn unowned(role: &str, owners: &Owners, shards: u32) -> Option<String> {
    let count = owners.unowned.len();
    if count == 0 {
        return None;
    }
    if count >= shards as usize {
        return Some(format!("no {role} works: start poller {role}"));
    }
    let named: Vec<String> = owners.unowned.iter().take(NAMED).map(u32::to_string).collect();
    let rest = count.saturating_sub(named.len());
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    let noun = if count == 1 { "shard" } else { "shards" };
    Some(format!("no {role} for {noun} {}{rest}", named.join(", ")))
}

/// What is known of a member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What is shown of it, but for its state and its shards.
    pub member: Member,
    /// When it was heard of last, in Unix milliseconds.
    pub seen_ms: i64,
}

/// What a cluster is shown by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Into how many shards its targets are shared.
    pub shards: u32,
    /// Members that were heard of lately.
    pub members: Vec<Seen>,
    /// Shards that are held, by role and shard: the name of the member.
    pub held: BTreeMap<(String, u32), String>,
    /// Locations, and when each was heard of last in Unix milliseconds.
    pub locations: Vec<(String, i64)>,
    /// The greatest delays of all shards, and since the newest poll.
    pub delay: Delays,
    /// Gaps: shard, beginning and end in Unix milliseconds, and why.
    pub gaps: Vec<(u32, i64, i64, String)>,
    /// Milliseconds after which a silent member is lost.
    pub patience_ms: i64,
}

impl Known {
    /// The cluster as it is shown at `now_ms` (Unix milliseconds).
    #[must_use]
    pub fn shown(self, now_ms: i64) -> Cluster {
        let seconds = |since_ms: i64| seconds(now_ms.saturating_sub(since_ms));
        let members: Vec<Member> = self
            .members
            .iter()
            .map(|seen| {
                let mut member = seen.member.clone();
                let is_alive = now_ms - seen.seen_ms <= self.patience_ms;
                if is_alive { "alive" } else { "lost" }.clone_into(&mut member.state);
                member.seen_seconds = seconds(seen.seen_ms);
                let own = |((role, _), owner): &(&(String, u32), &String)| {
                    *role == member.role && **owner == member.name
                };
                member.shards = self.held.iter().filter(own).count() as u64;
                member
            })
            .collect();
        let mut cluster = Cluster {
            shards: self.shards,
            schedulers: self.owners("scheduler", &members),
            recorders: self.owners("recorder", &members),
            locations: self.locations(&members, seconds),
            delay: self.delay,
            outcomes_behind: sum(&members, "recorder", None, "lag"),
            gaps: self.gaps.iter().take(20).map(gap).collect(),
            members,
            troubles: Vec::new(),
        };
        cluster.judge();
        cluster
    }

    fn owners(&self, role: &str, members: &[Member]) -> Owners {
        let is_held = |shard: &u32| self.held.contains_key(&(role.to_owned(), *shard));
        let alive = members.iter().filter(|member| member.role == role && member.is_alive());
        Owners {
            members: alive.count() as u64,
            unowned: (0..self.shards).filter(|shard| !is_held(shard)).collect(),
        }
    }

    fn locations(&self, members: &[Member], seconds: impl Fn(i64) -> f64) -> Vec<Location> {
        let known = self.locations.iter();
        known
            .map(|(name, seen_ms)| {
                let is_there = |member: &&Member| {
                    member.role == "checker" && member.location.as_deref() == Some(name)
                };
                let there = members.iter().filter(is_there).filter(|member| member.is_alive());
                Location {
                    name: name.clone(),
                    members: there.count() as u64,
                    seen_seconds: seconds(*seen_ms),
                    jobs_behind: sum(members, "checker", Some(name), "behind"),
                    lag_seconds: lag(members, name),
                }
            })
            .collect()
    }
}

/// The sum of a figure of the members of `role`, those at `location` when one is named; `None` when
/// nobody tells it.
fn sum(members: &[Member], role: &str, location: Option<&str>, figure: &str) -> Option<u64> {
    let own = members.iter().filter(|member| {
        member.role == role
            && member.is_alive()
            && location.is_none_or(|location| member.location.as_deref() == Some(location))
    });
    own.filter_map(|member| member.figure(figure)).reduce(|sum, one| sum + one)
}

/// How late polls begin at `location`, of the slowest checker there.
fn lag(members: &[Member], location: &str) -> Option<f64> {
    let there = members.iter().filter(|member| {
        member.role == "checker"
            && member.is_alive()
            && member.location.as_deref() == Some(location)
    });
    let slowest = there.filter_map(|member| member.figure("lag_p99_ms")).max()?;
    Some(seconds(i64::try_from(slowest).unwrap_or(i64::MAX)))
}

fn gap((shard, from_ms, until_ms, reason): &(u32, i64, i64, String)) -> Gap {
    let (from, until) = (rfc3339(*from_ms), rfc3339(*until_ms));
    Gap { shard: *shard, from, until, reason: reason.clone() }
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
}

#[cfg(test)]
mod tests;
