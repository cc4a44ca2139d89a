//! Servers that say a few lines over TCP.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::tcp_dialog(data));
