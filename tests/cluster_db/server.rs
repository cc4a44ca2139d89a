//! A PostgreSQL of a test, and databases in it.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use poller::shards::Shards;
use poller::store::postgres::{Address, Database};

/// A server that goes down with this process.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    pub(crate) url: String,
    made: AtomicU32,
}

impl Server {
    pub(crate) fn start(options: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("poller-pg-").tempdir().expect("a folder");
        let dir_open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(dir.path(), dir_open).expect("opened");
        let path = dir.path().join("pg").display().to_string();
        let pid = std::process::id().to_string();
        let mut up = script();
        up.args(["up", &path, "--fast", "--with-pid", &pid]).args(options);
        let output = up.output().expect("started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let url = text.lines().find_map(|line| line.strip_prefix("url="));
        let url = url.unwrap_or_else(|| panic!("{output:?}")).to_owned();
        Self { dir, url, made: AtomicU32::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("pg").join(name)
    }

    pub(crate) fn act(&self, verb: &str) {
        let path = self.dir.path().join("pg");
        assert!(script().arg(verb).arg(path).status().expect("run").success(), "{verb}");
    }

    /// The URL of a new database.
    pub(crate) fn fresh(&self) -> String {
        let name = format!("fresh_{}", self.made.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("psql")
            .args(["--no-psqlrc", "-q", "-d", &self.url, "-c", &format!("CREATE DATABASE {name}")])
            .status();
        assert!(made.expect("psql").success());
        let (server, rest) = self.url.rsplit_once("/poller").expect("a database");
        format!("{server}/{name}{rest}")
    }

    /// A new cluster of `shards`.
    pub(crate) async fn cluster(&self, shards: u32) -> (Database, String) {
        let url = self.fresh();
        let database = at(&url, None).expect("an address");
        database.init(Shards::new(shards).expect("some")).await.expect("set up");
        (database, url)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = script().arg("down").arg(self.dir.path().join("pg")).status();
    }
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres"))
}

pub(crate) fn at(
    url: &str,
    ca: Option<std::path::PathBuf>,
) -> Result<Database, poller::store::postgres::DatabaseError> {
    Database::at(&Address { url: url.to_owned(), ca, client: "test".to_owned() }, 8)
}

/// What `query` tells in the database at `url`, as psql prints it.
pub(crate) fn psql(url: &str, query: &str) -> String {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", url])
        .args(["-c", "SET search_path TO poller", "-c", query])
        .output()
        .expect("psql");
    assert!(output.status.success(), "{query}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
