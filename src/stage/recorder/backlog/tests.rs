//! A backlog under any order of events: nothing is written twice, and what is lost is counted.

use super::*;
use crate::outcome::{Finding, Outcome, SampleKind};
use crate::store::Sample;
use proptest::prelude::*;

fn sample(key: i64) -> Sample {
    let outcome = Outcome {
        target: 1,
        due_ms: 0,
        finished_us: key,
        lag_us: 0,
        latency_us: 0,
        kind: SampleKind::Slot,
        is_provisional: false,
        finding: Finding::default(),
    };
    Sample { key: SampleKey(key), previous: SampleKey(0), outcome }
}

fn batch(keys: std::ops::Range<i64>) -> Batch {
    let settled = SampleKey(keys.end);
    let seconds = vec![(keys.end, vec![1])];
    Batch { samples: keys.map(sample).collect(), settled, seconds, ..Batch::default() }
}

/// What happens to a backlog.
#[derive(Clone, Debug)]
enum Event {
    Push(i64),
    NoteDown(usize),
    Lighten,
    Write,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_i64..60).prop_map(Event::Push),
        1 => (0_usize..4).prop_map(Event::NoteDown),
        2 => Just(Event::Lighten),
        1 => Just(Event::Write),
    ]
}

/// Notes down the samples of the first `many` batches that are in memory alone.
fn note_down(backlog: &mut Backlog, many: usize, journal: &mut Vec<i64>) {
    for unnoted in backlog.unnoted().into_iter().take(many) {
        journal.extend(unnoted.batch.samples[unnoted.from..].iter().map(|one| one.key.0));
        backlog.note(unnoted.number);
    }
}

/// Stores the first batch.
fn write(backlog: &mut Backlog, journal: &[i64], stored: &mut Vec<i64>) {
    let Some(front) = backlog.front() else { return };
    let (after, missing) = front.missing;
    let behind = journal.iter().copied().filter(|&key| key > after.0).take(missing);
    stored.extend(behind);
    assert!(missing == 0 || stored.last() <= Some(&front.last.0));
    stored.extend(front.batch.samples.iter().map(|one| one.key.0));
    drop(front);
    backlog.pop();
}

proptest! {
    #[test]
    fn every_sample_is_written_once_in_order_or_lost_and_counted(
        events in proptest::collection::vec(event(), 1..80),
        most_held in 0_usize..100,
    ) {
        let mut backlog = Backlog::new(most_held);
        let (mut journal, mut stored, mut lost, mut end) = (Vec::new(), Vec::new(), 0, 0);
        for event in events {
            match event {
                Event::Push(many) => {
                    backlog.push(batch(end + 1..end + 1 + many), Instant::now());
                    end += many;
                }
                Event::NoteDown(many) => note_down(&mut backlog, many, &mut journal),
                Event::Lighten => {
                    lost += backlog.lighten();
                    let first = backlog.front().map_or(0, |front| front.batch.samples.len());
                    prop_assert!(backlog.in_memory() <= most_held.max(first));
                }
                Event::Write => write(&mut backlog, &journal, &mut stored),
            }
        }
        while !backlog.is_empty() {
            write(&mut backlog, &journal, &mut stored);
        }
        prop_assert!(stored.is_sorted_by(|one, other| one < other));
        prop_assert!(journal.is_sorted_by(|one, other| one < other));
        prop_assert_eq!(stored.len() as u64 + lost, end.unsigned_abs());
    }
}

#[test]
fn what_waits_behind_the_first_batch_is_written_as_one() {
    let mut backlog = Backlog::new(1_000);
    for begin in (0..50).step_by(10) {
        backlog.push(batch(begin + 1..begin + 11), Instant::now());
    }
    assert_eq!(backlog.pop(), 10);
    let front = backlog.front().expect("the others wait");
    assert_eq!((front.batch.samples.len(), front.batch.settled), (40, SampleKey(51)));
    let seconds: Vec<_> = front.batch.seconds.iter().map(|&(second, _)| second).collect();
    assert_eq!(seconds, [21, 31, 41, 51]);
}

#[test]
fn a_long_stall_keeps_the_windows_of_five_minutes_and_one_summary() {
    let mut backlog = Backlog::new(0);
    for index in 0..20 {
        let seconds = vec![(index * 100, vec![1])];
        let samples = (0..20_000).map(|row| sample(index * 20_000 + row)).collect();
        let summary = Some(index.to_string());
        backlog.push(Batch { samples, seconds, summary, ..Batch::default() }, Instant::now());
        backlog.lighten();
    }
    let waiting = || backlog.batches.iter().skip(1).map(|held| &held.batch);
    let seconds: Vec<_> = waiting().flat_map(|batch| &batch.seconds).map(|w| w.0).collect();
    assert_eq!(seconds, [1_700, 1_800, 1_900]);
    let summaries: Vec<_> = waiting().filter_map(|batch| batch.summary.as_deref()).collect();
    assert_eq!(summaries, ["19"]);
}

#[test]
fn batches_that_lost_their_samples_keep_what_follows_from_them() {
    let mut backlog = Backlog::new(0);
    let full = i64::try_from(CHUNK).expect("small");
    for begin in (0..4).map(|index| index * full) {
        backlog.push(batch(begin + 1..begin + 1 + full), Instant::now());
    }
    assert_eq!(backlog.lighten(), 3 * CHUNK as u64);
    assert_eq!(backlog.pop(), CHUNK);
    let front = backlog.front().expect("the others wait");
    assert_eq!((front.batch.samples.len(), front.batch.seconds.len()), (0, 1));
    assert_eq!(front.batch.settled, SampleKey(4 * full + 1));
    backlog.pop();
    assert!(backlog.is_empty());
}
