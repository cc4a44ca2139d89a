//! Records of spill files.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::store::fuzzing::spill_record(data));
