//! `Cluster`: the real roles as processes, over a real Kafka and a real PostgreSQL.

#![allow(dead_code, unreachable_pub, reason = "each test and bench uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a cluster that cannot be set up ends the test that wants it"
)]

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::engines::{Brokers, Kafka, Postgres, Security, sql_at};

/// How long anything may take that is not being measured.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// How long a lease lasts here.
pub const LEASE: Duration = Duration::from_secs(3);

/// A cluster that runs; its members are killed and its engines taken down when it is dropped.
pub struct Cluster {
    pub kafka: Kafka,
    pub postgres: Postgres,
    pub url: String,
    pub room: TempDir,
    pub members: Vec<Member>,
    shards: u32,
}

/// A member of a cluster, as a process of its own.
pub struct Member {
    pub role: String,
    pub name: String,
    pub child: Child,
    pub log: PathBuf,
}

impl Cluster {
    /// A cluster of so many shards without members, on a Kafka of so many `brokers`.
    pub fn start(brokers: Brokers, shards: u32) -> Self {
        Self::over(Kafka::start(brokers, Security::None), Postgres::start(), shards)
    }

    /// A cluster of so many shards without members, on these engines.
    pub fn over(kafka: Kafka, postgres: Postgres, shards: u32) -> Self {
        let url = postgres.url().to_owned();
        let room = tempfile::tempdir().expect("a directory");
        let cluster = Self { kafka, postgres, url, room, members: Vec::new(), shards };
        cluster.succeed(&["db", "init", "--shards", &cluster.shards.to_string()]);
        cluster
    }

    /// The program, told where the engines are.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        command
            .env_clear()
            .env("POLLER_POSTGRES", &self.url)
            .env("POLLER_KAFKA", self.kafka.bootstrap())
            .env("POLLER_LEASE", format!("{}s", LEASE.as_secs()))
            .current_dir(self.room.path());
        command
    }

    /// What the program says to `arguments`, which must succeed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.program().args(arguments).output().expect("it runs");
        assert!(output.status.success(), "poller {}: {}", arguments.join(" "), both(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Takes over a list of targets.
    pub fn import(&self, list: &Value) -> String {
        std::fs::write(self.room.path().join("list.json"), list.to_string()).expect("a list");
        self.succeed(&["db", "import", "list.json"])
    }

    /// Has another member begin in `role`, and tells its place among the members.
    pub fn begin(&mut self, role: &str, arguments: &[&str]) -> usize {
        let member = self.member(role, self.program(), arguments);
        self.members.push(member);
        self.members.len() - 1
    }

    /// Has another one begin in the place of the member at `place`, which is gone.
    pub fn begin_again(&mut self, place: usize, arguments: &[&str]) {
        let role = self.members[place].role.clone();
        self.members[place] = self.member(&role, self.program(), arguments);
    }

    /// A member that `program` is, which may be one that runs poller somewhere else.
    pub fn member(&self, role: &str, mut program: Command, arguments: &[&str]) -> Member {
        let unique = Instant::now().elapsed().as_nanos() + u128::from(std::process::id());
        let count = std::fs::read_dir(self.room.path()).map_or(0, Iterator::count);
        let name = format!("{role}-{count}-{}", unique % 100_000);
        let log = self.room.path().join(format!("{name}.log"));
        let output = File::create(&log).expect("a log");
        program.arg(role).args(["--member", &name]).args(arguments);
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = program.spawn().expect("it starts");
        Member { role: role.to_owned(), name, child, log }
    }

    /// One value that the database tells.
    pub fn sql(&self, statement: &str) -> String {
        sql_at(&self.url, &format!("SET search_path TO poller; {statement}"))
            .unwrap_or_else(|reason| panic!("{statement}: {reason}"))
            .trim()
            .trim_start_matches("SET")
            .trim()
            .to_owned()
    }

    /// A number that the database tells.
    pub fn count(&self, statement: &str) -> i64 {
        let told = self.sql(statement);
        told.parse().unwrap_or_else(|_| panic!("{statement}: {told}"))
    }

    /// Waits until `condition` holds of the database, which tells a boolean.
    pub fn wait_until(&self, what: &str, condition: &str) {
        let began = Instant::now();
        loop {
            let told = sql_at(&self.url, &format!("SET search_path TO poller; SELECT {condition}"));
            if told.as_ref().is_ok_and(|told| told.trim().ends_with('t')) {
                return;
            }
            let logs = || self.logs();
            assert!(began.elapsed() < PATIENCE, "{what}: {condition}: {told:?}\n{}", logs());
            sleep(Duration::from_millis(200));
        }
    }

    /// Unix milliseconds by the database's clock.
    pub fn now_ms(&self) -> i64 {
        self.count("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    }

    /// How many targets have not exactly one poll or missed slot of their own for each point of
    /// their grid between two times in Unix milliseconds, for intervals of `every_ms` that the span
    /// is a multiple of; `more` is a further condition on samples.
    pub fn wrong_targets(&self, (from_ms, until_ms): (i64, i64), every_ms: i64, more: &str) -> i64 {
        let slots = (until_ms - from_ms) / every_ms;
        self.count(&format!(
            "SELECT count(*) FROM target LEFT JOIN (SELECT target, count(*) AS slots FROM sample \
             WHERE tries = 0 AND due >= to_timestamp({from_ms} / 1000.0) \
             AND due < to_timestamp({until_ms} / 1000.0) {more} GROUP BY target) AS told \
             ON told.target = target.number WHERE coalesce(slots, 0) <> {slots}"
        ))
    }

    /// The ends of all logs.
    pub fn logs(&self) -> String {
        let end = |member: &Member| {
            let text = std::fs::read_to_string(&member.log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(15);
            format!("--- {}\n{}\n", member.name, lines[last..].join("\n"))
        };
        self.members.iter().map(end).collect()
    }
}

impl Member {
    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "no {} to {}", name, self.name);
    }

    /// Asks it to end, and waits until it has.
    pub fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{} does not end", self.name);
            sleep(Duration::from_millis(50));
        }
    }

    /// What it logged.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            member.kill();
        }
    }
}

/// Both outputs of a program.
pub fn both(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
