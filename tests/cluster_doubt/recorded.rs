//! What a recorder makes of it when a checker takes back what it told.

use std::ops::RangeInclusive;

use poller::outcome::{Cause, Detail, Finding};
use poller::queue::kafka::messages::{Report, Told, WithdrawnMessage};

use crate::rig::{self, Rig, engines};
use crate::stream::{Poll, down, up};

const SHARDS: u32 = 4;

/// What a checker tells as long as it knows that it fails.
fn doubted() -> Finding {
    Finding::default().with_cause(Cause::NoNetwork, Detail::Doubted)
}

/// Polls of a slot of `targets`.
fn polls(targets: RangeInclusive<u32>, slot: i64, finding: Finding) -> Vec<Poll> {
    targets.map(|target| Poll::new(target, slot, finding)).collect()
}

/// Has a checker here take back what it told of those slots of `targets`, and tell that twice.
fn take_back(rig: &Rig, targets: RangeInclusive<u32>, (first, last): (i64, i64)) {
    for shard in [0, 1, 2, 3, 0, 1, 2, 3] {
        let own = targets.clone().filter(|target| target % SHARDS == shard);
        let due_ms = |target, slot| Poll::new(target, slot, up()).outcome.due_ms;
        let slots = |target| due_ms(target, first)..=due_ms(target, last);
        let own: Vec<_> = own.map(|target| (target, slots(target))).collect();
        let told = Told::Withdrawn(WithdrawnMessage::of(&own));
        rig.send(shard, &Report::new("here", told));
    }
}

/// Tells what comes before the network of the checker fails and while it does not know that; 1 is down
/// for longer, 19 and 20 answer.
fn tell_before(rig: &Rig) {
    let mut all = polls(1..=20, 1, up());
    all.extend(polls(1..=1, 2, down()));
    all.extend(polls(2..=20, 2, up()));
    all.extend(polls(1..=18, 3, down()));
    all.extend(polls(19..=20, 3, up()));
    // A recheck was to follow.
    let suspected = polls(17..=18, 3, down());
    all.retain(|poll| poll.outcome.due_ms != suspected[0].outcome.due_ms);
    all.retain(|poll| poll.outcome.due_ms != suspected[1].outcome.due_ms);
    all.extend(suspected.into_iter().map(|mut poll| {
        poll.outcome.is_provisional = true;
        poll
    }));
    all.extend(polls(1..=16, 4, down()));
    all.extend(polls(19..=20, 4, up()));
    rig.send_polls(&all);
}

/// Tells what comes afterwards; 2 is down indeed, 3 answers.
fn tell_afterwards(rig: &Rig) {
    let mut all = polls(4..=18, 5, doubted());
    all.extend(polls(2..=2, 5, down()));
    all.extend(polls(3..=3, 5, up()));
    rig.send_polls(&all);
}

const STATES: &str = "SELECT string_agg(concat(target, ':', state), ' ' ORDER BY target) \
                      FROM record WHERE target IN (1, 2, 3, 4, 16, 17, 18, 19)";
const OUTAGES: &str = "SELECT target, ended IS NULL FROM incident ORDER BY target, began";

