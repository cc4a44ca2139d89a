//! The papers of the service: the unit is sound and tight, and the installer puts all in place.

#![expect(clippy::print_stderr, reason = "a check that cannot be made says so")]
#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LARGEST_EXPOSURE: f64 = 1.5;

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What `systemd-analyze` says, `None` where there is none.
fn systemd_analyze(arguments: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("not checked: systemd-analyze cannot be run here ({error})");
            None
        }
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn the_unit_exposes_little() {
    let unit = source("systemd/poller.service");
    let unit = unit.to_str().expect("text");
    let Some(output) = systemd_analyze(&["security", "--offline=true", "--no-pager", unit]) else {
        return;
    };
    let report = said(&output);
    let level = report.lines().find_map(|line| {
        line.split_once("poller.service: ")?.1.split(' ').next()?.parse::<f64>().ok()
    });
    let Some(level) = level else {
        eprintln!("not checked: this systemd-analyze cannot look at a file: {report}");
        return;
    };
    assert!(level <= LARGEST_EXPOSURE, "{report}");
}

#[test]
fn the_unit_is_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(source("systemd/poller.service")).expect("the unit");
    let unit = folder.path().join("poller.service");
    // The check looks for the program, which need not be installed here.
    fs::write(&unit, text.replace("/usr/local/bin/poller", "/bin/true")).expect("written");
    if let Some(output) = systemd_analyze(&["verify", unit.to_str().expect("text")]) {
        assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    }
}

fn install(below: &Path) -> String {
    let output = Command::new(source("scripts/install-service"))
        .env("DESTDIR", below)
        .env("BINARY", "/bin/true")
        .env("PREFIX", "/opt/poller")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn the_installer_puts_all_in_place_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    install(folder.path());
    let binary = folder.path().join("opt/poller/bin/poller");
    assert_eq!(fs::metadata(binary).expect("installed").permissions().mode() & 0o777, 0o755);
    let unit = folder.path().join("etc/systemd/system/poller.service");
    let unit = fs::read_to_string(unit).expect("installed");
    assert!(unit.contains("ExecStart=/opt/poller/bin/poller --start --foreground"), "{unit}");

    let list = folder.path().join("etc/poller/urls.json");
    let text = fs::read_to_string(&list).expect("installed");
    assert!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON").is_array());
    fs::write(&list, "[\"mine\"]").expect("written");
    let said = install(folder.path());
    assert_eq!(fs::read_to_string(&list).expect("there"), "[\"mine\"]");
    assert!(said.contains("nothing was started"), "{said}");
}
