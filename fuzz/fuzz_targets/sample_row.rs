//! Rows of samples.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::store::fuzzing::sample_row(data));
