//! Databases of tests in a real PostgreSQL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use poller::shards::Shards;
use poller::store::postgres::{Address, Database, DatabaseError};

use super::engines::{Postgres, sql_at};

static MADE: AtomicU32 = AtomicU32::new(0);

/// The URL of a new database.
pub(crate) fn fresh(server: &Postgres) -> String {
    server.fresh_database(&format!("fresh_{}", MADE.fetch_add(1, Ordering::Relaxed)))
}

/// A new cluster of `shards`, and its URL.
#[allow(dead_code, reason = "not every test needs one")]
pub(crate) async fn cluster(server: &Postgres, shards: u32) -> (Database, String) {
    let url = fresh(server);
    let database = at(&url, None).expect("an address");
    database.init(Shards::new(shards).expect("some")).await.expect("set up");
    (database, url)
}

pub(crate) fn at(url: &str, ca: Option<PathBuf>) -> Result<Database, DatabaseError> {
    Database::at(&Address { url: url.to_owned(), ca, client: "test".to_owned() }, 8)
}

/// What `statement` tells in the cluster at `url`, as psql prints it.
pub(crate) fn sql(url: &str, statement: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}options=-csearch_path%3Dpoller");
    sql_at(&url, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
}
