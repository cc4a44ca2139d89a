//! Chains of certificates.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::certificate(data));
