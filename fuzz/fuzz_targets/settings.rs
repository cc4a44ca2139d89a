//! Settings files.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::config::fuzzing::settings(data));
