//! Output that is kept to be looked at.

#![expect(clippy::expect_used, reason = "all of it is a test")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use poller::cli::out::Out;

/// What was printed.
#[derive(Clone, Default)]
pub(crate) struct Captured {
    results: Buffer,
    words: Buffer,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl Captured {
    pub(crate) fn new() -> (Self, Out) {
        let captured = Self::default();
        let out = Out::to(Box::new(captured.results.clone()), Box::new(captured.words.clone()));
        (captured, out)
    }

    pub(crate) fn results(&self) -> String {
        self.results.text()
    }

    pub(crate) fn words(&self) -> String {
        self.words.text()
    }
}
