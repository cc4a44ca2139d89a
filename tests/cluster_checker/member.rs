//! `Member`: a checker as a process of its own.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use poller::queue::kafka::Connection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cluster::{PATIENCE, eventually};

/// A checker that runs; it is killed when dropped.
pub(crate) struct Member {
    child: Child,
    directory: TempDir,
}

impl Member {
    /// One of the cluster at `connection`, called `name`, at `location`; returns once it polls.
    pub(crate) fn start(
        connection: &Connection,
        name: &str,
        location: &str,
        arguments: &[&str],
    ) -> Self {
        let kafka = connection.brokers.join(",");
        let topics = connection.prefix.as_str();
        let options = ["--kafka", &kafka, "--topics", topics, "--member", name];
        let options =
            [&options[..], &["--location", location, "--lease", "6s"], arguments].concat();
        let mut member = Self::spawn(&options);
        let polls = |member: &mut Self| {
            let is_over = member.child.try_wait().expect("a child").is_some();
            is_over || member.said().contains("polling what jobs")
        };
        assert!(eventually(|| polls(&mut member)), "{}", member.said());
        member
    }

    /// A checker with these options.
    pub(crate) fn spawn(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = File::create(directory.path().join("log")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_poller"));
        command.env_clear().args(options).arg("checker").current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().expect("the program"), directory }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        let path: PathBuf = self.directory.path().join("log");
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Has it drain, and waits until it has ended.
    pub(crate) fn drain(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, Signal::TERM).expect("it runs");
        self.ended()
    }

    /// How it ended, when it has.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.said());
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}
