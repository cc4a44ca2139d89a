//! The rig of the benches: a fleet in a process of its own, the bare loop in another, and the
//! real daemon that polls the same addresses.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "each bench uses a part of the rig, prints, and fails loudly"
)]

#[path = "bare.rs"]
pub(crate) mod bare;
#[path = "../../tests/support/fleet.rs"]
pub(crate) mod fleet;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bare::{BareOptions, BareTls, Spread};
use fleet::{Certificate, Fleet, address::address};
use serde_json::{Value, json};

/// Plays the part that the bench asks of its own copies; true when there was one to play.
pub(crate) fn plays_a_part() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("fleet") => serve(),
        Some("bare") => loop_bare(&arguments),
        _ => return false,
    }
    true
}

fn serve() {
    let options = fleet::Options { threads: 1, ..fleet::Options::default() };
    let fleet = Fleet::start(options).expect("the fleet starts");
    println!(
        "{}",
        json!({
            "http": fleet.http_port(),
            "https": fleet.https_port(Certificate::Good),
            "blackhole": fleet.blackhole_port(),
            "dns": fleet.dns_address().to_string(),
            "ca": fleet.ca_pem(),
        })
    );
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// `bare RATE SECONDS TARGETS PORT PATH SPREAD CA-FILE`
fn loop_bare(arguments: &[String]) {
    let text = |index: usize| arguments.get(index).map_or("", String::as_str);
    let number = |index: usize| text(index).parse::<u32>().unwrap_or(0);
    let port = u16::try_from(number(5)).unwrap_or(0);
    let ca = text(8);
    let report = bare::run(BareOptions {
        rate: number(2),
        seconds: number(3),
        addresses: (0..number(4)).map(|target| bare::at(address(target), port)).collect(),
        path: text(6).to_owned(),
        tls: (!ca.is_empty()).then(|| BareTls {
            ca_pem: std::fs::read_to_string(ca).expect("the file is there"),
            name: "fleet.test".into(),
        }),
        spread: if text(7) == "shared" { Spread::Shared(2) } else { Spread::PerCore(2) },
    })
    .expect("the bare loop runs");
    println!("{} {}", report.cpu_us_per_poll(), report.failed);
}

/// A fleet in a process of its own.
pub(crate) struct Site {
    child: Child,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) blackhole: u16,
    pub(crate) dns: String,
    pub(crate) ca: PathBuf,
    pub(crate) room: tempfile::TempDir,
}

impl Site {
    pub(crate) fn start() -> Self {
        let room = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(std::env::current_exe().expect("a name"))
            .arg("fleet")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the fleet's process starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the fleet says where it is");
        let hello: Value = serde_json::from_str(&line).expect("JSON");
        let port = |name: &str| u16::try_from(hello[name].as_u64().unwrap_or(0)).unwrap_or(0);
        let ca = room.path().join("ca.pem");
        std::fs::write(&ca, hello["ca"].as_str().unwrap_or("")).expect("it can be written");
        Self {
            http: port("http"),
            https: port("https"),
            blackhole: port("blackhole"),
            dns: hello["dns"].as_str().unwrap_or("").to_owned(),
            child,
            ca,
            room,
        }
    }

    /// The URL of a target by its address.
    pub(crate) fn url(&self, target: u32, path: &str) -> String {
        format!("http://{}:{}{path}", address(target), self.http)
    }

    /// The URL of a target by its name.
    pub(crate) fn named(&self, target: u32, path: &str) -> String {
        format!("http://t{target}.fleet.test:{}{path}", self.http)
    }

    /// The URL of a target over TLS, by its name.
    pub(crate) fn secure(&self, target: u32, path: &str) -> String {
        format!("https://t{target}.fleet.test:{}{path}", self.https)
    }

    /// The fleet's own figures.
    pub(crate) fn figures(&self) -> Value {
        self.ask("GET", "/_stats")
    }

