//! Frames of HTTP/2.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::check::fuzzing::http2_frames(data));
