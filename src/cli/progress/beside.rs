//! `Beside`: results that go to the terminal on which a bar stands.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Face, Shared};

/// Hands what is written to the bar, which makes place for it.
pub(super) struct Beside(pub(super) Arc<Shared>);

impl Write for Beside {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut *self.0.face.lock() {
            Face::Bar(bar) => bar.take(text).map(|()| text.len()),
            Face::Lines(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // It is written with the bar's next look at the latest.
        Ok(())
    }
}
