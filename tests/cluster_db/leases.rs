//! Which member has which shard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use poller::clock::Clock;
use poller::store::postgres::Database;
use poller::store::postgres::leases::{Holding, Leases, MemberFacts};

use super::engines::{Postgres, sql_at};
use super::server::{at, cluster, sql};

fn facts(name: &str) -> MemberFacts {
    MemberFacts {
        name: name.to_owned(),
        role: "scheduler",
        location: String::new(),
        host: "h".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at_ms: 1_700_000_000_000,
    }
}

/// Members of two roles may be called the same, as where both are called as their machine is.
pub(crate) async fn a_name_is_a_seat_of_its_role(server: &Postgres) {
    let (database, url) = cluster(server, 4).await;
    let length = Duration::from_secs(10);
    for role in ["scheduler", "recorder"] {
        let facts = MemberFacts { role, ..facts("box") };
        let mut leases = Leases::new(database.clone(), facts, length, Clock::system());
        assert_eq!(leases.tend().await.expect("tended").held.len(), 4);
    }
    let told = sql(&url, "SELECT role, name FROM member ORDER BY role");
    assert_eq!(told, "recorder|box\nscheduler|box");
}

fn leases(database: &Database, name: &str, length: Duration) -> Leases {
    Leases::new(database.clone(), facts(name), length, Clock::system())
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % most
    }
}

/// Members of a role, of whom some are killed.
struct Members {
    url: String,
    database: Database,
    alive: Vec<(String, Leases)>,
    born: u32,
    /// The last owner and epoch of each shard.
    last: BTreeMap<u32, (String, i64)>,
}

impl Members {
    fn join(&mut self) {
        let name = format!("m{}", self.born);
        self.born += 1;
        // Nothing ends by itself within the test: who is killed is made to have ended.
        let leases = leases(&self.database, &name, Duration::from_mins(10));
        self.alive.push((name, leases));
    }

    fn kill(&mut self, place: usize) {
        let (name, _) = self.alive.remove(place);
        let ended = format!(
            "UPDATE lease SET until = now() - interval '1 ms' WHERE owner LIKE '{name}#%'; \
             UPDATE member SET seen_at = now() - interval '1 hour' WHERE name = '{name}'"
        );
        sql(&self.url, &ended);
    }

    async fn tend(&mut self, place: usize) {
        let (_, leases) = &mut self.alive[place];
        let tended = leases.tend().await.expect("tended");
        let held: BTreeSet<u32> = tended.held.iter().map(|held| held.shard).collect();
        assert_eq!(held, leases.holding().shards().into_iter().collect());
        self.check();
    }

    /// No shard has two owners, and every new owner has a higher epoch.
    fn check(&mut self) {
        let mut seen = BTreeSet::new();
        for (name, leases) in &self.alive {
            let holding = leases.holding();
            for shard in holding.shards() {
                assert!(seen.insert(shard), "shard {shard} has two owners");
                let epoch = holding.epoch(shard).expect("held");
                match self.last.insert(shard, (name.clone(), epoch)) {
                    Some((last, before)) if last == *name => assert!(epoch >= before),
                    Some((_, before)) => assert!(epoch > before, "shard {shard}"),
                    None => {}
                }
            }
        }
    }

    fn shares(&self) -> Vec<usize> {
        self.alive.iter().map(|(_, leases)| leases.holding().shards().len()).collect()
    }
}

pub(crate) async fn shards_have_one_owner_and_shares_are_fair_whoever_dies(server: &Postgres) {
    const SHARDS: u32 = 23;
    let (database, url) = cluster(server, SHARDS).await;
    let mut random = Random(7);
    let mut members = Members { url, database, alive: Vec::new(), born: 0, last: BTreeMap::new() };
    members.join();
    for _ in 0..40 {
        match random.below(3) {
            0 if members.alive.len() < 6 => members.join(),
            1 if members.alive.len() > 1 => {
                let place = random.below(members.alive.len());
                members.kill(place);
            }
            _ => {}
        }
        for _ in 0..random.below(8) {
            let place = random.below(members.alive.len());
            members.tend(place).await;
        }
    }
    // Whatever went before: two rounds later all is owned, and evenly.
    for _ in 0..3 {
        for place in 0..members.alive.len() {
            members.tend(place).await;
        }
    }
    let shares = members.shares();
    assert_eq!(shares.iter().sum::<usize>(), SHARDS as usize, "{shares:?}");
    let (least, most) = (shares.iter().min(), shares.iter().max());
    assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{shares:?}");
    // And then nothing moves any more.
    for place in 0..members.alive.len() {
        let tended = members.alive[place].1.tend().await.expect("tended");
        assert_eq!((tended.gained, tended.lost), (vec![], vec![]));
        assert_eq!(tended.members as usize, members.alive.len());
    }
}

