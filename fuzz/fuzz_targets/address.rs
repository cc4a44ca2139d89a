//! Addresses, whatever checks them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::fuzzing::address(data));
