//! Targets: a list that is imported, and what members of the cluster read of it.

use std::collections::BTreeMap;

use poller::config::rules::Rules;
use poller::config::substitute::{Origin, Variables};
use poller::config::targets::written::{read, write};
use poller::config::targets::{self, List};
use poller::shards::Shards;
use poller::store::postgres::Database;
use poller::store::postgres::change::{Amended, Amendment, Gone, Seen};
use poller::store::postgres::import::{Imported, Incoming, Others};
use poller::store::postgres::targets::{JobRow, Known, TargetRow};
use poller::target::{Priority, TargetId};
use serde_json::{Value, json};

use super::engines::Postgres;
use super::server::{cluster, sql};

fn list(entries: &[Value]) -> List {
    let text = Value::from(entries.to_vec()).to_string();
    let origin = Origin::of_file("urls.json".as_ref(), Variables::default());
    targets::read(&mut text.as_bytes(), "urls.json", &origin, &Rules::default()).expect("a list")
}

async fn import(database: &Database, entries: &[Value], others: Others) -> Imported {
    let list = list(entries);
    let rows = list.targets.iter().map(|target| (target, write(target)));
    database.import(rows, others).await.expect("imported")
}

fn url(number: u32) -> Value {
    json!(format!("https://h{number}.example/"))
}

async fn all(database: &Database, shards: u32) -> Vec<TargetRow> {
    let mut rows = Vec::new();
    for shard in 0..shards {
        let before = rows.len();
        database.targets(shard, |row: TargetRow| rows.push(row)).await.expect("read");
        assert!(rows[before..].iter().all(|row| row.shard == shard));
        assert!(rows[before..].is_sorted_by_key(|row| row.number));
    }
    rows
}

pub(crate) async fn a_target_keeps_its_number_whatever_becomes_of_the_list(server: &Postgres) {
    const SHARDS: u32 = 4;
    let (database, _) = cluster(server, SHARDS).await;
    let shards = Shards::new(SHARDS).expect("some");
    let first: Vec<Value> = (0..100).map(url).collect();
    let new = Imported { new: 100, ..Imported::default() };
    assert_eq!(import(&database, &first, Others::Removed).await, new);
    let rows = all(&database, SHARDS).await;
    let numbers: BTreeMap<u64, u32> = rows.iter().map(|row| (row.id.0, row.number)).collect();
    assert_eq!(numbers.len(), 100);
    for shard in 0..SHARDS {
        // Places follow each other without a gap, from 1 on.
        let own = rows.iter().filter(|row| row.shard == shard);
        let places: Vec<u32> = own.clone().map(|row| shards.place(row.number)).collect();
        assert_eq!(places, (1..=u32::try_from(places.len()).expect("few")).collect::<Vec<_>>());
        assert!(own.clone().all(|row| shards.of(row.number) == shard));
        assert!(own.clone().all(|row| shards.of_id(row.id) == shard));
    }
    // The same again changes nothing, not even the revision.
    let revision = database.revision().await.expect("one");
    let same = Imported { unchanged: 100, ..Imported::default() };
    assert_eq!(import(&database, &first, Others::Removed).await, same);
    assert_eq!(database.revision().await.expect("one"), revision);
    // One goes, one changes, one comes.
    let mut second: Vec<Value> = (1..101).map(url).collect();
    second[0] = json!({"url": "https://h1.example/", "interval": 5});
    let imported = import(&database, &second, Others::Removed).await;
    assert_eq!(imported, Imported { new: 1, changed: 1, unchanged: 98, removed: 1 });
    // And all come back as they were.
    let imported = import(&database, &first, Others::Kept).await;
    assert_eq!(imported, Imported { new: 1, changed: 1, unchanged: 98, removed: 0 });
    let rows = all(&database, SHARDS).await;
    assert_eq!(rows.len(), 101);
    for row in rows {
        let number = numbers.get(&row.id.0);
        assert!(number.is_none_or(|number| *number == row.number), "{row:?}");
    }
}

pub(crate) async fn what_an_entry_says_is_in_its_row(server: &Postgres) {
    let (database, address) = cluster(server, 1).await;
    let entry = json!({"url": "https://me:s3cret@a.example/x", "id": "front", "name": "Front \"1\"",
        "group": "web", "labels": {"team": "a\\b"}, "interval": "250ms", "timeout": "100ms",
        "priority": "low", "locations": 2, "quorum": 1, "sentinel": true,
        "expect": {"certificate_days": 9}});
    import(&database, &[entry.clone(), json!({"url": "tcp://a.example:22"})], Others::Removed)
        .await;
    let rows = all(&database, 1).await;
    let row = &rows[0];
    assert_eq!(row.url.as_ref(), "https://<secret>@a.example/x");
    assert_eq!(
        (row.given_id.as_deref(), row.name.as_deref()),
        (Some("front"), Some("Front \"1\""))
    );
    assert_eq!((row.every_ms, row.timeout_ms, row.priority), (250, 100, Priority::Low));
    assert_eq!((row.locations, row.quorum, row.certificate_days), (2, 1, 9));
    assert!(row.is_sentinel && !row.is_removed);
    assert_eq!((rows[1].kind, rows[1].priority, rows[1].locations), (4, Priority::Normal, 0));
    let labels =
        sql(&address, "SELECT group_name, labels ->> 'team' FROM target WHERE group_name <> ''");
    assert_eq!(labels, "web|a\\b");
    // What a checker makes of it is what the list said.
    let target = read(&row.entry, row.id).expect("an entry");
    assert!(target.is_polled_like(&list(&[entry]).targets[0]));
}

