//! Judgement that is held, from outcomes to rows: what is stored, taken back and restored.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

#[path = "support/store.rs"]
mod support;

use std::path::PathBuf;

use poller::clock::Clock;
use poller::health::Transition;
use poller::health::jury::Ground;
use poller::ledger::Ledger;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind, Verdict};
use poller::roster::Roster;
use poller::stage::recorder::{Court, Resumed, resume};
use poller::store::memory::MemoryStore;
use poller::store::reader::{Reader, Wanted};
use poller::store::spill::Spill;
use poller::store::sqlite::{SqliteOptions, SqliteStore};
use poller::store::{Batch, Record, Store};
use poller::target::State;
use support::{NOW_MS, outcome, targets};

/// So many targets, each polled once a minute.
const TARGETS: u32 = 60;

/// A court and a ledger at work, in virtual time, with a store in memory and one on the disk.
struct Sitting {
    court: Court,
    ledger: Ledger,
    roster: Roster,
    memory: MemoryStore,
    sqlite: SqliteStore,
    directory: tempfile::TempDir,
    /// Seconds since it began.
    second: u32,
    changes: Vec<Transition>,
}

impl Sitting {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("poller.db");
        let mut sqlite = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        let mut memory = MemoryStore::default();
        memory.enrol(&mut targets(TARGETS)).unwrap();
        memory.restore(NOW_MS).unwrap();
        let mut journal = Spill::open(&directory.path().join("first.spill")).unwrap();
        let clock = Clock::with_wall(|| NOW_MS * 1_000);
        let Resumed { ledger, roster, .. } =
            resume(&mut sqlite, &mut journal, targets(TARGETS), &clock).unwrap();
        let court = Court::default();
        let (second, changes) = (0, Vec::new());
        Self { court, ledger, roster, memory, sqlite, directory, second, changes }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn now_ms(&self) -> i64 {
        NOW_MS + i64::from(self.second) * 1_000
    }

    /// Lets one target be polled each second, for so many seconds.
    fn pass(&mut self, seconds: u32, find: impl Fn(u32) -> Finding) {
        for _ in 0..seconds {
            self.second += 1;
            let target = 1 + self.second % TARGETS;
            let polled = outcome(target, self.now_ms(), 20_000);
            self.take_in(Outcome { finding: find(target), ..polled });
        }
    }

    fn take_in(&mut self, outcome: Outcome) -> Outcome {
        let now_us = u64::from(self.second) * 1_000_000;
        self.court.convene(&self.roster, now_us);
        let mut outcomes = [outcome];
        self.changes.extend(self.court.sit(&mut self.ledger, &mut outcomes, now_us));
        let [outcome] = outcomes;
        outcome
    }

    /// Stores what has come, and checks that both stores hold the same outages.
    fn store(&mut self) -> Vec<(u32, i64, bool)> {
        let batch = self.ledger.take_batch(self.now_ms());
        self.memory.append(&batch).unwrap();
        self.sqlite.append(&batch).unwrap();
        let told = |incident: &poller::store::memory::Incident| {
            (incident.target, incident.began_ms, incident.ended_ms.is_some())
        };
        let mut kept: Vec<_> = self.memory.incidents.iter().map(told).collect();
        kept.sort_unstable();
        let reader = rusqlite::Connection::open(self.path("poller.db")).unwrap();
        let query = "SELECT target, began_ms, ended_ms IS NOT NULL FROM incident ORDER BY 1, 2";
        let mut rows = reader.prepare(query).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let stored: Vec<(u32, i64, bool)> = rows.query_map([], row).unwrap().flatten().collect();
        assert_eq!(stored, kept);
        stored
    }

    fn records(ledger: &Ledger) -> Vec<Record> {
        (1..=TARGETS).map(|number| ledger.record(number).unwrap().clone()).collect()
    }

    fn in_state(&self, state: State) -> u64 {
        self.ledger.count_in_state(state)
    }

