//! The dispatcher in virtual time: which slots become jobs, when, and what is kept of them.

#[path = "support/job_sink.rs"]
mod job_sink;

use std::collections::{BTreeMap, BTreeSet};

use job_sink::{Jobs, Made, target};
use poller::stage::dispatch::{Change, Dispatch, JobTarget, Locations, ShardTargets, Taken, Turn};

const START: i64 = 1_700_000_000_000;

fn taken(shard: u32, until_ms: i64, all: &[JobTarget]) -> Taken {
    let mut targets = ShardTargets::default();
    for target in all {
        targets.push(target.clone());
    }
    Taken { shard, epoch: 1, until_ms, targets }
}

/// Every slot of `all` after `from_ms` and until `to_ms`.
fn slots(all: &[JobTarget], from_ms: i64, to_ms: i64) -> BTreeSet<(u32, i64)> {
    let mut slots = BTreeSet::new();
    for target in all {
        let mut due_ms = target.id.due_at_or_after(target.every_ms, from_ms + 1);
        while due_ms <= to_ms {
            slots.insert((target.number, due_ms));
            due_ms += i64::from(target.every_ms);
        }
    }
    slots
}

/// Turns until all until `now_ms` was offered or finds no room.
fn turns(dispatch: &mut Dispatch, now_ms: i64, sink: &mut Jobs) -> Turn {
    loop {
        sink.now_ms = now_ms;
        let turn = dispatch.turn(now_ms, |_, _| true, sink);
        if !turn.is_behind {
            return turn;
        }
    }
}

fn keys(made: &[Made]) -> Vec<(u32, i64)> {
    made.iter().map(|made| (made.number, made.due_ms)).collect()
}

/// The kept times of all shards, as they are told.
fn settle(dispatch: &mut Dispatch, now_ms: i64, sink: &mut Jobs) -> BTreeMap<u32, i64> {
    let mut kept = BTreeMap::new();
    dispatch.settle(now_ms, sink, |shard, _, until_ms| {
        kept.insert(shard, until_ms);
    });
    kept
}

#[test]
fn every_slot_becomes_one_job_in_order_and_none_is_early() {
    let all: Vec<JobTarget> = (0..50)
        .map(|number| target(number, [90, 1_000, 7_000, 60_000][number as usize % 4]))
        .collect();
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    let mut now = START;
    for step in [3, 1, 250, 17, 999, 5, 1_001, 42, 4_000].into_iter().cycle().take(300) {
        now += step;
        turns(&mut dispatch, now, &mut sink);
    }
    let jobs: Vec<Made> = sink.made.iter().chain(&sink.missed).cloned().collect();
    assert!(jobs.iter().all(|job| job.due_ms <= job.at_ms), "none early");
    let made: BTreeSet<(u32, i64)> = keys(&jobs).into_iter().collect();
    assert_eq!(made.len(), jobs.len(), "none twice");
    assert_eq!(made, slots(&all, START, now));
    for number in 0..50 {
        let of = |made: &[Made]| -> Vec<i64> {
            made.iter().filter(|job| job.number == number).map(|job| job.due_ms).collect()
        };
        assert!(of(&sink.made).is_sorted() && of(&sink.missed).is_sorted());
    }
    assert!(sink.missed.iter().all(|slot| slot.valid_until_ms < slot.at_ms));
    assert!(sink.made.iter().all(|slot| slot.valid_until_ms >= slot.at_ms));
}

#[test]
fn who_takes_a_shard_over_begins_where_all_is_kept_and_leaves_nothing_out() {
    let all: Vec<JobTarget> = (0..40).map(|number| target(number, 5_000)).collect();
    let (mut first, mut sink) = (Dispatch::default(), Jobs::default());
    first.take(taken(3, START, &all), &mut sink);
    let mut kept = START;
    for now in (START..START + 20_000).step_by(70) {
        turns(&mut first, now, &mut sink);
        // Brokers answer late.
        sink.acknowledge(3, 2);
        kept = settle(&mut first, now, &mut sink).get(&3).copied().unwrap_or(kept);
    }
    assert!(kept > START && kept < START + 20_000);
    let known: BTreeSet<(u32, i64)> = keys(&sink.acknowledged(3)).into_iter().collect();
    assert!(slots(&all, START, kept).is_subset(&known), "what is told as kept is kept");
    // The first one dies, with what brokers had not acknowledged.
    let mut next_sink = Jobs::default();
    let mut next = Dispatch::default();
    next.take(taken(3, kept, &all), &mut next_sink);
    let end = START + 31_000;
    turns(&mut next, end, &mut next_sink);
    let remade: BTreeSet<(u32, i64)> =
        keys(&next_sink.made).into_iter().chain(keys(&next_sink.missed)).collect();
    let together: BTreeSet<(u32, i64)> = known.union(&remade).copied().collect();
    assert_eq!(together, slots(&all, START, end));
}

