//! Whole spill files.

#![no_main]

use std::sync::LazyLock;

use tempfile::TempDir;

/// Where the files lie: in memory, so that writing them costs little.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir_in("/dev/shm").expect("room in memory"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    poller::store::fuzzing::spill_file(data, FOLDER.path());
});
