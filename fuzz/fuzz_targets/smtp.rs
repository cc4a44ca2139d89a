//! Mail servers that speak SMTP.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::smtp(data));
