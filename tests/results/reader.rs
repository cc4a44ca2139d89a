//! Programs of others that read results; a test of one that is not installed says `skipped`.

use std::io::Write;
use std::process::{Command, Stdio};

/// What `program` makes of `input`, or none where it is not installed.
pub(crate) fn read(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            skipped(&format!("no {program}: {error}"));
            return None;
        }
    };
    let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    writer.join().expect("no panic").expect("all of it is read");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// Says that a test shows nothing here; where all readers are to be there, that is a failure.
#[allow(clippy::print_stdout, reason = "whoever runs the test shall know")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("POLLER_READERS").is_some_and(|value| value == "required");
    assert!(!required, "{why}, and POLLER_READERS=required");
    println!("skipped: {why}");
}
