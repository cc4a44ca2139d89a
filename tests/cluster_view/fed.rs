//! `Fed`: a cluster whose recorder has taken a stream of outcomes in, and the ledger of one machine
//! that has seen the same.

use std::collections::BTreeMap;
use std::process::Command;

use poller::clock::Clock;
use poller::health::votes::Slot;
use poller::ledger::Ledger;
use poller::outcome::{Cause, Detail, Finding, Micros, Outcome, Phases, SampleKind};
use poller::shards::Shards;
use poller::stage::docket::{Docket, Terms};
use poller::store::postgres::Database;
use poller::store::postgres::targets::TargetRow;
use poller::store::{Record, RestoredShard, ShardBatch};
use serde_json::json;

use super::engines::Postgres;
use super::server::{at, fresh, sql};

pub(crate) const TARGETS: usize = 60;
const SHARDS: u32 = 4;
pub(crate) const EVERY_MS: i64 = 10_000;
/// Slots of each target, the last of them a little ago.
pub(crate) const SLOTS: i64 = 12;
const BACK_MS: i64 = 15_000;

/// A cluster and its twin on one machine.
pub(crate) struct Fed {
    pub(crate) url: String,
    /// The targets by number.
    pub(crate) targets: BTreeMap<u32, TargetRow>,
    /// Labels, group and name of each are by its place in the list, which its address names.
    pub(crate) twin: Ledger,
    /// All outcomes by target, the newest first.
    pub(crate) outcomes: BTreeMap<u32, Vec<Outcome>>,
    pub(crate) now_ms: i64,
}

