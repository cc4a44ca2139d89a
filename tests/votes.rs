//! The docket of a shard: whatever comes twice, late or after a crash, it tells what a daemon would.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

use std::collections::{BTreeMap, BTreeSet};

use poller::health::Transition;
use poller::health::votes::Slot;
use poller::ledger::Ledger;
use poller::outcome::{Cause, Detail, Finding, Outcome, SampleKind, Verdict};
use poller::shards::Shards;
use poller::stage::docket::{Docket, Terms};
use poller::store::{IncidentChange, KeptRecord, RestoredShard, ShardBatch, ShardSample, Totals};
use poller::target::State;
use proptest::prelude::*;

const EVERY_MS: i64 = 10_000;
/// The beginning of an hour.
const FIRST_MS: i64 = 1_800_000_000_000;
const TARGETS: [u32; 2] = [1, 2];

/// Something that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Poll { target: u32, location: u16, slot: i64, tries: u8, verdict: Verdict, is_final: bool },
    Missed { target: u32, location: u16, slot: i64 },
    TakenBack { target: u32, location: u16, slots: (i64, i64) },
}

fn finding(verdict: Verdict) -> Finding {
    let cause = match verdict {
        Verdict::Up => return Finding { status: 200, ..Finding::default() },
        Verdict::Warning => Cause::Throttled,
        Verdict::Down => Cause::Timeout,
        Verdict::Unknown => Cause::Resolver,
    };
    Finding::default().with_cause(cause, Detail::None)
}

fn due_ms(slot: i64) -> i64 {
    FIRST_MS + slot * EVERY_MS
}

impl Word {
    fn outcome(self) -> Outcome {
        let Self::Poll { target, slot, tries, verdict, is_final, .. } = self else {
            panic!("no poll")
        };
        Outcome {
            target,
            due_ms: due_ms(slot),
            finished_us: due_ms(slot) * 1_000 + i64::from(tries) * 1_000_000 + 7_000,
            lag_us: 0,
            latency_us: 7_000,
            kind: if tries == 0 { SampleKind::Slot } else { SampleKind::Recheck },
            is_provisional: !is_final,
            finding: finding(verdict),
        }
    }

    fn tell(self, offset: i64, docket: &mut Docket) -> Option<Transition> {
        match self {
            Self::Poll { location, tries, slot, .. } => {
                let slot = Slot { due_ms: due_ms(slot), location, tries };
                docket.observe(offset, slot, self.outcome(), FIRST_MS)
            }
            Self::Missed { target, location, slot } => {
                docket.miss(offset, (target, due_ms(slot)), (&[location], 3), FIRST_MS);
                None
            }
            Self::TakenBack { target, location, slots: (first, last) } => {
                let doubted = (target, due_ms(first)..=due_ms(last));
                docket.take_back(offset, location, [doubted], FIRST_MS);
                None
            }
        }
    }
}

/// A poll of the target 1.
fn word(location: u16, slot: i64, verdict: Verdict) -> Word {
    Word::Poll { target: 1, location, slot, tries: 0, verdict, is_final: true }
}

/// What a database would hold.
#[derive(Clone, Debug, Default)]
struct Table {
    samples: BTreeMap<(u32, Slot), ShardSample>,
    records: BTreeMap<u32, KeptRecord>,
    incidents: Vec<IncidentChange>,
    transitions: Vec<Transition>,
    restored: RestoredShard,
}

/// What is told of a run at its end.
#[derive(Debug, PartialEq)]
struct Told {
    samples: BTreeMap<(u32, Slot), ShardSample>,
    records: BTreeMap<u32, KeptRecord>,
    incidents: Vec<IncidentChange>,
    transitions: Vec<Transition>,
    totals: Totals,
    missed: u64,
}

impl Table {
    fn docket(&self, locations: u16) -> Docket {
        let shards = Shards::new(1).unwrap();
        let mut docket = Docket::restore(shards, (0, 1), &self.restored, FIRST_MS);
        docket.locations_are(locations);
        for target in TARGETS {
            let every_ms = u32::try_from(EVERY_MS).unwrap();
            let terms = Terms { every_ms, locations: 0, quorum: 0 };
            docket.enrol(target, terms, self.records.get(&target).cloned());
        }
        docket
    }