pub(crate) async fn changes_are_seen_by_revision(server: &Postgres) {
    let (database, _) = cluster(server, 2).await;
    import(&database, &(0..10).map(url).collect::<Vec<_>>(), Others::Removed).await;
    let mut since = Vec::new();
    let mut jobs = Vec::new();
    for shard in 0..2 {
        let revision = database.targets(shard, |job: JobRow| jobs.push(job)).await.expect("read");
        since.push((shard, Known::up_to(revision)));
    }
    assert_eq!(jobs.len(), 10);
    assert!(database.changes_since::<JobRow>(&since, 100).await.expect("asked").is_empty());
    let mut entries: Vec<Value> = (1..11).map(url).collect();
    entries[0] = json!({"url": "https://h1.example/", "interval": 5});
    import(&database, &entries, Others::Removed).await;
    let changed: Vec<JobRow> = database.changes_since(&since, 100).await.expect("asked");
    let told: Vec<(bool, u32)> = changed.iter().map(|job| (job.is_removed, job.every_ms)).collect();
    assert_eq!(changed.len(), 3, "{changed:?}");
    assert_eq!(told.iter().filter(|(is_removed, _)| *is_removed).count(), 1);
    assert_eq!(told.iter().filter(|(_, every_ms)| *every_ms == 5_000).count(), 1);
    assert!(changed.iter().all(|job| job.revision == database_revision(&since) + 1));
    // Only of the shards that are asked for.
    let one: Vec<JobRow> = database.changes_since(&since[..1], 100).await.expect("asked");
    assert!(one.iter().all(|job| job.number % 2 == 0));
    let rows: Vec<TargetRow> = database.changes_since(&since, 100).await.expect("asked");
    assert_eq!(rows.len(), 3);
}

pub(crate) async fn changes_come_in_pages_and_none_is_left_out(server: &Postgres) {
    let (database, address) = cluster(server, 3).await;
    import(&database, &[url(0)], Others::Removed).await;
    let revision = database.revision().await.expect("one");
    let mut known: BTreeMap<u32, Known> =
        (0..3).map(|shard| (shard, Known::up_to(revision))).collect();
    import(&database, &(0..100).map(url).collect::<Vec<_>>(), Others::Removed).await;
    let mut seen: BTreeMap<u32, JobRow> = BTreeMap::new();
    let mut pages = 0;
    loop {
        let asked: Vec<(u32, Known)> = known.iter().map(|(shard, at)| (*shard, *at)).collect();
        let page: Vec<JobRow> = database.changes_since(&asked, 7).await.expect("asked");
        let is_last = page.len() < 7;
        for row in page {
            let at = known.get_mut(&(row.number % 3)).expect("a shard");
            let next = Known::at(row.revision, row.number);
            assert!(*at < next, "in their order");
            *at = next;
            seen.insert(row.number, row);
        }
        pages += 1;
        if pages == 3 {
            // What changes while pages are read comes as well, however much of it was read.
            import(&database, &(1..110).map(url).collect::<Vec<_>>(), Others::Removed).await;
        }
        if is_last {
            break;
        }
    }
    assert!(pages > 14, "{pages} pages");
    let polled = seen.values().filter(|row| !row.is_removed).count();
    assert_eq!((polled, seen.len()), (109, 110), "url 0 was removed");
    let plan = sql(
        &address,
        "SET enable_seqscan = off; SET enable_bitmapscan = off; EXPLAIN SELECT 1 FROM target \
         WHERE shard = 1 AND (revision, number) > (1, 5) ORDER BY shard, revision, number LIMIT 7",
    );
    assert!(plan.contains("target_changes") && !plan.contains("Sort"), "{plan}");
}

fn database_revision(since: &[(u32, Known)]) -> i64 {
    since.iter().map(|(_, known)| known.revision).max().unwrap_or_default()
}

pub(crate) async fn two_imports_at_once_are_one_after_the_other(server: &Postgres) {
    let (database, address) = cluster(server, 3).await;
    let (one, other): (Vec<Value>, Vec<Value>) =
        ((0..300).map(url).collect(), (200..400).map(url).collect());
    tokio::join!(
        import(&database, &one, Others::Kept),
        import(&database, &other, Others::Kept),
        import(&database, &one, Others::Kept),
    );
    assert_eq!(sql(&address, "SELECT count(*), count(DISTINCT number) FROM target"), "400|400");
}

