//! Settings and lists: parsed and checked once, at the edge, every mistake told at once.

pub mod checks;
pub(crate) mod expect;
pub mod fields;
pub mod file;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod given;
pub mod keys;
pub mod modules;
pub mod nearest;
pub mod place;
pub mod rules;
pub mod settings;
pub mod sources;
pub mod substitute;
pub mod targets;
pub mod units;
pub mod values;

pub use settings::{Settings, SettingsError};