/// Sees at every moment that no shard has two owners.
async fn watch(holdings: &[Holding]) {
    loop {
        let mut seen = BTreeSet::new();
        for shard in holdings.iter().flat_map(Holding::shards) {
            assert!(seen.insert(shard), "shard {shard} has two owners");
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn members_that_ask_at_once_share_without_overlap(server: &Postgres) {
    let (database, _) = cluster(server, 64).await;
    let mut all: Vec<Leases> = Vec::new();
    for members in 1..=4 {
        all.push(leases(&database, &format!("m{members}"), Duration::from_mins(10)));
        let holdings: Vec<Holding> = all.iter().map(Leases::holding).collect();
        for _ in 0..3 {
            let mut asking = tokio::task::JoinSet::new();
            for mut leases in all.drain(..) {
                asking.spawn(async move { (leases.tend().await.map(drop), leases) });
            }
            let asked = tokio::select! {
                asked = asking.join_all() => asked,
                () = watch(&holdings) => unreachable!("it never ends"),
            };
            for (tended, leases) in asked {
                tended.expect("tended");
                all.push(leases);
            }
        }
        let shares = all.iter().map(|leases| leases.holding().shards().len());
        let fair = 64 / members;
        assert!(shares.clone().all(|share| share == fair || share == fair + 1));
        assert_eq!(shares.sum::<usize>(), 64);
    }
}

pub(crate) async fn what_is_given_up_is_no_more_ours_before_others_can_have_it(server: &Postgres) {
    let (database, url) = cluster(server, 8).await;
    let mut first = leases(&database, "a", Duration::from_mins(10));
    assert_eq!(first.tend().await.expect("tended").held.len(), 8);
    leases(&database, "b", Duration::from_mins(10)).tend().await.expect("tended");
    sql(
        &url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN RAISE EXCEPTION ''not now''; END'; \
         CREATE TRIGGER refuse BEFORE UPDATE ON lease FOR EACH ROW WHEN (new.owner IS NULL) \
         EXECUTE FUNCTION refuse()",
    );
    let error = first.tend().await.expect_err("refused").to_string();
    assert!(error.contains("not now"), "{error}");
    assert_eq!(first.holding().shards(), [0, 1, 2, 3]);
    sql(&url, "DROP TRIGGER refuse ON lease");
    // Whoever was not told then is told now.
    assert_eq!(first.tend().await.expect("tended").lost, [4, 5, 6, 7]);
    assert_eq!(first.holding().shards(), [0, 1, 2, 3]);
}

pub(crate) async fn a_member_that_cannot_renew_stops_before_others_begin(server: &Postgres) {
    let (database, url) = cluster(server, 8).await;
    let length = Duration::from_secs(9);
    let mut silent = leases(&database, "a", length);
    let mut other = leases(&database, "b", length);
    assert_eq!(silent.tend().await.expect("tended").gained.len(), 8);
    let holding = silent.holding();
    loop {
        let tended = other.tend().await.expect("tended");
        if !tended.held.is_empty() {
            assert_eq!(holding.shards(), Vec::<u32>::new());
            assert!(silent.is_mine_until(0).is_none());
            assert!(tended.held.iter().all(|held| held.epoch == 2));
            break;
        }
        tokio::time::sleep(tended.again_in).await;
    }
    // It notices that when it is back, and nothing it writes counts.
    let refused = silent.advance(&[(0, 1, 5)]).await.expect("asked");
    assert_eq!(refused, [0]);
    let tended = silent.tend().await.expect("tended");
    assert_eq!(tended.lost, (0..8).collect::<Vec<u32>>());
    assert_eq!(tended.members, 2);
    assert_eq!(sql(&url, "SELECT count(*) FROM lease WHERE produced_until IS NOT NULL"), "0");
}

pub(crate) async fn what_was_produced_is_handed_on_and_never_goes_back(server: &Postgres) {
    let (database, _) = cluster(server, 2).await;
    let mut first = leases(&database, "a", Duration::from_mins(1));
    first.tell(&serde_json::json!({"jobs": 5}));
    let tended = first.tend().await.expect("tended");
    assert!(tended.held.iter().all(|held| held.produced_until_ms.is_none()));
    assert!(tended.clock_ahead_ms.abs() < 1_000, "{}", tended.clock_ahead_ms);
    let now_ms = 1_700_000_000_123;
    assert_eq!(first.advance(&[(0, 1, now_ms), (1, 9, now_ms)]).await.expect("asked"), [1]);
    assert_eq!(first.advance(&[(0, 1, now_ms - 5)]).await.expect("asked"), [0_u32; 0]);
    first.release_all().await.expect("released");
    assert_eq!(first.holding().shards(), [0_u32; 0]);
    let mut second = leases(&database, "b", Duration::from_mins(1));
    let held = second.tend().await.expect("tended").held;
    let told: Vec<_> = held.iter().map(|held| (held.epoch, held.produced_until_ms)).collect();
    assert_eq!(told, [(2, Some(now_ms)), (2, None)]);
}

pub(crate) async fn a_namesake_has_to_wait(server: &Postgres) {
    let (database, _) = cluster(server, 2).await;
    let mut first = leases(&database, "a", Duration::from_mins(1));
    assert_eq!(first.tend().await.expect("tended").held.len(), 2);
    let mut again = leases(&database, "a", Duration::from_mins(1));
    assert_eq!(again.tend().await.expect("tended").held, []);
    assert_eq!(first.tend().await.expect("tended").held.len(), 2);
}

pub(crate) async fn a_server_that_hangs_ends_leases_all_the_same(server: &Postgres) {
    let (_, url) = cluster(server, 2).await;
    let database = at(&url, None).expect("an address");
    let mut leases = leases(&database, "a", Duration::from_secs(9));
    assert_eq!(leases.tend().await.expect("tended").held.len(), 2);
    let holding = leases.holding();
    server.pause();
    let mut told = String::new();
    while !holding.shards().is_empty() {
        if let Err(error) = leases.tend().await {
            assert!(error.is_passing());
            told = error.to_string();
        }
    }
    assert!(told.contains("it takes longer than 3s"), "{told}");
    server.resume();
    let tended = loop {
        if let Ok(tended) = leases.tend().await {
            break tended;
        }
    };
    assert_eq!((tended.held.len(), tended.gained.len()), (2, 0));
}

pub(crate) async fn a_connection_that_hangs_is_nobody_elses(server: &Postgres) {
    let (database, url) = cluster(server, 2).await;
    let own = at(&url, None).expect("an address");
    let mut leases = leases(&own, "a", Duration::from_secs(9));
    leases.tend().await.expect("tended");
    assert!(format!("{own:?}").contains(" size: 1, available: 1"), "{own:?}");
    // It waits for somebody else, as it would for a server that hangs.
    let blocker = Blocker::of(&url, "lease").await;
    let error = leases.advance(&[(0, 1, 5)]).await.expect_err("too slow");
    assert!(error.is_passing() && error.to_string().contains("longer than 3s"), "{error}");
    assert!(format!("{own:?}").contains(" size: 0"), "{own:?}");
    // So is one that nobody waits for any more.
    own.locations().await.expect("asked");
    let asked = tokio::time::timeout(Duration::from_millis(100), leases.advance(&[(0, 1, 5)]));
    assert!(asked.await.is_err());
    assert!(format!("{own:?}").contains(" size: 0"), "{own:?}");
    blocker.end();
    drop(database);
}

/// Somebody who has a table locked.
struct Blocker {
    url: String,
    thread: std::thread::JoinHandle<()>,
}

impl Blocker {
    async fn of(url: &str, table: &str) -> Self {
        let lock = format!("BEGIN; LOCK TABLE poller.{table}; SELECT pg_sleep(600)");
        let of = url.to_owned();
        // It ends by being ended.
        let thread = std::thread::spawn(move || drop(sql_at(&of, &lock)));
        let waits = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND granted \
             AND mode = 'AccessExclusiveLock'"
        );
        while sql(url, &waits) == "0" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { url: url.to_owned(), thread }
    }

    fn end(self) {
        sql(
            &self.url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE query LIKE 'BEGIN; LOCK%' AND datname = current_database()",
        );
        self.thread.join().expect("ended");
    }
}

pub(crate) async fn a_late_answer_says_nothing_of_clocks(server: &Postgres) {
    let (database, url) = cluster(server, 2).await;
    let mut leases = leases(&database, "a", Duration::from_mins(5));
    leases.tend().await.expect("tended");
    let before = leases.tend().await.expect("tended").clock_ahead_ms;
    let blocker = Blocker::of(&url, "member").await;
    let unblock = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        tokio::task::spawn_blocking(|| blocker.end()).await.expect("ended");
    };
    let (after, ()) = tokio::join!(leases.tend(), unblock);
    assert_eq!(after.expect("tended").clock_ahead_ms, before);
}
