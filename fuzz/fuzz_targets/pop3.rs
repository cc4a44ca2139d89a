//! Mail servers that speak POP3.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::pop3(data));