#[test]
fn two_that_have_the_same_shard_make_the_same_jobs() {
    let all: Vec<JobTarget> = (0..100).map(|number| target(number, 3_000)).collect();
    let run = |from_ms: i64, step: usize| {
        let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
        dispatch.take(taken(0, from_ms, &all), &mut sink);
        for now in (from_ms..=START + 30_000).step_by(step) {
            turns(&mut dispatch, now, &mut sink);
        }
        turns(&mut dispatch, START + 30_000, &mut sink);
        keys(&sink.made).into_iter().collect::<BTreeSet<_>>()
    };
    let (one, other) = (run(START, 10), run(START + 12_345, 33));
    assert!(other.is_subset(&one));
    assert_eq!(other, slots(&all, START + 12_345, START + 30_000));
}

#[test]
fn a_sink_that_is_full_for_a_minute_delays_and_loses_nothing() {
    let all: Vec<JobTarget> = (0..60).map(|number| target(number, 300_000 + number)).collect();
    let short = target(60, 10_000);
    let all: Vec<JobTarget> = all.into_iter().chain([short]).collect();
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    for now in (START..START + 10_000).step_by(10) {
        turns(&mut dispatch, now, &mut sink);
    }
    sink.room = 3;
    for now in (START + 10_000..START + 70_000).step_by(10) {
        let turn = turns(&mut dispatch, now, &mut sink);
        assert!(turn.lag_ms <= now - START - 9_000);
    }
    assert_eq!(sink.room, 0);
    sink.room = usize::MAX;
    let end = START + 400_000;
    for now in (START + 70_000..=end).step_by(50) {
        turns(&mut dispatch, now, &mut sink);
    }
    let made: BTreeSet<(u32, i64)> = keys(&sink.made).into_iter().collect();
    let missed: BTreeSet<(u32, i64)> = keys(&sink.missed).into_iter().collect();
    assert_eq!(made.union(&missed).copied().collect::<BTreeSet<_>>(), slots(&all, START, end));
    assert_eq!(made.len() + missed.len(), sink.made.len() + sink.missed.len(), "none twice");
    // Only what meant nothing any more when there was room again.
    assert!((1..=6).contains(&missed.len()), "{missed:?}");
    assert!(missed.iter().all(|(number, _)| *number == 60));
}

#[test]
fn what_may_be_lost_is_made_again() {
    let all: Vec<JobTarget> = (0..10).map(|number| target(number, 1_000)).collect();
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    turns(&mut dispatch, START + 1_000, &mut sink);
    sink.acknowledge(0, 10);
    assert_eq!(settle(&mut dispatch, START + 1_000, &mut sink)[&0], START + 1_000);
    turns(&mut dispatch, START + 1_500, &mut sink);
    sink.has_failed.insert(0);
    assert!(settle(&mut dispatch, START + 1_500, &mut sink).is_empty());
    sink.made.clear();
    turns(&mut dispatch, START + 1_600, &mut sink);
    assert!(sink.made.is_empty(), "it rests");
    turns(&mut dispatch, START + 2_600, &mut sink);
    let made: BTreeSet<(u32, i64)> =
        keys(&sink.made).into_iter().chain(keys(&sink.missed)).collect();
    assert_eq!(made, slots(&all, START + 1_000, START + 2_600));
}

