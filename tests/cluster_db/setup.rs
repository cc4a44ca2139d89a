//! Setting a database up.

use poller::shards::Shards;
use poller::store::postgres::DatabaseError;
use poller::store::postgres::partitions::Keep;

use super::engines::Postgres;
use super::server::{at, cluster, fresh, sql};

const DAY_MS: i64 = 86_400_000;

pub(crate) async fn a_cluster_is_set_up_once(server: &Postgres) {
    let url = fresh(server);
    let database = at(&url, None).expect("an address");
    assert!(matches!(database.cluster().await, Err(DatabaseError::Empty)));
    assert!(matches!(database.migrate().await, Err(DatabaseError::Empty)));
    let shards = Shards::new(5).expect("some");
    // Two at once: one of them does it.
    let (one, other) = tokio::join!(database.init(shards), database.init(shards));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let error = database.init(shards).await.expect_err("there is one").to_string();
    assert!(error.contains("holds a cluster already"), "{error}");
    let cluster = database.cluster().await.expect("set up");
    assert_eq!((cluster.version, cluster.shards), (1, shards));
    assert_eq!(database.migrate().await.expect("up to date"), 1);
    assert_eq!(
        sql(&url, "SELECT role, count(*) FROM lease GROUP BY 1 ORDER BY 1"),
        "recorder|5\nscheduler|5"
    );
    assert_eq!(sql(&url, "SELECT count(*) FROM progress"), "5");
}

pub(crate) async fn partitions_are_made_ahead_and_dropped(server: &Postgres) {
    let (database, url) = cluster(server, 1).await;
    let now_ms = 20_787 * DAY_MS + 5;
    let (one, other) = tokio::join!(
        database.partitions_ahead(now_ms, 4, 3),
        database.partitions_ahead(now_ms, 4, 3),
    );
    assert_eq!(one.expect("made"), (20_783 * DAY_MS)..(20_791 * DAY_MS));
    assert!(other.is_ok(), "{other:?}");
    let names = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_inherits \
                 JOIN pg_class ON oid = inhrelid WHERE relkind = 'r'";
    let samples: Vec<String> = (20_783..20_791).map(|day| format!("sample_{day}")).collect();
    assert_eq!(sql(&url, names), format!("hour_2969 hour_2970 {}", samples.join(" ")));
    let sample = |ms: i64| {
        format!(
            "INSERT INTO sample VALUES (timestamptz 'epoch' + {ms} * interval '1 ms', \
                 1, 1, 0, now(), 0, 0, 0, 0, 0, 0, 0, 0, 0)"
        )
    };
    sql(&url, &sample(20_783 * DAY_MS));
    sql(&url, &sample(20_791 * DAY_MS - 1));
    assert_eq!(sql(&url, "SELECT count(*) FROM sample_20790"), "1");
    sql(&url, "INSERT INTO hour VALUES (1, 20783 * 24, 1, 1, ''), (1, 20791 * 24 - 1, 1, 1, '')");
    sql(&url, "INSERT INTO day VALUES (1, 20300, 1, 1, ''), (1, 20700, 1, 1, '')");
    let keep = Keep { sample_days: 2, hour_days: 1, day_days: 400 };
    assert_eq!(database.drop_partitions(now_ms, keep).await.expect("dropped"), 2);
    database.forget_past(now_ms, keep).await.expect("forgotten");
    assert!(sql(&url, names).contains("hour_2969 hour_2970 sample_20785"));
    assert_eq!(sql(&url, "SELECT string_agg(day::text, ' ') FROM day"), "20700");
    assert_eq!(database.drop_partitions(now_ms, keep).await.expect("nothing"), 0);
}

pub(crate) async fn a_database_of_another_version_is_refused(server: &Postgres) {
    let (database, url) = cluster(server, 1).await;
    sql(&url, "UPDATE cluster SET version = 9");
    for error in [
        database.cluster().await.expect_err("newer").to_string(),
        database.migrate().await.expect_err("newer").to_string(),
    ] {
        assert!(error.contains("version 9") && error.contains("use a newer poller"), "{error}");
    }
}
