//! `Daemon`: the real program, polling in the foreground with a data directory of its own.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up fails"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// How long anything may take that is not being measured.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A poller that runs; it is killed when dropped.
pub struct Daemon {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    pub directory: TempDir,
}

/// The program, without what the environment of the test may say to it.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
    command.env_clear();
    command
}

/// What `command` says, when it has ended.
pub fn said(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    text(&output)
}

/// Both outputs of a program.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A directory with this list in it, as `list.json`.
pub fn directory(list: &Value) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("list.json"), list.to_string()).expect("a list");
    directory
}

/// Lets `command` poll the list of `directory` in the foreground.
pub fn foreground<'c>(command: &'c mut Command, directory: &Path) -> &'c mut Command {
    command
        .args(["--start", "--foreground", "--urls", "list.json", "--data", "data"])
        .current_dir(directory)
}

impl Daemon {
    /// Polls `list`; returns once it does.
    pub fn start(list: &Value, arguments: &[&str]) -> Self {
        let directory = directory(list);
        let mut command = program();
        foreground(&mut command, directory.path()).args(arguments);
        Self::spawn(&mut command, directory)
    }

    /// Runs `command`, a poller in the foreground with its data in `data` of `directory`; returns
    /// once it polls.
    pub fn spawn(command: &mut Command, directory: TempDir) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("poller: polling") {
            if stderr.read_line(&mut said).is_ok_and(|read| read == 0) {
                let status = child.wait();
                panic!("it does not poll ({status:?}): {said}");
            }
        }
        Self { child, stderr: Some(stderr), directory }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The program, to ask this daemon.
    pub fn asking(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.args(arguments).args(["--data", "data"]).current_dir(self.directory.path());
        command
    }

    /// The rows of a query on its store.
    pub fn sql(&self, query: &str) -> Vec<Map<String, Value>> {
        let output = self.asking(&["sql", "--json", query]).output().expect("it runs");
        assert!(output.status.success(), "{query}: {}", text(&output));
        serde_json::from_slice(&output.stdout).expect("rows")
    }

    /// Its live summary.
    pub fn summary(&self) -> Value {
        let output = self.asking(&["--viewstats", "--json"]).output().expect("it runs");
        assert!(output.status.success(), "{}", text(&output));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(summary["state"], "running", "{summary}");
        summary
    }

    /// Waits until `query`, which counts something, counts at least `least`.
    pub fn wait_for(&self, query: &str, least: i64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let rows = self.sql(query);
            let count = rows.first().and_then(|row| row.values().next()).and_then(Value::as_i64);
            if count >= Some(least) {
                return;
            }
            assert!(Instant::now() < end, "{query}: {count:?}, and not {least}, in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills it, and starts it again where it was; returns once it polls.
    pub fn restart(mut self, arguments: &[&str]) -> Self {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let empty = tempfile::tempdir().expect("a directory");
        let directory = std::mem::replace(&mut self.directory, empty);
        let mut command = program();
        foreground(&mut command, directory.path()).args(arguments);
        Self::spawn(&mut command, directory)
    }

    /// Stops it as a service manager does; what it said on its way.
    pub fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        let mut said = String::new();
        let mut stderr = self.stderr.take().expect("it is stopped once");
        stderr.read_to_string(&mut said).expect("text");
        let status = self.child.wait().expect("our child");
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
