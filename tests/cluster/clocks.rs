//! Clocks that are wrong: a library that is loaded before all others and tells programs another time.

#![allow(clippy::expect_used, reason = "a test fails loudly")]

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// What tells programs another time.
pub(crate) struct Clocks {
    _room: TempDir,
    library: PathBuf,
}

impl Clocks {
    /// It, made by the compiler of C; none where it cannot be made, which is said.
    ///
    /// The `faketime` that distributions have does not do: waits of the client of Kafka never end
    /// under it.
    #[allow(clippy::print_stdout, reason = "what is skipped is told")]
    pub(crate) fn here() -> Option<Self> {
        let room = tempfile::tempdir().expect("a directory");
        let library = room.path().join("wrong_clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/wrong_clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([source, "-ldl"]);
        match compiler.status() {
            Ok(status) if status.success() => Some(Self { _room: room, library }),
            status => {
                println!("skipped: cc makes no wrong clock: {status:?}");
                None
            }
        }
    }

    /// `program` with a clock that is `seconds` ahead.
    pub(crate) fn off_by(&self, mut program: Command, seconds: i64) -> Command {
        program.env("LD_PRELOAD", &self.library).env("CLOCK_OFF_S", seconds.to_string());
        program
    }
}
