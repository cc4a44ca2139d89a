//! Detaching, locking, stopping and logging, with real processes. Forking takes a process
//! without threads, so this test has no runner: it calls itself as the daemon.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is its own test runner")]
#![expect(clippy::expect_used, clippy::panic, reason = "all of it is a test")]

#[path = "support/facts.rs"]
mod facts;

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use facts::FakeFacts;
use poller::api::client::Client;
use poller::api::{Server, Services, socket_path};
use poller::cli::out::Out;
use poller::cli::viewstats::{Rhythm, ViewOptions, viewstats};
use poller::daemon::{Detached, Notifier, Ready, Stopped, detach, stop};
use poller::lock::{Lock, holder};
use poller::log::{self, Destination, Format, Rotation, Settings};
use poller::signal::{self, Signal};
use poller::view::{Lists, Summary};

const ROLE: &str = "POLLER_TEST_ROLE";
const LIMIT: Duration = Duration::from_mins(1);
const ROUNDS: usize = 20;

type Test = (&'static str, fn(&Path));

fn main() -> ExitCode {
    if let Some(role) = std::env::var_os(ROLE) {
        let directory = PathBuf::from(std::env::args_os().nth(1).expect("a directory"));
        return match &*role.to_string_lossy() {
            "notifies" => notify(),
            "watches" => watch(&directory),
            role => program(role, &directory),
        };
    }
    let tests: [Test; 11] = [
        ("a_start_returns_once_the_daemon_polls", a_start_returns_once_the_daemon_polls),
        ("a_second_daemon_is_refused", a_second_daemon_is_refused),
        ("the_reason_of_a_failed_start_reaches_the_caller", the_reason_of_a_failed_start),
        ("a_daemon_that_dies_is_a_failed_start", a_daemon_that_dies_is_a_failed_start),
        ("a_daemon_that_does_not_answer_is_signalled", a_daemon_that_does_not_answer_is_signalled),
        ("a_daemon_that_will_not_end_is_told", a_daemon_that_will_not_end_is_told),
        ("systemd_wants_it_in_the_foreground", systemd_wants_it_in_the_foreground),
        ("a_hup_opens_the_log_anew", a_hup_opens_the_log_anew),
        ("systemd_hears_how_it_goes", systemd_hears_how_it_goes),
        ("watching_ends_at_an_interrupt", watching_ends_at_an_interrupt),
        ("many_rounds_leave_nothing_behind", many_rounds_leave_nothing_behind),
    ];
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted)) {
            let folder = tempfile::tempdir().expect("a folder");
            test(folder.path());
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

// ---- the daemon ----

fn program(role: &str, directory: &Path) -> ExitCode {
    match detach(None) {
        Detached::Parent(Ok(word)) => {
            println!("{word}");
            ExitCode::SUCCESS
        }
        Detached::Parent(Err(error)) => {
            eprintln!("{error}");
            ExitCode::from(error.code)
        }
        Detached::Child(ready) => {
            daemon(role, directory, ready);
            ExitCode::SUCCESS
        }
        Detached::Failed => ExitCode::FAILURE,
    }
}

fn daemon(role: &str, directory: &Path, ready: Ready) {
    match role {
        "dies" => std::process::abort(),
        "fails" => return ready.failed(2, "the list has no valid entry"),
        _ => {}
    }
    let mut lock = match Lock::take(directory) {
        Ok(lock) => lock,
        Err(error) => return ready.failed(1, &error.to_string()),
    };
    let settings = Settings {
        destination: Destination::File(directory.join("poller.log"), Rotation::default()),
        format: Format::Text,
        filter: "info".to_owned(),
    };
    let log = log::start(&settings).expect("a log");
    let (_listener, mut signals) = signal::listen().expect("signals");
    let facts = Arc::new(FakeFacts::default());
    let socket = socket_path(directory, |_| None);
    let server = (role != "mute")
        .then(|| Server::start(&socket, None, &Services::of(facts.clone())).expect("a socket"));
    lock.announce(&socket).expect("written");
    tracing::info!("polling");
    ready.ready(&format!("polling with pid {}", std::process::id()));
    loop {
        match signals.try_recv() {
            Ok(Signal::Drain) if role != "stubborn" => break,
            Ok(Signal::ExitNow) => break,
            Ok(Signal::Reload) => log.reopen(),
            _ if facts.is_stopping.load(Ordering::Relaxed) && role != "stubborn" => break,
            _ => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
    tracing::info!("the end");
    drop(server);
}

fn notify() -> ExitCode {
    let notifier = Notifier::new();
    notifier.ready();
    notifier.reloading();
    notifier.status("all\nis well");
    notifier.alive();
    notifier.stopping();
    assert_eq!(notifier.watchdog_interval(), Some(Duration::from_secs(30)));
    ExitCode::SUCCESS
}

fn watch(directory: &Path) -> ExitCode {
    let options = ViewOptions { rhythm: Rhythm::Watch, ..ViewOptions::default() };
    let stored = || Ok::<_, String>(Summary::default());
    viewstats(&Client::of(directory), options, stored, &mut Out::standard())
}

// ---- the tests ----

fn start(role: &str, directory: &Path) -> Output {
    let own = std::env::current_exe().expect("a program");
    let mut command = Command::new(own);
    command.arg(directory).env(ROLE, role).env_remove("NOTIFY_SOCKET").env_remove("INVOCATION_ID");
    command.output().expect("it runs")
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn pid_of(started: &Output) -> u32 {
    let word = told(&started.stdout);
    word.rsplit(' ').next().and_then(|pid| pid.parse().ok()).unwrap_or_else(|| {
        panic!("no pid in {word:?}, {:?}", told(&started.stderr));
    })
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "waited too long until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn a_start_returns_once_the_daemon_polls(directory: &Path) {
    let started = start("polls", directory);
    assert!(started.status.success(), "{}", told(&started.stderr));
    let held = holder(directory).expect("readable").expect("a daemon");
    assert_eq!(held.pid, Some(pid_of(&started)));
    let client = Client::of(directory).with_patience(LIMIT);
    assert_eq!(client.summary(Lists::Short).expect("answered").pid, pid_of(&started));
    let stopped = stop(directory, LIMIT).expect("stopped");
    assert_eq!(stopped, Stopped::Ended(Some(pid_of(&started))));
    let log = std::fs::read_to_string(directory.join("poller.log")).expect("a log");
    assert!(log.contains("polling") && log.contains("the end"), "{log}");
    assert_eq!(stop(directory, LIMIT).expect("nothing to do"), Stopped::NotRunning);
}

fn a_second_daemon_is_refused(directory: &Path) {
    let first = start("polls", directory);
    let second = start("polls", directory);
    assert_eq!(second.status.code(), Some(1));
    let reason = told(&second.stderr);
    assert!(reason.contains(&format!("pid {}", pid_of(&first))), "{reason}");
    assert!(reason.contains(&directory.display().to_string()), "{reason}");
    stop(directory, LIMIT).expect("stopped");
}

fn the_reason_of_a_failed_start(directory: &Path) {
    let started = start("fails", directory);
    assert_eq!(started.status.code(), Some(2));
    assert_eq!(told(&started.stderr), "the list has no valid entry");
}

fn a_daemon_that_dies_is_a_failed_start(directory: &Path) {
    let started = start("dies", directory);
    assert_eq!(started.status.code(), Some(1));
    assert!(told(&started.stderr).contains("died before it polled"));
}

fn a_daemon_that_does_not_answer_is_signalled(directory: &Path) {
    let started = start("mute", directory);
    let stopped = stop(directory, LIMIT).expect("stopped by a signal");
    assert_eq!(stopped, Stopped::Ended(Some(pid_of(&started))));
}

fn a_daemon_that_will_not_end_is_told(directory: &Path) {
    let started = start("stubborn", directory);
    let pid = pid_of(&started);
    let error = stop(directory, Duration::from_millis(50)).expect_err("still there");
    assert!(error.to_string().contains("still runs"), "{error}");
    // Two signals end it at once.
    for round in 0..2 {
        let sent = Command::new("kill").arg(pid.to_string()).status().expect("kill runs");
        assert!(sent.success() || round > 0);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    wait_until("it is gone", || {
        let _ = Command::new("kill").arg(pid.to_string()).output();
        holder(directory).expect("readable").is_none()
    });
}

fn systemd_wants_it_in_the_foreground(directory: &Path) {
    let own = std::env::current_exe().expect("a program");
    let refused = Command::new(own)
        .arg(directory)
        .env(ROLE, "polls")
        .env("NOTIFY_SOCKET", "/nowhere")
        .output()
        .expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused.stderr).contains("--foreground"), "{}", told(&refused.stderr));
}

fn kill(signal: &str, pid: u32) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn a_hup_opens_the_log_anew(directory: &Path) {
    let started = start("polls", directory);
    let log = directory.join("poller.log");
    std::fs::rename(&log, directory.join("moved")).expect("moved");
    kill("-HUP", pid_of(&started));
    wait_until("there is a new log", || log.exists());
    stop(directory, LIMIT).expect("stopped");
    assert!(std::fs::read_to_string(&log).expect("text").contains("the end"));
}

fn systemd_hears_how_it_goes(directory: &Path) {
    let path = directory.join("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket");
    let own = std::env::current_exe().expect("a program");
    let told = Command::new(own)
        .arg(directory)
        .envs([(ROLE, "notifies"), ("WATCHDOG_USEC", "60000000")])
        .env("NOTIFY_SOCKET", &path)
        .status();
    assert!(told.expect("it runs").success());
    let mut heard = Vec::new();
    for _ in 0..5 {
        let mut buffer = [0; 256];
        let length = systemd.recv(&mut buffer).expect("a word");
        heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    assert_eq!(heard[0], "READY=1\n");
    assert!(heard[1].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{}", heard[1]);
    assert_eq!(heard[2..], ["STATUS=all is well\n", "WATCHDOG=1\n", "STOPPING=1\n"]);
}

fn watching_ends_at_an_interrupt(directory: &Path) {
    let own = std::env::current_exe().expect("a program");
    let mut watching = Command::new(own)
        .arg(directory)
        .env(ROLE, "watches")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut first = [0; 6];
    let mut shown = watching.stdout.take().expect("its output");
    shown.read_exact(&mut first).expect("a first picture");
    kill("-INT", watching.id());
    let mut rest = String::new();
    shown.read_to_string(&mut rest).expect("the rest of it");
    assert!(watching.wait().expect("its end").success());
    assert_eq!(&first, b"poller");
}

fn many_rounds_leave_nothing_behind(directory: &Path) {
    let rounds = std::env::var("POLLER_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let started = start("polls", directory);
        assert!(started.status.success(), "{}", told(&started.stderr));
        stop(directory, LIMIT).expect("stopped");
        assert!(!directory.join("poller.sock").exists());
        wait_until("the process is gone", || is_gone(pid_of(&started)));
    }
    assert_eq!(holder(directory).expect("readable"), None);
}

/// Whether the process is gone, or waits for nothing but the system to take note of it.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}
