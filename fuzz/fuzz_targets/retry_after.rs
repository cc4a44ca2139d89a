//! How long a throttling answer asks us to wait.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::retry_after(data));