    /// What a start after a crash knows, with what `journal` holds.
    fn restarted(&mut self, journal: &mut Spill) -> Ledger {
        let now_ms = self.now_ms();
        let clock = Clock::with_wall(move || now_ms * 1_000);
        resume(&mut self.sqlite, journal, targets(TARGETS), &clock).unwrap().ledger
    }

    /// The targets with their uptimes, as they are told of the store.
    fn uptimes(&self) -> Vec<Option<f64>> {
        let reader = Reader::open(&self.path("poller.db")).unwrap();
        let rows = reader.targets(&Wanted::default(), self.now_ms()).unwrap();
        rows.iter().map(|row| row.uptime[0]).collect()
    }
}

fn up() -> Finding {
    Finding { status: 200, ..Finding::default() }
}

fn silent() -> Finding {
    Finding::default().with_cause(Cause::Timeout, Detail::Connecting)
}

#[test]
fn what_turned_down_before_it_was_seen_to_be_us_is_taken_back() {
    let mut sitting = Sitting::start();
    sitting.pass(150, |_| up());
    sitting.pass(40, |_| silent());
    assert_eq!(sitting.in_state(State::Down), 40);
    assert_eq!(sitting.store().len(), 40, "nobody can know yet");
    sitting.pass(20, |_| silent());
    let holding = sitting.court.opinion(0).holding.expect("it is held");
    assert_eq!(holding.ground, Ground::Targets);
    assert_eq!((sitting.in_state(State::Down), sitting.in_state(State::Unknown)), (0, 60));
    assert_eq!(sitting.store(), []);
    let unknown = sitting.ledger.record(1 + 160 % TARGETS).unwrap().health;
    assert_eq!(unknown.since_ms, NOW_MS + 160_000, "since its first failure");
    assert_eq!((unknown.cause, unknown.detail), (Some(Cause::NoNetwork), Detail::Doubted));
    let restarted = sitting.restarted(&mut Spill::open(&sitting.path("none.spill")).unwrap());
    assert_eq!(Sitting::records(&restarted), Sitting::records(&sitting.ledger));

    sitting.pass(70, |_| up());
    assert_eq!(sitting.in_state(State::Up), 60);
    assert_eq!(sitting.store(), []);
    assert_eq!(sitting.court.opinion(0).times_held, 1);
    assert_eq!(sitting.uptimes(), [Some(1.0); TARGETS as usize]);
}

#[test]
fn the_flights_learn_what_was_taken_back() {
    let mut sitting = Sitting::start();
    sitting.pass(150, |_| up());
    sitting.pass(60, |_| silent());
    let mut known = vec![State::Pending; TARGETS as usize + 1];
    for change in &sitting.changes {
        assert_eq!(known[change.target as usize], change.from, "{change:?}");
        known[change.target as usize] = change.to;
    }
    assert!(known[1..].iter().all(|state| *state == State::Unknown));
}

#[test]
fn an_outage_from_before_goes_on_and_one_that_follows_begins_anew() {
    let mut sitting = Sitting::start();
    sitting.pass(70, |_| up());
    sitting.pass(90, |target| if target <= 5 { silent() } else { up() });
    assert_eq!(sitting.in_state(State::Down), 5);
    let before = sitting.store();
    sitting.pass(90, |_| silent());
    assert!(sitting.court.opinion(0).holding.is_some());
    assert_eq!(sitting.store(), before, "they are open as they were");
    sitting.pass(60, |target| if target <= 7 { silent() } else { up() });
    assert!(sitting.court.opinion(0).holding.is_none());
    sitting.pass(60, |target| if target <= 7 { silent() } else { up() });
    assert_eq!((sitting.in_state(State::Down), sitting.in_state(State::Up)), (7, 53));
    let after = sitting.store();
    assert_eq!(after[..5], before[..]);
    let given_ms = NOW_MS + (70 + 90 + 90) * 1_000;
    assert!(
        after.len() == 7 && after[5..].iter().all(|row| row.1 > given_ms && !row.2),
        "{after:?}"
    );
    sitting.pass(60, |_| up());
    assert!(sitting.store().iter().all(|row| row.2), "all of them end");
}

