//! `Own`: what a checker tells of itself, which knows nothing of the rest of its cluster.

use std::sync::Arc;

use serde_json::Value;

use super::{RoleHealth, Shown};
use crate::api::Metrics;
use crate::app::cluster::view::Viewer;
use crate::clock::{Clock, rfc3339};
use crate::view::recent::seconds;
use crate::view::series::{Family, Sample, Unit, Value as Figure};
use crate::view::{
    Checks, InFlight, Lists, MissedBy, Schedule, Storage, Summary, TargetPage, TargetQuery,
};

/// What a checker tells of itself.
pub(super) struct Own {
    location: String,
    health: Arc<RoleHealth>,
    clock: Clock,
    started_ms: i64,
}

impl Own {
    /// The checker at `location` that `viewer` is.
    pub(super) fn new(location: &str, viewer: &Viewer, clock: Clock) -> Self {
        Self {
            location: location.to_owned(),
            health: Arc::clone(&viewer.health),
            started_ms: clock.now_ms(),
            clock,
        }
    }
}

impl Shown for Own {
    const RELOAD: &str = "a role has nothing to read again";

    fn summary(&self, _: Lists) -> Summary {
        let figures = self.health.figures();
        let figure = |name: &str| figures.get(name).and_then(Value::as_u64).unwrap_or(0);
        let missed = |reason: &str| {
            let told = figures.get("missed").and_then(|missed| missed.get(reason));
            told.and_then(Value::as_u64).unwrap_or(0)
        };
        let now_ms = self.clock.now_ms();
        let up_ms = u64::try_from(now_ms - self.started_ms).unwrap_or(0);
        let missed_by = MissedBy {
            running: missed("running"),
            saturated: missed("saturated"),
            politeness: missed("politeness"),
            standstill: missed("late"),
        };
        let all = [missed_by.running, missed_by.saturated, missed_by.politeness];
        let is_held = figures.get("held").and_then(Value::as_bool) == Some(true);
        Summary {
            schema: 1,
            state: "running".to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(rfc3339(self.started_ms)),
            uptime_seconds: seconds(up_ms.saturating_mul(1_000)),
            as_of: rfc3339(now_ms),
            in_flight: self.in_flight(),
            checks: Checks {
                since_start: figure("outcomes"),
                missed: all.iter().sum::<u64>() + missed_by.standstill + missed("entry"),
                missed_by,
                ..Checks::default()
            },
            schedule: Schedule {
                waiting: figure("waiting"),
                state: if is_held { "saturated" } else { "ok" }.to_owned(),
                ..Schedule::default()
            },
            storage: Storage { state: "ok".to_owned(), ..Storage::default() },
            process: crate::process::facts(figure("limit")),
            ..Summary::default()
        }
    }

    fn in_flight(&self) -> InFlight {
        let figures = self.health.figures();
        let figure = |name: &str| figures.get(name).and_then(Value::as_u64).unwrap_or(0);
        InFlight { count: figure("in_flight"), limit: figure("limit"), urls: Vec::new() }
    }

    fn targets(&self, _: &TargetQuery) -> Result<TargetPage, String> {
        Err("a checker knows no list of targets; ask a scheduler or a recorder".to_owned())
    }
}

impl Metrics for Own {
    fn families(&self) -> Vec<Family> {
        let mut told = Family::gauge("poller_member", "What this member tells of itself");
        told.samples = flat("", &self.health.figures())
            .into_iter()
            .map(|(name, value)| Sample {
                labels: vec![("location", self.location.clone()), ("figure", name)],
                value: Figure::Number(value),
            })
            .collect();
        let process = crate::process::facts(0);
        vec![
            told,
            Family::gauge("process_resident_memory", "Resident memory")
                .in_unit(Unit::Bytes)
                .of(process.rss_bytes),
            Family::gauge("process_open_fds", "Open file descriptors").of(process.open_files),
            Family::counter("process_cpu", "Processor time")
                .in_unit(Unit::Seconds)
                .of(process.cpu_seconds),
        ]
    }
}

/// The numbers in `value` by their names, those within others with both names.
fn flat(before: &str, value: &Value) -> Vec<(String, f64)> {
    match value {
        Value::Object(pairs) => {
            let named = |name: &String| match before {
                "" => name.clone(),
                before => format!("{before}_{name}"),
            };
            pairs.iter().flat_map(|(name, value)| flat(&named(name), value)).collect()
        }
        Value::Number(number) => {
            number.as_f64().map(|number| (before.to_owned(), number)).into_iter().collect()
        }
        Value::Bool(is_so) => vec![(before.to_owned(), f64::from(u8::from(*is_so)))],
        Value::Null | Value::String(_) | Value::Array(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::cluster::face::bystander;

    #[test]
    fn what_a_checker_says_of_itself_is_its_summary_and_its_figures() {
        let viewer = bystander();
        let figures = serde_json::json!({"in_flight": 7, "limit": 9, "outcomes": 100, "held": true,
            "behind": 5,
            "missed": {"late": 2, "running": 1}});
        viewer.health.beat(Ok(()), figures);
        let own = Own::new("eu", &viewer, Clock::system());
        let summary = own.summary(Lists::Short);
        assert_eq!((summary.in_flight.count, summary.in_flight.limit), (7, 9));
        assert_eq!((summary.checks.missed, summary.schedule.state.as_str()), (3, "saturated"));
        let families = own.families();
        let told = families.first().expect("a family");
        let names: Vec<_> = told.samples.iter().map(|one| one.labels[1].1.clone()).collect();
        assert!(names.contains(&"missed_late".to_owned()), "{names:?}");
        assert!(names.contains(&"behind".to_owned()), "{names:?}");
    }
}
