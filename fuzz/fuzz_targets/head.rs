//! Heads of answers of HTTP/1.1.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::head(data));
