//! Real engines for tests: a Kafka and a PostgreSQL of their own, started by the project's scripts.
//!
//! Each goes away when it is dropped, and a second after this process has ended, however it ends: a
//! `static` may hold one for all tests of a file. A test that needs them begins with
//! `if !engines::are_here() { return; }`.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, reason = "a test ends where it fails")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Whether no test that needs an engine may be skipped.
pub fn are_required() -> bool {
    std::env::var_os("POLLER_ENGINES_REQUIRED").is_some_and(|value| value == "required")
}

/// Why there are no engines; none, when there are.
pub fn why_not() -> Option<String> {
    ["kafka", "postgres"].into_iter().find_map(|script| {
        let output = run(script, &["check"]);
        (!output.status.success()).then(|| said(&output))
    })
}

/// Whether there are engines. Where there are none it says that the test is skipped.
///
/// # Panics
///
/// If there are none, and they are required.
#[allow(clippy::print_stdout, reason = "what is skipped is told")]
pub fn are_here() -> bool {
    let Some(reason) = why_not() else { return true };
    assert!(!are_required(), "{reason}, and POLLER_ENGINES_REQUIRED=required");
    println!("skipped: {reason}");
    false
}

/// A port of this machine that nobody listens on. It is below those that the system hands out, so that
/// no connection and no other test gets it before whoever is told to listen there.
pub fn free_port() -> u16 {
    let random = RandomState::new();
    let picked = (0_u64..).map(|nth| 15_000 + random.hash_one(nth) % 17_000);
    let mut picked = picked.filter_map(|port| u16::try_from(port).ok());
    picked.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free one")
}

/// How many nodes a Kafka has; each is a broker and a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brokers {
    One,
    Three,
}

/// What a Kafka demands of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    None,
    /// TLS with a certificate: `ca.pem`, `service.cert` and `service.key` of its directory.
    Tls,
    /// The user [`USER`] with [`PASSWORD`], by SCRAM-SHA-256 or PLAIN, without TLS.
    Sasl,
}

/// Whom Kafka lets in by SASL, and the role of PostgreSQL.
pub const USER: &str = "poller";

/// The password of [`USER`].
pub const PASSWORD: &str = "poller-secret";

/// A Kafka that runs. Its nodes are numbered from 1.
#[derive(Debug)]
pub struct Kafka {
    engine: Engine,
    bootstrap: String,
}

impl Kafka {
    /// One whose nodes all answer.
    pub fn start(brokers: Brokers, security: Security) -> Self {
        Self::with(brokers, security, &[])
    }

    /// The same with further `settings` of its nodes, each `name=value`.
    pub fn with(brokers: Brokers, security: Security, settings: &[&str]) -> Self {
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        Self::told(brokers, security, &settings)
    }

    /// One that is at an address of this machine, for clients in other networks.
    pub fn at(brokers: Brokers, security: Security, address: &str) -> Self {
        Self::told(brokers, security, &["--address", address])
    }

    fn told(brokers: Brokers, security: Security, more: &[&str]) -> Self {
        let brokers = match brokers {
            Brokers::One => "1",
            Brokers::Three => "3",
        };
        let security = match security {
            Security::None => "none",
            Security::Tls => "tls",
            Security::Sasl => "sasl",
        };
        let mut options = vec!["--brokers", brokers, "--security", security];
        options.extend(more);
        let (engine, bootstrap) = Engine::start("kafka", "bootstrap=", &options);
        Self { engine, bootstrap }
    }

    /// The addresses of all nodes, with commas between: `bootstrap.servers` of a client.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The address of one node.
    pub fn address(&self, node: usize) -> &str {
        self.bootstrap.split(',').nth(node - 1).expect("a node of it")
    }

    /// Where its files are: those of TLS, `client.properties`, and the log of each node.
    pub fn directory(&self) -> &Path {
        self.engine.directory()
    }

    /// Stops a node, which hands over what it leads.
    pub fn stop(&self, node: usize) {
        self.engine.act("stop", &[&node.to_string()]);
    }

    /// Kills a node.
    pub fn kill(&self, node: usize) {
        self.engine.act("kill", &[&node.to_string()]);
    }

    /// Starts a node that was stopped or killed, and returns once it answers, for which it needs a
    /// majority of the nodes. One that was killed is let in again when its session has ended, after
    /// nine seconds.
    pub fn start_node(&self, node: usize) {
        self.engine.act("start", &[&node.to_string()]);
    }

    /// Stops all nodes.
    pub fn stop_all(&self) {
        self.engine.act("stop", &[]);
    }

    /// Starts all nodes, and returns once all of them answer.
    pub fn start_all(&self) {
        self.engine.act("start", &[]);
    }

    /// Has a node do nothing, as if its machine hung.
    pub fn pause(&self, node: usize) {
        self.engine.act("pause", &[&node.to_string()]);
    }

