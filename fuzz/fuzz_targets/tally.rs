//! Tallies as they are stored.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::fuzzing::tally(data));