    fn resolve(&self, docket: &mut Docket) {
        let doubted: Vec<_> = docket.doubted().collect();
        let stored = |key: &(u32, Slot)| self.samples.get(key).map(|old| old.missed.is_some());
        let stored = doubted.iter().filter_map(|key| Some((*key, stored(key)?))).collect();
        docket.resolve(&stored, FIRST_MS);
    }

    fn write(&mut self, batch: ShardBatch) {
        assert_eq!(batch.step, self.restored.step + 1);
        for sample in batch.samples {
            let before = self.samples.insert(sample.key(), sample);
            let is_fit =
                before.is_none_or(|before| before.missed.is_some() && sample.missed.is_none());
            assert!(is_fit, "{sample:?} is there already: {before:?}");
        }
        for (record, votes) in batch.batch.records.into_iter().zip(batch.votes) {
            self.records.insert(record.target, KeptRecord { record, votes });
        }
        self.incidents.extend(batch.batch.incidents);
        self.transitions.extend(batch.batch.transitions);
        self.restored.step = batch.step;
        self.restored.next_offset = batch.next_offset;
        self.restored.settled_offset = batch.settled_offset;
        self.restored.missed = batch.missed;
        self.restored.ledger.totals = batch.batch.totals;
    }

    fn told(self) -> Told {
        let Self { samples, mut records, incidents, transitions, restored } = self;
        for kept in records.values_mut() {
            kept.record.last = poller::store::SampleKey::default();
        }
        let totals = restored.ledger.totals;
        Told { samples, records, incidents, transitions, totals, missed: restored.missed }
    }
}

/// Tells `words`, and writes, or crashes, where `ends` says so.
fn run(words: &[Word], ends: &BTreeMap<usize, bool>, locations: u16) -> Told {
    let mut table = Table::default();
    let mut docket = table.docket(locations);
    let mut offset = 0;
    let mut crashes = BTreeSet::new();
    while offset < words.len() {
        words[offset].tell(i64::try_from(offset).unwrap(), &mut docket);
        offset += 1;
        match ends.get(&offset) {
            // It is the same place again after a crash.
            Some(true) if crashes.insert(offset) => {
                docket = table.docket(locations);
                offset = usize::try_from(docket.next_offset()).unwrap();
            }
            Some(false) if !docket.is_settling() => {
                table.resolve(&mut docket);
                table.write(docket.close(FIRST_MS));
            }
            _ => {}
        }
    }
    table.resolve(&mut docket);
    table.write(docket.close_last(FIRST_MS));
    table.told()
}

#[test]
fn an_outage_that_comes_about_while_all_is_taken_in_again_is_told() {
    let mut table = Table::default();
    // One of three does not make it down.
    let mut docket = table.docket(3);
    word(1, 1, Verdict::Up).tell(0, &mut docket);
    table.write(docket.close_last(FIRST_MS));
    word(1, 2, Verdict::Down).tell(1, &mut docket);
    table.write(docket.close_some(FIRST_MS, 0));
    assert_eq!(table.incidents, []);
    // Of one it does, and by then there is but one.
    let mut docket = table.docket(1);
    assert!(docket.is_settling());
    word(1, 2, Verdict::Down).tell(1, &mut docket);
    assert!(docket.has_news());
    table.write(docket.close_some(FIRST_MS, 0));
    assert!(table.records[&1].record.has_incident);
    assert!(matches!(table.incidents[..], [IncidentChange::Began { target: 1, .. }]));
    assert_eq!(table.transitions.last().map(|change| change.to), Some(State::Down));
    word(1, 3, Verdict::Up).tell(2, &mut docket);
    table.write(docket.close_last(FIRST_MS));
    assert!(matches!(table.incidents[..], [_, IncidentChange::Ended { target: 1, .. }]));
}