    pub(crate) fn reset(&self) {
        self.ask("PUT", "/_reset");
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).expect("the fleet listens");
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// CPU of a poll in the bare loop, in microseconds.
    pub(crate) fn bare(&self, rate: u32, seconds: u32, targets: u32, kind: (&str, bool)) -> f64 {
        let (spread, is_tls) = kind;
        let port = if is_tls { self.https } else { self.http };
        let ca = if is_tls { self.ca.display().to_string() } else { String::new() };
        let output = Command::new(std::env::current_exe().expect("a name"))
            .args(["bare", &rate.to_string(), &seconds.to_string(), &targets.to_string()])
            .args([&port.to_string(), "/", spread, &ca])
            .output()
            .expect("the bare loop's process runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut fields = text.split_whitespace();
        let cpu = fields.next().and_then(|field| field.parse().ok()).unwrap_or(f64::NAN);
        let failed = fields.next().unwrap_or("?");
        if failed != "0" {
            println!("  (the bare loop had {failed} failures)");
        }
        cpu
    }

    /// Writes a list of entries.
    pub(crate) fn list_of(&self, entries: &[Value]) -> PathBuf {
        let path = self.room.path().join("urls.json");
        let text = serde_json::to_string(entries).expect("JSON");
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    /// Writes a list of URLs with intervals in seconds.
    pub(crate) fn list(&self, entries: impl IntoIterator<Item = (String, f64)>) -> PathBuf {
        let mut text = String::from("[\n");
        for (index, (url, interval)) in entries.into_iter().enumerate() {
            let comma = if index > 0 { ",\n" } else { "" };
            let _ = write!(text, "{comma}{{\"url\":\"{url}\",\"interval\":{interval}}}");
        }
        text.push_str("\n]\n");
        let path = self.room.path().join("urls.json");
        std::fs::write(&path, text).expect("it can be written");
        path
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The real daemon.
pub(crate) struct Poller {
    child: Child,
    pub(crate) data: PathBuf,
}

impl Poller {
    /// Starts it on a list and waits until it polls.
    pub(crate) fn start(site: &Site, list: &Path, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_poller")), site, list, arguments)
    }

    /// The same, with so many files that it may open.
    pub(crate) fn start_with_files(
        files: u32,
        site: &Site,
        list: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut command = Command::new("prlimit");
        command.args([&format!("--nofile={files}:{files}"), env!("CARGO_BIN_EXE_poller")]);
        Self::start_by(command, site, list, arguments)
    }

    fn start_by(mut command: Command, site: &Site, list: &Path, arguments: &[&str]) -> Self {
        let data = site.room.path().join("data");
        let child = command
            .args(["--foreground", "--log-level", "error"])
            .args(["--resolver", &site.dns, "--urls"])
            .arg(list)
            .arg("--ca")
            .arg(&site.ca)
            .arg("--data")
            .arg(&data)
            .args(arguments)
            .env_remove("NOTIFY_SOCKET")
            .stderr(Stdio::null())
            .spawn()
            .expect("poller starts");
        let poller = Self { child, data };
        let began = Instant::now();
        while poller.summary().is_null() {
            assert!(began.elapsed() < Duration::from_mins(1), "poller does not come up");
            pause(0.02);
        }
        poller
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The summary, live or of the store; null when there is none.
    pub(crate) fn summary(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_poller"))
            .args(["--viewstats", "--json", "--data"])
            .arg(&self.data)
            .output()
            .expect("poller runs");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if summary["state"] == "running" || !self.is_running() { summary } else { Value::Null }
    }

    fn is_running(&self) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))
            .is_ok_and(|stat| !stat.contains(") Z"))
    }

    /// Processor time so far in seconds, of the threads that run.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let nanoseconds = threads.flatten().filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        nanoseconds.sum::<u64>() as f64 / 1e9
    }

    /// Resident memory in megabytes.
    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0)
            / 1_024.0
    }

    /// Open file descriptors.
    pub(crate) fn open_files(&self) -> f64 {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.pid()));
        folder.map_or(f64::NAN, |files| files.count() as f64)
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let _ = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
    }

    /// CPU of a poll over the next `seconds`, in microseconds.
    pub(crate) fn cost(&self, seconds: f64) -> f64 {
        let polls = |summary: &Value| summary["checks"]["since_start"].as_f64().unwrap_or(0.0);
        let (before, cpu) = (polls(&self.summary()), self.cpu_seconds());
        pause(seconds);
        let cpu = self.cpu_seconds() - cpu;
        cpu * 1e6 / (polls(&self.summary()) - before)
    }

    /// The rows of the answer to a query on the store.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_poller"))
            .args(["sql", "--json", sql, "--data"])
            .arg(&self.data)
            .output()
            .expect("poller runs");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Stops it and waits until it is gone.
    pub(crate) fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
        let _ = self.child.wait();
    }

    /// The answer to a query on the store that is one number.
    pub(crate) fn number(&self, sql: &str) -> f64 {
        let output = Command::new(env!("CARGO_BIN_EXE_poller"))
            .args(["sql", "--json", sql, "--data"])
            .arg(&self.data)
            .output()
            .expect("poller runs");
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let first = rows.get(0).and_then(Value::as_object).and_then(|row| row.values().next());
        first.and_then(Value::as_f64).unwrap_or(f64::NAN)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets `seconds` pass.
pub(crate) fn pause(seconds: f64) {
    std::thread::park_timeout(Duration::from_secs_f64(seconds));
}

/// A setting of the bench from the environment.
pub(crate) fn setting(name: &str, usual: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The middle one of several figures.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Whether `cargo test` runs the bench, which then only shows that it works.
pub(crate) fn is_a_trial() -> bool {
    !std::env::args().any(|argument| argument == "--bench")
}
