//! What is shown of a cluster, from what is known of it.

use super::*;

fn member(role: &str, name: &str, seen_ms: i64) -> Seen {
    let member = Member { name: name.to_owned(), role: role.to_owned(), ..Member::default() };
    Seen { member, seen_ms }
}

fn checker(name: &str, location: &str, behind: u64) -> Seen {
    let mut seen = member("checker", name, 100_000);
    seen.member.location = Some(location.to_owned());
    seen.member.figures =
        serde_json::json!({"behind": behind, "open": 2, "lag_p99_ms": 10 * behind});
    seen
}

fn known() -> Known {
    let roles = ["scheduler", "recorder"];
    let held = roles.iter().flat_map(|role| (0..4).map(|shard| ((*role).to_owned(), shard)));
    Known {
        shards: 4,
        members: vec![
            member("scheduler", "s", 99_000),
            member("recorder", "r", 100_000),
            checker("c", "eu", 3),
            checker("d", "eu", 4),
        ],
        held: held.map(|(role, shard)| ((role.clone(), shard), role[..1].to_owned())).collect(),
        locations: vec![("eu".to_owned(), 100_000)],
        patience_ms: 30_000,
        ..Known::default()
    }
}

#[test]
fn a_cluster_that_works_has_no_troubles() {
    let shown = known().shown(100_500);
    assert!(shown.troubles.is_empty(), "{:?}", shown.troubles);
    assert_eq!((shown.schedulers.members, shown.recorders.members), (1, 1));
    assert_eq!(shown.members.iter().map(|one| one.shards).collect::<Vec<_>>(), [4, 4, 0, 0]);
    assert_eq!(shown.locations[0].jobs_behind, Some(7));
    assert_eq!(shown.locations[0].lag_seconds, Some(0.04), "of the slowest");
    assert_eq!(shown.of_checkers("open"), 4);
    assert_eq!(shown.outcomes_behind, None);
}

#[test]
fn shards_that_nobody_has_are_named() {
    let mut known = known();
    known.held.remove(&("scheduler".to_owned(), 1));
    known.held.remove(&("scheduler".to_owned(), 3));
    known.held.retain(|(role, _), _| role != "recorder");
    let shown = known.shown(100_500);
    let told = ["no scheduler for shards 1, 3", "no recorder works: start poller recorder"];
    assert_eq!(shown.troubles, told);
}

#[test]
fn of_many_shards_a_few_are_named() {
    let owners = Owners { members: 1, unowned: (0..20).collect() };
    let told = unowned("scheduler", &owners, 64);
    let text = "no scheduler for shards 0, 1, 2, 3, 4, 5, 6, 7 and 12 more";
    assert_eq!(told.as_deref(), Some(text));
}

#[test]
fn a_location_without_checkers_and_lost_members_are_told() {
    let mut known = known();
    known.locations.push(("us".to_owned(), 70_500));
    known.delay.p99 = 12.0;
    known.members[0].member.figures = serde_json::json!({"lag_ms": 0, "unkept_ms": 7_000});
    known.members[0].member.ahead_seconds = -3_600.0;
    let shown = known.clone().shown(100_500);
    assert_eq!(
        shown.troubles,
        [
            "no checker at location us since 30.0 s",
            "scheduler s is 7.00 s late with its jobs",
            "recorders lag: 99 of 100 polls are recorded 12.0 s after due",
            "the clock of s is 1 h behind",
        ]
    );
    let later = known.shown(200_000);
    assert!(later.members.iter().all(|member| member.state == "lost"));
    assert_eq!(later.of_checkers("open"), 0);
}
