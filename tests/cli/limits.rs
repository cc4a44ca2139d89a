//! The plan that `--check` prints: whether a list fits, and which limits are in force.

use serde_json::json;

use crate::home::Home;

/// A home with 50 targets that are polled once a second.
fn home() -> Home {
    let home = Home::new();
    let url = |n| json!({"url": format!("http://127.0.0.{n}:9/"), "interval": 1});
    home.list(&(1..=50).map(url).collect::<Vec<_>>());
    home
}

/// What `--check` prints with a variable.
fn with(home: &Home, name: &str, value: &str) -> (Option<i32>, String) {
    let output = home.command(&["--check"]).env(name, value).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn the_plan_ends_with_whether_the_list_fits() {
    let done = home().run(&["--check", "--max-memory", "1GB"]).works();
    assert_eq!(last_line(&done.out), "fits", "{}", done.out);
    for limit in ["needed", "files", "memory", "ports", "processor", "disk"] {
        let line = done.out.lines().find(|line| line.starts_with(limit));
        assert!(line.is_some_and(|line| line.ends_with(": fits")), "{limit}: {}", done.out);
    }
}

#[test]
fn what_does_not_fit_is_named_with_what_to_change() {
    let home = home();
    let done = home.run(&["--check", "--max-memory", "1GB", "--max-per-cycle", "20"]).works();
    assert_eq!(last_line(&done.out), "does not fit: launches", "{}", done.out);
    assert!(done.out.contains("raise --max-per-cycle to 50 at least"), "{}", done.out);
    let few = ["--check", "--max-memory", "1GB", "--max-workers", "20"];
    let done = home.run(&few).works();
    let line = "fits while few polls time out; does not fit when all do: places";
    assert_eq!(last_line(&done.out), line, "{}", done.out);
    let done = home.run(&["--check", "--max-memory", "1MB", "--max-disk", "1MB"]).works();
    assert_eq!(last_line(&done.out), "does not fit: memory, disk", "{}", done.out);
}

#[test]
fn both_names_of_a_variable_are_read_and_the_first_one_counts() {
    let home = home();
    for name in ["POLLER_PARALLEL", "POLLER_ENABLE_PARALLEL"] {
        let (code, told) = with(&home, name, "false");
        assert!(code == Some(0) && told.contains(" 1 poll in flight at most"), "{name}: {told}");
        let (code, told) = with(&home, name, "perhaps");
        assert!(code == Some(2) && told.contains(&format!("'{name}'")), "{name}: {told}");
    }
    for name in ["POLLER_ADAPTIVE", "POLLER_RESOURCE_MONITORING"] {
        let (code, told) = with(&home, name, "off");
        assert!(code == Some(0) && told.contains("--adaptive is off"), "{name}: {told}");
        let (code, told) = with(&home, name, "perhaps");
        assert!(code == Some(2) && told.contains(&format!("'{name}'")), "{name}: {told}");
    }
    let both = [("POLLER_PARALLEL", "true"), ("POLLER_ENABLE_PARALLEL", "false")];
    let output = home.command(&["--check"]).envs(both).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(!told.contains(" 1 poll in flight"), "{told}");
    let mut command = home.command(&["--check", "--parallel=true"]);
    let output = command.env("POLLER_ENABLE_PARALLEL", "false").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(!told.contains(" 1 poll in flight"), "flags beat variables: {told}");
}
