//! `Summary` as text for people, meant to be read in five seconds.

mod cluster;
mod figures;
mod line;
mod pressure;
mod sections;
mod sheet;

pub use figures::{between, clean, count, duration, moment, plural, shorten, size};
pub use line::one_line;
pub(super) use sheet::Tone;

use super::{Lists, Summary};
use sheet::Sheet;

/// How text is dressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether it may hold colours.
    pub colour: Colour,
    /// Columns at most.
    pub width: usize,
}

/// Whether text holds colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escape sequences.
    Ansi,
}

impl Style {
    const WIDEST: usize = 100;
    const NARROWEST: usize = 60;

    /// Plain text, 100 columns wide.
    pub const PLAIN: Self = Self { colour: Colour::Never, width: Self::WIDEST };

    /// A style for a terminal of `columns`, which is used up to 100.
    #[must_use]
    pub fn new(colour: Colour, columns: Option<u16>) -> Self {
        let width = columns.map_or(Self::WIDEST, usize::from);
        Self { colour, width: width.clamp(Self::NARROWEST, Self::WIDEST) }
    }
}

/// `summary` as text that ends with a line feed.
#[must_use]
pub fn render(summary: &Summary, style: &Style, lists: Lists) -> String {
    let mut sheet = Sheet::new(*style);
    sections::trouble(&mut sheet, summary, lists);
    sections::daemon(&mut sheet, summary);
    cluster::members(&mut sheet, summary, lists);
    sections::polls(&mut sheet, summary);
    sections::delays(&mut sheet, summary, lists);
    sections::codes(&mut sheet, summary);
    sections::work(&mut sheet, summary, lists);
    sections::certificates(&mut sheet, summary, lists);
    sections::machine(&mut sheet, summary);
    sheet.finish()
}

#[cfg(test)]
mod tests;