#[test]
fn samples_that_were_doubted_are_ours_in_store_and_journal_alike() {
    let mut sitting = Sitting::start();
    sitting.pass(150, |_| up());
    sitting.pass(60, |_| silent());
    let _ = sitting.store();
    sitting.pass(50, |target| if target == 9 { Finding { status: 500, ..up() } } else { silent() });
    // The store stands still, and a crash follows.
    let batch: Batch = sitting.ledger.take_lean_batch(sitting.now_ms());
    assert!(batch.samples.len() == 50 && batch.incidents.is_empty());
    let mut journal = Spill::open(&sitting.path("last.spill")).unwrap();
    journal.append(&batch.samples).unwrap();
    let restarted = sitting.restarted(&mut journal);
    assert_eq!(Sitting::records(&restarted), Sitting::records(&sitting.ledger));
    let reader = rusqlite::Connection::open(sitting.path("poller.db")).unwrap();
    let told = |what: &str| -> i64 {
        let query = format!("SELECT count(*) FROM checks WHERE {what}");
        reader.query_row(&query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(told("code = 'timeout' AND verdict = 'down'"), 47, "what came before the ruling");
    assert_eq!(told("code = 'no_network' AND detail = 'doubted' AND verdict = 'unknown'"), 62);
    assert_eq!(told("code = '500' AND verdict = 'up'"), 1);
}

#[test]
fn a_recheck_in_doubt_settles_nothing_and_one_after_it_begins_anew() {
    let mut sitting = Sitting::start();
    sitting.pass(150, |_| up());
    sitting.pass(60, |_| silent());
    let poll = |sitting: &Sitting, kind, is_provisional| Outcome {
        kind,
        is_provisional,
        finding: silent(),
        ..outcome(3, sitting.now_ms(), 20_000)
    };
    let seen = sitting.take_in(poll(&sitting, SampleKind::Slot, true));
    assert_eq!((seen.finding.verdict, seen.is_provisional), (Verdict::Unknown, false));
    let seen = sitting.take_in(poll(&sitting, SampleKind::Recheck, false));
    assert_eq!(seen.finding.detail, Detail::Doubted);
    sitting.pass(30, |_| up());
    assert!(sitting.court.opinion(0).holding.is_none());
    let given_ms = sitting.now_ms();
    sitting.second += 1;
    let seen = sitting.take_in(poll(&sitting, SampleKind::Slot, false));
    assert_eq!(seen.finding.verdict, Verdict::Down);
    assert!(sitting.ledger.record(3).unwrap().health.since_ms > given_ms);
    assert_eq!(sitting.store().len(), 1);
}

#[test]
fn faults_of_ours_are_told_and_the_doubted_ones_by_the_judgement() {
    let mut sitting = Sitting::start();
    sitting.pass(60, |_| up());
    sitting.pass(60, |_| Finding::default().with_cause(Cause::NoResources, Detail::Descriptors));
    let now_us = u64::from(sitting.second) * 1_000_000;
    let opinion = sitting.court.opinion(now_us);
    let told: Vec<_> = opinion.faults.iter().map(|fault| (fault.cause, fault.detail)).collect();
    assert_eq!(told, [(Cause::NoResources, Detail::Descriptors)]);
    assert!((55..=60).contains(&opinion.faults[0].count), "{opinion:?}");
    assert_eq!(opinion.faults[0].last_ms, sitting.now_ms());
    assert_eq!(opinion.holding, None, "that says nothing of the network");
    sitting.pass(130, |_| silent());
    let opinion = sitting.court.opinion(u64::from(sitting.second) * 1_000_000);
    assert!(opinion.holding.is_some() && opinion.faults.is_empty(), "{opinion:?}");
}
