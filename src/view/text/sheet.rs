//! `Sheet`: lines of a label and parts that wrap within the width, painted in tones.

use super::figures::clean;
use super::{Colour, Style};

/// What a part means, which is its colour where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Tone {
    Plain,
    Quiet,
    Good,
    Caution,
    Bad,
}

impl Tone {
    const fn sequence(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Quiet => Some("\x1b[2m"),
            Self::Good => Some("\x1b[32m"),
            Self::Caution => Some("\x1b[33m"),
            Self::Bad => Some("\x1b[1;31m"),
        }
    }

    /// Adds `piece` in this tone to `text`.
    pub(in crate::view) fn paint(self, piece: &str, colour: Colour, text: &mut String) {
        match (colour, self.sequence()) {
            (Colour::Ansi, Some(sequence)) if !piece.is_empty() => {
                text.push_str(sequence);
                text.push_str(piece);
                text.push_str("\x1b[0m");
            }
            _ => text.push_str(piece),
        }
    }
}

/// A piece of text that is not broken.
pub(super) type Part = (String, Tone);

/// `text` without a tone.
pub(super) fn plain(text: impl Into<String>) -> Part {
    (text.into(), Tone::Plain)
}

/// Text that grows line by line.
pub(super) struct Sheet {
    style: Style,
    text: String,
}

impl Sheet {
    /// Columns of the labels, with the gap behind them.
    pub(super) const LABEL: usize = 11;

    pub(super) const fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Columns at most.
    pub(super) const fn width(&self) -> usize {
        self.style.width
    }

    /// The columns that are left beside the label.
    pub(super) const fn room(&self) -> usize {
        self.style.width - Self::LABEL
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A line that stands for itself, broken at blanks where it is too long.
    pub(super) fn headline(&mut self, text: &str, tone: Tone) {
        let words: Vec<Part> = clean(text).split(' ').map(|word| (word.to_owned(), tone)).collect();
        self.wrap(&words, " ", (0, 2));
    }

    /// A line that the caller fitted to the width.
    pub(super) fn line(&mut self, text: &str, tone: Tone) {
        self.paint(text.trim_end(), tone);
        self.text.push('\n');
    }

    /// `label` and `parts`, which are set apart by commas and continue below the first of them.
    pub(super) fn row(&mut self, label: &str, parts: &[Part]) {
        self.label(label);
        self.wrap(parts, ", ", (Self::LABEL, Self::LABEL));
    }

    /// `label` and columns that are aligned by the caller.
    pub(super) fn columns(&mut self, label: &str, parts: &[Part]) {
        self.label(label);
        self.wrap(parts, "  ", (Self::LABEL, Self::LABEL));
    }

    fn label(&mut self, label: &str) {
        let pad = " ".repeat(Self::LABEL.saturating_sub(label.chars().count()));
        self.paint(label, Tone::Quiet);
        self.text.push_str(&pad);
    }

    fn wrap(&mut self, parts: &[Part], separator: &str, (first, further): (usize, usize)) {
        let mut column = first;
        let mut is_first = true;
        for (text, tone) in parts {
            let length = text.chars().count();
            if is_first {
                is_first = false;
            } else if column + separator.len() + length > self.style.width {
                self.text.push_str(separator.trim_end());
                self.text.push('\n');
                self.text.push_str(&" ".repeat(further));
                column = further;
            } else {
                self.text.push_str(separator);
                column += separator.len();
            }
            self.paint(text, *tone);
            column += length;
        }
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        self.text.push('\n');
    }

    fn paint(&mut self, text: &str, tone: Tone) {
        tone.paint(text, self.style.colour, &mut self.text);
    }
}