#[test]
fn a_target_that_comes_back_while_all_is_taken_in_again_stays() {
    let word = |slot| word(1, slot, Verdict::Up);
    let mut table = Table::default();
    let mut docket = table.docket(1);
    word(1).tell(0, &mut docket);
    table.write(docket.close_last(FIRST_MS));
    word(2).tell(1, &mut docket);
    table.write(docket.close_some(FIRST_MS, 0));
    let mut docket = table.docket(1);
    assert!(docket.is_settling());
    docket.retire(1, FIRST_MS);
    docket.enrol(1, Terms { every_ms: 10_000, locations: 0, quorum: 0 }, None);
    word(2).tell(1, &mut docket);
    assert!(docket.knows(1));
    assert_eq!(docket.ledger().record(1).map(|record| record.tally.checks), Some(2));
}

#[test]
fn an_outage_that_was_there_long_before_what_is_taken_back_stays() {
    let mut table = Table::default();
    let mut docket = table.docket(3);
    let found = [(1, 1, Verdict::Down), (2, 1, Verdict::Down), (3, 1, Verdict::Up)];
    // One of those who found it down cannot tell any more, and another one begins to fail.
    let later = (2..=9).map(|slot| (1, slot, Verdict::Down));
    let later = later.chain([(2, 2, Verdict::Unknown), (3, 9, Verdict::Down)]);
    for (offset, (location, slot, verdict)) in (0..).zip(found.into_iter().chain(later)) {
        word(location, slot, verdict).tell(offset, &mut docket);
    }
    Word::TakenBack { target: 1, location: 3, slots: (9, 9) }.tell(50, &mut docket);
    table.write(docket.close_last(FIRST_MS));
    assert_eq!(table.records[&1].record.health.state, State::Down);
    assert!(matches!(table.incidents[..], [IncidentChange::Began { .. }]), "{:?}", table.incidents);
    // It was none of theirs, and counts as taken back all the same.
    assert_eq!(docket.take_back(51, 3, [(1, due_ms(9)..=due_ms(9))], FIRST_MS), 0);
}

#[test]
fn records_are_written_in_pieces_until_none_is_left() {
    let mut table = Table::default();
    let mut docket = table.docket(1);
    for (offset, target) in (0..).zip(TARGETS) {
        let verdict = Verdict::Up;
        let word = Word::Poll { target, location: 1, slot: 1, tries: 0, verdict, is_final: true };
        word.tell(offset, &mut docket);
    }
    while docket.is_behind() {
        let batch = docket.close_more(FIRST_MS, 1);
        assert!(batch.batch.records.len() <= TARGETS.len());
        table.write(batch);
    }
    assert_eq!(table.restored.settled_offset, table.restored.next_offset);
    assert_eq!(table.records.len(), TARGETS.len());
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Up),
        1 => Just(Verdict::Warning),
        3 => Just(Verdict::Down),
        1 => Just(Verdict::Unknown),
    ]
}

