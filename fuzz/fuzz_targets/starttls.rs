//! Servers that are asked for TLS.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::starttls(data));