#[test]
fn what_is_taken_back_is_gone_also_when_the_recorder_is_killed_meanwhile() {
    let Some(engines) = engines() else { return };
    let calm = Rig::new(engines, "acquitted", SHARDS, 20);
    tell_before(&calm);
    take_back(&calm, 1..=18, (3, 4));
    tell_afterwards(&calm);
    let recorder = calm.recorder("calm");
    let all = "SELECT count(*) FROM sample";
    calm.wait("all polls", all, "95");
    recorder.stop();
    assert_eq!(calm.sql(STATES), "1:3 2:3 3:1 4:4 16:4 17:4 18:4 19:1");
    assert_eq!(calm.sql(OUTAGES), "1|t\n2|t");
    // Who is told to be down is so for no time, and by no other cause than ours afterwards.
    let back = "SELECT count(*) FROM transition AS down JOIN transition AS back USING (target, at) \
                WHERE down.to_state = 3 AND back.from_state = 3 AND back.to_state = 4 \
                AND back.cause = 31";
    assert_eq!(calm.sql(back), "15");
    assert_eq!(calm.sql("SELECT count(*) FROM transition WHERE to_state = 3"), "17");

    let rough = Rig::new(engines, "acquitted-roughly", SHARDS, 20);
    let recorder = rough.recorder("rough");
    tell_before(&rough);
    rough.wait("who is told to be down", "SELECT count(*) FROM incident", "16");
    recorder.kill();
    let recorder = rough.recorder("rough");
    take_back(&rough, 1..=18, (3, 4));
    rough.wait("what is left", "SELECT count(*) FROM incident", "1");
    recorder.kill();
    let recorder = rough.recorder("rough");
    take_back(&rough, 1..=18, (3, 4));
    tell_afterwards(&rough);
    rough.wait("all polls", all, "95");
    recorder.stop();
    for (what, asked) in rig::ALL.iter().filter(|(what, _)| *what != "progress") {
        assert_eq!(rough.sql(asked), calm.sql(asked), "{what}");
    }
}

#[test]
fn what_is_left_is_what_other_locations_say() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "left", SHARDS, 4);
    // The target 4 is polled from one location, the others from two.
    rig.sql("UPDATE target SET locations = 2, quorum = 2 WHERE number = 1");
    rig.sql("UPDATE target SET locations = 2, quorum = 1 WHERE number IN (2, 3)");
    let mut told = polls(1..=4, 1, up());
    let elsewhere = |target, slot, finding| Poll::new(target, slot, finding).at("there");
    told.extend([1, 2, 3].map(|target| elsewhere(target, 1, up())));
    told.extend([elsewhere(1, 2, down()), elsewhere(2, 2, up()), elsewhere(3, 2, up())]);
    told.extend(polls(1..=4, 2, down()));
    told.push(elsewhere(3, 3, down()));
    rig.send_polls(&told);
    let recorder = rig.recorder("one");
    let states = "SELECT string_agg(state::text, ' ' ORDER BY target) FROM record";
    rig.wait("all are down", states, "3 3 3 3");
    take_back(&rig, 1..=4, (2, 2));
    // One says that it is down, and two would have to; the other that it is up; the other that it is
    // down indeed; nobody anything.
    rig.wait("what is left", states, "4 1 3 4");
    assert_eq!(rig.sql(OUTAGES), "3|t");
    let figure = "SELECT facts->>'withdrawn' FROM member WHERE role = 'recorder'";
    rig.wait("it is counted once", figure, "4");
    recorder.stop();
}

#[test]
fn what_nobody_can_take_back_is_set_aside() {
    let Some(engines) = engines() else { return };
    let rig = Rig::new(engines, "nothing", 2, 2);
    let recorder = rig.recorder("one");
    let send = |location, message| {
        rig.send(0, &Report::new(location, Told::Withdrawn(message)));
    };
    let whole = WithdrawnMessage::of(&[(2, 0..=i64::MAX)]);
    send("here", WithdrawnMessage { last_due_ms: vec![], ..whole.clone() });
    send("here", WithdrawnMessage::of(&[(2, 0..=1), (1, 0..=1)]));
    send("", whole);
    // These say nothing, and hurt nobody.
    send("here", WithdrawnMessage::default());
    send(
        "here",
        WithdrawnMessage::of(&[(90, i64::MIN..=i64::MAX), (2, RangeInclusive::new(5, 4))]),
    );
    let reasons: Vec<String> = rig.dead(3).into_iter().map(|(reason, _)| reason).collect();
    assert!(reasons[0].contains("last_due_ms"), "{reasons:?}");
    assert!(reasons[1].contains("its target 1 belongs to partition 1"), "{reasons:?}");
    assert!(reasons[2].contains("its location is no name"), "{reasons:?}");
    rig.send_polls(&polls(1..=2, 1, down()));
    rig.wait("polls go on", "SELECT count(*) FROM record WHERE state = 3", "2");
    recorder.stop();
}
