//! A network of its own for a test: the test runs again within it, where that is allowed.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

use std::process::Command;

/// Set in the part of a test that runs in a network of its own.
const INSIDE: &str = "POLLER_TEST_INSIDE";

/// Whether this is the part of the test `name` that runs in a network of its own, which `setup`
/// made, a line of the shell; if not, that part has run by now.
pub fn is_inside(name: &str, setup: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let script = format!("{{ {setup}; }} || exit 77; \"$0\" --exact \"$1\" --nocapture");
    let this = std::env::current_exe().expect("our own file");
    let mut command = Command::new("unshare");
    command.args(["-rmn", "sh", "-c", &script]).arg(this).arg(name).env(INSIDE, "1");
    match command.status() {
        Ok(status) if status.success() => {}
        // Of unshare, and of what is set up.
        Ok(status) if ![Some(1), Some(77)].contains(&status.code()) => panic!("{name}: {status}"),
        other => eprintln!("not checked: no network can be made here ({other:?})"),
    }
    false
}

/// Runs a line of the shell that changes the network.
pub fn change(line: &str) {
    let status = Command::new("sh").args(["-c", line]).status().expect("a shell");
    assert!(status.success(), "{line}: {status}");
}
