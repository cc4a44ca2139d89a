//! Drives the program itself: runs it in a folder of its own, asks it, and leaves nothing behind.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Long enough for a loaded machine, where something must happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `probe` finds something, and ends the test when it does not.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        pause(Duration::from_millis(50));
    }
}

/// Lets time pass where nothing can be waited for.
pub(crate) fn pause(length: Duration) {
    let end = Instant::now() + length;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left.max(Duration::from_micros(1)));
    }
}

/// The program under test: `POLLER_TESTED`, else the one that was built with this test.
fn program() -> PathBuf {
    std::env::var_os("POLLER_TESTED")
        .map_or_else(|| env!("CARGO_BIN_EXE_poller").into(), PathBuf::from)
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    /// Exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Done {
    /// Checks exit code and that standard error holds each of `words`; gives back itself.
    pub(crate) fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:#?}");
        }
        assert!(!self.err.contains("panicked"), "{self:#?}");
        self
    }

    /// Checks that it worked; gives back itself.
    pub(crate) fn works(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }
}

/// A folder in which the program runs, with its data directory and all its files.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    data: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        Self { folder, data }
    }

    /// A home whose data directory is somewhere else.
    pub(crate) fn with_data(data: &Path) -> Self {
        let mut home = Self::new();
        data.clone_into(&mut home.data);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file in the test's own folder");
        path
    }

    /// Makes `entries` the list.
    pub(crate) fn list(&self, entries: &[Value]) {
        self.write("urls.json", &serde_json::to_string_pretty(entries).unwrap());
    }

    /// The program with `arguments`, in its folder, without what the environment would change.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.args(arguments).arg("--data").arg(&self.data);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().expect("the program is there");
        Done {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program with `input` on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is there");
        // The program may not read it at all.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it is our child");
        Done {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the daemon in the background with further `arguments`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Done {
        self.run(&[&["--start"], arguments].concat()).works()
    }

    pub(crate) fn stop(&self) {
        self.run(&["--stop"]).works();
    }

    /// Starts the program attached to this process, and returns once it polls.
    pub(crate) fn attach(&self, arguments: &[&str]) -> Attached {
        let words = self.path("attached.err");
        let mut command = self.command(&[&["--foreground"], arguments].concat());
        command.stderr(fs::File::create(&words).unwrap()).stdout(Stdio::null());
        let child = command.spawn().expect("the program is there");
        let mut attached = Attached { child, words };
        wait_for("the daemon to poll", || {
            assert_eq!(attached.ended(), None, "{}", attached.words());
            attached.words().contains("polling ").then_some(())
        });
        attached
    }

    /// The summary, live or stored.
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.run(&["-i", "--json"]).works().out).expect("JSON")
    }

    /// Rows of an answer of the store.
    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        let text = self.run(&["sql", query, "--json"]).works().out;
        serde_json::from_str(&text).expect("JSON")
    }

    /// A query that answers with one number.
    pub(crate) fn number(&self, query: &str) -> i64 {
        let rows = self.sql(query);
        let values: Vec<_> =
            rows.iter().flat_map(|row| row.as_object().unwrap().values()).collect();
        assert_eq!(values.len(), 1, "{query}: {rows:?}");
        values[0].as_i64().unwrap_or_else(|| panic!("{query}: {rows:?}"))
    }

    /// How many samples the store holds.
    pub(crate) fn stored(&self) -> u64 {
        self.number("SELECT count(*) FROM checks").cast_unsigned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.data("poller.log")).unwrap_or_default()
    }

    /// The number of the daemon that runs in this home.
    pub(crate) fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data("poller.pid")).ok()?;
        let pid = text.lines().next()?.parse().ok()?;
        self.processes().contains(&pid).then_some(pid)
    }

    /// The processes of this home that run.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let wanted = self.data.as_os_str().as_encoded_bytes();
        let entries = fs::read_dir("/proc").expect("a system with /proc");
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.windows(wanted.len()).any(|part| part == wanted)
            })
            .collect()
    }

    /// Sends `sent` to the daemon that was detached.
    pub(crate) fn signal(&self, sent: Signal) {
        signal(self.pid().expect("a daemon runs"), sent);
    }

    /// Waits until no process of this home is left.
    pub(crate) fn until_gone(&self) {
        wait_for("the daemon to be gone", || self.processes().is_empty().then_some(()));
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for pid in self.processes() {
            signal(pid, Signal::KILL);
        }
    }
}

/// Sends `sent` to the process `pid`, which may be gone.
pub(crate) fn signal(pid: u32, sent: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a number of a process");
    let _ = kill_process(pid, sent);
}

/// A daemon that is our child.
pub(crate) struct Attached {
    child: Child,
    words: PathBuf,
}

impl Attached {
    /// What it has written to standard error.
    pub(crate) fn words(&self) -> String {
        fs::read_to_string(&self.words).unwrap_or_default()
    }

    pub(crate) fn signal(&self, sent: Signal) {
        signal(self.child.id(), sent);
    }

    /// Its exit code, or the negative number of the signal that ended it; none while it runs.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = self.child.try_wait().expect("it is our child")?;
        Some(status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)))
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> i32 {
        wait_for("the daemon to end", || self.ended())
    }

    /// Ends it the hard way.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end();
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
