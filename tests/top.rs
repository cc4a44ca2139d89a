//! `poller top` in a real terminal, which it leaves as it found it.

#![expect(clippy::expect_used, reason = "all of it is a test")]

#[path = "support/daemon.rs"]
mod daemon;

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use daemon::{Daemon, PATIENCE, said};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

/// What switches to a screen of its own, and back.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";

/// A terminal, and the program that runs in it.
struct Terminal {
    master: File,
    slave: File,
    child: Child,
    output: Receiver<Vec<u8>>,
    said: String,
}

impl Terminal {
    fn run(daemon: &Daemon) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let path = ptsname(&master, Vec::new()).expect("its name");
        let path = OsStr::from_bytes(path.to_bytes());
        let slave = OpenOptions::new().read(true).write(true).open(path).expect("its other side");
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("sized");
        let end = || Stdio::from(OwnedFd::from(slave.try_clone().expect("a copy")));
        let mut command = daemon.asking(&["top"]);
        command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the program");
        let master = File::from(master);
        let mut reader = master.try_clone().expect("a copy");
        let (tell, output) = sync_channel(1_024);
        std::thread::spawn(move || {
            let mut buffer = [0; 8_192];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, slave, child, output, said: String::new() }
    }

    /// Waits until the terminal was told `wanted`, with or without what dresses it.
    fn wait_for(&mut self, wanted: &str) {
        let give_up = Instant::now() + PATIENCE;
        while !self.said.contains(wanted) && !bare(&self.said).contains(wanted) {
            let left = give_up.saturating_duration_since(Instant::now());
            let more = self.output.recv_timeout(left);
            let more = more.unwrap_or_else(|_| panic!("no {wanted:?} came"));
            self.said.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn press(&mut self, keys: &str) {
        self.said.clear();
        self.master.write_all(keys.as_bytes()).expect("pressed");
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(self.slave.as_fd()).expect("a terminal").local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }
}

/// `text` without the sequences that steer a terminal.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // They end with a letter.
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            bare.push(letter);
        }
    }
    bare
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn daemon() -> Daemon {
    let list = json!([{"url": "http://127.0.0.1:1/", "name": "closed-one", "interval": "1s"}]);
    Daemon::start(&list, &["--listen", "off"])
}

#[test]
fn figures_are_shown_and_the_terminal_is_left_as_it_was_found() {
    let daemon = daemon();
    let mut terminal = Terminal::run(&daemon);
    terminal.wait_for(ENTER);
    terminal.wait_for("target:");
    assert!(terminal.is_raw());
    terminal.press("4");
    terminal.wait_for("closed-one");
    terminal.press("q");
    terminal.wait_for(LEAVE);
    assert!(terminal.child.wait().expect("it ended").success());
    assert!(!terminal.is_raw(), "the terminal is as it was found");
}

#[test]
fn a_signal_to_end_puts_the_terminal_back() {
    let daemon = daemon();
    let mut terminal = Terminal::run(&daemon);
    terminal.wait_for("target:");
    let pid = rustix::process::Pid::from_child(&terminal.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
    terminal.wait_for(LEAVE);
    assert!(terminal.child.wait().expect("it ended").success());
    assert!(!terminal.is_raw());
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let daemon = daemon();
    let told = said(daemon.asking(&["top"]).stdin(Stdio::null()));
    assert!(told.contains("top needs a terminal; poller -i"), "{told}");
}

#[test]
fn without_a_daemon_it_says_so_before_it_takes_the_screen() {
    let daemon = daemon();
    assert!(said(&mut daemon.asking(&["--stop"])).contains("has stopped"));
    let mut terminal = Terminal::run(&daemon);
    terminal.wait_for("no daemon runs");
    assert!(!terminal.child.wait().expect("it ended").success());
    assert!(!terminal.said.contains(ENTER), "{}", terminal.said);
}
