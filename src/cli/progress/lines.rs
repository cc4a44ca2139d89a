//! `Lines`: progress where nothing can be drawn anew in its place.

use std::io::Write;

use super::pace::Point;

/// A line for each look; when nobody takes it, it is lost.
pub(super) struct Lines(pub(super) Box<dyn Write + Send>);

impl Lines {
    pub(super) fn show(&mut self, point: &Point) {
        let line = format!("{}\n", point.words().join(", "));
        let _ = self.0.write_all(line.as_bytes());
        let _ = self.0.flush();
    }
}
