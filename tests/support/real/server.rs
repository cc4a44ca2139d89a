//! A server that is a child of the test: its folder, its log, how it is waited for and ended.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// Long enough for a loaded machine, where something must happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long a server that is ready may take to say so; then it is asked again.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// How long a server may take to end by itself: it has nothing to keep.
const FAREWELL: Duration = Duration::from_millis(300);

/// How long its processes may take to be gone once they are killed.
const BURIAL: Duration = Duration::from_secs(20);

/// How often a server is started anew, with other ports, when it ends at once.
const TRIES: usize = 5;

/// Where programs lie that are not in everyone's `PATH`.
const PLACES: &[&str] = &["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/lib/postfix/sbin"];

/// Ends the group `$1` and removes the folder `$2` once the test is gone, however it went.
const GUARD: &str = r#"read -r _; kill -s KILL -- "-$1"; exec rm -rf -- "$2""#;

/// A server that runs, with all its processes and files; both are gone when it is dropped.
pub(crate) struct Server {
    child: Child,
    guard: Child,
    folder: TempDir,
}

impl Server {
    /// Runs what `set_up` makes of a fresh folder, with ports of its choice, until `ready`.
    ///
    /// # Panics
    ///
    /// When it is not ready in time, or ends before, several times in a row.
    pub(crate) fn run<T>(
        set_up: impl Fn(&Path) -> (Command, T),
        ready: impl Fn(&T) -> bool,
    ) -> (Self, T) {
        let mut said = String::new();
        for _ in 0..TRIES {
            let folder = open_folder();
            let (command, made) = set_up(folder.path());
            let mut server = Self::spawn(command, folder);
            match server.await_ready(|| ready(&made)) {
                Ok(()) => return (server, made),
                Err(words) => said = words,
            }
        }
        panic!("the server ended {TRIES} times: {said}");
    }

    fn spawn(mut command: Command, folder: TempDir) -> Self {
        use std::os::unix::process::CommandExt as _;
        let words = fs::File::create(folder.path().join("words")).expect("a file in its folder");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.current_dir(folder.path()).process_group(0).stdin(Stdio::null());
        command.stdout(words.try_clone().expect("a descriptor")).stderr(words);
        let child = command.spawn().expect("a program that is there");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", &child.id().to_string()]).arg(folder.path());
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child, guard: guard.spawn().expect("a shell"), folder }
    }

    /// Waits for `ready`; what the server said when it ends before.
    fn await_ready(&mut self, ready: impl Fn() -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let is_ready = ready();
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return Err(format!("{status}\n{}", self.words()));
            }
            if is_ready {
                return Ok(());
            }
            assert!(Instant::now() < end, "not ready in time: {}", self.words());
            pause(Duration::from_millis(20));
        }
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote to its output and into its log.
    pub(crate) fn words(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("words") + &read("log")
    }

    /// The number of its process group.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    fn kill(&self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Whether all its processes end within `limit`.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            let _ = self.child.try_wait();
            if members(self.child.id()).is_empty() {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
            pause(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What leads the group ends the others and reaps them, as far as it can.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if !self.ends_within(FAREWELL) {
            self.kill();
            self.ends_within(BURIAL);
        }
        // Last, in case that the test is killed meanwhile.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = self.child.wait();
    }
}

/// The processes of `group` that live.
pub(crate) fn members(group: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a system with /proc");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name before it may hold anything: state, parent, group.
            let mut rest = line.rsplit(')').next().unwrap_or_default().split_whitespace();
            let (state, of) = (rest.next(), rest.nth(1));
            !matches!(state, None | Some("Z" | "X")) && of == Some(group.to_string().as_str())
        })
        .collect()
}

/// A folder that servers can enter which are not of our user.
fn open_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("poller-real-").tempdir().expect("a folder");
    open(folder.path(), 0o755);
    folder
}

/// Gives `path` this mode.
pub(crate) fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a path of ours");
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The numbers of the user and the group of `name`.
pub(crate) fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = accounts.lines().find(|line| line.split(':').next() == Some(name))?.split(':');
    Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The program `name` of the Debian package `package`; else says that it is skipped.
///
/// # Panics
///
/// When `POLLER_REAL_SERVERS` is `required` and the program is not there.
pub(crate) fn program(package: &str, name: &str) -> Option<PathBuf> {
    let found = PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    if found.is_none() {
        skipped(&format!("{package} is not installed"));
    }
    found
}

/// Says why a server is not started.
///
/// # Panics
///
/// When `POLLER_REAL_SERVERS` is `required`.
#[allow(clippy::print_stdout, reason = "whoever runs the test shall know")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("POLLER_REAL_SERVERS").is_some_and(|value| value == "required");
    assert!(!required, "{why}, and POLLER_REAL_SERVERS=required");
    println!("skipped: {why}");
}

/// Ports of 127.0.0.1 that were free just now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free")
    });
    held.each_ref().map(|listener| listener.local_addr().expect("it is bound").port())
}

/// A port of 127.0.0.1 that was free just now for UDP as well as TCP.
pub(crate) fn free_port_of_both() -> u16 {
    loop {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = held.local_addr().expect("it is bound").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Waits until `probe` finds something, and ends the test when it does not.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        pause(Duration::from_millis(20));
    }
}

fn pause(length: Duration) {
    thread::park_timeout(length);
}
