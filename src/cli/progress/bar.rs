//! `Bar`: progress on a terminal, drawn anew in its place.

use std::io::{self, Write};
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use parking_lot::Mutex;

use super::pace::Point;
use crate::view::text::Colour;

/// Times in a second that it is drawn at most.
const MOST_DRAWN: u8 = 10;
/// With a bar, where it is known how many checks there are.
const WITH_BAR: &str = "[{bar:24}] {said}";
/// Without one.
const WITHOUT: &str = "{said}";

/// Bytes that wait for the next look at most.
const MOST_WAITING: usize = 64 << 10;

/// A bar with its figures; it is not there while a line that stands above it is unfinished.
pub(super) struct Bar {
    place: MultiProgress,
    shape: ProgressBar,
    /// What stands beside the bar.
    said: Arc<Mutex<String>>,
    colour: Colour,
    template: Option<&'static str>,
    is_drawn: bool,
    above: Above,
}

/// What stands above the bar on the same terminal.
struct Above {
    out: Box<dyn Write + Send>,
    /// What is written with the next look: bar and lines take turns no more often than that.
    waiting: Vec<u8>,
    /// Whether the cursor is where a line begins.
    is_free: bool,
    failed: Option<io::Error>,
}

impl Above {
    fn pour(&mut self) {
        let Some(last) = self.waiting.last() else { return };
        self.is_free = *last == b'\n';
        let written = self.out.write_all(&self.waiting).and_then(|()| self.out.flush());
        self.waiting.clear();
        self.failed = written.err();
    }
}

impl Bar {
    /// A bar on standard error.
    pub(super) fn on_standard_error(colour: Colour) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(MOST_DRAWN), colour)
    }

    /// A bar on `target`.
    pub(super) fn on(target: ProgressDrawTarget, colour: Colour) -> Self {
        let place = MultiProgress::with_draw_target(target);
        let shape = place.add(ProgressBar::no_length());
        let said = Arc::default();
        let above =
            Above { out: Box::new(io::sink()), waiting: Vec::new(), is_free: true, failed: None };
        Self { place, shape, said, colour, template: None, is_drawn: false, above }
    }

    /// Whatever it takes from now on goes to `out`.
    pub(super) fn stand_below(&mut self, out: Box<dyn Write + Send>) {
        self.above.out = out;
    }

    /// Takes `text` that is to stand above it.
    pub(super) fn take(&mut self, text: &[u8]) -> io::Result<()> {
        self.above.waiting.extend_from_slice(text);
        if !self.is_drawn || self.above.waiting.len() > MOST_WAITING {
            self.clear();
        }
        self.above.failed.take().map_or(Ok(()), Err)
    }

    pub(super) fn show(&mut self, point: &Point) {
        if !self.above.waiting.is_empty() {
            self.clear();
        }
        if !self.above.is_free {
            return;
        }
        *self.said.lock() = self.words(point);
        let total = point.total();
        self.dress(if total.is_some() { WITH_BAR } else { WITHOUT });
        self.shape.update(|state| {
            if let Some(total) = total {
                state.set_len(total);
            }
            state.set_pos(point.done);
        });
        self.is_drawn = true;
    }

    /// Takes it away, and writes what waits.
    pub(super) fn clear(&mut self) {
        if self.is_drawn {
            // A terminal that is gone shows nothing.
            let _ = self.place.clear();
            self.is_drawn = false;
        }
        self.above.pour();
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) const fn waiting(&self) -> usize {
        self.above.waiting.len()
    }

    fn words(&self, point: &Point) -> String {
        let mut words = point.words();
        if let (Colour::Ansi, true, Some(failed)) =
            (self.colour, point.failed > 0, words.get_mut(1))
        {
            *failed = format!("\u{1b}[31m{failed}\u{1b}[0m");
        }
        words.join(", ")
    }

    fn dress(&mut self, template: &'static str) {
        if self.template == Some(template) {
            return;
        }
        let said = Arc::clone(&self.said);
        let tell = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = text.write_str(&said.lock());
        };
        // The templates are right, which a test holds.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.shape.set_style(style.with_key("said", tell).progress_chars("=> "));
            self.template = Some(template);
        }
    }
}
