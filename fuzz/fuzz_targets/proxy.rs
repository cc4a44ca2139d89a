//! Proxies that are asked for a tunnel.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::proxy(data));