    /// Has a node that was paused go on.
    pub fn resume(&self, node: usize) {
        self.engine.act("resume", &[&node.to_string()]);
    }

    /// Makes a topic with so many `partitions`, each on every node.
    pub fn make_topic(&self, topic: &str, partitions: usize) {
        let partitions = partitions.to_string();
        let options = ["--create", "--topic", topic, "--partitions", &partitions];
        self.engine.act("topics", &options);
    }

    /// Removes a topic.
    pub fn remove_topic(&self, topic: &str) {
        self.engine.act("topics", &["--delete", "--topic", topic]);
    }
}

/// A PostgreSQL that runs.
#[derive(Debug)]
pub struct Postgres {
    engine: Engine,
    url: String,
}

impl Postgres {
    /// One that answers, which forces nothing to disk, and asks for no password.
    pub fn start() -> Self {
        Self::with(&["--fast"])
    }

    /// The same with other options, as `scripts/postgres up` takes them.
    pub fn with(options: &[&str]) -> Self {
        let (engine, url) = Engine::start("postgres", "url=", options);
        Self { engine, url }
    }

    /// Where its database `poller` is, of the role `poller`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its files are: `ca.pem` if it has TLS, and `server.log`.
    pub fn directory(&self) -> &Path {
        self.engine.directory()
    }

    /// Stops it, which ends every connection.
    pub fn stop(&self) {
        self.engine.act("stop", &[]);
    }

    /// Kills it, with all its processes.
    pub fn kill(&self) {
        self.engine.act("kill", &[]);
    }

    /// Starts it after it was stopped or killed, and returns once it answers.
    pub fn start_again(&self) {
        self.engine.act("start", &[]);
    }

    /// Has it do nothing, as if its machine hung.
    pub fn pause(&self) {
        self.engine.act("pause", &[]);
    }

    /// Has it go on after a pause.
    pub fn resume(&self) {
        self.engine.act("resume", &[]);
    }

    /// Makes an empty database, of the role `poller`; where it is.
    pub fn fresh_database(&self, name: &str) -> String {
        self.sql(&format!("CREATE DATABASE \"{name}\""));
        let (url, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (server, _) = url.rsplit_once('/').expect("a database");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{server}/{name}{mark}{query}")
    }

    /// What `psql` says to `statement` in the database `poller`: a line a row, columns with `|`
    /// between.
    pub fn sql(&self, statement: &str) -> String {
        self.try_sql(statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The same, where it may fail.
    ///
    /// # Errors
    ///
    /// What `psql` says is wrong.
    pub fn try_sql(&self, statement: &str) -> Result<String, String> {
        sql_at(&self.url, statement)
    }
}

/// What `psql` says to `statement` in the database at `url`.
///
/// # Errors
///
/// What `psql` says is wrong.
pub fn sql_at(url: &str, statement: &str) -> Result<String, String> {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
    command.args(["--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", statement]);
    let output = command.output().expect("psql is there");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(said(&output))
    }
}

/// What a script started, in a directory of its own.
#[derive(Debug)]
struct Engine {
    script: &'static str,
    directory: TempDir,
}

impl Engine {
    /// The engine, and what its script says after `mark`.
    fn start(script: &'static str, mark: &str, options: &[&str]) -> (Self, String) {
        let directory = tempfile::Builder::new().prefix("poller-").tempdir().expect("a directory");
        // From here on it is taken down even if it never comes up.
        let engine = Self { script, directory };
        let process = std::process::id().to_string();
        let output = engine.run("up", &[options, &["--with-pid", &process]].concat());
        assert!(output.status.success(), "{script} does not start: {}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        let place = text.lines().find_map(|line| line.strip_prefix(mark));
        let place = place.unwrap_or_else(|| panic!("no {mark} in {text}")).to_owned();
        (engine, place)
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn act(&self, action: &str, rest: &[&str]) {
        let output = self.run(action, rest);
        assert!(output.status.success(), "{} {action}: {}", self.script, said(&output));
    }

    fn run(&self, action: &str, rest: &[&str]) -> Output {
        let directory = self.directory().to_str().expect("text");
        run(self.script, &[&[action, directory], rest].concat())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let output = self.run("down", &[]);
        // Where the test fails already, that is what is to be read.
        let is_down = output.status.success() || std::thread::panicking();
        assert!(is_down, "{} does not go down: {}", self.script, said(&output));
    }
}

/// Runs a script of the project's.
pub fn run(script: &str, arguments: &[&str]) -> Output {
    let scripts: PathBuf = [env!("CARGO_MANIFEST_DIR"), "scripts", script].iter().collect();
    Command::new(scripts).args(arguments).output().expect("the script is there")
}

/// What was said on standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}
