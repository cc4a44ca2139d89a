//! What is shown, as plain values; text, JSON and the rest are renderings of the same values.

pub mod cluster;
pub mod explain;
pub mod past;
pub mod probe;
pub mod recent;
pub mod result;
pub mod results;
pub mod series;
pub mod table;
pub mod text;
pub mod words;

mod change;
mod discovered;
mod pressure;
mod ran;
mod status;
mod stored;
mod summary;
mod target_query;
mod target_row;
mod told;

pub use change::*;
pub use cluster::Cluster;
pub use discovered::Discovered;
pub use pressure::*;
pub use ran::*;
pub use status::*;
pub use stored::{stored_summary, tell_worst};
pub use summary::*;
pub use target_query::*;
pub use target_row::*;
pub use told::*;

/// How much of the lists within a view is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lists {
    /// Their first entries.
    #[default]
    Short,
    /// All of them.
    All,
}