fn any_word(locations: u16) -> impl Strategy<Value = Word> {
    let place = (prop::sample::select(&TARGETS[..]), 1..=locations, 0_i64..120);
    (place, 0_u8..3, verdict(), any::<bool>(), 0_u8..8).prop_map(
        |((target, location, slot), tries, verdict, is_final, kind)| match kind {
            0 => Word::Missed { target, location, slot },
            1 => {
                Word::TakenBack { target, location, slots: (slot - i64::from(tries) * 8, slot + 4) }
            }
            _ => Word::Poll { target, location, slot, tries, verdict, is_final },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 128 } else { 1_024 }))]

    #[test]
    fn one_location_is_judged_as_by_a_daemon(
        polls in prop::collection::vec((verdict(), 0_u8..3, any::<bool>()), 1..60),
    ) {
        let mut ledger = Ledger::default();
        ledger.enrol(1, None, 0);
        let mut docket = Table::default().docket(1);
        let mut offset = 0;
        for (slot, (verdict, rechecks, is_confirmed)) in (0_i64..).zip(polls) {
            for tries in 0..=rechecks {
                let is_final = tries == rechecks;
                let verdict = if is_final && !is_confirmed { Verdict::Up } else { verdict };
                let word =
                    Word::Poll { target: 1, location: 1, slot, tries, verdict, is_final };
                prop_assert_eq!(word.tell(offset, &mut docket), ledger.observe(&word.outcome()));
                offset += 1;
            }
        }
        let (own, other) = (docket.ledger().record(1).unwrap(), ledger.record(1).unwrap());
        prop_assert_eq!((own.health, &own.tally), (other.health, &other.tally));
    }

    #[test]
    fn what_is_taken_back_of_one_location_is_what_a_daemon_takes_back(
        polls in prop::collection::vec((any::<bool>(), 0_u8..2, any::<bool>()), 1..30),
        is_rechecked in any::<bool>(),
    ) {
        let mut ledger = Ledger::default();
        ledger.enrol(1, None, 0);
        let mut table = Table::default();
        let mut docket = table.docket(1);
        let (mut offset, mut answered, last) = (0, -1, i64::try_from(polls.len()).unwrap() - 1);
        for (slot, (is_up, rechecks, is_confirmed)) in (0..).zip(polls) {
            for tries in 0..=rechecks {
                let is_final = tries == rechecks && (slot < last || is_rechecked);
                let is_up = is_up || (is_final && !is_confirmed);
                let verdict = if is_up { Verdict::Up } else { Verdict::Down };
                answered = if is_up { slot } else { answered };
                let word = Word::Poll { target: 1, location: 1, slot, tries, verdict, is_final };
                word.tell(offset, &mut docket);
                ledger.observe(&word.outcome());
                offset += 1;
            }
        }
        let slots = (answered + 1, last);
        Word::TakenBack { target: 1, location: 1, slots }.tell(offset, &mut docket);
        let expected = ledger.take_back(1);
        table.write(docket.close_last(FIRST_MS));
        let batch = ledger.take_last_batch(FIRST_MS);
        prop_assert_eq!(table.records[&1].record.health, ledger.record(1).unwrap().health);
        prop_assert_eq!(&table.incidents, &batch.incidents);
        prop_assert_eq!(&table.transitions, &batch.transitions);
        let is_last = |change: Transition| table.transitions.last() == Some(&change);
        prop_assert!(expected.is_none_or(is_last));
    }

    #[test]
    fn the_order_and_how_often_it_is_told_matter_for_nothing_but_the_way(
        verdicts in prop::collection::vec(verdict(), 1..120),
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..300),
        written in prop::collection::btree_set(0_usize..400, 0..6),
    ) {
        let word = |slot: usize| word(1, i64::try_from(slot).unwrap(), verdicts[slot]);
        let mut words: Vec<Word> = (0..verdicts.len()).map(word).collect();
        for (index, is_again) in order {
            let (from, to) = (index.index(words.len()), index.index(words.len() / 2 + 1));
            if is_again {
                words.push(words[from]);
            } else {
                words.swap(from, to);
            }
        }
        let ends = written.into_iter().map(|at| (at, false)).collect();
        let told = run(&words, &ends, 1);
        prop_assert_eq!(told.totals.checks, verdicts.len() as u64);
        prop_assert_eq!(told.samples.len(), verdicts.len());
        let record = &told.records[&1].record;
        prop_assert_eq!(record.tally.checks as usize, verdicts.len());
        prop_assert_eq!(record.health.state, State::from(*verdicts.last().unwrap()));
    }

    #[test]
    fn crashes_change_nothing(
        locations in 1_u16..4,
        words in prop::collection::vec(any_word(3), 1..200),
        ends in prop::collection::btree_map(1_usize..200, any::<bool>(), 0..20),
    ) {
        let calm = ends.iter().filter(|(_, is_crash)| !**is_crash);
        let calm = run(&words, &calm.map(|(at, _)| (*at, false)).collect(), locations);
        prop_assert_eq!(run(&words, &ends, locations), calm);
    }
}
