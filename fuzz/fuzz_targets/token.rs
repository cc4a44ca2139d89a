//! Tokens, JWTs, cookies and origins, as requests show them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| poller::api::fuzzing::token(data));