/// Has `entries` polled as somebody over the API does.
async fn amend(database: &Database, entries: &[Value], amendment: Amendment<'_>) -> Amended {
    let list = list(entries);
    let polled = list.targets.iter().map(|target| Incoming {
        target,
        entry: write(target),
        expires_ms: None,
    });
    let polled = polled.collect();
    let own = Amendment { gone: amendment.gone, polled, ..amendment };
    database.amend(own).await.expect("answered")
}

/// A target as it was seen, which does not go by itself.
const fn seen(id: TargetId, entry: &str) -> Seen<'_> {
    Seen { id, entry, expires_ms: None }
}

async fn urls(database: &Database) -> Vec<String> {
    let mut urls: Vec<String> =
        all(database, 2).await.iter().map(|row| row.url.to_string()).collect();
    urls.sort();
    urls
}

pub(crate) async fn a_list_removes_only_what_a_list_named(server: &Postgres) {
    let (database, _) = cluster(server, 2).await;
    let shown = |numbers: &[u32]| -> Vec<String> {
        numbers.iter().map(|number| format!("https://h{number}.example/")).collect()
    };
    import(&database, &[url(0), url(1)], Others::Removed).await;
    amend(&database, &[url(2), url(3)], Amendment::default()).await;
    assert_eq!(urls(&database).await, shown(&[0, 1, 2, 3]));
    // What the list names becomes its own, though nothing else of it changes.
    let imported = import(&database, &[url(0), url(3)], Others::Removed).await;
    assert_eq!(imported, Imported { unchanged: 2, removed: 1, ..Imported::default() });
    assert_eq!(urls(&database).await, shown(&[0, 2, 3]));
    // What the list has stays its own when it is changed otherwise, and when it gets another address.
    let other = json!({"url": "https://h0.example/", "interval": 5});
    amend(&database, &[other], Amendment::default()).await;
    let three = list(&[url(3)]).targets[0].id;
    let entry = write(&list(&[url(3)]).targets[0]);
    let moved = Amendment {
        gone: Gone::One(three),
        made_of: Some(seen(three, &entry)),
        ..Amendment::default()
    };
    amend(&database, &[url(4)], moved).await;
    assert_eq!(urls(&database).await, shown(&[0, 2, 4]));
    let imported = import(&database, &[url(1)], Others::Removed).await;
    assert_eq!(imported, Imported { new: 1, removed: 2, ..Imported::default() });
    // What a list named once and does not any more is nobody's but theirs who add it again.
    amend(&database, &[url(0)], Amendment::default()).await;
    import(&database, &[url(1)], Others::Removed).await;
    assert_eq!(urls(&database).await, shown(&[0, 1, 2]));
    let gone = Gone::One(list(&[url(2)]).targets[0].id);
    database.amend(Amendment { gone, ..Amendment::default() }).await.expect("removed");
    assert_eq!(urls(&database).await, shown(&[0, 1]));
}

pub(crate) async fn a_change_is_made_of_what_was_seen_or_not_at_all(server: &Postgres) {
    let (database, _) = cluster(server, 2).await;
    import(&database, &[url(0), url(1)], Others::Removed).await;
    let (then, first) = (database.revision().await.expect("one"), &list(&[url(0)]).targets[0]);
    let entry = write(first);
    // Of many that saw the same, one is first; the others change nothing.
    let mut raced = tokio::task::JoinSet::new();
    for number in 10..18 {
        let database = database.clone();
        raced.spawn(async move {
            let only_at = Some(&[then][..]);
            amend(&database, &[url(number)], Amendment { only_at, ..Amendment::default() }).await
        });
    }
    let raced = raced.join_all().await;
    let made = |one: &&Amended| matches!(one, Amended::Made { .. });
    assert_eq!(raced.iter().filter(made).count(), 1, "{raced:?}");
    let stale = raced.iter().filter(|one| **one == Amended::Stale(then + 1));
    assert_eq!(stale.count(), 7, "{raced:?}");
    assert_eq!(urls(&database).await.len(), 3);
    // An address is changed at one revision: nobody sees both, or none.
    let moved = Amendment {
        gone: Gone::One(first.id),
        made_of: Some(seen(first.id, &entry)),
        ..Amendment::default()
    };
    let done = amend(&database, &[url(2)], moved).await;
    let once = Imported { new: 1, removed: 1, ..Imported::default() };
    assert_eq!(done, Amended::Made { done: once, edition: then + 2, own: 1 });
    // It does not take the place of another one.
    let third = list(&[url(2)]).targets[0].id;
    let onto = Amendment { gone: Gone::One(third), ..Amendment::default() };
    assert_eq!(amend(&database, &[url(1)], onto).await, Amended::Taken);
    assert_eq!(urls(&database).await.len(), 3);
    // What is gone, or changed, is not what it was.
    let late = Amendment { made_of: Some(seen(first.id, &entry)), ..Amendment::default() };
    assert_eq!(amend(&database, &[url(3)], late).await, Amended::Overtaken);
    let second = list(&[url(1)]).targets[0].id;
    let wrong = Amendment { made_of: Some(seen(second, &entry)), ..Amendment::default() };
    assert_eq!(amend(&database, &[url(3)], wrong).await, Amended::Overtaken);
    assert_eq!(database.revision().await.expect("one"), then + 2);
}