#[test]
fn a_shard_whose_lease_has_ended_stands_still() {
    let all = [target(0, 1_000)];
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    dispatch.take(Taken { epoch: 9, ..taken(1, START, &[target(1, 1_000)]) }, &mut sink);
    sink.now_ms = START + 5_000;
    for _ in 0..100 {
        dispatch.turn(START + 5_000, |shard, epoch| (shard, epoch) == (1, 9), &mut sink);
    }
    assert!(!sink.made.is_empty() && sink.made.iter().all(|job| job.epoch == 9));
    dispatch.give_up(1);
    assert_eq!((dispatch.shards(), dispatch.targets()), (1, 1));
    turns(&mut dispatch, START + 5_000, &mut sink);
    assert_eq!(sink.made.iter().chain(&sink.missed).filter(|job| job.number == 0).count(), 5);
}

#[test]
fn a_clock_that_is_set_makes_no_slot_twice_and_leaves_none_out() {
    let all: Vec<JobTarget> = (0..20).map(|number| target(number, 10_000)).collect();
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    let hour = 3_600_000;
    // Ahead by what others did not see, back by an hour, and ahead again.
    for now in [0, 20_000, 20_000 - hour, 15_000, 40_000, 40_000 + hour, 41_000, 45_000 + hour] {
        turns(&mut dispatch, START + now, &mut sink);
    }
    let made: Vec<(u32, i64)> = keys(&sink.made).into_iter().chain(keys(&sink.missed)).collect();
    let once: BTreeSet<(u32, i64)> = made.iter().copied().collect();
    assert_eq!(once.len(), made.len());
    assert_eq!(once, slots(&all, START, START + 45_000 + hour));
}

#[test]
fn changes_hold_from_the_next_slot_on_also_while_there_is_no_room() {
    let all = [target(0, 1_000), target(5, 1_000), target(7, 60_000)];
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    turns(&mut dispatch, START + 2_000, &mut sink);
    sink.room = 0;
    turns(&mut dispatch, START + 4_000, &mut sink);
    let other = JobTarget { fixed: Box::new([42]), ..target(5, 1_000) };
    let quick = target(7, 2_000);
    let changes = vec![
        Change::Remove(0),
        Change::Set(other),
        Change::Set(quick.clone()),
        Change::Set(target(3, 1_000)),
    ];
    dispatch.change(0, changes);
    sink.made.clear();
    sink.missed.clear();
    sink.room = usize::MAX;
    turns(&mut dispatch, START + 10_000, &mut sink);
    let made = sink.made.iter().chain(&sink.missed);
    let by: BTreeMap<u32, Vec<&Made>> = made.fold(BTreeMap::new(), |mut by, made| {
        by.entry(made.number).or_insert_with(Vec::new).push(made);
        by
    });
    assert!(!by.contains_key(&0), "removed");
    assert!(by[&5].len() >= 6 && by[&5].iter().all(|made| *made.fixed == [42]));
    assert!(by[&3].len() >= 5 && by[&7].len() >= 2);
    assert!(by[&7].iter().all(|made| made.due_ms == quick.id.due_at_or_after(2_000, made.due_ms)));
}

