//! Where redirects lead.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::redirect(data));
