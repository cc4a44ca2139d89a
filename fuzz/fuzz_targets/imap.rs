//! Mail servers that speak IMAP.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::imap(data));