#[test]
fn nothing_is_made_up_for_before_a_target_was_there() {
    let since_ms = START + 300_000;
    let new = JobTarget {
        since_s: u32::try_from(since_ms / 1_000).expect("in time"),
        ..target(1, 10_000)
    };
    let all = [target(0, 10_000), new.clone()];
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    turns(&mut dispatch, START + 400_000, &mut sink);
    let told: Vec<(u32, i64)> = keys(&sink.made).into_iter().chain(keys(&sink.missed)).collect();
    let mut expected = slots(&all[..1], START, START + 400_000);
    expected.extend(slots(&[new], since_ms - 1, START + 400_000));
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn slots_of_a_pause_are_neither_made_nor_missed_and_those_after_it_come_by_themselves() {
    let (paused, other) = (target(1, 10_000), target(0, 10_000));
    let all = [other, paused.clone()];
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    turns(&mut dispatch, START + 40_000, &mut sink);
    // There is no room for some slots that fall due before the pause is heard of.
    sink.room = 0;
    turns(&mut dispatch, START + 60_000, &mut sink);
    let until_ms = START + 500_000;
    let since_s = u32::try_from(until_ms / 1_000).expect("in time");
    let pause = Change::Set(JobTarget { since_s, ..paused.clone() });
    dispatch.change(0, vec![pause]);
    sink.room = usize::MAX;
    turns(&mut dispatch, START + 900_000, &mut sink);
    let told: Vec<(u32, i64)> = keys(&sink.made).into_iter().chain(keys(&sink.missed)).collect();
    let mut expected = slots(&all[..1], START, START + 900_000);
    expected.extend(slots(&all[1..], START, START + 40_000));
    expected.extend(slots(&all[1..], until_ms - 1, START + 900_000));
    assert_eq!(told.len(), expected.len(), "none twice");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_target_of_some_locations_goes_to_as_many() {
    let some = JobTarget { locations: 2, ..target(1, 1_000) };
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.locate(Locations::new(["a", "b", "c"].map(str::to_owned).to_vec()));
    dispatch.take(taken(0, START, &[target(0, 1_000), some]), &mut sink);
    turns(&mut dispatch, START + 1_000, &mut sink);
    for made in &sink.made {
        assert_eq!(made.locations.len(), if made.number == 1 { 2 } else { 0 });
    }
}

#[test]
fn who_polls_no_more_is_named_by_no_job() {
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.locate(Locations::without_others(["a", "b"].map(str::to_owned).to_vec()));
    let most = JobTarget { locations: 5, ..target(1, 1_000) };
    dispatch.take(taken(0, START, &[target(0, 1_000), most]), &mut sink);
    turns(&mut dispatch, START + 1_000, &mut sink);
    assert!(sink.made.len() >= 2 && sink.made.iter().all(|made| made.locations == ["a", "b"]));
}

#[test]
fn no_shard_is_left_behind_while_there_is_little_room() {
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    for shard in 0..4 {
        let all: Vec<JobTarget> =
            (0..100).map(|place| target(place * 4 + shard, 600_000)).collect();
        let until_ms = START - i64::from(shard) * 60_000;
        dispatch.take(taken(shard, until_ms, &all), &mut sink);
    }
    sink.room = 0;
    for _ in 0..40 {
        sink.room += 1;
        turns(&mut dispatch, START, &mut sink);
    }
    let of = |shard| sink.made.iter().filter(|made| made.number % 4 == shard).count();
    assert_eq!(of(0) + of(1) + of(2) + of(3), 40);
    assert!(
        of(3) >= of(2) && of(2) >= of(1) && of(1) >= of(0),
        "{:?}",
        (of(0), of(1), of(2), of(3))
    );
}

#[test]
fn a_shard_that_nobody_takes_holds_up_no_other() {
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    let of = |shard: u32| -> Vec<JobTarget> {
        (0..10).map(|place| target(place * 3 + shard, 60_000)).collect()
    };
    // The one that is stuck lies furthest behind, and asks first.
    dispatch.take(taken(0, START - 1_000, &of(0)), &mut sink);
    dispatch.take(taken(1, START, &of(1)), &mut sink);
    dispatch.take(taken(2, START, &of(2)), &mut sink);
    sink.is_stuck.insert(0);
    let turn = turns(&mut dispatch, START + 60_000, &mut sink);
    assert!(turn.is_full && !turn.is_behind);
    let made: BTreeSet<(u32, i64)> = keys(&sink.made).into_iter().collect();
    let all: Vec<JobTarget> = of(1).into_iter().chain(of(2)).collect();
    assert_eq!(made, slots(&all, START, START + 60_000));
    sink.is_stuck.clear();
    turns(&mut dispatch, START + 60_000, &mut sink);
    let late = sink.made.iter().chain(&sink.missed).filter(|made| made.number % 3 == 0);
    assert!(late.count() >= 10);
}

#[test]
fn memory_is_bounded_however_long_brokers_are_silent() {
    let all: Vec<JobTarget> = (0..10).map(|number| target(number, 1_000)).collect();
    let (mut dispatch, mut sink) = (Dispatch::default(), Jobs::default());
    dispatch.take(taken(0, START, &all), &mut sink);
    for now in (START..START + 600_000).step_by(100) {
        turns(&mut dispatch, now, &mut sink);
    }
    sink.acknowledge(0, usize::MAX);
    let mut kept = 0;
    // Marks that were left out cost exactness, not truth.
    dispatch.settle(START, &mut sink, |_, _, until_ms| kept = until_ms);
    assert_eq!(kept, START + 599_900);
}
