//! Expectations of a body.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::expectation(data));