impl Fed {
    pub(crate) fn new(server: &Postgres) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let url = fresh(server);
        let room = tempfile::tempdir().expect("a folder");
        std::fs::write(room.path().join("list.json"), list().to_string()).expect("a list");
        for arguments in [&["db", "init", "--shards", "4"][..], &["db", "import", "list.json"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
            command.env_clear().env("POLLER_POSTGRES", &url).current_dir(room.path());
            let output = command.args(arguments).output().expect("it runs");
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
        let database = at(&url, None).expect("an address");
        let now_ms = Clock::system().now_ms();
        let (targets, twin, outcomes) = runtime.block_on(fill(&database, now_ms));
        tell_members(&url);
        Self { url, targets, twin, outcomes, now_ms }
    }

    /// The place in the list of the target with this number.
    pub(crate) fn place(&self, number: u32) -> usize {
        place(&self.targets[&number])
    }

    /// The numbers of targets whose place in the list is wanted, in their order.
    pub(crate) fn numbers(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<u32> {
        let wanted = self.targets.keys().filter(|number| is_wanted(self.place(**number)));
        wanted.copied().collect()
    }

    /// What users know the target by.
    pub(crate) fn id(&self, number: u32) -> String {
        let row = &self.targets[&number];
        row.given_id.as_deref().map_or_else(|| row.id.to_string(), str::to_owned)
    }
}

fn place(row: &TargetRow) -> usize {
    let (_, place) = row.url.trim_end_matches('/').rsplit_once('/').expect("a path");
    place.parse().expect("a number")
}

/// Every third has a label, every fourth a group, every fifth a name, every sixth an id.
fn list() -> serde_json::Value {
    let entry = |place: usize| {
        let mut entry = json!({"url": format!("https://host.example/{place}"), "interval": "10s"});
        if place.is_multiple_of(3) {
            entry["labels"] = json!({"team": if place.is_multiple_of(2) { "web" } else { "mail" }});
        }
        if place.is_multiple_of(4) {
            entry["group"] = json!("Front");
        }
        if place.is_multiple_of(5) {
            entry["name"] = json!(format!("Shop {place}"));
        }
        if place.is_multiple_of(6) {
            entry["id"] = json!(format!("id-{place}"));
        }
        entry
    };
    (0..TARGETS).map(entry).collect()
}

/// What the target at `place` of the list is found to be at its `slot`th poll.
fn finding(place: usize, slot: i64, now_ms: i64) -> Finding {
    let phases = Phases { connect: Micros::from_us(1_000), ..Phases::default() };
    let answered = Finding { status: 200, bytes: 100, phases, ..Finding::default() };
    let days = i64::try_from(place).expect("small");
    match place % 10 {
        // Down from the third slot on.
        7 if slot >= 2 => {
            Finding { status: 0, ..answered }.with_cause(Cause::Timeout, Detail::Waiting)
        }
        8 => Finding { status: 404, ..answered }.with_cause(Cause::Status, Detail::None),
        9 => answered.with_cause(Cause::Assertion, Detail::Latency),
        // An hour before so many half days are over: on the hour, a second would count as a day.
        1 => {
            Finding { certificate_until: now_ms / 1_000 + (days + 1) * 43_200 - 3_600, ..answered }
        }
        _ => answered,
    }
}

/// The targets, the twin, and all outcomes by target, the newest first.
type Filled = (BTreeMap<u32, TargetRow>, Ledger, BTreeMap<u32, Vec<Outcome>>);

async fn fill(database: &Database, now_ms: i64) -> Filled {
    database.partitions_ahead(now_ms, 2, 1).await.expect("partitions");
    let location = database.location("eu").await.expect("a location");
    let location = u16::try_from(location).expect("small");
    let (mut all, mut kept) = (BTreeMap::new(), BTreeMap::<u32, Vec<Outcome>>::new());
    for shard in 0..SHARDS {
        let mut rows: Vec<TargetRow> = Vec::new();
        database.targets(shard, |row| rows.push(row)).await.expect("targets");
        let batch = recorded(shard, &rows, location, now_ms);
        for sample in &batch.samples {
            kept.entry(sample.outcome.target).or_default().insert(0, sample.outcome);
        }
        all.extend(rows.into_iter().map(|row| (row.number, row)));
        assert!(database.append(&[batch]).await.expect("written").is_empty(), "not fenced");
    }
    let mut twin = Ledger::default();
    for number in all.keys() {
        twin.enrol(*number, None, 0);
    }
    let mut stream: Vec<Outcome> = kept.values().flatten().copied().collect();
    stream.sort_by_key(|outcome| (outcome.due_ms, outcome.target));
    for outcome in &stream {
        twin.observe(outcome);
    }
    (all, twin, kept)
}

/// What the recorder of `shard` writes of the polls of its targets from a `location`.
fn recorded(shard: u32, rows: &[TargetRow], location: u16, now_ms: i64) -> ShardBatch {
    let shards = Shards::new(SHARDS).expect("some");
    let mut docket = Docket::restore(shards, (shard, 0), &RestoredShard::default(), now_ms);
    let mut stream = Vec::new();
    for row in rows {
        let terms = Terms { every_ms: row.every_ms, locations: 0, quorum: 0 };
        docket.enrol(row.number, terms, None);
        // The last one has never been polled.
        if place(row) + 1 < TARGETS {
            stream.extend((0..SLOTS).map(|slot| outcome(row, slot, now_ms)));
        }
    }
    stream.sort_by_key(|outcome| (outcome.due_ms, outcome.target));
    for (offset, outcome) in (0..).zip(stream) {
        let slot = Slot { due_ms: outcome.due_ms, location, tries: 0 };
        docket.observe(offset, slot, outcome, now_ms);
    }
    docket.note_delay([100, 300, i64::from(shard) * 1_000]);
    let mut batch = docket.close(now_ms);
    // Records of targets are written as they are when a shard is handed over.
    let records = rows.iter().filter_map(|row| docket.ledger().record(row.number).cloned());
    batch.batch.records = records.filter(Record::is_polled).collect();
    batch.votes = vec![Vec::new(); batch.batch.records.len()];
    batch
}

/// The poll of a slot of the target `row`.
fn outcome(row: &TargetRow, slot: i64, now_ms: i64) -> Outcome {
    let place = place(row);
    let phase = i64::from(row.id.phase_ms(row.every_ms));
    let last_ms = (now_ms - BACK_MS - phase).div_euclid(EVERY_MS) * EVERY_MS + phase;
    let due_ms = last_ms - (SLOTS - 1 - slot) * EVERY_MS;
    // No two take equally long, so that none is as slow as another.
    let latency_us = u32::try_from(1_000 + place as i64 * 1_000 + slot).expect("small");
    Outcome {
        target: row.number,
        due_ms,
        finished_us: due_ms * 1_000 + 50_000 + i64::from(latency_us),
        lag_us: 50_000,
        latency_us,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: finding(place, slot, now_ms),
    }
}

/// A scheduler that has all shards but one, a checker, a lost one elsewhere, and a recorder.
fn tell_members(url: &str) {
    let member = |name: &str, role: &str, location: &str, ago: i64, facts: &str| {
        format!(
            "INSERT INTO member (name, role, location, host, pid, version, started_at, seen_at, \
             ahead_ms, facts) VALUES ('{name}', '{role}', '{location}', 'box', 7, '0.1.0', \
             now() - interval '1 hour', now() - {ago} * interval '1 second', 0, '{facts}')"
        )
    };
    let checker =
        r#"{"in_flight": 5, "limit": 100, "waiting": 2, "lag_p99_ms": 40, "missed": {"late": 3}}"#;
    for statement in [
        member("s-1", "scheduler", "", 0, r#"{"lag_ms": 1}"#),
        member("c-1", "checker", "eu", 0, checker),
        member("c-2", "checker", "us", 300, r#"{"in_flight": 9}"#),
        member("r-1", "recorder", "", 0, r#"{"lag": 12}"#),
        "INSERT INTO location (name, seen_at) VALUES ('us', now() - interval '300 s')".to_owned(),
        "UPDATE lease SET owner = 's-1#aa', epoch = 1, until = now() + interval '1 day' \
         WHERE role = 'scheduler' AND shard <> 3"
            .to_owned(),
        "UPDATE lease SET owner = 'r-1#bb', epoch = 1, until = now() + interval '1 day' \
         WHERE role = 'recorder'"
            .to_owned(),
        "UPDATE member SET seen_at = seen_at + interval '1 day' WHERE name <> 'c-2'".to_owned(),
        "INSERT INTO gap VALUES (1, now() - interval '2 hours', now() - interval '1 hour', 'away')"
            .to_owned(),
    ] {
        sql(url, &statement);
    }
}
