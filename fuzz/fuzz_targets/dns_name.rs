//! Names, as people write them and as they come over the wire.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::dns_name(data));
