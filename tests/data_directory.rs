//! Data directories of every sort: those that serve, and what is said of those that do not.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot be set up fails")]

#[path = "support/daemon.rs"]
mod daemon;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use daemon::{Daemon, directory, foreground, program, text};
use serde_json::{Value, json};

fn list() -> Value {
    json!([{"url": "http://127.0.0.1:9/", "interval": "500ms"}])
}

/// Polls with its data in `name`, made by `make`, and asks both the daemon and its store.
fn serves(name: &OsStr, make: impl FnOnce(&Path)) {
    let directory = directory(&list());
    make(directory.path());
    // The name `data`, by which the daemon is asked, leads to the same place.
    let there = directory.path().join(name);
    let mut command = program();
    command.args(["--foreground", "--urls", "list.json", "--data"]).arg(&there);
    let data = directory.path().join("data");
    fs::create_dir_all(&there).expect("a directory");
    let daemon = Daemon::spawn(command.current_dir(directory.path()), directory);
    let output = program().arg("--viewstats").arg("--data").arg(&there).output().expect("it runs");
    assert!(text(&output).contains("live figures"), "{}: {}", name.display(), text(&output));
    if !data.exists() {
        symlink(&there, &data).expect("a link");
    }
    daemon.wait_for("SELECT count(*) FROM checks", 2);
    let mut second = program();
    second.args(["--start", "--urls", "list.json", "--data"]).arg(&there);
    let refused = second.current_dir(daemon.directory.path()).output().expect("it runs");
    assert!(text(&refused).contains("polls already with the data directory"), "{}", text(&refused));
    daemon.stop();
}

#[test]
fn a_link_to_a_directory_serves() {
    serves(OsStr::new("data"), |directory| {
        fs::create_dir(directory.join("real")).expect("a directory");
        symlink("real", directory.join("data")).expect("a link");
    });
}

#[test]
fn a_path_that_is_too_long_for_a_socket_serves() {
    serves(OsStr::new(&"deep/directory/".repeat(14)), |_| ());
}

#[test]
fn a_name_that_is_no_text_serves() {
    serves(OsStr::from_bytes(b"a\xffb\nc"), |_| ());
}

/// What is said, and the exit code, of a directory that does not serve.
fn refused(make: impl FnOnce(&Path)) -> (String, Option<i32>) {
    let directory = directory(&list());
    make(directory.path());
    let output = foreground(&mut program(), directory.path()).output().expect("it runs");
    (text(&output), output.status.code())
}

#[test]
fn what_is_no_directory_is_told() {
    let file = refused(|directory| fs::write(directory.join("data"), "precious").expect("a file"));
    let dangling = refused(|directory| symlink("nowhere", directory.join("data")).expect("a link"));
    for (said, code) in [file, dangling] {
        assert!(said.contains("something that is no directory is in its place"), "{said}");
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    }
}

#[test]
fn a_store_or_a_socket_that_is_something_else_is_told() {
    let said = |name: &'static str, words: &str| {
        let (said, code) = refused(|directory| {
            fs::create_dir(directory.join("data")).expect("a directory");
            fs::write(directory.join("data").join(name), "not what it seems to be".repeat(99))
                .expect("a file");
        });
        assert!(said.contains(words) && said.contains(name), "{said}");
        assert_eq!(code, Some(1), "{said}");
    };
    said("poller.db", "is not a store");
    said("poller.sock", "something that is no socket is in its place");
    said("poller.spill", "is not a spill file");
}

#[test]
fn a_file_system_that_cannot_be_written_is_told() {
    let directory = directory(&list());
    fs::create_dir(directory.path().join("data")).expect("a directory");
    let mount = "mount -t tmpfs -o ro none data || exit 77; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", mount, env!("CARGO_BIN_EXE_poller")]);
    match foreground(&mut command, directory.path()).output() {
        Ok(output) if text(&output).contains("poller: ") => {
            assert!(text(&output).contains("Read-only file system"), "{}", text(&output));
            assert_eq!(output.status.code(), Some(1));
        }
        other => eprintln!("not checked: nothing can be mounted here ({other:?})"),
    }
}
