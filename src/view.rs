//! What is shown, as plain values; text, JSON and the rest are renderings of the same values.

pub mod explain;
pub mod recent;
pub mod result;
pub mod results;
pub mod table;
pub mod text;
pub mod words;

mod change;
mod pressure;
mod ran;
mod stored;
mod summary;
mod target_row;

pub use change::*;
pub use pressure::*;
pub use ran::*;
pub use stored::{stored_summary, tell_worst};
pub use summary::*;
pub use target_row::*;

/// How much of the lists within a view is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lists {
    /// Their first entries.
    #[default]
    Short,
    /// All of them.
    All,
}
