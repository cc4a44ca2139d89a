//! Sketches as they are stored.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::fuzzing::sketch(data));
